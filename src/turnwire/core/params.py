"""The fields of a create that are not input: encoded once, compared field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.events import encode

if TYPE_CHECKING:
    from collections.abc import Mapping

# Per-turn by contract: the server keeps none of them, so another value does not cost the chain.
# docs/protocol/continuation.md#inherited
NOT_COMPARED: Final = frozenset(
    {
        "background",
        "client_metadata",
        "generate",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "top_logprobs",
        "top_p",
        "user",
    }
)


class Params:
    """Encoded parameters; immutable, so a chain that keeps them compares by identity.

    Attributes:
        fields: Each field's JSON.
        encoded: All of them as the inside of an object.
        stored: Whether the server keeps the response; it does unless ``store`` is false.
    """

    __slots__ = ("encoded", "fields", "stored")

    def __init__(self, values: Mapping[str, Any]) -> None:
        """Encode; a value of None means "not given" and is left out.

        Raises:
            TypeError: JSON cannot hold a value.
        """
        self.fields: dict[str, bytes] = {
            name: encode(value) for name, value in values.items() if value is not None
        }
        self.encoded = b",".join(
            b"%s:%s" % (encode(name), value) for name, value in self.fields.items()
        )
        self.stored = self.fields.get("store") != b"false"

    def difference(self, other: Params) -> str | None:
        """Name the first compared field that differs, or None."""
        if self is other:
            return None
        for name in (*self.fields, *other.fields):
            if name not in NOT_COMPARED and self.fields.get(name) != other.fields.get(name):
                return name
        return None
