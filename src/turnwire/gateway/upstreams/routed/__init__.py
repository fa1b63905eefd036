"""Several upstreams as one: by model name, past those that are down, never past their limits.

Before anybody has seen output a turn may be tried again, or go to the next upstream that serves
its model; afterwards a failure is shown.  Each time a turn goes another way than the first one,
a line in the log says why, without content, and so does the upstream's state.
"""

from __future__ import annotations

import asyncio
import random
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Final, Literal

from turnwire.errors import ConfigError
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.failures import CUT
from turnwire.gateway.upstreams.routed.affinity import Affinity
from turnwire.gateway.upstreams.routed.asking import Asked, Asking, Choice
from turnwire.gateway.upstreams.routed.branch import Branch
from turnwire.gateway.upstreams.routed.retrying import describe
from turnwire.gateway.upstreams.routed.routes import Route, in_order, serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from turnwire.events import Event
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.observing.upstreams import UpstreamState
    from turnwire.gateway.upstreams.deltas import Delta

__all__ = ["Route", "RoutedUpstream"]

_LIST_INTERVAL: Final = 60.0  # seconds


class RoutedUpstream:
    """Serves each model with the first upstream that has it and can answer.

    ``start`` keeps lists of models up to date and notices when an upstream is back; without it
    only turns find that out.

    Args:
        routes: The upstreams, in the order in which they are tried.
        default: Name of the route for models that no pattern matches; None refuses them.
        chance: Returns a number between 0 and 1, for pauses.
        sleep: Waits for so many seconds.

    Attributes:
        credentials: Whether one of them wants the key that came with the create; the others do not
            get it.

    Raises:
        ConfigError: No routes, two of one name, or a default that is none of them.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        default: str | None = None,
        chance: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        names = [route.name for route in routes]
        if not names or len(set(names)) < len(names):
            raise ConfigError("give one upstream or more, each with a name of its own")
        if default is not None and default not in names:
            raise ConfigError(f"the default upstream `{default}` is not among: {', '.join(names)}")
        self._routes = tuple(routes)
        self._branches = {route.name: Branch(route) for route in routes}
        self._default = default
        self._asking = Asking(chance, sleep)
        self._affinity = Affinity()
        self._looking: set[asyncio.Task[None]] = set()
        by_client = any(route.wants_credential for route in routes)
        self.credentials: Final[Literal["gateway", "client"]] = "client" if by_client else "gateway"

    @property
    def models(self) -> tuple[str, ...]:
        """The models of all upstreams, each once."""
        shown = [branch.route.shown(branch.models) for branch in self._branches.values()]
        return tuple(dict.fromkeys(chain.from_iterable(shown)))

    @property
    def compacts(self) -> bool:
        """Whether one of them takes ``context_management``; turns that ask for it go there."""
        return any(route.compacts for route in self._routes)

    def steers_model(self, model: str) -> bool:
        """Say whether turns of a model can be steered, whichever of its upstreams they are at."""
        routes = serving(self._routes, model, self._default)
        return all(route.steers for route in routes)

    def states(self) -> tuple[UpstreamState, ...]:
        """Return how each upstream is now, in the order of the routes."""
        return tuple(branch.state for branch in self._branches.values())

    def start(self, interval: float = _LIST_INTERVAL) -> None:
        """Look at the lists of models now and then, in the background.

        Args:
            interval: Seconds between two looks at an upstream that is well.
        """
        for name, branch in self._branches.items():
            task = asyncio.create_task(branch.keep_listed(interval), name=f"models of {name}")
            self._looking.add(task)

    async def aclose(self) -> None:
        """Stop looking, and close the upstreams that can be closed."""
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        self._looking.clear()
        for route in self._routes:
            close = getattr(route.upstream, "aclose", None)
            if close is not None:
                await close()

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta | Event]:
        """Answer a prompt with one of the upstreams.

        Closing or cancelling stops the model run and gives its place to the next turn at once.

        Raises:
            UpstreamFailed: While iterating.
        """
        asked = await self._begin(prompt)
        try:
            for item in asked.first:
                asked.heard(item)
                yield item
            async for item in asked.items:
                asked.heard(item)
                yield item
            asked.failed(UpstreamFailed("The upstream broke off.", code=CUT))
            if asked.well and asked.branch.route.keeps_chains:
                self._affinity.note(prompt, asked.branch.route.name)
        except UpstreamFailed as failure:
            asked.failed(failure)
            raise
        finally:
            await asked.aclose()

    async def _begin(self, prompt: Prompt) -> Asked:
        """Return the model run of the first upstream that shows something."""
        routes = in_order(
            self._routes,
            prompt,
            {name: branch.models for name, branch in self._branches.items()},
            default=self._default,
            preferred=self._affinity.of(prompt),
        )
        if not routes:
            raise UpstreamFailed(
                f"No upstream serves the model `{prompt.parameters.model}` and all that this turn"
                " asks for. Name a model that GET /v1/models lists.",
                status=404,
                code="model_not_found",
                kind="invalid_request_error",
                param="model",
            )
        branches = [self._branches[route.name] for route in routes]
        choices = [
            Choice(branch, branches[:index], branches[index + 1 :])
            for index, branch in enumerate(branches)
        ]
        for choice, following in pairwise(choices):
            asked = await self._ask(choice, prompt)
            if isinstance(asked, Asked):
                return asked
            choice.branch.detour(describe(asked), following.branch.route.name)
        asked = await self._ask(choices[-1], prompt)
        if isinstance(asked, Asked):
            return asked
        raise asked

    async def _ask(self, choice: Choice, prompt: Prompt) -> Asked | UpstreamFailed:
        prompt.note_upstream(choice.branch.route.name)
        return await self._asking.ask(choice, prompt)
