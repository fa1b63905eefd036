"""What is said to the model while it answers, and what becomes of it."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from turnwire.client.params import encode_input
from turnwire.core.steer import SteerState
from turnwire.core.steer_input import wrong_input
from turnwire.errors import ConfigError, QueueFull, SteerFailed, SteerUnknown
from turnwire.io.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.client.params import Input
    from turnwire.client.turn import AsyncTurn
    from turnwire.core.history import HistoryItem
    from turnwire.core.steer import Steer as SteerRecord

SteerStateName = Literal[
    "waiting", "submitted", "accepted", "pending", "committed", "failed", "unknown"
]

_UNDECIDED: Final = (SteerState.WAITING, SteerState.SUBMITTED, SteerState.ACCEPTED)
_NO_TURN: Final = "the run ended before this could be said: say it in the next turn"


class AsyncSteer:
    """One thing that was said to a turn while it ran; :meth:`AsyncTurn.steer` makes it.

    It counts once it is ``committed``: a response that continues the steered one has begun, and
    the model of that one hears it.  It is never sent twice.
    """

    def __init__(self, items: Sequence[HistoryItem]) -> None:
        self._items = items
        self._record: SteerRecord | None = None
        self._bell = Bell()
        self._dropped: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def _begin(self, turn: AsyncTurn) -> None:
        before = self._bell
        self._record, self._bell = turn._say(self, self._items)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # its other half
        self._loop = asyncio.get_running_loop()
        before.ring()

    def _drop(self, why: str) -> None:
        # No turn came to which it could be said, or none that took it.
        self._dropped = why
        self._bell.ring()

    @property
    def state(self) -> SteerStateName:
        """Where it is.

        ``waiting`` for a response to have an id, ``submitted``, ``accepted`` by the server,
        ``pending``: it goes with the next turn, which has to answer ``required_input``;
        ``committed``; ``failed``: it does not count; ``unknown``: the connection was lost.
        """
        if self._dropped is not None:
            return "failed"
        return "waiting" if self._record is None else self._record.state.value

    @property
    def id(self) -> str | None:
        """The server's name of it, once it was accepted."""
        return self._record.steer_id if self._record is not None else None

    @property
    def response_id(self) -> str | None:
        """The response that it was sent to."""
        return self._record.response_id if self._record is not None else None

    @property
    def successor_id(self) -> str | None:
        """The response whose model hears it, once it is committed."""
        return self._record.successor_id if self._record is not None else None

    @property
    def required_input(self) -> list[dict[str, Any]]:
        """What the next turn has to answer while it is pending: stubs of tool outputs and the like.

        A chain answers them as ever: with the outputs as its next turn's input.
        """
        return list(self._record.required_input) if self._record is not None else []

    @property
    def input(self) -> list[dict[str, Any]]:
        """What was said, as messages."""
        return [msgspec.json.decode(item.encoded) for item in self._items]

    async def wait(self) -> Literal["committed", "pending"]:
        """Wait until it is known what becomes of it; the turn must be read or awaited elsewhere.

        Cancelling this changes nothing.

        Raises:
            SteerFailed: It does not count; the turn goes on without it.
            SteerUnknown: The connection was lost, or the server said nothing in time.
            ConfigError: It was said in another event loop.
        """
        while self._dropped is None and (self._record is None or self._record.state in _UNDECIDED):
            if self._loop not in (None, asyncio.get_running_loop()):
                raise ConfigError("its turn runs in another event loop: wait for it there")
            await self._bell.wait()
        match self.state:
            case "pending" | "committed" as good:
                return good
            case "unknown":
                raise SteerUnknown(self._message, response_id=self.response_id, input=self.input)
            case _:
                failure = self._record.failure if self._record is not None else None
                raise SteerFailed(
                    self._message,
                    code=failure.code if failure is not None else "response_not_active",
                    response_id=self.response_id,
                    input=self.input,
                )

    @property
    def _message(self) -> str:
        failure = self._record.failure if self._record is not None else None
        return failure.message if failure is not None else self._dropped or _NO_TURN

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id or ''} {self.state}>"


class Steering:
    """Where something can be said to a run of several turns: to the one that runs, or the next."""

    def __init__(self) -> None:
        self._turn: weakref.ref[AsyncTurn] | None = None  # whoever lets go of a turn cancels it
        self._held: list[AsyncSteer] = []
        self._runs = 0

    def open(self) -> None:
        """A run begins."""
        self._runs += 1

    def turn_began(self, turn: AsyncTurn) -> None:
        """A turn of the run has begun: say what was held back for it."""
        self._turn = weakref.ref(turn)
        held, self._held = self._held, []
        for steer in held:
            try:
                steer._begin(turn)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            except QueueFull as error:  # which ends the steer, and not the run
                steer._drop(str(error))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def close(self) -> None:
        """A run has ended, well or not."""
        self._runs -= 1
        if self._runs:
            return
        self._turn = None
        held, self._held = self._held, []
        for steer in held:
            steer._drop(_NO_TURN)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    def steer(self, input: Input) -> AsyncSteer:  # noqa: A002  # the SDK's name
        """Say something to the run.

        Raises:
            ConfigError: No run is going on, or ``input`` cannot be said to one.
            QueueFull: Too many bytes wait to be sent.
        """
        items = encode_steer(input)
        if not self._runs:
            raise ConfigError("nothing runs that could be steered: give this to the next turn")
        steer = AsyncSteer(items)
        turn = self._turn() if self._turn is not None else None
        if turn is not None and not turn.has_ended:
            steer._begin(turn)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        else:
            self._held.append(steer)
        return steer


def encode_steer(given: Input) -> list[HistoryItem]:
    """Encode what is said to a running turn: docs/protocol/steering.md#input.

    Raises:
        ConfigError: It is empty, or something else than text or messages of the user's.
    """
    items = encode_input(given)
    said = (
        given if isinstance(given, str) else [msgspec.json.decode(each.encoded) for each in items]
    )
    complaint = wrong_input({"input": said})
    if complaint is not None:
        raise ConfigError(
            f"{complaint.rstrip('.')}: what can be said to a running turn is text, or messages of"
            " role `user` with `type`, `role` and `content`; give anything else to the next turn"
        )
    return items
