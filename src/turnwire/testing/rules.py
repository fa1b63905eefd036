"""What the hosted service knows and checks about chains: caches, the store, refusals.

Written from docs/protocol/continuation.md alone, apart from the engine and the gateway, so that a
misreading in one of them shows.  Stricter than the service where that finds bugs: an incomplete
response cannot be continued, and everything that the chain already holds may not be sent again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.testing.faults import error
from turnwire.testing.steps import Error, input_items, message_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from turnwire.testing.steps import Json

# What a model may ask its client for, the answer to it, and the members that name it in either.
_ANSWERS: Final = {
    "function_call":        ("function_call_output",    "call_id", "call_id"),
    "custom_tool_call":     ("custom_tool_call_output", "call_id", "call_id"),
    "computer_call":        ("computer_call_output",    "call_id", "call_id"),
    "shell_call":           ("shell_call_output",       "call_id", "call_id"),
    "apply_patch_call":     ("apply_patch_call_output", "call_id", "call_id"),
    "tool_search_call":     ("tool_search_output",      "call_id", "call_id"),
    "mcp_approval_request": ("mcp_approval_response",   "id",      "approval_request_id"),
}  # fmt: skip
_CALL_NAME: Final = {call: member for call, (_, member, _) in _ANSWERS.items()}
_CALL_OF: Final = {answer: (call, name) for call, (answer, _, name) in _ANSWERS.items()}


@dataclass(frozen=True, slots=True)
class Node:
    """A response that can be continued, with all items that lead to and are in it."""

    response_id: str
    context: tuple[Json, ...]


@dataclass(slots=True)
class Memory:
    """What one connection holds: the latest response of each lane; ``stored`` is the service's.

    A POST has a memory without lanes.  ``remembers`` is False where nothing is ever found.
    """

    stored: dict[str, Node]
    latest: dict[str | None, Node] = field(default_factory=dict[str | None, Node])
    remembers: bool = True

    def find(self, response_id: str) -> Node | None:
        """Return a response by its id, whichever lane holds it."""
        if not self.remembers:
            return None
        for node in self.latest.values():
            if node.response_id == response_id:
                return node
        return self.stored.get(response_id)

    def keep(self, lane: str | None, node: Node, *, store: bool) -> None:
        """Note a completed response as the lane's latest one."""
        self.latest[lane] = node
        if store:
            self.stored[node.response_id] = node

    def evict(self, lane: str | None, parent: str | None) -> None:
        """Forget the parent of a turn that failed, if this lane holds it."""
        node = self.latest.get(lane)
        if node is not None and node.response_id == parent:
            del self.latest[lane]

    def forget(self, lane: str | None) -> None:
        """Forget whatever the lane holds."""
        self.latest.pop(lane, None)

    def clear(self) -> None:
        """Forget everything."""
        self.latest.clear()


def bind(request: Json, memory: Memory) -> Sequence[Json] | Error:
    """Find the chain that a create continues and check its input; return the chain's items.

    Called when the turn starts, not when it is queued: that is when a fork binds its parent.
    """
    parent = request.get("previous_response_id")
    context: tuple[Json, ...] = ()
    if parent is not None:
        node = memory.find(parent)
        if node is None:
            return error(
                "previous_response_not_found",
                message=f"Previous response with id {str(parent)[:64]!r} not found.",
            )
        context = node.context
    if not isinstance(request.get("model"), str):
        return error("missing_required_parameter", param="model", message="Name a model.")
    value: Any = request.get("input")
    if not (value is None or isinstance(value, str) or _is_item_list(value)):
        return error(
            "invalid_type", param="input", message="`input` is a string or a list of items."
        )
    return check(context, input_items(value)) or context


def _is_item_list(value: Any) -> bool:
    try:
        msgspec.convert(value, list[dict[str, Any]])
    except msgspec.ValidationError:
        return False
    return True


