"""Whatever a server says of steers, and whenever: the core takes it, and everything ends."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from core.steered import OUTPUT, STUB, Shell
from properties.profiles import PROFILE
from turnwire.core.chain import Chain
from turnwire.core.history import HistoryItem
from turnwire.core.request import Deadlines
from turnwire.core.steer import ENDED, SteerState

IDS = st.sampled_from(["r1", "r2", "r3", "r4", None])
STEER_IDS = st.sampled_from(["s1", "s2", "s3", None])
LANES = st.sampled_from([None, None, "lane-1", "lane-2", "nobody"])
KINDS = st.sampled_from(
    [
        *("created", "created", "in_progress", "queued"),
        *("completed", "completed", "incomplete", "failed", "done", "cancelled"),
        *("delta", "delta", "item", "error", "limit", "no steers", "not found", "busy"),
        *("accepted", "accepted", "accepted", "pending", "pending", "rejected", "rejected"),
        *("odd accepted", "odd failed", "odd pending", "unknown"),
    ]
)
VERBS = st.sampled_from(
    [
        *("ask", "ask in chain", "ask in chain", "go on", "fork", "link"),
        *("steer", "steer", "steer", "steer", "steer who ended"),
        *("cancel", "overflow", "lose", "lose", "dial", "slow", "slow", "wait", "wait long"),
        *("garbage", "drain", "http", "speak over http", "fetched"),
    ]
)
SAID = st.tuples(st.just("server"), KINDS, IDS, STEER_IDS, LANES)
DONE = st.tuples(st.just("client"), VERBS, st.integers(0, 5), st.integers(0, 5), st.just(None))
STEPS = st.lists(st.one_of(SAID, SAID, DONE), max_size=40)
LIMITS = (Deadlines(), Deadlines(first_event=None), Deadlines(first_event=1.0, turn=9.0))


class Anything:
    """Does one thing after the other, in any order."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self.shell = Shell(queue_bytes=9000, message_bytes=1500, drain=3.0, **chosen)
        self.turns: list[Any] = []
        self.steers: list[Any] = []
        self.signed_in: set[int] = set()
        self.chains = [Chain(), Chain()]
        self.ask(0)
        if self.shell.dialled:
            self.shell.dial()
        self.opened = set(self.shell.dialled)

    def ask(self, which: int, **how: Any) -> None:
        if self.shell.pool.statistics().queued_bytes > 8000:
            return  # it might not be taken
        limits = LIMITS[which % 3]
        self.turns.append(self.shell.ask("go", deadlines=limits, store=which % 2 == 0, **how))

    def client(self, verb: str, which: int, other: int) -> None:  # noqa: C901, PLR0912  # a list
        shell, turns = self.shell, self.turns
        live = [turn for turn in turns if turn.id not in shell.finished]
        open_now = [each for each in shell.dialled if each not in shell.closed]
        match verb:
            case "ask":
                self.ask(which, transport=("websocket", "auto")[other % 2])
            case "ask in chain":
                self.ask(which, chain=self.chains[other % len(self.chains)])
            case "go on":
                chain = self.chains[other % len(self.chains)]
                if shell.pool.statistics().queued_bytes < 8000:
                    turns.append(shell.ask(OUTPUT, chain=chain))
            case "fork":
                self.chains.append(self.chains[other % len(self.chains)].fork())
            case "link":
                self.ask(which, link=f"r{other}")
            case "steer" if live:
                self.say(live[which % len(live)], other)
            case "steer who ended":
                self.say(turns[which % len(turns)], other)
            case "cancel":
                shell.cancel(turns[which % len(turns)])
            case "overflow":
                shell.pool.overflowed(turns[which % len(turns)].id, 10, shell.now)
                shell.settle()
            case "lose" if open_now:
                lost = open_now[which % len(open_now)]
                shell.lose(lost, *(number for on, number in shell.unwritten if on == lost))
            case "dial" if shell.dialled and shell.dialled[-1] not in self.opened:
                self.opened.add(shell.dialled[-1])
                shell.dial()
            case "slow":
                shell.slow = not shell.slow
            case "wait" | "wait long":
                shell.wait(1.0 if verb == "wait" else 40.0)
            case "garbage" if open_now:
                shell.pool.malformed(open_now[-1], "x", shell.now)
                shell.settle()
            case "drain" if other == 0:
                shell.pool.drain(shell.now)
                shell.settle()
            case _:
                self.exchange(verb, which)

    def exchange(self, verb: str, which: int) -> None:
        shell = self.shell
        match verb:
            case "http" if len(self.turns) < 8:
                self.ask(which, transport="http")
            case "speak over http" if shell.exchanges:
                exchange = shell.exchanges[which % len(shell.exchanges)]
                if exchange not in self.signed_in:
                    self.signed_in.add(exchange)
                    shell.pool.signed_in(exchange, shell.now)
                    shell.settle()
                kinds = ("created", "completed", "steer.accepted")
                body = b'{"type":"response.%s","steer":{},"response":{"id":"r%d"}}' % (
                    kinds[which % 3].encode(),
                    which,
                )
                shell.pool.received(exchange, b"data: " + body + b"\n\n", shell.now)
                shell.settle()
            case "fetched" if shell.fetched:
                exchange, response_id = shell.fetched[-1]
                body = b'{"id":"%s","status":"completed","output":[]}' % response_id.encode()
                shell.pool.fetched(exchange, body, shell.now)
                shell.settle()

    def say(self, turn: Any, size: int) -> None:
        item = HistoryItem.of({"role": "user", "content": "x" * (size * 250)})
        steer = self.shell.pool.steer(turn, [item], self.shell.now)
        self.shell.settle()
        if steer is not None:
            self.steers.append(steer)

    def server(  # noqa: C901, PLR0912  # a list
        self, kind: str, response_id: str | None, steer_id: str | None, lane: Any
    ) -> None:
        shell, named = self.shell, {"lane": lane}
        response = {"id": response_id, "status": "in_progress", "output": []}
        known = response_id or "r1"
        if not shell.dialled:
            return
        match kind:
            case "created" | "in_progress" | "queued":
                shell.hear(f"response.{kind}", response=response, **named)
            case "completed" | "incomplete" | "failed" | "done" | "cancelled":
                status = "completed" if kind == "done" else kind
                ended = response | {"status": status}
                shell.hear(f"response.{kind}", response=ended, **named)
            case "delta":
                shell.delta(**named)
            case "item":
                item = {"type": "message", "role": "assistant", "content": []}
                shell.hear("response.output_item.done", item=item, output_index=0, **named)
            case "error":
                shell.error("bad_request", **named)
            case "limit":
                shell.error("websocket_connection_limit_reached", **named)
            case "no steers":
                shell.error("unknown_type", message="What is response.steer?", **named)
            case "not found":
                shell.error("previous_response_not_found", **named)
            case "busy":
                shell.error("rate_limit_exceeded", 429, **named)
            case "accepted":
                shell.accept(steer_id, known, **named)
            case "pending":
                shell.pend(steer_id, known, **named)
            case "rejected":
                shell.reject(steer_id, known, **named)
            case "odd accepted":
                shell.hear("response.steer.accepted", **named)
            case "odd failed":
                shell.hear("response.steer.failed", steer={"id": 7}, error="x", **named)
            case "odd pending":
                shell.hear("response.steer.pending", steer={}, required_input=STUB, **named)
            case _:
                shell.hear("response.steer.hologram", steer={"id": steer_id}, **named)


