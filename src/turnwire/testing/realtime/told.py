"""What a test tells the server, read: short forms made whole, misspelt names found at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

from turnwire.errors import ConfigError
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.faults import ClientFault, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

AnyFault = Fault | ClientFault
Faults = AnyFault | Sequence[AnyFault]


def faults_of(told: Faults) -> Sequence[AnyFault]:
    """Return the faults of one connection; one that stands alone is a list of one.

    Raises:
        ConfigError: Something among them is no fault.
    """
    faults: Any = [told] if isinstance(told, AnyFault) else told
    if isinstance(faults, str | bytes) or not isinstance(faults, Sequence):
        raise _no_fault(faults)
    several = cast("Sequence[object]", faults)
    for each in several:
        if not isinstance(each, AnyFault):
            raise _no_fault(each)
    return cast("Sequence[AnyFault]", several)


def checked_faults(
    told: Faults | Callable[[int], Faults],
) -> Sequence[AnyFault] | Callable[[int], Faults]:
    """Return the faults of all connections, or the function that has them, as it was.

    Raises:
        ConfigError: Something among them is no fault.
    """
    return told if callable(told) else faults_of(told)


def check_knobs(knobs: Iterable[str], others: Iterable[str]) -> None:
    """Find out whether there are such settings.

    Args:
        knobs: The names that were given.
        others: Names that are no settings and could have been meant.

    Raises:
        ConfigError: One is unknown; the words have the closest that is not.
    """
    known = [each.name for each in fields(VoiceSettings)]
    for name in knobs:
        if name not in known:
            close = get_close_matches(name, [*known, *others], n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"settings are {', '.join(known)}"
            raise ConfigError(f"`{name}` is not an option of RealtimeServer; {hint}")


def _no_fault(value: object) -> ConfigError:
    return ConfigError(
        f"{type(value).__name__} is no fault; make one with turnwire.testing.realtime.faults, such"
        ' as faults.drop(on="response.done")'
    )
