"""Turns given up too early or never, sockets dead in secret, events too large: the fourth table.

See docs/field-bugs.md; its rows about the way to the server are in test_environment_bugs.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of
from field.support import Watched, ask, client_of, reply, say, start
from turnwire import (
    FirstEventTimeout,
    ProgressTimeout,
    RequestTooLarge,
    SlowConsumer,
    TurnInterrupted,
)
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    close,
    emit,
    silence,
    stop_reading,
    swallow,
    virtual_time,
    wait,
    withhold_pongs,
)

if TYPE_CHECKING:
    from tests.field.conftest import Open

pytestmark = pytest.mark.io

MINUTE = 60.0


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [8.5 * MINUTE, 40 * MINUTE])
@pytest.mark.parametrize("transport", ["websocket", "http"])
@virtual_time
async def test_row_63_a_model_may_think_in_silence(seconds: float, transport: str) -> None:
    script = Turns([wait(seconds, after="response.in_progress"), answer("at last")])
    async with Peer(script) as peer, client_of(peer, transport=transport) as client:
        async with ask(client) as turn:
            assert (await turn.get_final_response()).output_text == "at last"
        assert (turn.model_runs, turn.resends, len(peer.connections + peer.posts)) == (1, 0, 1)
        assert peer.clock.now >= seconds


@pytest.mark.slow
@virtual_time
async def test_row_63_a_limit_on_silence_is_there_for_those_who_want_it() -> None:
    kept_warm: list[Step] = [
        each for _ in range(20) for each in (wait(MINUTE), emit("response.keepalive"))
    ]
    script = Turns([answer("a"), *kept_warm], then=[answer("a"), silence()])
    async with Peer(script) as peer, client_of(peer, progress_timeout=2 * MINUTE) as client:
        assert await reply(client) == "a"
        assert peer.clock.now >= 20 * MINUTE
        before = peer.clock.now
        assert type(await error_of(ask(client))) is ProgressTimeout
        assert 2 * MINUTE <= peer.clock.now - before < 3 * MINUTE


@pytest.mark.parametrize("step", [silence(), swallow()])
@pytest.mark.parametrize("transport", ["websocket", "http"])
@virtual_time
async def test_row_64_a_server_that_never_answers_is_not_waited_for(
    transport: str, step: Step
) -> None:
    async with (
        Peer(Turns([step], [answer("ok")])) as peer,
        client_of(peer, transport=transport) as client,
    ):
        if transport == "http" and step == swallow():
            peer.script = Turns([silence()], [answer("ok")])  # HTTP must answer something
        raised = await error_of(ask(client))
        assert (type(raised), raised.delivery) == (FirstEventTimeout, "writing")
        assert 30.0 <= peer.clock.now < 31.0
        assert await reply(client) == "ok"


@virtual_time
async def test_row_65_a_tool_loop_does_not_hang_on_its_last_message() -> None:
    async with (
        Peer(Turns([call("look", {})], [swallow()])) as peer,
        client_of(peer) as client,
    ):

        def look() -> str:
            """Look."""
            return "seen"

        with pytest.raises(FirstEventTimeout):
            await client.chain(model="m", tools=[look]).run("go")
        assert 30.0 <= peer.clock.now < 31.0


@virtual_time
async def test_row_65_nor_on_a_socket_that_takes_no_message() -> None:
    def first_only(index: int) -> list[Step]:
        return [stop_reading()] if index == 0 else []

    script = Watched(lambda _: [answer("ok")])
    async with Peer(script, opening=first_only) as peer, client_of(peer) as client:
        async with ask(client, "x" * 12_000_000) as turn:
            assert (await turn.get_final_response()).output_text == "ok"
        assert (turn.resends, peer.model_runs) == (1, 1)
        assert 30.0 <= peer.clock.now < 35.0


@virtual_time
async def test_row_66_a_server_that_answers_no_ping_is_given_up() -> None:
    gone: list[Step] = [withhold_pongs(), answer("half"), silence()]
    async with Peer(Turns(gone, [answer("ok")])) as peer, client_of(peer) as client:
        assert type(await error_of(ask(client, replay="never"))) is TurnInterrupted
        assert 40.0 <= peer.clock.now < 42.0
        assert await reply(client) == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("interval", [20.0, 3.0])
@virtual_time
async def test_row_66_one_that_speaks_is_not(interval: float) -> None:
    keepalives: list[Step] = [each for _ in range(20) for each in (wait(15.0), emit("keepalive"))]
    busy = [withhold_pongs(), answer("a"), *keepalives]
    async with (
        Peer(lambda _: busy) as peer,
        client_of(peer, ping_interval=interval) as client,
    ):
        assert await reply(client, replay="never") == "a"
        assert (peer.clock.now >= 300.0, len(peer.connections)) == (True, 1)


@pytest.mark.parametrize("options", [{"ping_interval": None}, {"ping_timeout": 700.0}])
@virtual_time
async def test_row_66_pings_can_be_patient_or_left_out(options: dict[str, Any]) -> None:
    slow = [answer("a"), withhold_pongs(), wait(10 * MINUTE)]
    async with Peer(lambda _: slow) as peer, client_of(peer, **options) as client:
        assert await reply(client, replay="never") == "a"
        assert len(peer.connections) == 1


@pytest.mark.parametrize("seconds", [90.0, 8 * 3_600.0])
@virtual_time
async def test_row_67_a_socket_that_died_in_its_sleep_is_not_used(seconds: float) -> None:
    async with Peer() as peer, client_of(peer) as client:
        assert await reply(client, "a") == "a"
        peer.suspend(seconds)
        woke_at = peer.clock.now
        async with ask(client, "b") as turn:
            assert (await turn.get_final_response()).output_text == "b"
        assert (turn.resends, turn.model_runs) == (0, 1)
        assert (len(peer.connections), peer.model_runs) == (2, 2)
        assert peer.clock.now - woke_at < 5.0


@virtual_time
async def test_row_67_nor_is_it_waited_for() -> None:
    gate = Gate()
    script = Turns([answer("half"), wait(gate)], then=[answer("whole")])
    async with Peer(script) as peer, client_of(peer) as client:
        async with ask(client) as turn:
            await gate.wait_reached()
            peer.suspend(3_600.0)
            assert (await turn.get_final_response()).output_text == "whole"
        assert (turn.model_runs, peer.model_runs, len(peer.connections)) == (2, 2, 2)


@pytest.mark.parametrize("store", [True, False])
@virtual_time
async def test_row_67_nor_is_one_that_died_a_moment_ago(*, store: bool) -> None:
    script = Watched()
    async with Peer(script) as peer, client_of(peer) as client:
        chain = client.chain(model="m", store=store)
        await say(chain, "a")
        peer.connections[0].half_open()
        turn = await say(chain, "b")  # it was written before anybody could know
        assert (turn.response.output_text, script.seen[1]) == ("b", ["a", "a", "b"])
        # The second message may be a second model run, for all that this side can tell.
        assert (turn.resends, turn.model_runs, peer.model_runs) == (1, 2, 2)
        assert (peer.refusals, peer.clock.now < 45.0) == ([], True)


def too_big_for_sockets(create: Create) -> list[Step]:
    big = len(create.text) > 1_000 and create.connection is not None
    return [close(1009, after=0)] if big else [answer("ok")]


async def test_row_68_what_is_too_big_for_a_socket_is_not_tried_again(open_client: Open) -> None:
    script = Watched(too_big_for_sockets)
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        turns = [await say(chain, text) for text in ("x" * 4_000, "x" * 4_001, "small")]
        assert [turn.transport for turn in turns] == ["http", "http", "websocket"]
        # One socket was lost to the first of them, and what that taught is kept.
        assert [place for place, _ in script.places] == [0, None, None, 1]
        assert [turn.model_runs for turn in turns] == [1, 1, 1]
    async with (
        Peer(too_big_for_sockets) as peer,
        open_client(peer, transport="websocket") as client,
    ):
        raised = await error_of(ask(client, "x" * 4_000))
        assert (type(raised), "1009" in str(raised)) == (RequestTooLarge, True)
        assert await reply(client, "small") == "ok"
        assert len(peer.creates) == 2


@pytest.mark.slow
async def test_row_68_a_message_over_the_known_limit_is_not_even_written(
    open_client: Open,
) -> None:
    script = Watched()
    image = "x" * (16 * 2**20 - 2**18)  # the service takes 16 MiB, the client leaves a margin
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False)
        await say(chain, "a")
        turn = await say(chain, image)
        assert (turn.transport, turn.resends, turn.model_runs) == ("http", 0, 1)
        assert "bytes" in turn.transport_reason
        assert [len(text) for text in script.seen[1]] == [1, 1, len(image)]
        assert peer.connections[0].is_open
        raised = await error_of(ask(client, image, transport="websocket"))
        assert (type(raised), raised.delivery) == (RequestTooLarge, "queued")
        assert (len(peer.connections[0].raw), peer.model_runs) == (1, 2)


async def test_row_69_a_large_event_passes(open_client: Open, transport: str) -> None:
    image = "x" * (5 * 2**20)
    async with (
        Peer(lambda _: [answer(image, pieces=[])]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        response = await client.responses.create(model="m", input="x")
        assert (response.output_text == image, peer.model_runs) == (True, 1)


async def test_row_69_what_is_too_large_to_keep_ends_its_turn_and_names_the_limit(
    open_client: Open,
) -> None:
    gate = Gate()
    large = answer("x" * 2**20, pieces=[])
    script = Turns([wait(gate), answer("ok")], [large, silence()], then=[answer("again")])
    options = {"buffer_bytes": 2**19, "lanes": True, "max_sockets": 1}
    async with Peer(script) as peer, open_client(peer, **options) as client:
        neighbour = await start(client)
        await gate.wait_reached()
        async with ask(client) as turn:
            raised = None
            try:
                async for _ in turn:
                    pass
            except SlowConsumer as error:
                raised = error
        assert raised is not None
        assert (raised.limit_bytes, str(2**19) in str(raised)) == (2**19, True)
        gate.open()
        assert (await neighbour.get_final_response()).output_text == "ok"
        assert (await reply(client), len(peer.connections)) == ("again", 1)
