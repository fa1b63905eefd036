"""Which upstreams serve which model, in which order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Final

from turnwire.gateway.upstreams.routed.gate import GateSettings
from turnwire.gateway.upstreams.routed.health import HealthSettings
from turnwire.gateway.upstreams.timing import Timeouts

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Iterable,
        Mapping,
        Sequence,
    )

    from turnwire.events import Event
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams import Upstream
    from turnwire.gateway.upstreams.deltas import Delta

ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One upstream among several.

    Attributes:
        name: Tells upstreams apart in logs and on the status page.
        upstream: The upstream itself.
        models: Patterns of the model names that it serves, with ``*`` and ``?``; case counts.
        limits: How much may go on there.
        timeouts: How long it may be silent.
        health: When turns stay away from it.
        retries: How often a turn is tried again there before any output was shown.
        longest_wait: Seconds that a turn waits because the upstream asks for it; beyond that the
            failure is shown, with what it asks for.
        lister: Asks the server which models it has, which costs it next to nothing; raises
            ``UpstreamFailed`` if it does not say.  None if there is no such list.
    """

    name: str
    upstream: Upstream
    models: tuple[str, ...] = (ANY,)
    limits: GateSettings = field(default_factory=GateSettings)
    timeouts: Timeouts = field(default_factory=Timeouts)
    health: HealthSettings = field(default_factory=HealthSettings)
    retries: int = 2
    longest_wait: float = 10.0
    lister: Callable[[], Awaitable[Sequence[str]]] | None = None

    @property
    def wants_credential(self) -> bool:
        """True if the upstream is asked with the key of whoever asks."""
        return getattr(self.upstream, "credentials", "gateway") == "client"

    @property
    def compacts(self) -> bool:
        """True if the upstream takes ``context_management``."""
        return bool(getattr(self.upstream, "compacts", False))

    @property
    def steers(self) -> bool:
        """True if turns can be ended between two items there."""
        return bool(getattr(self.upstream, "steers", True))

    @property
    def watched(self) -> Timeouts:
        """What is watched from outside: who reads the bytes knows better whether there are any.

        Of reasoning that is hidden, and of a call whose name is not whole, bytes are all that
        comes for a long time.
        """
        own = getattr(self.upstream, "watches_silence", False)
        return _with_any_silence(self.timeouts) if own else self.timeouts

    @property
    def keeps_chains(self) -> bool:
        """True if the upstream answers a turn faster that continues one of its own."""
        return getattr(self.upstream, "speaks", "deltas") == "events"

    def generate(self, prompt: Prompt) -> AsyncIterator[Delta | Event]:
        """Ask the upstream, which sees no key that is not for it."""
        if prompt.credential is not None and not self.wants_credential:
            prompt = replace(prompt, credential=None)
        return self.upstream.generate(prompt)

    def serves(self, model: str) -> bool:
        """Say whether one of the patterns matches."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def lacks(self, model: str, listed: Collection[str]) -> bool:
        """Say whether the upstream has a list of models and this one is not on it.

        A pattern that names the model knows better.
        """
        if not listed or model in listed:
            return False
        return not any(fnmatchcase(model, pattern) for pattern in self.models if pattern != ANY)

    def shown(self, listed: Collection[str]) -> list[str]:
        """Return the models to list: names among the patterns, and what the upstream lists."""
        return [*plain_names(self.models), *(name for name in listed if self.serves(name))]


@cache
def _with_any_silence(timeouts: Timeouts) -> Timeouts:
    return replace(timeouts, idle=None)


def plain_names(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return those of the patterns that name one model."""
    return tuple(name for name in patterns if not set(name) & set("*?["))


def serving(routes: Sequence[Route], model: str, default: str | None) -> list[Route]:
    """Return the routes that serve a model: those with a matching pattern, or else the default."""
    found = [route for route in routes if route.serves(model)]
    return found or [route for route in routes if route.name == default]


def in_order(
    routes: Sequence[Route],
    prompt: Prompt,
    lists: Mapping[str, Collection[str]],
    *,
    default: str | None,
    preferred: str | None,
) -> list[Route]:
    """Return the routes to try for a prompt, the first one first.

    The order is that of the configuration, but one whose list lacks the model comes after those
    that may have it.

    Args:
        routes: All of them, in order.
        prompt: Whose model counts.
        lists: The models that each route's upstream lists.
        default: The route for models that no pattern matches, or None.
        preferred: The route that has the chain, which goes first if it serves the model, or None.
    """
    model = prompt.parameters.model
    found = serving(routes, model, default)
    if prompt.parameters.sent.get("context_management"):
        found = [route for route in found if route.compacts]

    def rank(route: Route) -> tuple[bool, bool]:
        return (route.name != preferred, route.lacks(model, lists[route.name]))

    return sorted(found, key=rank)
