"""What a caller can wait for: an item, an update, a response."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from turnwire.client.raising import dial_error, server_error
from turnwire.core.failure import Failure, FailureKind
from turnwire.errors import (
    ConfigError,
    ConnectionLost,
    DialTimeout,
    FirstEventTimeout,
    ProgressTimeout,
    TurnwireError,
)
from turnwire.events import realtime as wire

if TYPE_CHECKING:
    from collections.abc import Generator

    from turnwire.events.realtime import RealtimeEvent, RealtimeResponse

_log: Final = logging.getLogger("turnwire")
_INTERRUPTED: Final = "interrupted"  # the listener did not want it any more

T_co = TypeVar("T_co", covariant=True)


def error_of(failure: Failure) -> TurnwireError:
    """Build the exception for a failure; each call builds another one."""
    match failure.kind:
        case FailureKind.DIAL | FailureKind.SIGN_IN | FailureKind.REFUSED:
            return dial_error(failure)
        case FailureKind.DIAL_TIMEOUT:
            return DialTimeout(failure.message)
        case FailureKind.SERVER:
            return server_error(failure)
        case FailureKind.FIRST_EVENT_TIMEOUT:
            return FirstEventTimeout(failure.message)
        case FailureKind.PROGRESS_TIMEOUT:
            return ProgressTimeout(failure.message)
        case FailureKind.UNSENT:
            return ConfigError(failure.message)
        case _:
            return ConnectionLost(
                failure.message,
                close_code=failure.close_code,
                close_reason=failure.close_reason,
            )


class Outcome:
    """What became of something that was asked for: a failure that nobody takes note of is logged.

    Attributes:
        taken: Whether somebody asked what became of it.
    """

    def __init__(self) -> None:
        self.taken = False
        self._failure: Failure | None = None

    def failed(self, failure: Failure) -> None:
        """Note that it failed; what its owner wanted to end is not worth a word."""
        if failure.kind is not FailureKind.CLOSED and failure.code != _INTERRUPTED:
            self._failure = failure

    def tell(self) -> None:
        """Log a failure of which nobody has taken note, once and without its words."""
        failure, self._failure = self._failure, None
        if failure is not None and not self.taken:
            code = "" if failure.code is None else f", {failure.code}"
            _log.warning(
                "what was asked of a Realtime session failed (%s%s), and nobody awaited it",
                failure.kind.value,
                code,
            )

    def __del__(self) -> None:
        self.tell()


class Answer(Generic[T_co]):
    """Something to be awaited, or not: nobody has to; a failure is logged then.

    Await it as often as you like; cancelling the wait cancels nothing else.

    Raises:
        TurnError: While awaiting: the server refused.
        ConnectionLost: While awaiting: the session was closed, or lost before the answer came.
    """

    def __init__(self) -> None:
        self.noted = Outcome()
        self._future: asyncio.Future[T_co] = asyncio.get_running_loop().create_future()
        self._future.add_done_callback(_retrieve)

    @property
    def done(self) -> bool:
        """True once it is known."""
        return self._future.done()

    @property
    def failed(self) -> bool:
        """True if it is known, and is an error."""
        failed = self._future.done() and self._future.exception() is not None
        self.noted.taken = self.noted.taken or failed
        return failed

    def __await__(self) -> Generator[None, None, T_co]:
        self.noted.taken = True
        return asyncio.shield(self._future).__await__()

    def outcome(self) -> T_co:
        """Return what is known without waiting, or raise it.

        Raises:
            asyncio.InvalidStateError: It is not known yet.
            TurnwireError: As while awaiting.
        """
        self.noted.taken = self.noted.taken or self._future.done()
        return self._future.result()

    def settle(self, answer: RealtimeEvent | Failure) -> bool:
        """Take an answer; return whether it was the last one."""
        if not self._future.done():
            if isinstance(answer, Failure):
                self.noted.failed(answer)
                self._future.set_exception(error_of(answer))
            else:
                self._future.set_result(self._read(answer))
        return True

    def _read(self, event: RealtimeEvent) -> T_co:
        raise NotImplementedError


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()  # whoever does not await does not want to know


class Taken(Answer[None]):
    """Nothing: what the server does not confirm is done when it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._future.set_result(None)


class Confirmed(Answer["RealtimeEvent"]):
    """The event that says that it happened."""

    def _read(self, event: RealtimeEvent) -> RealtimeEvent:
        return event


class PendingResponse(Answer["RealtimeResponse"]):
    """A response that was asked for; await it for its end, or ``created()`` for its beginning.

    Raises:
        TurnError: The server refused.
        ConnectionLost: The socket was lost while it was made.
        FirstEventTimeout: The server began none in time.

    Attributes:
        begun: The same for its beginning: the event that says that it was created.
    """

    def __init__(self) -> None:
        super().__init__()
        self.begun = Confirmed()
        self.begun.noted = self.noted  # who awaits the one knows of the other

    async def created(self) -> RealtimeResponse:
        """Wait until the server has begun it."""
        return response_of(await self.begun)

    @property
    def response_id(self) -> str | None:
        """Its id, or None as long as it has none."""
        return response_of(self.begun.outcome()).id if self._has_begun else None

    @property
    def _has_begun(self) -> bool:
        return self.begun.done and not self.begun.failed

    def settle(self, answer: RealtimeEvent | Failure) -> bool:
        """Take an answer; the first may be that it was created."""
        self.begun.settle(answer)
        return not isinstance(answer, wire.ResponseCreatedEvent) and super().settle(answer)

    def _read(self, event: RealtimeEvent) -> RealtimeResponse:
        return response_of(event)


def response_of(event: RealtimeEvent) -> RealtimeResponse:
    """Return what an event about a response is about."""
    assert isinstance(event, (wire.ResponseCreatedEvent, wire.ResponseDoneEvent))  # its tickets'
    return event.response


class PendingItem(Confirmed):
    """An item that was sent; await it until the server has it.

    Attributes:
        item_id: Its id.
    """

    def __init__(self, item_id: str) -> None:
        super().__init__()
        self.item_id = item_id
