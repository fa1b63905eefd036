"""Events and failures as the HTTP answer that the server would have given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeGuard

import msgspec

from turnwire.core.failure import FailureKind, status_of_words
from turnwire.events import ErrorBody, Lifecycle, ResponseErrorEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from turnwire.core.failure import Failure
    from turnwire.events import Event, Response

JSON_TYPE: Final = "application/json"
STREAM_TYPE: Final = "text/event-stream; charset=utf-8"

# What the transfer decides, not the server; the body is written anew.
_OF_THE_TRANSFER: Final = frozenset(
    {"connection", "content-encoding", "content-length", "content-type", "transfer-encoding"}
)
_STATUS_OF_KIND: Final = {FailureKind.TOO_LARGE: 413}  # nobody read it; nor would they later
_SERVER_ERROR: Final = 500
_NO_ERROR: Final = 400  # below it
_NOT_ENDS: Final = frozenset({"response.created", "response.in_progress", "response.queued"})

_Fields = dict[str, msgspec.Raw]
_decode_fields: Final = msgspec.json.Decoder(_Fields).decode


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that is there in one piece."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def whole(response: Response) -> Answer:
    """Answer with the response object, as a create that is not streamed does."""
    fields = _decode_fields(response.raw) if response.raw else {}
    fields["output"] = msgspec.Raw(msgspec.json.encode(response.output_raw or []))
    return Answer(200, {"content-type": JSON_TYPE}, msgspec.json.encode(fields))


def failed(end: Event | None) -> Answer | None:
    """Answer with a response that says itself that it failed; None if there is none."""
    given = b"" if end is None else bytes(_decode_fields(end.raw).get("response", b""))
    return Answer(200, {"content-type": JSON_TYPE}, given) if given.startswith(b"{") else None


def refusal(failure: Failure) -> Answer | None:
    """Answer with the server's no; None if the server has not said a word."""
    headers = {
        name: value
        for name, value in failure.headers.items()
        if name.lower() not in _OF_THE_TRANSFER
    }
    if failure.kind is FailureKind.REFUSED and _is_error(failure.status):
        given = {name.lower(): value for name, value in failure.headers.items()}
        kind = given.get("content-type", JSON_TYPE)
        return Answer(failure.status, {**headers, "content-type": kind}, failure.body)
    if failure.kind is not FailureKind.SERVER and failure.kind not in _STATUS_OF_KIND:
        return None
    error = {
        "message": failure.message,
        "type": failure.type,
        "param": failure.param,
        "code": failure.code,
    }
    body = msgspec.json.encode({"error": error})
    return Answer(_status(failure), {**headers, "content-type": JSON_TYPE}, body)


def _status(failure: Failure) -> int:
    if _is_error(failure.status):  # some say 200, since that was the stream's
        return failure.status
    if failure.kind in _STATUS_OF_KIND:
        return _STATUS_OF_KIND[failure.kind]
    return status_of_words(failure.code, failure.type) or _SERVER_ERROR


def _is_error(status: int | None) -> TypeGuard[int]:
    return status is not None and status >= _NO_ERROR


def stream_piece(events: Iterable[Event], final: Response | None, number: int) -> bytes:
    """Write events as they stand in an HTTP stream.

    Args:
        events: Some events, in order.
        final: The final response if the last of them ended the turn well.
        number: The sequence number for an error that has none.
    """
    return b"".join([_written(event, final, number) for event in events])


def _written(event: Event, final: Response | None, number: int) -> bytes:
    kind = event.type
    if kind.startswith("turn."):  # ours: a comment, which every reader of streams passes over
        return b": %b\n\n" % kind.encode()
    data = event.raw
    if kind == "error":
        data = _flat(event, number)
    elif final is not None and isinstance(event, Lifecycle):
        data = _with_output(event, final)
    if b"\n" in data or b"\r" in data:  # between the tokens: text has them escaped
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def _flat(event: Event, number: int) -> bytes:
    """Write an error as HTTP streams do: docs/protocol/errors.md#shape."""
    if not isinstance(event, ResponseErrorEvent) or not isinstance(event.error, ErrorBody):
        return event.raw
    error, given = event.error, event.sequence_number
    flat = {
        "code": error.code,
        "message": error.message or error.detail,
        "param": error.param,
        "sequence_number": number if given is None else given,
    }
    return msgspec.json.encode({"type": "error", **flat})


def _with_output(event: Lifecycle, final: Response) -> bytes:
    """Complete the terminal event of a server that leaves out what it has streamed."""
    if event.type in _NOT_ENDS:
        return event.raw
    if len(event.response.output_raw or ()) == len(final.output_raw or ()):
        return event.raw
    fields = _decode_fields(event.raw)
    response = _decode_fields(fields["response"])
    response["output"] = msgspec.Raw(msgspec.json.encode(final.output_raw))
    fields["response"] = msgspec.Raw(msgspec.json.encode(response))
    return msgspec.json.encode(fields)
