"""All steers of one socket's server: which are accepted, and what becomes of each.

Knows turns and lanes; runs nothing.  Sources: docs/protocol/steering.md.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from turnwire.core.connection import ConnectionState
from turnwire.core.served_steer import ServedSteer, ServedSteerSignal, ServedSteerState
from turnwire.core.serving_refusals import STEER_REFUSALS, SteerRefusal
from turnwire.core.steer_input import required_input, successor_request, with_steers, wrong_input
from turnwire.core.turn import TurnState

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.core.connection import Connection
    from turnwire.core.serving_turn import ServedTurn, Target

Json = dict[str, Any]

MOST_STEERS: Final = 16  # that wait for one response; what the hosted service takes is SILENT
_MOST_ENDED: Final = 64  # responses that are still known by name, to say why it is too late


class ServedSteers:
    """The steers of one socket, and the responses that they can be about.

    Args:
        connection: The socket that they come on.
        send: Sends an event about a response, or about none that is known.
        has_room: Says whether so many bytes more may wait.
        new_id: Returns an id that was never used; None refuses every steer.

    Attributes:
        size_bytes: What waits.
    """

    def __init__(
        self,
        connection: Connection[ServedTurn],
        send: Callable[[Json, Target | None], None],
        has_room: Callable[[int], bool],
        new_id: Callable[[], str] | None,
    ) -> None:
        self._connection = connection
        self._send = send
        self._has_room = has_room
        self._new_id = new_id
        self._targets: dict[str, Target] = {}
        self._ended: OrderedDict[str, Target] = OrderedDict()  # nothing of theirs waits
        self.size_bytes = 0

    def received(self, event: Json, size_bytes: int) -> int | None:
        """Answer a ``response.steer``; return the turn that it interrupts, if that runs."""
        response_id: Any = event.get("previous_response_id")
        target = self._targets.get(response_id) if isinstance(response_id, str) else None
        refusal = self._refusal(event, target, size_bytes)
        if target is None or self._new_id is None or refusal is not None:
            assert refusal is not None  # without a target, or without ids, there always is one
            self._refuse(event, target, *refusal)
            return None
        steer = ServedSteer(self._new_id(), event["input"], size_bytes)
        target.steers.append(steer)
        self._ended.pop(target.response_id, None)
        self.size_bytes += size_bytes
        event = {"type": "response.steer.accepted", "steer": _named(steer, target)}
        self._send(event, target)
        if target.ending is None:
            return target.turn
        self._pend(target)
        return None

    def _refusal(
        self, event: Json, target: Target | None, size_bytes: int
    ) -> tuple[SteerRefusal, str] | None:
        if self._new_id is None:
            return "steering_not_supported", "This server does not steer."
        if not isinstance(event.get("previous_response_id"), str):
            return "invalid_input", "`previous_response_id` must name the response to steer."
        if target is None:
            return "response_not_found", "This connection knows no response with this id."
        complaint = wrong_input(event)
        if complaint is not None and target.can_be_steered:
            return "invalid_input", complaint
        code = _no_time_to_steer(target)
        if code is None and (len(target.steers) >= MOST_STEERS or not self._has_room(size_bytes)):
            code = "too_many_pending_steers"
        if code is None and self._connection.state is not ConnectionState.OPEN:
            code = "successor_creation_failed"
        return None if code is None else (code, STEER_REFUSALS[code])

    def _refuse(self, event: Json, target: Target | None, code: SteerRefusal, message: str) -> None:
        parent: Any = event.get("previous_response_id")
        given: Any = event.get("input")
        said: Json = {"previous_response_id": parent if isinstance(parent, str) else ""}
        said["input"] = given if isinstance(given, str | list) else ""
        self._send(_failed(code, message, said), target)

    # What happens to turns

    def take_along(self, turn: ServedTurn) -> None:
        """Let a create that starts take what was said to the response that it continues."""
        target = self._targets.get(turn.parent or "")
        if target is None or target.lane != turn.lane.name or target.ending is None:
            return  # a fork leaves it to those who go on on its lane
        target.closed = True
        steers = self._take(target)
        said = with_steers([each.input for each in steers], turn.request.get("input"))
        if steers:
            turn.carried = target, steers
            if said is not None:
                turn.request = turn.request | {"input": said}

    def began(self, turn: ServedTurn, response_id: str | None) -> None:
        """A response was created, or ended without having been: what it took along counts."""
        if response_id is not None:
            turn.target.response_id = response_id
            self._targets[response_id] = turn.target
        if turn.carried is not None:
            _, steers = turn.carried
            turn.carried = None
            for steer in steers:
                steer.signal(ServedSteerSignal.COMMIT)
                self.size_bytes -= steer.size_bytes

    def failed(self, turn: ServedTurn, event: Json) -> None:
        """A turn failed; if it never began, what it took along goes back."""
        if turn.carried is not None:
            target, steers = turn.carried
            turn.carried = None
            error: Json = event.get("error") or {}
            why = f"No response could take it. {error.get('message', '')}"
            self._give_back(target, steers, why)

    def ended(self, turn: ServedTurn, response: Json) -> tuple[Json, list[ServedSteer]] | None:
        """A turn has ended; return the request of its automatic successor, if it has one.

        Returns:
            The request, and the steers that it commits.
        """
        target = turn.target
        target.ending = turn.state
        if turn.state is TurnState.COMPLETED:
            target.required_input = required_input(response.get("output") or [])
        if not target.steers:
            self._settle(target)
            return None
        if target.waits:
            self._pend(target)
            return None
        steers = self._take(target)
        if not _was_steered(turn.state, response):
            self._give_back(target, steers, "The response ended, and nothing can continue it.")
            return None
        said = with_steers([each.input for each in steers], None)
        return successor_request(turn.request, target.response_id) | {"input": said}, steers

    def passed_by(self, response_id: str) -> None:
        """A lane has gone on without a response: whoever steered that has its input back.

        Its client may say the same thing again now, so a later create must not find it, either.
        """
        target = self._targets.get(response_id)
        if target is not None:
            target.closed = True
            message = "Another response has taken its place on its lane."
            self._give_back(target, self._take(target), message)

    def drain(self) -> None:
        """Give back what waits for a create that would not be taken any more."""
        for target in tuple(self._targets.values()):
            if target.steers and target.ending is not None:
                self._pend(target)

    def clear(self) -> None:
        """Forget everything: the socket is gone, and nobody can be told."""
        self._targets.clear()
        self._ended.clear()
        self.size_bytes = 0

    # What happens to steers

    def _pend(self, target: Target) -> None:
        """Tell the client once for each steer what it has to answer, unless it has done so."""
        lane = self._connection.lanes.by_name[target.lane]
        if any(turn.parent == target.response_id for turn in lane.waiting):
            return  # that create will take them along
        if self._connection.state is not ConnectionState.OPEN:
            steers = self._take(target)
            self._give_back(target, steers, STEER_REFUSALS["successor_creation_failed"])
            return
        for steer in target.steers:
            if steer.state is ServedSteerState.ACCEPTED:
                steer.signal(ServedSteerSignal.PEND)
                event: Json = {
                    "type": "response.steer.pending",
                    "reason": "waiting_for_required_input",
                    "required_input": target.required_input,
                    "steer": _named(steer, target),
                }
                self._send(event, target)

    def _take(self, target: Target) -> list[ServedSteer]:
        taken, target.steers = target.steers, []
        self._settle(target)
        return taken

    def _settle(self, target: Target) -> None:
        """Know a response for some time longer that has ended, and that nothing waits for."""
        if target.response_id in self._targets and target.ending is not None:
            self._ended[target.response_id] = target
            while len(self._ended) > _MOST_ENDED:
                oldest, _ = self._ended.popitem(last=False)
                del self._targets[oldest]

    def _give_back(self, target: Target, steers: list[ServedSteer], message: str) -> None:
        for steer in steers:
            steer.signal(ServedSteerSignal.FAIL)
            self.size_bytes -= steer.size_bytes
            said = {**_named(steer, target), "input": steer.input}
            self._send(_failed("successor_creation_failed", message, said), target)


def _no_time_to_steer(target: Target) -> SteerRefusal | None:
    if not target.can_be_steered:
        return "steering_not_supported"
    if target.ending not in (None, TurnState.COMPLETED):
        return "response_not_active"
    if target.ending is not None and (target.closed or not target.waits):
        return "response_already_completed"
    return None


def _was_steered(state: TurnState, response: Json) -> bool:
    details: Json = response.get("incomplete_details") or {}
    steered = state is TurnState.INCOMPLETE and details.get("reason") == "steered"
    return steered or state is TurnState.COMPLETED


def _named(steer: ServedSteer, target: Target) -> Json:
    return {"id": steer.id, "previous_response_id": target.response_id}


def _failed(code: SteerRefusal, message: str, steer: Json) -> Json:
    error = {"type": "invalid_request_error", "code": code, "message": message}
    return {"type": "response.steer.failed", "error": error, "steer": steer}
