"""The shape of a streamed chunk, and of a whole answer: only what is read of them.

What servers disagree about is ``Any``, and whoever reads it asks for its type; so one odd member
costs no more than itself.  ``message`` is ``delta`` in answers that are not streamed.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Said(msgspec.Struct, gc=False):
    """What the model has said since the last chunk, under every name that there is for it."""

    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None
    function_call: Any = None


class Choice(msgspec.Struct, gc=False):
    """One of several answers; only the first is read."""

    delta: Said | None = None
    message: Said | None = None
    index: Any = None
    finish_reason: Any = None
    logprobs: Any = None
    usage: Any = None
    error: Any = None


class Chunk(msgspec.Struct, gc=False):
    """One message of the stream; errors come in many shapes and are read from ``decode_json``."""

    choices: list[Choice] | None = None
    usage: Any = None
    timings: Any = None
    x_groq: Any = None
    error: Any = None
    object: Any = None
    detail: Any = None


decode_chunk = msgspec.json.Decoder(Chunk).decode
decode_json = msgspec.json.Decoder().decode
