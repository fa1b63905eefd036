"""What the ledger writes down: turns as they were asked for, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from properties.service import is_output

if TYPE_CHECKING:
    from properties.items import Context, Json
    from properties.service import Run
    from turnwire.core.actions import Finish
    from turnwire.core.chain import Chain
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.request import Deadlines, Transport

# What may be run twice although the caller said nothing about it: these run at the client.
HARMLESS_TOOLS = ("function",)
MOST_MOVES = 4
MOST_REFUSALS = 4  # after that a refusal is the turn's own error


@dataclass
class Head:
    """The last response of a chain, if the next turn may continue it."""

    run: Run
    borrowed: bool = False  # of a fork: the lane belongs to the other chain


@dataclass(eq=False)
class History:
    """What a chain's caller believes it to hold."""

    chain: Chain
    items: list[Json] = field(default_factory=list)
    head: Head | None = None


@dataclass(eq=False, repr=False)
class Asked:
    """A turn as the test asked for it, and what became of it."""

    mark: str
    turn: PoolTurn
    params: Json
    items: list[Json]
    transport: Transport
    replay: str
    history: History | None
    whole: bool
    link: str | None
    at: float
    deadlines: Deadlines
    weight: int
    runs: list[Run] = field(default_factory=list)  # every writing of it
    sent: int = 0  # messages that the pool handed over, written or not
    sent_at: float = 0.0
    written_at: float = 0.0
    expected: Context | None = None  # what the model is to see, fixed at the first writing
    inbox: list[bool] = field(default_factory=list)  # events that were not read: is it output?
    heard: int = 0  # events of the last run that reached it
    has_read: bool = False
    has_seen: bool = False  # has read output of the last run
    repeated: bool = False  # after a loss
    restarted: bool = False  # and was told so; until it is written again
    refusals: int = 0
    retries: int = 0
    moves: int = 0
    key_changed: bool = False
    fetching: bool = False  # its stored response is being fetched
    fetches: int = 0
    whole_answer: Json | None = None  # that of a GET, if it may end the turn
    cancelled: bool = False
    steered: bool = False  # something was said to it, or heard by it
    given_up: bool = False  # nothing was heard of a steer
    before: int = 0  # items of its history
    tail: list[Json] | None = None  # what its response heard beyond the history
    finish: Finish | None = None

    def __repr__(self) -> str:
        return self.mark

    @property
    def live(self) -> bool:
        return self.finish is None

    @property
    def generates(self) -> bool:
        return self.params.get("generate", True)

    @property
    def plain(self) -> bool:
        return self.history is None and self.link is None and self.transport == "websocket"

    @property
    def last(self) -> Run | None:
        return self.runs[-1] if self.runs else None

    @property
    def speaking(self) -> Run | None:
        """The run whose events are its own, if there is a way for them."""
        run = self.last
        return run if self.live and run is not None and run.wired else None

    @property
    def seen_output(self) -> bool:
        """Whether its caller may have seen output of the last run, as far as the pool can tell."""
        run = self.last
        came = run.log[: self.heard] if run is not None else []
        return self.has_read and any(is_output(event["type"]) for event in came)

    @property
    def stranded(self) -> bool:
        """Whether its parent was perhaps on a socket that is gone, and only its caller knows it."""
        return self.link is not None and not self.params.get("store", True)

    @property
    def may_repeat(self) -> bool:
        """Whether it may be run once more after a loss."""
        if self.repeated or self.has_seen or self.stranded or self.steered:
            return False
        if self.replay == "always" or not self.generates:
            return True
        tools = [tool.get("type") for tool in self.params.get("tools", [])]
        return self.replay == "safe" and set(tools) <= set(HARMLESS_TOOLS)

    @property
    def perhaps_run(self) -> int:
        """How often the model may have run for it, as far as its caller can be told."""
        return sum(
            (run.generates and not (run.clean and run.recovered)) + run.phases for run in self.runs
        )


@dataclass
class Batch:
    """What the pool wanted done after one input."""

    delivered: list[tuple[str, bytes]] = field(default_factory=list)
    finished: list[Asked] = field(default_factory=list)
    restarted: list[Asked] = field(default_factory=list)
    resumed: list[Asked] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    others: int = 0
