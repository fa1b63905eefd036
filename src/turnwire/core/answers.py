"""The client's tool calls that have no answer: found, dropped or answered before anything is sent.

A history with such a call is refused, and so is every longer one: an interrupted tool must not be
the end of a chain.  Sources: docs/protocol/continuation.md#client-tool-calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from turnwire.core.history import ANSWERS, Call, HistoryItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]

Unanswered = Literal[
    "error",  # refuse the turn and name the calls
    "drop",  # send the history without them; costs what has to be sent again
    "stub",  # answer that they were interrupted; costs a few bytes
    "send",  # send it as it is: the server will refuse it, in its own words
]

INTERRUPTED: Final = (
    "The call was interrupted. It has no result, and whether it took effect is not known."
)
UNDECIDED: Final = "Nobody has decided: the request was interrupted, so it counts as refused."

_SIGINT_EXIT_CODE: Final = 130  # what shells report for an interrupted command
_ANSWER_TYPES: Final = frozenset(ANSWERS.values())
_PAIRED_BY: Final = {"mcp_approval_response": "approval_request_id"}  # the others: `call_id`


class NoStub(ValueError):
    """A call that only its caller can answer.

    Attributes:
        call_ids: Ids of all such calls; "" for one that has none.
    """

    def __init__(self, calls: Sequence[tuple[str, str]]) -> None:
        """Name calls by type and id."""
        self.call_ids = tuple(call_id for _, call_id in calls)
        named = ", ".join(f"`{kind}` {call_id!r}" for kind, call_id in calls)
        super().__init__(
            f"no stub can stand for the output of {named}: a `computer_call` wants a screenshot,"
            ' any other call an id. Give the output, or leave such calls out with "drop"'
        )


class _Author(msgspec.Struct):
    role: str | None = None


class _Action(msgspec.Struct):
    commands: list[Any] = []
    max_output_length: int | None = None


class _Asked(msgspec.Struct):
    caller: Any = None
    action: _Action | None = None


_decode_author = msgspec.json.Decoder(_Author).decode
_decode_asked = msgspec.json.Decoder(_Asked).decode


def unanswered_calls(
    items: Sequence[HistoryItem], given_answers: Iterable[HistoryItem] = ()
) -> list[HistoryItem]:
    """Return the client's calls among ``items`` that nothing after them answers.

    Args:
        items: A whole history, from its beginning.
        given_answers: What comes after it, perhaps with answers; calls in there do not count.
    """
    return [items[position] for position in _positions(items, given_answers)]


def without_unanswered(
    items: Sequence[HistoryItem], given_answers: Iterable[HistoryItem] = ()
) -> list[HistoryItem]:
    """Return a history without calls that nothing answers, and the reasoning that led only to them.

    Reasoning is refused without what it led to, as a call is without the reasoning it came from.

    Args:
        items: A whole history, from its beginning.
        given_answers: What comes after it, perhaps with answers; not returned.
    """
    everything = [*items, *given_answers]
    dropped = set(_positions(items, everything[len(items) :]))
    gone = dropped.union(*(_led_to(position, everything, dropped) for position in dropped))
    return [item for position, item in enumerate(items) if position not in gone]


def _led_to(position: int, items: Sequence[HistoryItem], dropped: set[int]) -> set[int]:
    """Return where the reasoning stands that led to a dropped call and to nothing else."""

    def is_between(place: int) -> bool:
        inside = 0 <= place < len(items)
        return inside and (place in dropped or items[place].kind.type == "reasoning")

    follower = position
    while is_between(follower):
        follower += 1
    if follower < len(items) and _is_the_models(items[follower]):
        return set()
    origin = position
    while is_between(origin):
        origin -= 1
    return set(range(origin + 1, position))


def with_stubs(
    items: Sequence[HistoryItem], given_answers: Iterable[HistoryItem] = ()
) -> list[HistoryItem]:
    """Return a history with a stub for each call that nothing answers.

    A stub stands behind its call and what directly follows of the model's output and of answers,
    so a history that grew since is what it was up to there.

    Args:
        items: A whole history, from its beginning.
        given_answers: What comes after it, perhaps with answers; not returned.

    Raises:
        NoStub: One of the calls cannot be answered so.
    """
    calls_before: dict[int, list[HistoryItem]] = {}
    for position in _positions(items, given_answers):
        end = position + 1
        while end < len(items) and _belongs_to_turn(items[end]):
            end += 1
        calls_before.setdefault(end, []).append(items[position])
    stubs([call for calls in calls_before.values() for call in calls])  # raises for all at once
    whole: list[HistoryItem] = []
    for position in range(len(items) + 1):
        whole += stubs(calls_before.get(position, ()))
        whole += items[position : position + 1]
    return whole


def stubs(calls: Iterable[HistoryItem]) -> list[HistoryItem]:
    """Return an answer to each call: that it was interrupted and has no result.

    Args:
        calls: Calls of the client's; another item, and a second call of the same id, gets none.

    Raises:
        NoStub: A ``computer_call``, which wants a screenshot, or a call without an id.
    """
    by_id = {found: call for call in calls if (found := _call_of(call)) is not None}
    impossible = [
        (call.kind.type, call_id or "")
        for (answer, call_id), call in by_id.items()
        if not _has_stub(answer, call_id)
    ]
    if impossible:
        raise NoStub(impossible)
    return [HistoryItem.of(_stub(found, call)) for found, call in by_id.items()]


def _has_stub(answer: str, call_id: str | None) -> bool:
    """Say whether there is a stub; only a search for tools is paired without an id as well."""
    return answer != "computer_call_output" and bool(call_id or answer == "tool_search_output")


def _stub(found: Call, call: HistoryItem) -> Json:
    answer, call_id = found
    try:
        asked = _decode_asked(call.encoded)
    except msgspec.MsgspecError:  # odd types: answered by its id alone
        asked = _Asked()
    stub: Json = {"type": answer}
    if call_id is not None:
        stub[_PAIRED_BY.get(answer, "call_id")] = call_id
    if asked.caller is not None:  # a program of the model's: the answer goes back to it
        stub["caller"] = asked.caller
    return stub | _result(answer, asked)


def _result(answer: str, asked: _Asked) -> Json:
    match answer:
        case "mcp_approval_response":
            return {"approve": False, "reason": UNDECIDED}
        case "tool_search_output":  # it has no place for words
            return {"execution": "client", "status": "incomplete", "tools": []}
        case "apply_patch_call_output":
            return {"status": "failed", "output": INTERRUPTED}
        case "shell_call_output":
            return _shell_result(asked.action or _Action())
        case _:
            return {"output": INTERRUPTED}


def _shell_result(action: _Action) -> Json:
    """Return an entry for each command, and the limit that the server wants back."""
    outcome = {"type": "exit", "exit_code": _SIGINT_EXIT_CODE}
    entry = {"stdout": "", "stderr": INTERRUPTED, "outcome": outcome}
    result: Json = {"output": [entry] * max(1, len(action.commands))}
    if action.max_output_length is not None:
        result["max_output_length"] = action.max_output_length
    return result


def _call_of(item: HistoryItem) -> Call | None:
    """Return what an item waits for, or None if it is no call of the client's."""
    kind = item.kind
    answer = ANSWERS.get(kind.type)
    if answer is None or (kind.type == "tool_search_call" and kind.execution != "client"):
        return None
    return answer, kind.id if kind.type == "mcp_approval_request" else kind.call_id


def _positions(items: Sequence[HistoryItem], given_answers: Iterable[HistoryItem]) -> list[int]:
    """Return where the calls without an answer stand, in order."""
    waiting: dict[Call, list[int]] = {}
    for position, item in enumerate(items):
        call = _call_of(item)
        if call is not None:
            waiting.setdefault(call, []).append(position)
        else:
            waiting.pop(_answered_by(item), None)
    for item in given_answers:
        waiting.pop(_answered_by(item), None)
    return sorted(position for positions in waiting.values() for position in positions)


def _answered_by(item: HistoryItem) -> Call:
    kind = item.kind
    return kind.type, kind.approval_request_id or kind.call_id


def _belongs_to_turn(item: HistoryItem) -> bool:
    """Say whether an item stands among the model's output and the answers to it."""
    return item.kind.type in _ANSWER_TYPES or _is_the_models(item)


def _is_the_models(item: HistoryItem) -> bool:
    """Tell the model's output from what the client said."""
    if item.kind.type in _ANSWER_TYPES:
        return False
    try:
        role = _decode_author(item.encoded).role
    except msgspec.MsgspecError:
        role = None
    return role == "assistant" if role or item.kind.type == "message" else True
