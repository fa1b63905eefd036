"""What one socket's server does with steers, in plain dictionaries, apart from the core.

A model of docs/protocol/steering.md on top of the model of lanes.  Each of its methods returns
everything that has to be done, in order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from properties.lanes import Create, Lanes

Json = dict[str, Any]
Done = tuple[Any, ...]  # ("reply", event), ("start", turn, request, cached), ("forget", id) …

LIMIT = 16


@dataclass(eq=False)
class Said:
    """One accepted steer."""

    id: str
    input: Any
    size: int
    told: bool = False


@dataclass(eq=False)
class Answer:
    """One response that the client has heard of."""

    id: str
    turn: Turn
    ended: str = ""
    owed: list[Json] = field(default_factory=list)
    closed: bool = False
    said: list[Said] = field(default_factory=list)


@dataclass(eq=False)
class Turn(Create):
    """One create, or what the server creates itself."""

    alone: bool = False  # the server's own
    carries: tuple[Answer, list[Said]] | None = None

    @property
    def request(self) -> Json:
        dropped = {"type": "response.create", "stream_id": self.lane}
        return {
            name: value
            for name, value in self.message.items()
            if value is not None and name not in dropped
        }


class SteeredLanes:
    """A socket.

    Args:
        lanes: Its lanes.
    """

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.answers: dict[str, Answer] = {}
        self.draining = False
        self.ids = 0

    @property
    def said_bytes(self) -> int:
        waiting = [each for answer in self.answers.values() for each in answer.said]
        carried = [turn.carries for turn in self.lanes.running.values()]  # type: ignore[attr-defined]
        waiting += [each for pair in carried if pair for each in pair[1]]
        return sum(each.size for each in waiting)

    # The client

    def create(self, message: Json, size: int) -> list[Done]:
        refusal = self.lanes.refusal(message, size, draining=self.draining, more=self.said_bytes)
        if refusal is not None:
            return [("refusal", *refusal)]
        self.lanes.created += 1
        name = message.get("stream_id")
        turn = Turn(self.lanes.created, name, message, size)
        if name is not None:
            self.lanes.names.add(name)
        queue = self.lanes.lanes.setdefault(name, [])
        queue.append(turn)
        if name not in self.lanes.running and len(queue) == 1:
            self.lanes.heads.append(name)
        return self.start()

    def steer(self, message: Json, size: int, *, good: bool) -> list[Done]:
        answer = self.answers.get(str(message.get("previous_response_id")))
        code = self._code(message, answer, size, good=good)
        if code is not None or answer is None:
            parent, given = message.get("previous_response_id"), message.get("input")
            said = {
                "previous_response_id": parent if isinstance(parent, str) else "",
                "input": given if isinstance(given, str | list) else "",
            }
            return [self.failure(str(code), said, answer)]
        self.ids += 1
        new = Said(f"steer_{self.ids}", message["input"], size)
        answer.said.append(new)
        accepted = {"type": "response.steer.accepted", "steer": _name(new, answer)}
        done = [self.reply(accepted, answer.turn)]
        return done + (self.pend(answer) if answer.ended else [("interrupt", answer.turn)])

    def _code(self, message: Json, answer: Answer | None, size: int, *, good: bool) -> str | None:
        if not isinstance(message.get("previous_response_id"), str):
            return "invalid_input"
        if answer is None:
            return "response_not_found"
        if not can_be_steered(answer.turn.request):
            return "steering_not_supported"
        if not good:
            return "invalid_input"
        if answer.ended not in ("", "completed"):
            return "response_not_active"
        if answer.ended and (answer.closed or not answer.owed):
            return "response_already_completed"
        full = not self.lanes.has_room(size + self.said_bytes)
        if full or len(answer.said) >= LIMIT:
            return "too_many_pending_steers"
        return "successor_creation_failed" if self.draining else None

    def drain(self) -> list[Done]:
        self.draining = True
        return self.close()

    # The server

    def start(self) -> list[Done]:
        done: list[Done] = []
        for create, cached in self.lanes.start():
            assert isinstance(create, Turn)
            answer = self.answers.get(str(create.parent))
            request = create.request
            if answer is not None and answer.ended and answer.turn.lane == create.lane:
                answer.closed = True
                said, answer.said = answer.said, []
                if said:
                    create.carries = answer, said
                    own = request.get("input", [])
                    if isinstance(own, str | list):
                        request["input"] = [item for each in said for item in _items(each.input)]
                        request["input"] += _items(own)
            create.message = create.message | request
            done.append(("start", create, request, cached))
        return done

    def emit(self, turn: Turn, event: Json, owed: list[Json]) -> list[Done]:
        kind: str = event["type"]
        fails = kind in ("response.failed", "error")
        done: list[Done] = []
        if not (turn.alone and turn.carries and fails):
            done.append(self.reply(event, turn))
        response_id = event.get("response", {}).get("id")
        if response_id is not None and not fails:
            self.answers.setdefault(response_id, Answer(response_id, turn))
        if turn.carries is not None:
            answer, said = turn.carries
            turn.carries = None
            if fails:
                done += self.give_back(answer, said)
        if fails or kind in ("response.completed", "response.incomplete"):
            done += self.end(turn, event, owed)
        return done

    def end(self, turn: Turn, event: Json, owed: list[Json]) -> list[Done]:
        kind = event["type"].removeprefix("response.")
        answer = next((each for each in self.answers.values() if each.turn is turn), None)
        well = kind in ("completed", "incomplete")
        done: list[Done] = []
        forgotten = self.lanes.keep(turn, event["response"]["id"] if well else None)
        if forgotten is not None:
            done.append(("forget", forgotten))
            old = self.answers.get(forgotten)
            if old is not None:
                old.closed = True
                done += self.give_back(old)
        successor: Turn | None = None
        if answer is not None:
            answer.ended = kind
            if kind == "completed":
                answer.owed = owed
            steered = event.get("response", {}).get("incomplete_details") == {"reason": "steered"}
            if answer.said and kind == "completed" and owed:
                done += self.pend(answer)
            elif answer.said and (kind == "completed" or (kind == "incomplete" and steered)):
                successor = self.successor(answer)
            else:
                done += self.give_back(answer)
        if successor is not None:
            self.lanes.running[turn.lane] = successor
            done.append(("start", successor, successor.request, True))
        else:
            self.lanes.free(turn)
            done += self.start()
        return done + self.close()

    def successor(self, answer: Answer) -> Turn:
        turn = answer.turn
        said, answer.said = answer.said, []
        message = {
            name: value
            for name, value in turn.message.items()
            if name not in ("input", "generate", "previous_response_id")
        }
        message["previous_response_id"] = answer.id
        message["input"] = [item for each in said for item in _items(each.input)]
        return Turn(0, turn.lane, message, 0, alone=True, carries=(answer, said))

    def pend(self, answer: Answer) -> list[Done]:
        queue = self.lanes.lanes.get(answer.turn.lane, [])
        if any(create.parent == answer.id for create in queue):
            return []
        if self.draining:
            return self.give_back(answer)
        done: list[Done] = []
        for said in answer.said:
            if not said.told:
                said.told = True
                event = {
                    "type": "response.steer.pending",
                    "reason": "waiting_for_required_input",
                    "required_input": answer.owed,
                    "steer": _name(said, answer),
                }
                done.append(self.reply(event, answer.turn))
        return done

    def give_back(self, answer: Answer, said: list[Said] | None = None) -> list[Done]:
        if said is None:
            said, answer.said = answer.said, []
        return [
            self.failure(
                "successor_creation_failed", _name(each, answer) | {"input": each.input}, answer
            )
            for each in said
        ]

    def close(self) -> list[Done]:
        if not self.draining:
            return []
        done = [
            each
            for answer in self.answers.values()
            if answer.ended and answer.said
            for each in self.pend(answer)
        ]
        if not self.lanes.running and not self.lanes.waiting:
            done.append(("hang up",))
        return done

    def failure(self, code: str, said: Json, answer: Answer | None) -> Done:
        event = {"type": "response.steer.failed", "error": code, "steer": said}
        return self.reply(event, answer.turn if answer else None)

    def reply(self, event: Json, turn: Turn | None) -> Done:
        if turn is None:
            return ("reply", event | {"sequence_number": 0})
        event = event | {"sequence_number": turn.events}
        turn.events += 1
        return ("reply", event | ({"stream_id": turn.lane} if turn.lane is not None else {}))


def can_be_steered(request: Json) -> bool:
    """Say whether a create is one that can be steered; the model ``deaf`` never can."""
    prewarm = request.get("prompt_cache_options") == {"prewarm": True}
    odd = request.get("conversation") or request.get("context_management")
    deaf = request.get("model") == "deaf"
    return not (deaf or odd or prewarm or request.get("generate") is False)


def _items(given: Any) -> list[Json]:
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return list(given)


def _name(said: Said, answer: Answer) -> Json:
    return {"id": said.id, "previous_response_id": answer.id}