@settings(PROFILE, max_examples=min(PROFILE.max_examples, 500))
@given(
    STEPS,
    st.sampled_from(
        [
            {"lanes": True},
            {"lanes": True, "active_limit": 2, "named_limit": 1},
            {"lanes": None, "sockets": 2},
            {"lanes": False, "sockets": 2},
            {"lanes": True, "resume": True},
        ]
    ),
)
def test_whatever_is_said_the_core_takes_it(
    steps: list[tuple[str, str, Any, Any, Any]], chosen: dict[str, Any]
) -> None:
    anything = Anything(chosen)
    shell = anything.shell
    for who, what, first, second, third in steps:
        if who == "server":
            anything.server(what, first, second, third)
        else:
            anything.client(what, first, second)
        check(anything)
    shell.pool.close(shell.now)
    shell.settle()
    check(anything)
    assert {turn.id for turn in anything.turns} == set(shell.finished)
    assert {steer.state for steer in anything.steers} <= ENDED
    assert shell.pool.statistics().queued_bytes == 0


def check(anything: Anything) -> None:
    """Demand what is always true."""
    shell = anything.shell
    ended = dict.fromkeys((number for number, is_last in shell.told if is_last), 0)
    for number, is_last in shell.told:
        ended[number] = ended.get(number, 0) + is_last
    for steer in anything.steers:
        assert ended.get(steer.id, 0) == (steer.state in ENDED), "it ends once, and tells so"
        gone = steer.connection in shell.closed and steer.state is not SteerState.WAITING
        assert not gone or steer.state in ENDED, "what was said dies with its socket"
        assert (steer.failure is not None) == (
            steer.state in (SteerState.FAILED, SteerState.UNKNOWN)
        )
        if steer.turn.id in shell.finished:
            assert steer.state is not SteerState.WAITING, "nothing waits for a turn that is over"
    said = [number for number in shell.numbers if any(number == one.id for one in anything.steers)]
    assert len(said) == len(set(said)), "no steer is sent twice"
