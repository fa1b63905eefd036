"""The peer's own lanes: FIFO inside a lane, so many active turns, so many names.

Written from docs/protocol/lanes.md alone; shares nothing with the engine's lanes.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from turnwire.testing.faults import error

if TYPE_CHECKING:
    from turnwire.testing.steps import Error, Json

LaneMode = Literal["echo", "ignore", "mix", "reject"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,256}")


@dataclass(slots=True)
class LaneQueues:
    """The creates of one connection, waiting and active.

    Attributes:
        mode: ``echo`` as the hosted service; ``ignore``: the name is not seen, all turns run one
            after the other and carry no name; ``mix``: turns run at once and carry no name;
            ``reject``: a name is an unsupported parameter.
        active_limit: Turns at once.
        name_limit: Names for the life of the connection.
    """

    mode: LaneMode
    active_limit: int
    name_limit: int
    names: set[str] = field(default_factory=set[str])
    active: set[str | None] = field(default_factory=set[str | None])
    waiting: deque[tuple[str | None, Json]] = field(default_factory=deque[Any])

    def add(self, request: Json) -> Error | None:
        """Queue a create, or say why its lane cannot be used."""
        name: Any = request.get("stream_id")
        if name is None or self.mode == "ignore":
            self.waiting.append((None, request))
            return None
        if self.mode == "reject":
            return error(
                "unsupported_parameter",
                param="stream_id",
                message="Unsupported parameter: 'stream_id'.",
                lane=False,
            )
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            return error("invalid_stream_id", message="`stream_id` has a bad form.", lane=False)
        if name not in self.names and len(self.names) >= self.name_limit:
            return error("websocket_stream_limit_reached", message="No lane names are left.")
        self.names.add(name)
        self.waiting.append((name, request))
        return None

    def take(self) -> tuple[str | None, Json] | None:
        """Make the oldest create active whose lane is idle; None if there is no room or none."""
        if len(self.active) >= self.active_limit:
            return None
        for index, (lane, request) in enumerate(self.waiting):
            if lane not in self.active:
                del self.waiting[index]
                self.active.add(lane)
                return lane, request
        return None

    def release(self, lane: str | None) -> None:
        """Note that the lane's turn has ended."""
        self.active.discard(lane)
