"""The parameters of a turn, under the official SDK's names, and the checks before any I/O."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.errors import ConfigError
from turnwire.events import Item

if TYPE_CHECKING:
    from turnwire.core.request import Transport

InputItem = Mapping[str, Any] | Item | Any  # models of the official SDK are welcome
Input = str | Sequence[InputItem]


class TurnParams(TypedDict, total=False):
    """Parameters of ``response.create`` other than input; None means "not given".

    See https://platform.openai.com/docs/api-reference/responses/create for their meaning.
    ``extra_body`` holds fields that turnwire does not know yet.
    """

    model: str | None
    context_management: Sequence[Mapping[str, Any]] | None
    conversation: str | Mapping[str, Any] | None
    extra_body: Mapping[str, Any] | None
    include: Sequence[str] | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    metadata: Mapping[str, str] | None
    moderation: Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    prompt: Mapping[str, Any] | None
    prompt_cache_key: str | None
    prompt_cache_options: Mapping[str, Any] | None
    prompt_cache_retention: str | None
    reasoning: Mapping[str, Any] | None
    safety_identifier: str | None
    service_tier: str | None
    store: bool | None
    stream_options: Mapping[str, Any] | None
    temperature: float | None
    text: Mapping[str, Any] | None
    tool_choice: str | Mapping[str, Any] | None
    top_logprobs: int | None
    top_p: float | None
    truncation: str | None
    user: str | None


_KNOWN: Final = frozenset({*TurnParams.__annotations__, "tools", "generate"}) - {"extra_body"}

# Would break the turn, in `extra_body` too.
_RESERVED: Final = {
    "stream_id": "turnwire chooses lanes; to name them yourself use `turnwire.connect`",
    "background": "a background response has no socket to come back on; use the official SDK",
    "input": "it has an argument of its own",
    "previous_response_id": "it has an argument of its own, and chains keep it themselves",
    "stream": "ask `create` for it, or use `stream(…)`",
    "type": "it is added for you",
}

# Arguments of other methods; also what a misspelt name may have meant.
_ARGUMENTS: Final = {
    "as_": "it belongs to what gives events or a response: `turn.events`, `chain.run`",
    "max_turns": "it belongs to `chain.run`",
    "on_event": "it belongs to `chain.run`",
    "timeout": "it belongs to the client, or to each turn",
    "transport": "it has an argument of its own",
}

# Arguments of the official SDK that are no parameters of `response.create`.
_ELSEWHERE: Final = {
    "extra_headers": "a socket's headers are sent once; give `default_headers` to the client",
    "extra_query": "a socket has one URL; put the query into the client's `base_url`",
    "max_retries": "it belongs to the client",
    "text_format": 'give `text={"format": {"type": "json_schema", ...}}` and decode the text',
    "starting_after": "a stream that was cut off is resumed by `resume=True` of the client",
}


def encode_params(given: Mapping[str, Any], transport: Transport) -> Params:
    """Check and encode parameters.

    Raises:
        ConfigError: A name is unknown or does not fit the transport; or JSON cannot hold a value.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    extra = extra_fields(fields)
    fields.pop("extra_body", None)
    for name in (*fields, *extra):
        if name in _RESERVED or not (name in _KNOWN or name in extra):
            raise ConfigError(_unknown(name))
    fields |= extra
    if transport == "http" and fields.get("generate") is False:
        raise ConfigError("`generate=False` (a warm-up) only exists on a WebSocket")
    try:
        return Params(fields)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a parameter cannot be sent as JSON: {error}") from error


def extra_fields(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is in ``extra_body``.

    Raises:
        ConfigError: It is not a dict with names for keys.
    """
    extra: object = given.get("extra_body") or {}
    if isinstance(extra, Mapping):
        fields = cast("Mapping[object, Any]", extra)
        if all(isinstance(name, str) for name in fields):
            return cast("Mapping[str, Any]", extra)
    raise ConfigError("`extra_body` must be a dict of fields by name")


def _unknown(name: str) -> str:
    why = _RESERVED.get(name) or _ELSEWHERE.get(name) or _ARGUMENTS.get(name)
    if why is not None:
        return f"`{name}` cannot be given here: {why}"
    close = difflib.get_close_matches(name, {*_KNOWN, *_ARGUMENTS, *_RESERVED}, n=1)
    hint = f"did you mean `{close[0]}`?" if close else "to send it anyway use `extra_body={...}`"
    return f"`{name}` is not a parameter of `response.create`; {hint}"


def encode_input(given: Input) -> list[HistoryItem]:
    """Encode input; text becomes one user message.

    Raises:
        ConfigError: It is neither text nor a list of items.
    """
    if isinstance(given, str):
        given = [{"type": "message", "role": "user", "content": given}]
    if isinstance(given, Mapping | bytes) or not isinstance(cast("object", given), Sequence):
        raise ConfigError(
            f"`input` must be text or a list of items, not {type(given).__name__};"
            " put a single item into a list"
        )
    items: list[HistoryItem] = []
    for index, item in enumerate(given):
        try:
            items.append(HistoryItem.of(item))
        except (TypeError, ValueError) as error:
            raise ConfigError(f"`input[{index}]` cannot be sent: {error}") from error
    return items
