"""One turn at one upstream: tried until it shows something, then followed to its end."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.address import called
from turnwire.gateway.upstreams.failures import CUT
from turnwire.gateway.upstreams.routed.retrying import (
    Again,
    GiveUp,
    Situation,
    describe,
    next_step,
)
from turnwire.gateway.upstreams.routed.sayings import ended, shows
from turnwire.gateway.upstreams.timing import Watched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from turnwire.events import Event
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.deltas import Delta
    from turnwire.gateway.upstreams.routed.branch import Branch
    from turnwire.gateway.upstreams.routed.gate import Visit

    Said = Delta | Event

_log = logging.getLogger(__name__)

_HELD: Final = 16  # things that an upstream may say before the first one that shows


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the upstreams that serve a turn's model.

    Attributes:
        branch: Whom to ask.
        before: Those that come before it in the turn's order.
        after: Those that come after it.
    """

    branch: Branch
    before: Sequence[Branch]
    after: Sequence[Branch]

    @property
    def alone(self) -> bool:
        """Whether nobody else is left: all others are down, as far as is known now."""
        return not any(other.admits() for other in (*self.before, *self.after))

    @property
    def others(self) -> bool:
        """Whether it makes sense to ask one of those that come after it."""
        none_is_up = self.alone and not self.branch.admits()
        return any(other.admits(alone=none_is_up) for other in self.after)


@dataclass(slots=True)
class Asked:
    """A model run that shows something, and holds a place until ``aclose``.

    Attributes:
        choice: Where it runs.
        first: What was said up to the first thing that shows.
        items: What comes after that.
        well: Whether it ended well; None until it has ended.
    """

    choice: Choice
    visit: Visit
    items: Watched[Said]
    first: list[Said]
    well: bool | None = None

    @property
    def branch(self) -> Branch:
        """The upstream that it runs at."""
        return self.choice.branch

    def heard(self, item: Said) -> None:
        """Note what the upstream says, before anybody else sees it."""
        well = ended(item)
        if well is not None and self.well is None:
            self.well = well
            if well:
                self.branch.succeeded()
            else:
                self._tell(UpstreamFailed("The response failed.", status=500))

    def failed(self, failure: UpstreamFailed) -> None:
        """Note that it broke off."""
        if self.well is None:
            self.well = False
            self._tell(failure)

    async def aclose(self) -> None:
        """Stop the model run if it still runs, and give the place to the next turn."""
        try:
            await self.items.aclose()
        finally:
            self.branch.leave(self.visit)

    def _tell(self, failure: UpstreamFailed) -> None:
        self.branch.failed(failure, self.visit, alone=self.choice.alone)


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks upstreams.

    Attributes:
        chance: Returns a number between 0 and 1, for pauses.
        sleep: Waits for so many seconds.
    """

    chance: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]

    async def ask(self, choice: Choice, prompt: Prompt) -> Asked | UpstreamFailed:
        """Wait for a place and for the first thing that shows.

        Args:
            choice: Whom to ask.
            prompt: What.

        Returns:
            The model run; or a failure after which another upstream may be asked.

        Raises:
            UpstreamFailed: After which it makes no sense to ask another one.
        """
        branch = choice.branch
        try:
            visit = await branch.enter(prompt.new_bytes, alone=choice.alone)
        except UpstreamFailed as refusal:
            return refusal
        runs = False
        try:
            asked = await self._try(choice, visit, prompt)
            runs = isinstance(asked, Asked)
        finally:
            if not runs:
                branch.gave_up(visit)
                branch.leave(visit)
        return asked

    async def _try(self, choice: Choice, visit: Visit, prompt: Prompt) -> Asked | UpstreamFailed:
        branch, route, tries = choice.branch, choice.branch.route, 0
        while True:
            tries += 1
            items = Watched(route.generate(prompt), route.watched)
            try:
                first = await _first_of(items)
            except UpstreamFailed as failure:
                situation = Situation(
                    tries=tries,
                    retries=route.retries,
                    allowed=branch.budget.allows,
                    probing=visit.probe > 0,
                    others=choice.others,
                    own_key=not route.wants_credential,
                    longest_wait=route.longest_wait,
                )
                step = next_step(failure, situation, self.chance())
                if not isinstance(step, Again):
                    branch.failed(failure, visit, alone=choice.alone)
                    if isinstance(step, GiveUp):
                        raise
                    return failure
                _log.info("%s: %s: tried again", called(route.name), describe(failure))
                branch.budget.take()
                await self.sleep(step.pause)
            else:
                branch.answered()
                return Asked(choice, visit, items, first)


async def _first_of(items: Watched[Said]) -> list[Said]:
    """Return what is said up to the first thing that shows; a failure stops the model run."""
    first: list[Said] = []
    try:
        async for item in items:
            first.append(item)
            if shows(item) or len(first) == _HELD:
                return first
    except BaseException:
        await items.aclose()
        raise
    await items.aclose()
    raise UpstreamFailed("The upstream broke off before its answer.", code=CUT)
