"""Model servers that speak Responses themselves, over HTTP or in WebSocket mode.

Many clients share few sockets: their turns run on lanes of the same pool that the client has.  Of
a chain only what the server does not have yet is sent, wherever that can be proven.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal

from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.responses.accounts import Account, Accounts
from turnwire.gateway.upstreams.responses.asked import AskedTurn
from turnwire.gateway.upstreams.responses.asking import chain_at, linked, unlinked
from turnwire.gateway.upstreams.responses.failing import upstream_failed
from turnwire.gateway.upstreams.responses.options import ResponsesOptions, responses_url
from turnwire.io.engine import Engine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from turnwire.core.chain_index import Found
    from turnwire.core.failure import Failure
    from turnwire.core.statistics import PoolStatistics
    from turnwire.events import Event
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.responses.options import Credentials

__all__ = ["ResponsesOptions", "ResponsesUpstream"]

_log: Final = logging.getLogger(__name__)


class ResponsesUpstream:
    """A model server; it is reached when the first turn comes.

    Args:
        url: Its base URL, such as ``http://127.0.0.1:8000/v1``.
        options: How to use it; the defaults, for servers that have HTTP alone, if None.

    Raises:
        ConfigError: The URL is none.
    """

    speaks: Literal["events"] = "events"

    def __init__(self, url: str, options: ResponsesOptions | None = None) -> None:
        self._options = options or ResponsesOptions()
        self._url = responses_url(url)
        by_client = self._options.credentials == "client"
        self._accounts = Accounts(
            self._open,
            limit=self._options.max_credentials,
            idle=self._options.idle if by_client else None,
        )

    @property
    def models(self) -> tuple[str, ...]:
        """The names that were configured."""
        return self._options.models

    @property
    def credentials(self) -> Credentials:
        """Whose key the server gets."""
        return self._options.credentials

    @property
    def compacts(self) -> bool:
        """Whether the server takes ``context_management``."""
        return self._options.compacts

    @property
    def steers(self) -> bool:
        """False over WebSocket: a turn that is left there goes on, and its tools act, unseen.

        The server stops when the connection of a POST closes; a socket has other turns on it, and
        the wire knows no way to stop one of them: docs/protocol/lanes.md.
        """
        return self._options.transport == "http"

    def statistics(self) -> PoolStatistics:
        """Return what was sent and on how many sockets, over all credentials."""
        return self._accounts.statistics()

    async def aclose(self) -> None:
        """Close all sockets; turns that run fail at once."""
        await self._accounts.aclose()

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Event]:
        """Ask the server; yield its events from the first one that shows output.

        Closing or cancelling the iterator stops the turn at once: its lane is drained, or the
        connection closed if nothing else uses it.

        Raises:
            UpstreamFailed: While iterating.
        """
        key = self._key(prompt)
        with self._accounts.use(key) as account:
            found = chain_at(account.index, prompt) if self._options.links else None
            turn: AskedTurn | None = None
            try:
                turn = self._ask(account, found, prompt)
                while batch := await turn.next_batch():
                    for event in batch:
                        yield event
                if turn.failure is not None:
                    raise self._failed(turn.failure, key)
            finally:
                if turn is not None:
                    turn.close()
                if found is not None:
                    if turn is not None and turn.ended_well:
                        account.index.kept(found, prompt.response_id)
                    else:
                        account.index.left(found)

    def _ask(self, account: Account, found: Found | None, prompt: Prompt) -> AskedTurn:
        options = self._options
        if found is None:
            request = unlinked(prompt, options.transport, options.deadlines)
        else:
            request = linked(found, options.transport, options.deadlines)
        return AskedTurn(account.engine, request)

    def _key(self, prompt: Prompt) -> str | None:
        if self._options.credentials == "gateway":
            return self._options.api_key
        key = prompt.credential
        if not key or not (key.isascii() and key.isprintable()):
            message = "The model server wants a key of yours. Send it as `Authorization: Bearer …`."
            raise UpstreamFailed(
                message, status=401, code="invalid_api_key", kind="invalid_request_error"
            )
        return key

    def _open(self, key: str | None) -> Account:
        options = self._options
        engine = Engine(
            options.endpoint(self._url, key),
            options.pool,
            inbox_bytes=options.buffer_bytes,
            client_bytes=options.client_buffer_bytes,
        )
        return Account(engine, options.chain_bytes)

    def _failed(self, failure: Failure, key: str | None) -> UpstreamFailed:
        is_ours = self._options.credentials == "gateway"
        failed = upstream_failed(failure, secret=key, is_ours=is_ours)
        _log.info("a turn failed upstream: %s, status %d", failure.kind.value, failed.status)
        return failed
