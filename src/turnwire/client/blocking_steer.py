"""The blocking steer: it waits for its twin in ``steering``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from turnwire.errors import TurnwireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.client.steering import AsyncSteer, SteerStateName
    from turnwire.io.portal import Portal


class Steer:
    """One thing that was said to a turn while it ran; see :class:`AsyncSteer`."""

    def __init__(self, portal: Portal, steer: AsyncSteer) -> None:
        self._portal = portal
        self._steer = steer

    @property
    def state(self) -> SteerStateName:
        """Where it is."""
        return self._steer.state

    @property
    def id(self) -> str | None:
        """The server's name of it, once it was accepted."""
        return self._steer.id

    @property
    def response_id(self) -> str | None:
        """The response that it was sent to."""
        return self._steer.response_id

    @property
    def successor_id(self) -> str | None:
        """The response whose model hears it, once it is committed."""
        return self._steer.successor_id

    @property
    def required_input(self) -> list[dict[str, Any]]:
        """What the next turn has to answer while it is pending."""
        return self._steer.required_input

    @property
    def input(self) -> list[dict[str, Any]]:
        """What was said, as messages."""
        return self._steer.input

    def wait(self) -> Literal["committed", "pending"]:
        """Wait until it is known what becomes of it; see :meth:`AsyncSteer.wait`."""
        return self._portal.call(self._steer.wait())

    def __repr__(self) -> str:
        return repr(self._steer).replace("Async", "", 1)


def said(portal: Portal, say: Callable[[], AsyncSteer]) -> Steer:
    """Say something on the thread of the client, which may be this one: callbacks may do it.

    Raises:
        TurnwireError: It cannot be said.
    """

    def attempt() -> AsyncSteer | TurnwireError:
        try:
            return say()
        except TurnwireError as error:
            return error

    steer = portal.look(attempt)
    if isinstance(steer, TurnwireError):
        raise steer
    return Steer(portal, steer)
