"""What the SDK would send, as what a turn takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import agents
from agents import UserError
from openai import NotGiven, Omit

from turnwire.client.params import TurnParams

if TYPE_CHECKING:
    from collections.abc import Mapping

USER_AGENT: Final = f"Agents/Python {agents.__version__}"  # the SDK's own
_HEADERS: Final = {"User-Agent": USER_AGENT}
_KNOWN: Final = frozenset(TurnParams.__annotations__)
_NOT_A_TURNS: Final = {
    "extra_headers": "headers go with a socket: give `default_headers` to the ModelProvider",
    "extra_query": "a socket has one URL: put the query into the ModelProvider's `base_url`",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a turn, sorted by where they go.

    Attributes:
        params: Parameters that a turn has, ``extra_body`` included.
        previous_response_id: The runner's own link to an earlier response.
        timeout: Seconds for the turn, or None.
    """

    params: TurnParams
    previous_response_id: str | None
    timeout: float | None

    @property
    def is_linked(self) -> bool:
        """True if the server keeps the history, and the input is only what is new."""
        named = self.params.get("conversation") is not None
        return named or self.previous_response_id is not None


def fields_of(arguments: Mapping[str, Any]) -> Fields:
    """Sort the arguments that the SDK made for its own client; ``input`` is left out.

    Raises:
        UserError: There is one that a turn on a shared socket cannot have.
    """
    given = {name: value for name, value in arguments.items() if _is_given(value)}
    for name in ("input", "stream"):
        given.pop(name, None)
    if given.get("extra_headers") == _HEADERS:
        del given["extra_headers"]
    for name, why in _NOT_A_TURNS.items():
        if given.pop(name, None):
            raise UserError(f"`{name}` cannot be given to a turn: {why}")
    link, timeout = given.pop("previous_response_id", None), given.pop("timeout", None)
    if timeout is not None and not isinstance(timeout, int | float):
        raise UserError(f"`timeout` must be a number of seconds, not {type(timeout).__name__}")
    if "include" in given:  # the SDK takes it out of a set: in any order
        given["include"] = sorted(given["include"])
    extra: dict[str, Any] = dict(given.pop("extra_body", None) or {})
    # Last: turnwire has no parameter for a tool that it does not run, and the SDK's may be newer.
    others = {name: value for name, value in given.items() if name not in _KNOWN}
    params: Any = {name: value for name, value in given.items() if name in _KNOWN}
    return Fields(params | {"extra_body": others | extra}, link, timeout)


def _is_given(value: object) -> bool:
    return not (value is None or isinstance(value, Omit | NotGiven))
