"""Functions that are called with events: one after the other, never in the reader."""

from __future__ import annotations

import asyncio
import difflib
import inspect
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from turnwire.errors import ConfigError, TurnwireError
from turnwire.events import realtime as wire
from turnwire.events.realtime.dialect import TODAY_OF_BETA
from turnwire.realtime.meaning import WORDS, meanings

if TYPE_CHECKING:
    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime.subscription import Subscription

_log: Final = logging.getLogger("turnwire")
_ALL: Final = "*"
_LAST_SECONDS: Final = 1.0
_TYPO: Final = 0.8  # bridges have events of their own, which are less similar

Function = Callable[[Any], object]
Item = Callable[[str], dict[str, Any] | None]


class Listeners:
    """The functions of one transport, by the event that they are for.

    Args:
        item: Returns an item of the talk as it is now.
    """

    def __init__(self, item: Item) -> None:
        self._item = item
        self._functions: dict[str, list[Function]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, kind: str, function: Function) -> Callable[[], None]:
        """Have a function called with events of a type, ``"*"`` for all.

        Returns:
            A function that undoes this.

        Raises:
            ConfigError: It cannot be called, or there is no such event.
        """
        if not callable(function):
            raise ConfigError(f"`on` takes a function, not {type(function).__name__}")
        functions = self._functions.setdefault(_kind(kind), [])
        functions.append(function)

        def remove() -> None:
            if function in functions:
                functions.remove(function)

        return remove

    # Their task.

    @property
    def is_current(self) -> bool:
        """True if it is one of the functions that asks."""
        return self._task is not None and self._task is asyncio.current_task()

    def start(self, events: Subscription) -> None:
        """Call them with what comes from now on."""
        self._task = asyncio.create_task(self._run(events), name="turnwire-realtime-listeners")

    async def finish(self) -> None:
        """Let them hear the end, for a second at most."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=_LAST_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, events: Subscription) -> None:
        with suppress(TurnwireError):  # its last; `error` of the transport has it
            async for event in events:
                await self._call(event, _ALL, event.type)
                for meaning in meanings(event, self._item):
                    await self._call(meaning, meaning.type)
                if isinstance(event, wire.ConnectionChangeEvent):
                    await self._call(event, event.status)

    async def _call(self, event: RealtimeEvent, *kinds: str) -> None:
        for kind in kinds:
            for function in tuple(self._functions.get(kind, ())):
                try:
                    result = function(event)
                    if inspect.isawaitable(result):
                        await result
                except (Exception, asyncio.CancelledError) as error:  # the others go on hearing
                    if is_cancelled_from_outside(error):
                        raise
                    _log.exception("a function that listens to %s failed", kind)


def is_cancelled_from_outside(error: BaseException) -> bool:
    """Say whether an error ends this task, rather than something that it waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _kind(kind: str) -> str:
    """Return today's name of an event, and refuse what is misspelt."""
    close = () if "." in kind else difflib.get_close_matches(kind, WORDS, n=1, cutoff=_TYPO)
    if close and kind not in WORDS:
        raise ConfigError(f"there is no event `{kind}`; did you mean `{close[0]}`?")
    return TODAY_OF_BETA.get(kind, kind)
