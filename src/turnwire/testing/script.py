"""The vocabulary of scripts, the model's half: what the peer answers to one create.

A script is a function from a ``Create`` to a list of steps.  Steps of the *model*, which are here
(``answer``, ``call``, ``completed`` …), become events; steps of the *wire*, which are in
``faults.py`` (``wait``, ``close``, ``drop`` …), are things that happen between events.

The start (``response.created``, ``response.in_progress``) and a missing terminal event are added.
This file knows no sockets and no rules of the service.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from turnwire.testing.steps import Create, End, Json, Output, OutputEdit, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


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


def terminal(type: str, /, status: str = "completed", **members: Any) -> End:  # noqa: A002  # the wire's word
    """End the response with an event of another type, such as ``response.done`` of some gateways.

    Args:
        type: The event's type.
        status: The response's; anything but ``completed`` counts as failed.
        **members: Members of the response object to add or replace.
    """
    return End(status, None, members, type)


def reencrypted(items: list[Json]) -> list[Json]:
    """Encrypt reasoning anew; for ``completed(reencrypted)``."""
    return [
        item | {"encrypted_content": f"{item['encrypted_content']}-anew"}
        if "encrypted_content" in item
        else item
        for item in items
    ]
