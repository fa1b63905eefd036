"""An upstream that speaks ``/v1/chat/completions``, as nearly every model server does.

What becomes of what is in docs/reference/chat-upstream.md.  Here is the little that does I/O.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final, Literal

from turnwire.core.sse import MessageTooLong
from turnwire.events import encode
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.chat.body import chat_body
from turnwire.gateway.upstreams.chat.decoding import ChatDecoder
from turnwire.gateway.upstreams.chat.options import ChatOptions
from turnwire.gateway.upstreams.chat.stream_messages import StreamMessages
from turnwire.gateway.upstreams.chat.tools import ToolTable
from turnwire.gateway.upstreams.failures import CUT
from turnwire.gateway.upstreams.http import ModelServer, StreamCut
from turnwire.gateway.upstreams.timing import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.deltas import Delta

__all__ = ["ChatOptions", "ChatUpstream"]

_PATH: Final = "chat/completions"
_DEFAULTS: Final = ChatOptions()
_PATIENCE: Final = Timeouts()


class ChatUpstream:
    """Serves turns with a chat completions server.

    Args:
        url: Its base URL, such as ``http://127.0.0.1:8000/v1``.
        options: What is particular to the server.
        api_key: The gateway's key for it, or None.
        credentials: ``"client"`` sends the key that came with the create instead.
        models: Names to list.
        headers: Sent with each request.
        connect_timeout: Seconds for a new connection.
        timeouts: How long it may be silent.

    Raises:
        ConfigError: The URL cannot be used.
    """

    speaks: Final = "deltas"
    watches_silence: Final = True

    def __init__(
        self,
        url: str,
        options: ChatOptions = _DEFAULTS,
        *,
        api_key: str | None = None,
        credentials: Literal["gateway", "client"] = "gateway",
        models: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = 10.0,
        timeouts: Timeouts = _PATIENCE,
    ) -> None:
        self.models = models
        self.credentials: Final = credentials
        self._options = options
        self._api_key = api_key
        self._server = ModelServer(
            url, headers=headers, connect_timeout=connect_timeout, timeouts=timeouts
        )

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        """Answer a prompt; closing the iterator closes the connection to the server at once.

        Raises:
            UpstreamFailed: While iterating.
        """
        tools = ToolTable(prompt.parameters.tools)
        body = encode(chat_body(prompt, tools, self._options))
        key = prompt.credential if self.credentials == "client" else self._api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        secrets = (key,) if key else ()
        ours = self.credentials == "gateway"
        decoder = ChatDecoder(tools, self._options, secrets)
        messages = StreamMessages()
        said = cut = False
        asked = await self._server.post(_PATH, body, headers, secrets, is_ours=ours)
        with closing(asked) as answer:
            while not messages.done:
                try:
                    data = await answer.read()
                except StreamCut:
                    cut = True
                    break
                for text in _texts(messages, data):
                    for delta in decoder.feed(text):
                        said = True
                        yield delta
                if not data:
                    break
            done = not cut and (messages.done or messages.whole)
            for delta in decoder.end(done=done):
                said = True
                yield delta
            if not said:  # else the turn ends without `Finished`
                raise UpstreamFailed("The model server broke off before its answer.", code=CUT)
            await answer.finish()

    async def aclose(self) -> None:
        """Close all connections to the server."""
        await self._server.aclose()


def _texts(messages: StreamMessages, data: bytes) -> list[bytes]:
    try:
        return messages.feed(data) if data else messages.end()
    except MessageTooLong as error:
        raise UpstreamFailed(
            f"The model server sent too much at once: {error}.", code="upstream_malformed"
        ) from error
