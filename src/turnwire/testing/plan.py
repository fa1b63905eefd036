"""From the steps of a script to the events of one turn.

Builds strict shapes (interop rule R15): every member that a strict client asks for is there.
Sequence numbers and lanes are the sender's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from turnwire.testing.steps import (
    Close,
    Create,
    Drop,
    Emit,
    End,
    Error,
    HalfOpen,
    Output,
    Ping,
    Say,
    Silence,
    StopReading,
    Swallow,
    Wait,
    WithholdPongs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from turnwire.testing.steps import After, Json, Step, WireStep

Ending = Literal["completed", "failed", "incomplete", "steered", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """An event to send; ``ending`` is set if it is the terminal one."""

    event: Json
    ending: Ending | None = None


Spoken = Event | Error | Say | Ping | StopReading | WithholdPongs
Act = Spoken | Wait | Close | Drop | Silence | Swallow | HalfOpen


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that happens in one turn, in order.

    Attributes:
        acts: What to do.
        output: The output items as they are streamed, whatever the terminal event shows.
    """

    acts: list[Act]
    output: list[Json]

    @property
    def is_refusal(self) -> bool:
        """True if the first act is an error, or none at all: no model begins to answer."""
        return bool(self.acts) and isinstance(self.acts[0], Error | Swallow)


# Item type: the event that carries a piece, the one that carries the whole, and its member.
_STREAMED: Final = {
    "message":          ("response.output_text.delta", "response.output_text.done", "text"),
    "function_call":    ("response.function_call_arguments.delta",
                         "response.function_call_arguments.done", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input.delta",
                         "response.custom_tool_call_input.done", "input"),
    "reasoning":        ("response.reasoning_summary_text.delta",
                         "response.reasoning_summary_text.done", "text"),
}  # fmt: skip

_ENDINGS: Final[dict[str, Ending]] = {"completed": "completed", "incomplete": "incomplete"}
_ID_PREFIX: Final = {"message": "msg", "function_call": "fc", "reasoning": "rs"}
_CALLED: Final = ("_call",)  # item types that end so carry a call_id


def plan(create: Create, steps: Iterable[Step], response_id: str, *, goes_on: bool = False) -> Plan:
    """Turn steps into acts, adding the start and the end where the script leaves them out.

    Args:
        create: What is answered.
        steps: How.
        response_id: The id of the response.
        goes_on: True if the turn outlives its connection, so that losing that is not its end.
    """
    draft = _Draft(create, response_id, goes_on)
    timed: list[WireStep] = []
    for step in steps:
        if isinstance(step, Output):
            draft.add(step)
        elif isinstance(step, End):
            draft.end(step)
        elif step.after is None:
            draft.do(step)
        else:
            timed.append(step)
    if not draft.ended:
        draft.end(End("completed"))
    for step in timed:
        _insert(draft.acts, step)
    return Plan(draft.acts, draft.output)


@dataclass(slots=True)
class _Draft:
    """A plan being written."""

    create: Create
    response_id: str
    goes_on: bool
    acts: list[Act] = field(default_factory=list[Act])
    output: list[Json] = field(default_factory=list[dict[str, Any]])
    pieces: int = 0
    started: bool = False
    ended: bool = False

    def start(self) -> None:
        if not self.started:
            self.started = True
            for kind in ("response.created", "response.in_progress"):
                response = response_object(self.create, self.response_id, "in_progress")
                self.acts.append(Event({"type": kind, "response": response}))

    def add(self, step: Output) -> None:
        self.start()
        item = _identified(step.item, self.response_id, len(self.output))
        self.acts += [Event(event) for event in _item_events(item, step.pieces, len(self.output))]
        self.output.append(item)
        self.pieces += len(step.pieces)

    def end(self, step: End) -> None:
        self.start()
        shown = list(self.output)
        if callable(step.output):
            shown = step.output(shown)
        elif step.output is not None:
            shown = step.output
        read = len(self.create.history) + len(self.create.input)  # its tokens: an item, a piece
        response = response_object(self.create, self.response_id, step.status)
        response |= {"output": shown, "usage": usage(read, self.pieces), "completed_at": 1}
        kind = step.type or f"response.{step.status}"
        event = {"type": kind, "response": response | step.members}
        self.acts.append(Event(event, _ENDINGS.get(step.status, "failed")))
        self.ended = True

    def do(self, step: WireStep) -> None:
        self.acts.append(_act(step))
        lost = isinstance(step, Close | Drop | HalfOpen)
        self.ended |= isinstance(step, Error | Silence | Swallow) or (lost and not self.goes_on)


def _act(step: WireStep) -> Act:
    return Event(step.event) if isinstance(step, Emit) else step


def _insert(acts: list[Act], step: WireStep) -> None:
    acts.insert(_position(acts, step.after), _act(step))


def _position(acts: list[Act], after: After) -> int:
    if after == 0:
        return 0
    seen = 0
    for index, act in enumerate(acts):
        if isinstance(act, Event):
            seen += 1
            if after in (seen, act.event["type"]):
                return index + 1
    raise ValueError(f"after={after!r} is never reached: this turn has only {seen} events.")


def _identified(item: Json, response_id: str, index: int) -> Json:
    kind: str = item["type"]
    suffix = f"{response_id.removeprefix('resp_')}_{index}"
    identity: Json = {"id": f"{_ID_PREFIX.get(kind, kind)}_{suffix}", "status": "completed"}
    if kind.endswith(_CALLED):
        identity["call_id"] = f"call_{suffix}"
    if kind == "reasoning":
        del identity["status"]
    return identity | item


def _item_events(item: Json, pieces: tuple[str, ...], index: int) -> Iterator[Json]:
    kind: str = item["type"]
    at = {"item_id": item["id"], "output_index": index}
    extra: Json = {}
    part: Json = {}
    empty: Json = {}
    match kind:
        case "message":
            at["content_index"] = 0
            extra = {"logprobs": []}
            part = item["content"][0]
            empty = {"content": []}
        case "reasoning":
            at["summary_index"] = 0
            part = item["summary"][0] if item["summary"] else {}  # most often there is none
            empty = {"summary": []}
        case "function_call" | "custom_tool_call":
            empty = {_STREAMED[kind][2]: ""}
        case _:
            pass
    family = {"message": "response.content_part", "reasoning": "response.reasoning_summary_part"}
    added = item | empty | ({"status": "in_progress"} if "status" in item else {})
    yield {"type": "response.output_item.added", "output_index": index, "item": added}
    if part:
        yield {"type": f"{family[kind]}.added", **at, "part": part | {"text": ""}}
    if kind in _STREAMED and (part or kind != "reasoning"):
        delta, done, member = _STREAMED[kind]
        for piece in pieces:
            yield {"type": delta, **at, "delta": piece, **extra}
        yield {"type": done, **at, member: part.get("text") or item.get(member, ""), **extra}
    if part:
        yield {"type": f"{family[kind]}.done", **at, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def usage(input_tokens: int, output_tokens: int) -> Json:
    """Return a complete usage object."""
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }


def response_object(create: Create, response_id: str, status: str) -> Json:
    """Return a response with every member that a strict client asks for."""
    request = create.request
    defaults: Json = {
        "background": False,
        "frequency_penalty": 0.0,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "model": "scripted",
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": list[Any](),
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }
    echoed: Json = {key: request[key] for key in defaults if request.get(key) is not None}
    return (
        defaults
        | echoed
        | {
            "id": response_id,
            "object": "response",
            "created_at": 0,
            "completed_at": None,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": list[Any](),
            "usage": None,
        }
    )
