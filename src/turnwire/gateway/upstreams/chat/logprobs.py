"""Log probabilities in the shape of the Responses API."""

from __future__ import annotations

from typing import Any

from turnwire.gateway.json_shapes import Json, array_or_empty, is_object, object_or_empty


def wire_logprobs(logprobs: Any) -> tuple[Json, ...]:
    """Return a choice's ``logprobs`` as a text delta has them; odd entries are left out."""
    entries = array_or_empty(object_or_empty(logprobs).get("content"))
    return tuple(
        {**token, "top_logprobs": [*filter(None, map(_token, array_or_empty(others)))]}
        for entry in entries
        if (token := _token(entry))
        for others in [entry.get("top_logprobs")]
    )


def _token(entry: Any) -> Json | None:
    """Return one token; its bytes, which not every server sends, are those of its text."""
    if not is_object(entry):
        return None
    token, logprob = entry.get("token"), entry.get("logprob")
    if not isinstance(token, str) or not isinstance(logprob, int | float):
        return None
    given = entry.get("bytes")
    octets = [*token.encode()] if given is None else given
    return {"token": token, "bytes": octets, "logprob": float(logprob)}