def check(context: Sequence[Json], items: Sequence[Json]) -> Error | None:
    """Return why these items cannot follow that context, or None."""
    known = {key for item in context for key in _keys(item)}
    said = {message_text(item) for item in context if item.get("role") == "assistant"}
    unanswered_messages = _messages_since_output(context)
    pending = _pending(context)
    for index, item in enumerate(items):
        kind = item.get("type", "message")
        keys = _keys(item)
        repeats = not known.isdisjoint(keys)
        if kind == "message" and not keys:
            signature = (item.get("role"), message_text(item))
            repeats = signature in unanswered_messages or (
                signature[0] == "assistant" and signature[1] in said
            )
        if repeats:
            return error(
                "duplicate_item",
                param=f"input[{index}]",
                message=f"Duplicate item of type {kind} found at input[{index}]; "
                "the chain holds it already.",
            )
        if kind in _CALL_OF:
            call, name = _CALL_OF[kind]
            if (call, item.get(name)) not in pending:
                return error(
                    None,
                    param="input",
                    message=f"No tool call found for {kind.replace('_', ' ')} at input[{index}].",
                )
            pending.discard((call, item.get(name)))
        if kind in _CALL_NAME:
            pending.add((kind, item.get(_CALL_NAME[kind])))
        known.update(keys)
    if pending:
        call, call_id = min(pending, key=str)
        return error(
            None,
            param="input",
            message=f"No tool output found for {call.replace('_', ' ')} {call_id}.",
        )
    return None


def required_input(context: Sequence[Json]) -> list[Json]:
    """Return a stub for each answer that the client owes, in the order of the calls."""
    pending = _pending(context)
    stubs: list[Json] = []
    for item in context:
        call: Any = item.get("type")
        if call in _CALL_NAME and (call, item.get(_CALL_NAME[call])) in pending:
            answer, member, name = _ANSWERS[call]
            stub: Json = {"type": answer, name: item.get(member)}
            extra = {"function_call": ("name", item.get("name")), "tool_search_call": _BY_CLIENT}
            stubs.append(stub | dict([extra[call]] if call in extra else []))
    return stubs


_BY_CLIENT: Final = ("execution", "client")


def _keys(item: Json) -> list[tuple[str, str]]:
    """Return what an item may be recognised by."""
    kind: str = item.get("type", "message")
    keys: list[tuple[str, str]] = []
    if isinstance(item.get("id"), str):
        keys.append(("id", item["id"]))
    names = ("call_id", "approval_request_id", "encrypted_content")
    keys += [(kind, item[name]) for name in names if isinstance(item.get(name), str)]
    return keys


def _messages_since_output(context: Iterable[Json]) -> set[tuple[Any, str]]:
    """Return the messages that nothing was answered to yet.

    Only those are repeats for certain: a user may well say the same thing twice in a conversation.
    """
    since: set[tuple[Any, str]] = set()
    for item in context:
        if item.get("type", "message") == "message" and item.get("role") != "assistant":
            since.add((item.get("role"), message_text(item)))
        else:
            since.clear()
    return since


def _pending(context: Iterable[Json]) -> set[tuple[str, Any]]:
    """Return the calls that wait for their answer."""
    pending: Counter[tuple[str, Any]] = Counter()
    for item in context:
        kind = item.get("type", "message")
        if kind in _CALL_NAME:
            pending[kind, item.get(_CALL_NAME[kind])] += 1
        elif kind in _CALL_OF:
            call, name = _CALL_OF[kind]
            pending[call, item.get(name)] -= 1
    return {call for call, count in pending.items() if count > 0}


def decode_object(data: bytes) -> Json | Error:
    """Read one JSON object of a client, or say what is wrong with it."""
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return error("invalid_json", message="Send one JSON object.")


def decode_message(data: bytes) -> Json | Error:
    """Read one message of a client: an object with a ``type``."""
    event = decode_object(data)
    if isinstance(event, Error) or isinstance(event.get("type"), str):
        return event
    return error("invalid_event", param="type", message="Each message must have a `type`.")
