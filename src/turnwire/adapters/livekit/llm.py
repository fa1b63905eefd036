"""The LLM of a LiveKit agent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal, Unpack, cast
from urllib.parse import urlsplit

from livekit.agents import llm as livekit_llm
from livekit.agents.inference import llm as livekit_models
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN
from livekit.agents.utils import is_given

from turnwire.adapters.livekit.known_chains import KnownChains
from turnwire.adapters.livekit.parameters import Parameters, given
from turnwire.adapters.livekit.stream import LLMStream
from turnwire.client.aio import AsyncClient
from turnwire.client.options import ClientOptions
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from livekit.agents.llm import ChatContext, Tool, ToolChoice
    from livekit.agents.types import APIConnectOptions, NotGivenOr

_OPENAI: Final = "api.openai.com"
_PARAMETERS: Final = frozenset(Parameters.__annotations__)


class LLMOptions(Parameters, ClientOptions, total=False):
    """Options of an LLM: parameters of its chats, and of the client that it makes for itself."""


class LLM(livekit_llm.LLM[Any]):
    """A LiveKit LLM over one or a few sockets; every chat costs only what is new in its context.

    Chats may run side by side: each takes a lane of its own.  A context goes on from the chain
    that holds most of it, also after it was edited or cut short by an interruption; what no chain
    holds is sent.  With ``store=False`` everything is sent each time.

    Args:
        model: The model.
        client: A client to share with others; it stays open when this is closed.  By default the
            LLM makes its own, of the options.
        strict_tool_schema: Whether the model is held to the schemas of functions.
        prompt_cache_breakpoints: Whether cache breakpoints of contexts are sent; ``auto``: if the
            hosted service's model takes them.
        **options: Parameters of chats, see :class:`Parameters`; and without ``client`` the
            options of one, see :class:`~turnwire.ClientOptions`.

    Raises:
        ConfigError: An option is missing, unknown or wrong.
    """

    def __init__(
        self,
        *,
        model: str = "gpt-4.1",
        client: AsyncClient | None = None,
        strict_tool_schema: bool = True,
        prompt_cache_breakpoints: bool | Literal["auto"] = "auto",
        **options: Unpack[LLMOptions],
    ) -> None:
        super().__init__()
        self._label = "turnwire.adapters.livekit.LLM"
        self._model = model
        self._wanted, of_client = _sorted_options(options)
        self._strict = strict_tool_schema
        self._chains = KnownChains()
        self._owns_client = client is None
        if client is not None and of_client:
            raise ConfigError(f"give {sorted(of_client)} to the client, which is made already")
        self._host = "" if client is not None else _host(of_client.get("base_url"))
        self._client = AsyncClient(**of_client) if client is None else client
        self._breakpoints = (
            self._host == _OPENAI and _takes_breakpoints(model)
            if prompt_cache_breakpoints == "auto"
            else prompt_cache_breakpoints
        )

    @property
    def model(self) -> str:
        """The model's name."""
        return self._model

    @property
    def provider(self) -> str:
        """The server's host and port; ``turnwire`` if the client was given."""
        return self._host or "turnwire"

    @property
    def client(self) -> AsyncClient:
        """The client: its statistics and health can be read there."""
        return self._client

    def chat(
        self,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> LLMStream:
        """Start a chat.

        Args:
            chat_ctx: The whole context.
            tools: Functions, toolsets and tools that run on the server.
            conn_options: ``timeout`` is in seconds, from here to the server's first event.
                LiveKit's own ``max_retry`` comes on top of what turnwire recovers by itself.
            parallel_tool_calls: If other than the LLM's.
            tool_choice: If other than the LLM's.
            extra_kwargs: Further parameters of the Responses API; the LLM's own come first.
        """
        extra: dict[str, Any] = given({"extra": extra_kwargs}).get("extra", {})
        of_chat = {"parallel_tool_calls": parallel_tool_calls, "tool_choice": tool_choice}
        return LLMStream(
            self,
            chat_ctx=chat_ctx,
            tools=tools or [],
            conn_options=conn_options,
            client=self._client,
            chains=self._chains,
            wanted={**given(extra), **self._wanted, **given(of_chat)},
            strict=self._strict,
            breakpoints=self._breakpoints,
        )

    async def _prewarm_impl(self) -> None:
        """Open a socket by a warm-up of nothing: no model runs, and nothing is stored.

        Over HTTP there is none: what this raises goes no further.
        """
        await self._client.chain(model=self._model, store=False).warm_up()

    async def aclose(self) -> None:
        """Stop warming up, and close the client if it is the LLM's own."""
        await super().aclose()
        if self._owns_client:
            await self._client.aclose()


def _sorted_options(options: LLMOptions) -> tuple[dict[str, Any], ClientOptions]:
    """Part the parameters of chats from the options of a client, where None is a value."""
    parameters = {name: value for name, value in options.items() if name in _PARAMETERS}
    others = {
        name: value
        for name, value in options.items()
        if name not in _PARAMETERS and is_given(cast("Any", value))
    }
    return given(parameters), cast("ClientOptions", others)


def _takes_breakpoints(model: str) -> bool:
    knows = getattr(livekit_models, "supports_prompt_cache_breakpoints", None)  # not before 1.8.9
    return knows is not None and bool(knows(model))


def _host(base_url: str | None) -> str:
    url = base_url or os.environ.get("OPENAI_BASE_URL")
    return urlsplit(url).netloc.rpartition("@")[2] if url else _OPENAI
