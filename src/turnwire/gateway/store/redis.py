"""The store that several gateways share: a chain that began on one goes on at any other.

Each thing that is asked for is one script, so that Redis does all of it or nothing; the scripts
are in ``lua/``.  Anything but an answer in time is :class:`StoreUnavailable`; of a Redis that has
been silent for some time nobody waits for an answer, until it gives one to a probe.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from turnwire.errors import ConfigError
from turnwire.extras import needs
from turnwire.gateway.store.known_links import KnownLinks
from turnwire.gateway.store.link import encode_link, joined
from turnwire.gateway.store.silence import Silence
from turnwire.gateway.store.unavailable import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from turnwire.gateway.context import Context
    from turnwire.gateway.store.link import Link

_log = logging.getLogger(__name__)

SCHEMA: Final = 1

# Redis does one thing at a time, so no lookup may take long; and most chains are shorter than the
# first number, or known here up to their last links.
_FIRST_LINKS: Final = 32
_MORE_LINKS: Final = 1000
_MOST_BYTES: Final = 4 * 2**20  # of one answer; its last link may go beyond

_CONNECTIONS: Final = 16
_PROBE_PAUSE: Final = 1.0  # seconds between two probes of a Redis that is silent


class RedisStore:
    """Stored responses in Redis, the least recently used ones forgotten first.

    Needs ``pip install "turnwire[redis]"``, and a Redis that evicts nothing by itself.  All
    gateways that share chains give the same limits.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py takes it; never shown.
        limit_bytes: Bytes of all chains, shared ancestors counted once.
        limit_count: Responses that can be found.
        ttl: Seconds that a response can be found; None for no end.
        prefix: What all keys begin with, so that one Redis may serve several groups of gateways.
        cache_bytes: Chains that are kept in memory, too, so as not to be read again.
        timeout: Seconds until Redis must have answered.
        probe_pause: Seconds between two looks at a Redis that has been silent for some time.
        clock: Returns the Unix time.

    Raises:
        ConfigError: The URL is not understood.
        ImportError: redis-py is not there.
    """

    def __init__(
        self,
        url: str,
        limit_bytes: int,
        limit_count: int,
        ttl: float | None = None,
        *,
        prefix: str = "turnwire",
        cache_bytes: int = 32 * 2**20,
        timeout: float = 5.0,
        probe_pause: float = _PROBE_PAUSE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limit_bytes = limit_bytes
        self._limit_count = limit_count
        self._ttl = ttl
        self._prefix = f"{{{prefix}}}"
        self._timeout = timeout
        self._clock = clock
        self._known = KnownLinks(cache_bytes, limit_count)
        self._redis, self._where, self._errors, self._late = _client(url, timeout)
        self._silence = Silence()
        self._probe_pause = probe_pause
        self._probing: asyncio.Task[None] | None = None
        scripts = files("turnwire.gateway.store") / "lua"
        shared = (scripts / "links.lua").read_text("utf-8")
        self._scripts = {
            name: self._redis.register_script(shared + (scripts / f"{name}.lua").read_text("utf-8"))
            for name in ("get", "more", "put", "delete")
        }
        self._failing = False

    @property
    def available(self) -> bool:
        """False if the last thing that was asked for got no answer."""
        return not self._failing

    async def open(self) -> None:
        """Look whether Redis is there and what is in it is for us.

        Raises:
            ConfigError: It is not.
        """
        try:
            async with asyncio.timeout(self._timeout):
                await self._redis.set(f"{self._prefix}:schema", SCHEMA, nx=True)
                schema = int(await self._redis.get(f"{self._prefix}:schema"))
                for script in self._scripts.values():
                    await self._redis.script_load(script.script)
        except self._errors as error:
            await self._redis.aclose()
            raise ConfigError(
                f"cannot use Redis at {self._where}: {_told(error)}; start it, or choose another"
                " store"
            ) from error
        if schema > SCHEMA:
            await self._redis.aclose()
            raise ConfigError(
                f"what is in Redis at {self._where} was written by a newer turnwire (schema"
                f" {schema}; this one knows {SCHEMA}); upgrade, or choose another prefix"
            )

    async def check(self) -> None:
        """Ask Redis for a sign of life if it did not answer the last time.

        Raises:
            StoreUnavailable: It does not answer now, either.
        """
        if self._failing:
            await self._answer(self._redis.ping)

    async def get(self, response_id: str, owner: str) -> Context | None:
        """Return the chain that ends with this response, if it is this owner's.

        One round trip, unless more than 32 of its links are new here.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        known = self._known.get(response_id)
        found: list[bytes] | None = await self._run(
            "get", response_id, owner, self._too_old(), int(known is not None), _FIRST_LINKS,
            _MOST_BYTES,
        )  # fmt: skip
        if found is None:
            self._known.forget(response_id)
            return None
        chain = known or await self._read(found)
        if chain is None:
            _log.warning("a chain has a gap: does Redis evict keys, or expire them?")
            return None
        if (chain.response_id, chain.owner) != (response_id, owner):  # never seen; never to be
            raise StoreUnavailable
        return self._known.use(chain)

    async def put(self, context: Context) -> None:
        """Keep a response; once this returns every gateway finds it.

        One round trip, unless a link before it is not there.

        Raises:
            StoreUnavailable: Redis did not answer; the response may be there or not.
        """
        if not await self._write([context]):
            await self._write([*context.lineage()][::-1])
        self._known.use(context)

    async def delete(self, response_id: str, owner: str) -> None:
        """Keep a response of this owner no longer; chains that go through it stay whole.

        Raises:
            StoreUnavailable: Redis did not answer; the response may still be there.
        """
        await self._run("delete", response_id, owner)
        self._known.forget(response_id)

    async def close(self) -> None:
        """Close the connections."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._redis.aclose()

    async def _read(self, found: list[bytes]) -> Context | None:
        links: list[Link] = []
        parent = self._known.read(found, links)
        while parent is None and links and (before := links[-1].parent_id) is not None:
            found = await self._run("more", before, _MORE_LINKS, _MOST_BYTES)
            if not found:
                return None
            parent = self._known.read(found, links)
        return joined(links, parent)

    async def _write(self, links: Iterable[Context]) -> bool:
        arguments: list[str | int | bytes] = []
        for link in links:
            parent_id = link.parent.response_id if link.parent else ""
            arguments += [
                link.response_id, parent_id, link.owner, link.size_bytes, encode_link(link)
            ]  # fmt: skip
        limits = (self._limit_bytes, self._limit_count)
        done = await self._run("put", self._clock(), self._too_old(), *limits, *arguments)
        return bool(done)

    def _too_old(self) -> float:
        return -1.0 if self._ttl is None else self._clock() - self._ttl

    async def _run(self, name: str, *arguments: str | float | bytes) -> Any:
        ask = partial(self._scripts[name], keys=[self._prefix], args=arguments)
        return await self._answer(ask)

    async def _answer(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        if self._silence.is_certain:
            raise StoreUnavailable
        return await self._patiently(ask)

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                answer = await ask()
        except self._errors as error:
            if not self._failing:
                _log.warning("Redis at %s does not answer: %s", self._where, _told(error))
            self._failing = True
            if isinstance(error, self._late) and self._silence.waited_in_vain():
                _log.warning("Redis at %s is not asked any more until it answers", self._where)
                if self._probing is None or self._probing.done():
                    self._probing = asyncio.create_task(self._probe(), name="probing Redis")
            raise StoreUnavailable from error
        if self._failing:
            _log.warning("Redis at %s answers again", self._where)
        self._failing = False
        self._silence.answered()
        return answer

    async def _probe(self) -> None:
        """Ask until there is an answer; meanwhile no turn does."""
        while self._silence.is_certain:
            await asyncio.sleep(self._probe_pause)
            try:
                await self._patiently(self._redis.ping)
            except StoreUnavailable:
                pass  # it was logged when it began
            except Exception:  # noqa: BLE001  # without the probe nobody would ever ask again
                _log.exception("Redis at %s was probed in vain", self._where)


_Errors = tuple[type[Exception], ...]


def _client(url: str, timeout: float) -> tuple[Any, str, _Errors, _Errors]:
    """Return a client, the address that may be shown, what it raises, and when it is too late."""
    with needs("redis", module=__name__):
        redis, library, retry, backoff = map(
            import_module, ("redis", "redis.asyncio", "redis.asyncio.retry", "redis.backoff")
        )
    try:
        pool = library.BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=timeout,
            # Half of it: when a connection has died silently, another one gets its chance.  To ask
            # twice does no harm.
            socket_timeout=timeout / 2,
            socket_connect_timeout=timeout / 2,
            retry=retry.Retry(backoff.ExponentialBackoff(cap=timeout / 10, base=0.01), 2),
            retry_on_error=[redis.ConnectionError, redis.TimeoutError],
        )
    except (ValueError, TypeError):
        # Not with the URL, and not with its cause: there may be a password in both.
        raise ConfigError(
            "the URL of the Redis store is not understood; give redis://HOST:6379/0, rediss://… or"
            " unix:///PATH"
        ) from None
    known = pool.connection_kwargs
    where = known.get("path") or f"{known.get('host', 'localhost')}:{known.get('port', 6379)}"
    errors, late = (redis.RedisError, OSError), (redis.TimeoutError, TimeoutError)
    return library.Redis.from_pool(pool), where, errors, late


def _told(error: Exception) -> str:
    """Say what is wrong without repeating what was sent: Redis quotes commands in its errors."""
    kind = type(error).__name__
    if isinstance(error, OSError) or kind in {"ConnectionError", "TimeoutError"}:
        return str(error) or kind
    return f"{kind} {str(error).partition(' ')[0]}"
