"""What a steer may say, and how it becomes input of the turn that takes it along.

Both halves ask what it may say; the rest is the server's.  Sources: docs/protocol/steering.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

from turnwire.core.history import ANSWERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]

_MEMBERS: Final = {"type", "previous_response_id", "input"}
_MESSAGE_MEMBERS: Final = {"type", "role", "content"}
_PARTS: Final = {"input_text", "input_image", "input_file"}

# What an automatic successor does not inherit: its input and its lane are its own, and whoever
# steers wants an answer.
_NOT_INHERITED: Final = {"type", "stream_id", "input", "previous_response_id", "generate"}


def wrong_input(event: Json) -> str | None:
    """Say what is wrong with a ``response.steer``, or None."""
    extra = sorted(event.keys() - _MEMBERS)
    if extra:
        return (
            f"A steer has `type`, `previous_response_id` and `input`, and not {extra[0][:64]!r};"
            " its lane is that of the response."
        )
    given: Any = event.get("input")
    if isinstance(given, str):
        return None if given else "`input` must not be empty."
    if not _is_array(given) or not given:
        return "`input` must be a text or a list of user messages, and not empty."
    for index, item in enumerate(given):
        complaint = _wrong_message(item)
        if complaint is not None:
            return f"`input[{index}]` {complaint}."
    return None


def _wrong_message(item: Any) -> str | None:
    if not _is_object(item) or item.get("type", "message") != "message":
        return "must be a message"
    if item.keys() - _MESSAGE_MEMBERS:
        return "may have `type`, `role` and `content` only"
    if item.get("role") != "user":
        return "must have the role `user`"
    content: Any = item.get("content")
    if isinstance(content, str):
        return None
    if not _is_array(content):
        return "must have text or a list of parts as `content`"
    for part in content:
        if not _is_object(part) or part.get("type") not in _PARTS:
            return "may hold parts of the types `input_text`, `input_image` and `input_file` only"
        if part["type"] == "input_text" and not isinstance(part.get("text"), str):
            return "has an `input_text` without `text`"
    return None


def can_be_steered(request: Json) -> bool:
    """Say whether the turn of a create can be steered, whatever its model can do.

    Not a warm-up, which says nothing, and not with ``conversation`` or automatic compaction.
    """
    options: Any = request.get("prompt_cache_options")
    return not (
        request.get("generate") is False
        or (_is_object(options) and options.get("prewarm") is True)
        or request.get("conversation")
        or request.get("context_management")
    )


def with_steers(said: Iterable[Any], given: Any) -> list[Any] | None:
    """Return the input of a create with what steers said before it, in the order of submission.

    Returns:
        None if the create's own input is neither text nor a list: it will be refused as it is.
    """
    own: Any = [] if given is None else given
    if not (isinstance(own, str) or _is_array(own)):
        return None
    inputs: list[Any] = [*said, own]
    return [item for each in inputs for item in ([_user(each)] if isinstance(each, str) else each)]


def successor_request(request: Json, response_id: str) -> Json:
    """Return a request with all settings of a steered one, that continues its response."""
    settings = {name: value for name, value in request.items() if name not in _NOT_INHERITED}
    return settings | {"previous_response_id": response_id}


def required_input(output: Sequence[Any]) -> list[Json]:
    """Return a stub for each answer that the client owes to a response, in the order of its calls.

    All seven kinds of docs/protocol/continuation.md#client-tool-calls.
    """
    stubs: dict[tuple[str, Any], Json] = {}
    for item in filter(_is_object, output):
        kind: Any = item.get("type")
        if kind in ANSWERS:
            if kind != "tool_search_call" or item.get("execution") == "client":
                stub = _stub(item)
                stubs[stub["type"], next(iter(stub.values()))] = stub
        elif kind in _PAIRED_BY:
            stubs.pop((kind, item.get(_PAIRED_BY[kind])), None)
    return list(stubs.values())


_PAIRED_BY: Final = {
    answer: "approval_request_id" if answer == "mcp_approval_response" else "call_id"
    for answer in ANSWERS.values()
}


def _stub(call: Json) -> Json:
    kind: str = call["type"]
    answer = ANSWERS[kind]
    paired_by = _PAIRED_BY[answer]
    stub = {paired_by: call.get("id" if paired_by == "approval_request_id" else "call_id")}
    if kind == "function_call":
        stub["name"] = call.get("name")
    if kind == "tool_search_call":
        stub["execution"] = "client"
    return stub | {"type": answer}


def _user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": text}


def _is_object(value: Any) -> TypeGuard[Json]:
    return isinstance(value, dict)


def _is_array(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
