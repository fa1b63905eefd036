"""One upstream among several, as it is now: its gate with real time, its budget, its models."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from turnwire.core.budget import Budget
from turnwire.gateway.observing.upstreams import UpstreamState
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.address import UNNAMED, called
from turnwire.gateway.upstreams.failures import BUSY, UNAVAILABLE, UNREACHABLE
from turnwire.gateway.upstreams.routed.gate import Gate, Refused, Standing, Visit
from turnwire.gateway.upstreams.routed.health import OPEN, Health
from turnwire.gateway.upstreams.routed.retrying import (
    Verdict,
    describe,
    verdict,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from turnwire.gateway.upstreams.routed.routes import Route

_log = logging.getLogger(__name__)


class Branch:
    """Lets turns in and out, and keeps what they tell of the upstream.

    Args:
        route: The upstream and its settings.
    """

    def __init__(self, route: Route) -> None:
        self.route = route
        self.budget = Budget()
        self._gate = Gate(route.limits, Health(route.health))
        self._health = self._gate.health
        self._waiting: dict[Visit, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._detour: str | None = None  # why a turn went elsewhere last
        self._went_down = asyncio.Event()
        self._listed: tuple[str, ...] | None = None

    @property
    def state(self) -> UpstreamState:
        """How it is now."""
        return UpstreamState(
            self.route.name,
            self._health.state.value,
            active=self._gate.active,
            waiting=self._gate.waiting,
            reason=self._health.reason or self._detour,
        )

    @property
    def models(self) -> tuple[str, ...]:
        """What the server listed last, or else what the upstream says of itself."""
        return self.route.upstream.models if self._listed is None else self._listed

    def admits(self, *, alone: bool = False) -> bool:
        """Say whether it makes sense to send a turn there, which may be ``alone`` with it."""
        return self._health.admits(_now(), alone=alone)

    async def enter(self, size_bytes: int, *, alone: bool) -> Visit:
        """Wait for a place.

        Cancelling gives the place up at once, or the place in the queue.

        Args:
            size_bytes: Of what is new in the turn.
            alone: Nobody else is left that could take it.

        Raises:
            UpstreamFailed: There is none: 429 if there is too much to do, 503 if it is down.
        """
        visit = self._gate.enter(size_bytes, _now(), alone=alone)
        self._wake()
        if isinstance(visit, Refused):
            raise self._refusal(visit)
        if visit.standing is Standing.WAITING:
            self._waiting[visit] = asyncio.get_running_loop().create_future()
            try:
                await self._waiting[visit]
            except asyncio.CancelledError:
                self.leave(visit)
                raise
            finally:
                del self._waiting[visit]
            found = self._found(visit)
            if found is not Standing.INSIDE:
                overdue = found is Standing.OVERDUE
                reason = "had no place in time" if overdue else "went down"
                raise self._refusal(Refused(reason, full=overdue, retry_after=1.0))
        return visit

    def leave(self, visit: Visit) -> None:
        """Give the place back."""
        self._gate.leave(visit, _now())
        self._wake()

    def answered(self) -> None:
        """It said something."""
        self._tell(self._health.answered())

    def succeeded(self) -> None:
        """A turn ended well."""
        self.budget.succeeded()
        self._detour = None
        self._tell(self._health.succeeded())

    def gave_up(self, visit: Visit) -> None:
        """A turn was stopped before it had shown whether the upstream works."""
        self._health.gave_up(visit.probe)

    def failed(self, failure: UpstreamFailed, visit: Visit, *, alone: bool) -> None:
        """A turn ends here with a failure, after all that was tried.

        Args:
            failure: What went wrong.
            visit: The turn.
            alone: Nobody else is left that could take such turns.
        """
        match verdict(failure):
            case Verdict.REFUSED | Verdict.BUSY:
                self.answered()
            case Verdict.STUMBLED:
                self._tell(self._health.stumbled(describe(failure), visit.probe))
            case Verdict.FAULT | Verdict.SILENT:
                certain = failure.code == UNREACHABLE
                self._failed(failure, visit.probe, certain=certain, alone=alone)

    def detour(self, why: str, to: str) -> None:
        """A turn goes to another upstream instead."""
        self._detour = why
        # That it is down was said when it went down.
        level = logging.WARNING if self._health.state in OPEN else logging.DEBUG
        _log.log(level, "%s: %s: a turn goes to %s", called(self.route.name), why, to)

    async def keep_listed(self, interval: float) -> None:
        """Keep the list of models up to date, and see when the upstream is back, until cancelled.

        Args:
            interval: Seconds between two looks while all is well.
        """
        lister = self.route.lister
        while lister is not None:
            if self.admits():
                await self._look(lister)
            pause = self._health.seconds_until_probe(_now())
            self._went_down.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(interval if pause is None else pause):
                    await self._went_down.wait()

    async def _look(self, lister: Callable[[], Awaitable[Sequence[str]]]) -> None:
        probe = self._health.begin(_now(), is_turn=False)
        try:
            self._listed = tuple(await lister())
        except UpstreamFailed as failure:
            # Turns may end well where there is no list, but not where nobody is.
            if failure.code == UNREACHABLE:
                self._failed(failure, probe, certain=True)
            elif probe and verdict(failure) not in (Verdict.REFUSED, Verdict.BUSY):
                self._failed(failure, probe)
            else:
                self.answered()
        except Exception:  # noqa: BLE001  # a list that cannot be read must not end the looking
            _log.exception("%s: its models could not be read", called(self.route.name))
            if probe:  # or it would be looked at again at once, and again
                self._failed(UpstreamFailed("Its models cannot be read."), probe)
        else:
            self.answered()
        finally:
            self._health.gave_up(probe)  # if nothing else was found out

    def _failed(
        self, failure: UpstreamFailed, probe: int, *, certain: bool = False, alone: bool = False
    ) -> None:
        why = describe(failure)
        news = self._health.failed(why, _now(), probe, certain=certain, alone=alone)
        if news is not None and isinstance(failure.__cause__, ConnectionError):
            news += f"; {failure.__cause__}"  # the way there, which is nothing for clients
        self._tell(news)
        if self._health.state not in OPEN:
            self._went_down.set()

    def _tell(self, news: str | None) -> None:
        if news is not None:
            _log.warning("%s %s", called(self.route.name), news)
            self._gate.tick(_now())
            self._wake()

    def _wake(self) -> None:
        """Tell those who waited, and come back when the next one has waited for too long."""
        for visit in self._gate.changed():
            future = self._waiting[visit]
            if not future.done():
                future.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._gate.deadline()
        if deadline is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._gate.tick(_now())
        self._wake()

    @staticmethod
    def _found(visit: Visit) -> Standing:
        return visit.standing  # it has changed while nobody looked

    def _refusal(self, refused: Refused) -> UpstreamFailed:
        name = "The upstream" if self.route.name == UNNAMED else f"The upstream `{self.route.name}`"
        return UpstreamFailed(
            f"{name} {refused.reason}."
            f" Try again in {refused.retry_after:g} s, or see why it has so much to do."
            if refused.full
            else f"{name} {refused.reason}. Try again in"
            f" {refused.retry_after:g} s; if that does not help, see whether the server runs.",
            status=429 if refused.full else 503,
            code=BUSY if refused.full else UNAVAILABLE,
            headers={"retry-after": f"{refused.retry_after:g}"},
        )


def _now() -> float:
    return asyncio.get_running_loop().time()
