"""What operators may know of sockets and turns: times, sizes and outcomes, never what was said."""

from turnwire.gateway.observing.observer import Observer, TurnWatch
from turnwire.gateway.observing.seen import SeenSocket, SeenTurn

__all__ = ["Observer", "SeenSocket", "SeenTurn", "TurnWatch"]
