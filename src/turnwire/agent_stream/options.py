"""The options of one stream, under Python's names or those of pi-ai."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, cast

from turnwire.agent_stream.reading import snake_case
from turnwire.agent_stream.tools import choice_of, definitions_of
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from turnwire.agent_stream.messages import Context, Model

Json = dict[str, Any]
Transport: TypeAlias = Literal["auto", "websocket", "http"]
TransportWord: TypeAlias = Literal["auto", "websocket", "sse", "http"]
OnRequest: TypeAlias = Callable[[Json], Mapping[str, Any] | None]


class StreamOptions(TypedDict, total=False):
    """Options of a stream; None means "not given".

    Attributes:
        transport: ``auto``, ``websocket``, or ``sse``, which ``http`` means too; if other than
            the streams'.
        warm_up: Whether the server reads instructions and tools before the first turn (False);
            once for a session, at most 8 seconds, and its failure costs nothing else.
        signal: Set it to abort the stream.
        timeout: Seconds from the turn's submission to its terminal event.
        temperature: As the server's.
        top_p: As the server's.
        max_tokens: Goes out as ``max_output_tokens``.
        tool_choice: A word, or a tool in the flat shape or in Chat's.
        reasoning_effort: Goes out as ``reasoning.effort``.
        reasoning_summary: Goes out as ``reasoning.summary``.
        metadata: As the server's.
        store: Whether the server keeps the response (False).
        on_request: Called with the parameters and the whole ``input`` before anything is sent; if
            it returns a dict, that is sent instead.
        extra_body: Further fields of ``response.create``.
    """

    transport: TransportWord | None
    warm_up: bool
    signal: asyncio.Event | None
    timeout: float | None
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    tool_choice: str | Mapping[str, Any] | None
    reasoning_effort: str | None
    reasoning_summary: str | None
    metadata: Mapping[str, str] | None
    store: bool
    on_request: OnRequest | None
    extra_body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The same, checked; ``transport`` is decided."""

    transport: Transport = "auto"
    warm_up: bool = False
    signal: asyncio.Event | None = None
    timeout: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    reasoning_effort: str | None = None
    reasoning_summary: str | None = None
    metadata: Mapping[str, str] | None = field(default=None, repr=False)
    store: bool = False
    on_request: OnRequest | None = None
    extra_body: Mapping[str, Any] | None = field(default=None, repr=False)


# What runners say, where turning camelCase into snake_case is not enough.
_ALSO_CALLED: Final = {
    "on_payload": "on_request",
    "openai_ws_warmup": "warm_up",
    "reasoning": "reasoning_effort",
}
_ELSEWHERE: Final = {
    "api_key": "it belongs to AgentStreams",
    "headers": "a socket's headers are sent once: give AgentStreams a client of your own",
    "max_output_tokens": "here it is `max_tokens`",
    "session_id": "it has an argument of its own",
}
_TRANSPORTS: Final[dict[object, Transport]] = {
    "auto": "auto",
    "websocket": "websocket",
    "sse": "http",
    "http": "http",
}


def transport_of(word: object) -> Transport:
    """Return turnwire's word for a transport.

    Raises:
        ConfigError: There is no such transport.
    """
    transport = _TRANSPORTS.get(word) if isinstance(word, str) else None
    if transport is None:
        raise ConfigError(f"`transport` must be auto, websocket, sse or http, not {word!r}")
    return transport


def options_of(usual: Transport, *given: Mapping[str, Any] | None) -> Options:
    """Check options; later ones count more.

    Args:
        usual: The transport, if none is named.
        *given: Options under their names here, or in camelCase.

    Raises:
        ConfigError: One is unknown or wrong.
    """
    fields: Json = {}
    for options in given:
        for name, value in (options or {}).items():
            if value is not None:
                fields[_name_of(name)] = value
    fields["transport"] = transport_of(fields.get("transport", usual))
    signal: object = fields.get("signal")
    if signal is not None and not isinstance(signal, asyncio.Event):
        raise ConfigError(f"`signal` must be an asyncio.Event, not {type(signal).__name__}")
    if not callable(fields.get("on_request", print)):
        raise ConfigError("`on_request` must be a function of the request")
    return Options(**fields)


def _name_of(given: str) -> str:
    name = snake_case(given)
    name = _ALSO_CALLED.get(name, name)
    if name in StreamOptions.__annotations__:
        return name
    if name in _ELSEWHERE:
        raise ConfigError(f"`{given}` cannot be given here: {_ELSEWHERE[name]}")
    close = difflib.get_close_matches(name, StreamOptions.__annotations__, n=1)
    hint = f"did you mean `{close[0]}`?" if close else "to send it use `extra_body={...}`"
    raise ConfigError(f"`{given}` is no option of a stream; {hint}")


def params_of(model: Model, context: Context, options: Options) -> Json:
    """Return the fields of ``response.create`` other than input.

    Raises:
        ConfigError: A tool or the choice among them cannot be sent.
    """
    reasoning = {"effort": options.reasoning_effort, "summary": options.reasoning_summary}
    reasoning = {name: value for name, value in reasoning.items() if value is not None}
    extra: Mapping[str, Any] = options.extra_body or {}
    params: Json = {
        "model": model.id,
        "instructions": context.system_prompt or None,
        "tools": definitions_of(context.tools) or None,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_output_tokens": options.max_tokens or None,
        "tool_choice": choice_of(options.tool_choice),
        "reasoning": reasoning or None,
        "metadata": options.metadata,
        "store": options.store,
        "include": _include(model, reasoning, store=options.store),
    }
    return {name: value for name, value in params.items() if value is not None} | dict(extra)


def _include(model: Model, reasoning: Mapping[str, object], *, store: bool) -> list[str] | None:
    """Ask for what hands reasoning back where the server keeps none of it.

    Only of models that reason: others refuse it.
    """
    reasons = model.reasoning or bool(reasoning)
    return ["reasoning.encrypted_content"] if reasons and not store else None


def changed_request(params: Json, items: list[Json], on_request: OnRequest) -> tuple[Json, Any]:
    """Show the request to its hook and return what is to be sent: parameters and input.

    Raises:
        ConfigError: The hook returned something else than a dict or None.
    """
    hook = cast("Callable[[Json], object]", on_request)  # nothing holds it to its type
    asked = hook({**params, "input": items})
    if asked is None:
        return params, None
    if not isinstance(asked, Mapping):
        raise ConfigError(
            f"`on_request` must return a dict or None, not {type(asked).__name__};"
            " it is a plain function, not an async one"
        )
    request = dict(cast("Mapping[str, Any]", asked))
    given = request.pop("input", items)
    return request, given
