"""Sockets lost under a turn: what was run twice, cut short or waited for ever: the third table.

See docs/field-bugs.md; its rows about HTTP instead of sockets are in test_fallback_bugs.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of, read, until
from field.support import Watched, ask, client_of, first_text, reply, say, start
from turnwire import (
    AuthenticationError,
    ConnectionLost,
    Interruption,
    QueueFull,
    TurnError,
    TurnInterrupted,
)
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    abort,
    answer,
    close,
    drop,
    error,
    failed,
    refuse,
    stop_reading,
    virtual_time,
    wait,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.field.conftest import Open

pytestmark = pytest.mark.io

MOMENTS = (0, "response.created", "response.output_item.added", "response.output_text.delta", None)
WAYS: dict[str, Callable[..., Step]] = {
    "1000": lambda after: close(1000, after=after),
    "1001": lambda after: close(1001, after=after),
    "1011": lambda after: close(1011, after=after),
    "1012": lambda after: close(1012, after=after),
    "drop": lambda after: drop(after=after),
    "reset": lambda after: abort(after=after),
}
ON_SOCKETS = {"transport": "websocket"}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("way", WAYS)
async def test_row_41_a_drop_ends_in_the_answer_or_in_one_clear_error(
    open_client: Open, way: str, moment: Any
) -> None:
    cut = [answer("all of it"), WAYS[way](moment)]
    script = Turns(cut, [answer("all of it")], cut, cut)
    async with Peer(script) as peer, open_client(peer, **ON_SOCKETS) as client:
        assert await reply(client) == "all of it"
        raised = await error_of(ask(client))
        assert (type(raised), raised.partial.status) == (TurnInterrupted, "in_progress")
        assert raised.partial.output_text in "all of it"
        assert isinstance(raised.__cause__, ConnectionLost)
        # No loop: each turn was run twice at most.
        assert (peer.model_runs, client.statistics().active) == (4, 0)


@pytest.mark.parametrize(("replay", "runs"), [("safe", 2), ("always", 2), ("never", 1)])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_row_42_a_turn_has_a_budget_of_model_runs_and_tells_it(
    open_client: Open, replay: str, runs: int, moment: Any
) -> None:
    always = Turns(then=[answer("a"), drop(after=moment)])
    async with Peer(always) as peer, open_client(peer, replay=replay, **ON_SOCKETS) as client:
        for number in (1, 2):
            async with ask(client) as turn:
                with pytest.raises(TurnInterrupted):
                    await turn.get_final_response()
            assert (turn.model_runs, turn.resends) == (runs, runs - 1)
            assert peer.model_runs == runs * number


@pytest.mark.parametrize("approves", [True, False])
async def test_row_43_the_application_decides_about_a_second_run(
    open_client: Open, *, approves: bool
) -> None:
    asked: list[Interruption] = []

    def decide(interruption: Interruption) -> bool:
        asked.append(interruption)
        return approves

    cut = [answer("a"), close(1011, "overloaded", after="response.created")]
    tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    async with Peer(Turns(cut, [answer("b")])) as peer, open_client(peer, replay=decide) as client:
        if approves:
            assert await reply(client, tools=tools) == "b"
        else:
            assert type(await error_of(ask(client, tools=tools))) is TurnInterrupted
        (interruption,) = asked
        assert "overloaded" in interruption.reason
        assert interruption == Interruption(
            interruption.reason, "accepted", "resp_1", 1011, ("code_interpreter",)
        )
        assert peer.model_runs == 1 + approves


async def test_row_44_text_that_was_read_is_never_read_again(
    open_client: Open, transport: str
) -> None:
    gates = [Gate(), Gate()]
    said = answer("partial", pieces=["par", "tial"])
    delta = "response.output_text.delta"
    # Dropped once the caller has seen a part of it.
    cut: list[list[Step]] = [[said, drop(after=delta), wait(gate, after=delta)] for gate in gates]
    async with (
        Peer(Turns(*cut)) as peer,
        open_client(peer, transport=transport, replay="always") as client,
    ):
        async with ask(client) as turn:
            texts = [await first_text(turn)]
            gates[0].open()
            more, raised = await read(turn.text_deltas())
        assert (texts + more, type(raised), peer.model_runs) == (["par"], TurnInterrupted, 1)
        heard: list[str] = []

        def listen(event: Any) -> None:
            if event.type == delta:
                heard.append(event.delta)
                gates[1].open()

        with pytest.raises(TurnInterrupted):
            await client.chain(model="m").run("x", on_event=listen)
        assert (heard, peer.model_runs) == (["par"], 2)


@pytest.mark.parametrize("code", [1000, 1001, 1005])
async def test_row_45_a_polite_close_is_no_end_of_an_answer(
    open_client: Open, transport: str, code: int
) -> None:
    cut = [answer("half an answer", pieces=["half"]), close(code)]
    options = {"transport": transport, "replay": "never"}
    async with Peer(lambda _: cut) as peer, open_client(peer, **options) as client:
        async with ask(client) as turn:
            events, raised = await read(turn)
        assert events[-1].type == "response.output_item.done"
        assert (type(raised), raised.delivery) == (TurnInterrupted, "output")
        assert (raised.partial.output_text, turn.response) == ("half an answer", None)
        assert raised.response_id == "resp_1"


async def test_row_46_no_turn_waits_on_a_socket_that_never_knew_it(open_client: Open) -> None:
    gate = Gate()
    script = Turns(
        [answer("seen"), wait(gate)], [wait(gate), answer("not yet")], then=[answer("on the new")]
    )
    options = {"lanes": True, "max_sockets": 1}
    async with Peer(script) as peer, open_client(peer, **options, **ON_SOCKETS) as client:
        seen = await start(client, "a")
        assert (await anext(seen.text_deltas())) == "seen"
        unseen = await start(client, "b")
        await peer.wait_until(lambda: peer.model_runs == 2)
        peer.connections[0].drop()
        assert type((await read(seen))[1]) is TurnInterrupted
        assert (await unseen.get_final_response()).output_text == "on the new"
        assert (seen.model_runs, unseen.model_runs, peer.model_runs) == (1, 2, 3)


async def test_row_47_a_key_that_is_refused_is_not_tried_again(open_client: Open) -> None:
    async with Peer(key="one") as peer, open_client(peer, api_key="one") as client:
        await reply(client)
        peer.key = "two"
        peer.connections[0].drop()
        await until(lambda: client.statistics().sockets == 0)
        turns = [await start(client, text) for text in "ab"]
        raised = [await error_of(turn) for turn in turns]
        assert [(type(each), each.status) for each in raised] == [(AuthenticationError, 401)] * 2
        assert (len(peer.handshakes) <= 3, peer.posts) == (True, [])


async def test_row_47_a_key_that_can_be_renewed_is_renewed_once(open_client: Open) -> None:
    keys = ["one", "stale", "two"]
    async with (
        Peer(key="one") as peer,
        open_client(peer, api_key=lambda: keys.pop(0)) as client,
    ):
        await reply(client)
        peer.key = "two"
        peer.connections[0].drop()
        await until(lambda: client.statistics().sockets == 0)
        assert await reply(client, "again") == "again"
        tried = [headers["Authorization"] for headers in peer.handshakes]
        assert tried == ["Bearer one", "Bearer stale", "Bearer two"]


async def test_row_48_what_waited_for_a_new_socket_is_written_for_that_socket(
    open_client: Open,
) -> None:
    gate, script = Gate(), Watched()
    async with Peer(script, handshake=[None, wait(gate)]) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        peer.connections[0].drop()
        await until(lambda: client.statistics().sockets == 0)
        async with chain.turn("b") as turn:
            await gate.wait_reached()
            gate.open()
            await turn.get_final_response()
        assert "previous_response_id" not in peer.connections[1].creates[0]
        assert script.seen[1] == ["a", "a", "b"]
        assert peer.refusals == []


@virtual_time
async def test_row_48_what_was_never_written_moves_and_costs_no_model_run() -> None:
    def first_is_deaf(index: int) -> list[Step]:
        return [stop_reading()] if index == 0 else []

    options: dict[str, Any] = {"lanes": True, "max_sockets": 1, "replay": "never"}
    async with Peer(opening=first_is_deaf) as peer, client_of(peer, **options) as client:
        stuck = await start(client, "x" * 12_000_000)
        behind_it = await start(client, "small")
        await peer.wait_until(lambda: len(peer.connections) == 1)
        await peer.clock.alarm(1.0).wait()  # as much of the first is written as fits
        peer.connections[0].drop(reset=True)
        assert (await behind_it.get_final_response()).output_text == "small"
        assert (behind_it.resends, behind_it.model_runs, peer.model_runs) == (0, 1, 1)
        assert type(await error_of(stuck)) is TurnInterrupted


async def filled(client: Any) -> tuple[list[Any], QueueFull]:
    """Ask until the queue takes no more."""
    waiting: list[Any] = []
    try:
        while True:
            waiting.append(await start(client, "x" * 100))
    except QueueFull as error:
        return waiting, error


async def test_row_49_the_queue_holds_what_it_should_and_no_more(open_client: Open) -> None:
    gate = Gate()
    script = Turns([wait(gate), answer("a")], then=[answer("b")])
    options = {"lanes": False, "max_sockets": 1, "queue_bytes": 1_000}
    async with Peer(script) as peer, open_client(peer, **options) as client:
        running = await start(client)
        await gate.wait_reached()
        rounds: list[int] = []
        for _ in range(5):
            waiting, raised = await filled(client)
            assert raised.limit_bytes == 1_000
            assert 800 <= client.statistics().queued_bytes <= 1_000
            rounds.append(len(waiting))
            for turn in (*waiting[3:], *waiting[:3]):
                await turn.aclose()
            assert client.statistics().queued_bytes == 0
        assert rounds == rounds[:1] * 5
        last = await start(client)
        gate.open()
        assert (await running.get_final_response()).output_text == "a"
        assert (await last.get_final_response()).output_text == "b"
        assert peer.model_runs == 2


@pytest.mark.parametrize(
    ("step", "code", "delivery"),
    [
        (drop(after=0), 1006, "writing"),
        (close(1011, "upstream", after="response.created"), 1011, "accepted"),
        (close(1012, after="response.output_text.delta"), 1012, "output"),
    ],
)
async def test_row_54_what_happened_is_told_in_fields_not_in_words(
    open_client: Open, step: Step, code: int, delivery: str
) -> None:
    options = {"replay": "never", **ON_SOCKETS}
    async with Peer(lambda _: [answer("a"), step]) as peer, open_client(peer, **options) as client:
        raised = await error_of(ask(client))
        cause = raised.__cause__
        assert (type(raised), type(cause)) == (TurnInterrupted, ConnectionLost)
        assert (raised.delivery, cause.close_code, raised.retryable) == (delivery, code, False)


@pytest.mark.slow
@virtual_time
async def test_row_55_sockets_that_end_after_an_hour_end_no_turn() -> None:
    script = Watched()
    async with (
        Peer(script, age_limit=3_600.0) as peer,
        client_of(peer, ping_interval=None) as client,
    ):
        chain = client.chain(model="m", store=False)
        for number in range(19):
            turn = await say(chain, f"q{number}")
            assert turn.resends == 0
            await peer.clock.alarm(600.0).wait()
        assert [len(seen) for seen in script.seen] == [1 + 2 * number for number in range(19)]
        assert (peer.refusals, peer.model_runs) == ([], 19)
        # Each was replaced before the server said anything.
        said = {event["type"] for connection in peer.connections for event in connection.sent}
        assert ("error" in said, len(peer.connections) >= 4) == (False, True)


async def test_row_55_a_turn_that_meets_the_age_limit_moves(open_client: Open) -> None:
    too_old = error("websocket_connection_limit_reached")
    script = Watched(Turns([answer("A")], [too_old], then=[answer("B")]))
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        turn = await say(chain, "b")
        assert (turn.response.output_text, turn.model_runs) == ("B", 1)
        assert script.seen[-1] == ["a", "A", "b"]
        counts = client.statistics()
        assert (counts.failed, counts.lost_sockets, counts.fallbacks) == (0, 0, 0)
        assert len(peer.connections) == 2


@pytest.mark.parametrize("step", [failed("server_is_overloaded"), failed("rate_limit_exceeded")])
async def test_row_61_a_response_that_failed_for_want_of_room_is_asked_for_again(
    open_client: Open, transport: str, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    script = Turns([step], [step], [answer("ok")], [answer("shown"), step], then=[answer("no")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        assert await reply(client) == "ok"
        assert peer.model_runs == 3
        # What was shown is never taken back.
        async with ask(client) as turn:
            texts, raised = await read(turn.text_deltas())
        assert (texts, isinstance(raised, TurnError)) == (["shown"], True)
        assert peer.model_runs == 4


@virtual_time
async def test_row_61_and_after_the_pause_that_the_server_asks_for() -> None:
    busy = error("server_is_overloaded", 503, headers={"retry-after": "20"})
    async with Peer(Turns([busy], [answer("ok")])) as peer, client_of(peer) as client:
        assert await reply(client) == "ok"
        assert 20.0 <= peer.clock.now < 21.0


@virtual_time
async def test_row_62_an_upgrade_refused_for_its_rate_is_asked_for_again() -> None:
    busy = refuse(429, retry_after=7)
    async with Peer(handshake=[busy]) as peer, client_of(peer) as client:
        assert await reply(client) == "x"
        assert 7.0 <= peer.clock.now < 8.0
        assert (len(peer.handshakes), peer.posts, peer.model_runs) == (2, [], 1)
