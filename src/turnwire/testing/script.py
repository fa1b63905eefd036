"""The vocabulary of scripts: what the peer does with one create.

A script is a function from a ``Create`` to a list of steps.  Steps of the *model* (``answer``,
``call``, ``completed`` …) become events; steps of the *wire* (``wait``, ``close``, ``drop``,
``say`` …) are things that happen between events.  A step of the wire happens where it stands in
the list, or, with ``after=``, once so many events of the turn (or the first event of that type)
were sent; ``after=0`` is before the first:

    [answer("Hello world"), drop(after=3)]
    [answer("Hello world"), wait(gate, after="response.created")]

The start (``response.created``, ``response.in_progress``) and a missing terminal event are added.
This file knows no sockets and no rules of the service.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.testing.steps import (
    After,
    Close,
    Create,
    Drop,
    Emit,
    End,
    Error,
    ErrorShape,
    Gate,
    Json,
    Output,
    OutputEdit,
    Say,
    Silence,
    Step,
    Wait,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# These codes say how an end looks from outside; they do not travel.
_UNSENDABLE_CLOSE_CODES: Final = frozenset({1006, 1015})


class Turns:
    """A script with one list of steps for each create, in order of arrival.

    Args:
        *turns: The steps of the first, second … create that passes the peer's rules.
        then: The steps of all further ones; without it they are a failure of the test.
    """

    def __init__(self, *turns: Iterable[Step], then: Iterable[Step] | None = None) -> None:
        self._turns = [list(turn) for turn in turns]
        self._then = None if then is None else list(then)
        self._used = 0

    def __call__(self, create: Create) -> list[Step]:  # noqa: ARG002  # any create will do
        """Return the steps of the next create.

        Raises:
            AssertionError: There are none left.
        """
        self._used += 1
        if self._used <= len(self._turns):
            return self._turns[self._used - 1]
        if self._then is None:
            raise AssertionError(
                f"Create {self._used} arrived, but the script has {len(self._turns)} turns; "
                "add a turn or `then=`."
            )
        return self._then


def echo(create: Create) -> list[Step]:
    """Answer with the text of the user; the script of a peer that was given none."""
    return [answer(create.text or "ok")]


# Steps of the model


def answer(text: str, *, pieces: Iterable[str] | None = None) -> Output:
    """Say something, streamed word by word or in the given pieces."""
    split = _words(text) if pieces is None else tuple(pieces)
    part = {
        "type": "output_text",
        "text": text,
        "annotations": list[Any](),
        "logprobs": list[Any](),
    }
    return Output({"type": "message", "role": "assistant", "content": [part]}, split)


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, re.split(r"(?<=\S)(?=\s)", text)))


def deltas(count: int, piece: str = "word ") -> Output:
    """Say something in so many text deltas."""
    return answer(piece * count, pieces=(piece,) * count)


def call(
    name: str, arguments: Mapping[str, Any] | str, *, call_id: str | None = None, size: int = 16
) -> Output:
    """Call a function; text is sent as it is, so that it need not be JSON.

    ``size`` is the length of each piece of the arguments in characters.
    """
    text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
    item: Json = {"type": "function_call", "name": name, "arguments": text}
    if call_id is not None:
        item["call_id"] = call_id
    return Output(item, tuple(text[at : at + size] for at in range(0, len(text), size)))


def reasoning(summary: str, *, encrypted_content: str | None = None) -> Output:
    """Reason, and show a summary of it."""
    item: Json = {"type": "reasoning", "summary": [{"type": "summary_text", "text": summary}]}
    if encrypted_content is not None:
        item["encrypted_content"] = encrypted_content
    return Output(item, _words(summary))


def item(**members: Any) -> Output:
    """Add an output item of any other type; it gets only its added and done events."""
    return Output(members)


def completed(output: OutputEdit = None, **members: Any) -> End:
    """End the response well.

    Args:
        output: What the terminal event shows instead of the items that were streamed: a list, or a
            function of them.
        **members: Members of the response object to add or replace, such as ``usage``.
    """
    return End("completed", output, members)


def failed(code: str, message: str = "The model run failed.") -> End:
    """End the response with ``response.failed``."""
    return End("failed", None, {"error": {"code": code, "message": message}})


def incomplete(reason: str) -> End:
    """End the response with ``response.incomplete``."""
    return End("incomplete", None, {"incomplete_details": {"reason": reason}})


# Steps of the wire


def emit(type: str, /, *, after: After = None, **members: Any) -> Emit:  # noqa: A002  # the wire's word
    """Send an event as given, known or not."""
    return Emit({"type": type, **members}, after)


_DEFAULT_PARAM: Final = {
    "previous_response_not_found": "previous_response_id",
    "invalid_stream_id": "stream_id",
    "websocket_stream_limit_reached": "stream_id",
}


def error(
    code: str | None,
    status: int | None = 400,
    *,
    shape: ErrorShape = "nested",
    message: str = "The request was refused by the script.",
    kind: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    lane: bool = True,
    after: After = None,
) -> Error:
    """Send an ``error`` event, which ends the turn and leaves the connection open.

    Args:
        code: The machine-readable reason, or None where a server gives none.
        status: The HTTP status that it stands for, or None to leave it out.
        shape: One of the shapes met in the field: ``nested`` (the hosted service), ``flat`` (as in
            SSE), ``status_code`` (nested, the status under another name), ``detail``.
        message: The text for people.
        kind: ``error.type``; derived from the status by default.
        param: The parameter at fault; derived from the code by default.
        headers: Sent beside the error (WebSocket), or as response headers (POST).
        lane: False to leave out the ``stream_id``.
        after: When; see the module.
    """
    server_fault = status is not None and status >= 500  # noqa: PLR2004  # HTTP's classes
    kind = kind or ("server_error" if server_fault else "invalid_request_error")
    param = param or _DEFAULT_PARAM.get(code or "")
    return Error(code, status, message, kind, param, headers, shape, lane, after)


def say(data: bytes | str, *, binary: bool = False, after: After = None) -> Say:
    """Send one message that need not be an event, nor JSON, nor text."""
    return Say(data.encode() if isinstance(data, str) else data, binary, after)


def wait(gate: Gate, *, after: After = None) -> Wait:
    """Hold the turn at a gate."""
    return Wait(gate, after)


def close(code: int = 1000, reason: str = "", *, after: After = None) -> Close:
    """Close the WebSocket properly; 1005 stands for a close without a code.

    Raises:
        ValueError: The code never travels; ``drop()`` makes the other side see 1006.
    """
    if code in _UNSENDABLE_CLOSE_CODES:
        raise ValueError(f"Close code {code} cannot be sent; use drop() or abort().")
    return Close(code, reason, after)


def drop(*, after: After = None) -> Drop:
    """End the TCP connection without a closing handshake."""
    return Drop(reset=False, after=after)


def abort(*, after: After = None) -> Drop:
    """Reset the TCP connection."""
    return Drop(reset=True, after=after)


def silence(*, after: After = None) -> Silence:
    """Say nothing more in this turn, not even that it ended."""
    return Silence(after)
