"""Turns whose client went away: stopped at once, or run on for those who come back."""

import asyncio
import socket as sockets
from typing import Any

import aiohttp
import pytest

from gateway.support import Client, Json, ModelRun, Puppet, Talk, talk, text_of, until
from turnwire.gateway.app import WORK
from turnwire.gateway.downstream import holding
from turnwire.gateway.downstream.lingering import Lingering
from turnwire.gateway.observing.statistics import Statistics
from turnwire.gateway.store.event_log import EventLog, EventLogs

pytestmark = pytest.mark.io

LONG = 600.0  # seconds; no test waits for them


def counted(statistics: Statistics) -> dict[str, int]:
    return {
        "runs": statistics.model_runs,
        "active": statistics.model_runs_active,
        "stopped": statistics.model_runs_stopped,
        "lingering": statistics.turns_lingering,
    }


async def vanish(here: Talk, client: Client, how: str) -> None:
    """Lose the socket, and wait until the gateway knows."""
    if how == "abort":
        transport = client.raw.get_extra_info("socket")
        assert transport is not None
        transport.shutdown(sockets.SHUT_RDWR)
        await until(lambda: here.gateway.statistics().sockets_open == 0)
    await client.raw.close()
    await until(lambda: here.gateway.statistics().sockets_open == 0)


async def half_way(
    here: Talk, puppet: Puppet, **create: Any
) -> tuple[Client, ModelRun, list[Json]]:
    """Begin a turn and read until the model has said a word."""
    client = await here.dial()
    await client.create(input="x", **create)
    run = await puppet.run()
    run.say("one ")
    return client, run, await client.until("response.output_text.delta")


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_lost_socket_is_made_good_without_another_model_run(how: str) -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG) as here:
        client, run, seen = await half_way(here, puppet)
        await vanish(here, client, how)
        response_id = seen[0]["response"]["id"]
        status, response = await here.get(f"/v1/responses/{response_id}")
        assert (status, response["status"]) == (200, "in_progress")
        rest = asyncio.create_task(here.fetch(response_id, seen[-1]["sequence_number"]))
        run.say("two ")
        run.finish("three")
        events = seen + await rest
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert events == await here.fetch(response_id)
        deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
        assert "".join(deltas) == text_of(events[-1]["response"]) == "one two three"
        assert counted(here.gateway.statistics()) == {
            "runs": 1,
            "active": 0,
            "stopped": 0,
            "lingering": 1,
        }


async def test_a_response_that_ended_meanwhile_can_be_fetched_and_continued() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG) as here:
        client, run, seen = await half_way(here, puppet)
        await vanish(here, client, "abort")
        run.finish("two")
        await until(lambda: here.gateway.statistics().model_runs_active == 0)
        response_id = seen[0]["response"]["id"]
        _, response = await here.get(f"/v1/responses/{response_id}")
        assert (response["status"], text_of(response)) == ("completed", "one two")
        again = await here.dial()
        await again.create(input="more", previous_response_id=response_id)
        second = await puppet.run()
        assert second.prompt.parent is not None
        second.finish("done")
        assert text_of((await again.terminal())["response"]) == "done"
        assert here.gateway.statistics().model_runs == 2


@pytest.mark.parametrize(
    ("linger", "store"),
    [(0.0, True), (0.0, False), (LONG, False)],
    ids=["default", "both", "store"],
)
async def test_without_linger_or_store_the_model_stops_at_once(
    linger: float, *, store: bool
) -> None:
    puppet = Puppet()
    async with talk(puppet, linger=linger) as here:
        client, run, seen = await half_way(here, puppet, store=store)
        await vanish(here, client, "abort")
        await run.stopped.wait()
        status, _ = await here.get(f"/v1/responses/{seen[0]['response']['id']}")
        assert status == 404
        assert counted(here.gateway.statistics()) == {
            "runs": 1,
            "active": 0,
            "stopped": 1,
            "lingering": 0,
        }


async def test_each_lane_of_a_lost_socket_goes_its_own_way() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG) as here:
        client = await here.dial()
        await client.create(input="x", stream_id="a")
        kept = await puppet.run()
        await client.create(input="x", stream_id="b", store=False)
        unstored = await puppet.run()
        await client.create(input="waits", stream_id="a")
        created = await client.until("response.in_progress")
        await vanish(here, client, "abort")
        await unstored.stopped.wait()
        kept.finish("done")
        events = await here.fetch(created[0]["response"]["id"])
        assert text_of(events[-1]["response"]) == "done"
        assert puppet.started.empty(), "what waited in the lane was never begun"
        assert counted(here.gateway.statistics()) == {
            "runs": 2,
            "active": 0,
            "stopped": 1,
            "lingering": 1,
        }


async def test_nobody_comes_back_and_the_model_stops() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=0.01) as here:
        client, run, seen = await half_way(here, puppet)
        await vanish(here, client, "abort")
        await run.stopped.wait()
        await until(lambda: here.gateway.statistics().model_runs_stopped == 1)
        status, _ = await here.get(f"/v1/responses/{seen[0]['response']['id']}")
        assert status == 404


class Clock:
    """The loop's time, as the test has it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.now)

    async def pass_by(self, seconds: float) -> None:
        """Let so much time pass, one second after the other."""
        for _ in range(int(seconds)):
            self.now += 1.0
            for _ in range(5):
                await asyncio.sleep(0)


async def test_the_time_counts_only_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    lingering = Lingering(10.0, Statistics())
    logs = EventLogs(1000, 10)
    log = EventLog()
    logs.begin(log, {"id": "resp_1"})
    task = asyncio.create_task(forever())
    assert lingering.keep(task, log)
    await clock.pass_by(8)
    with lingering.wanted(log), lingering.wanted(log):
        await clock.pass_by(35)
    await clock.pass_by(9)
    with lingering.wanted(log):
        pass
    await clock.pass_by(9)
    assert not task.done()
    await clock.pass_by(2)
    assert task.cancelled()
    with lingering.wanted(log):
        pass  # too late, and no harm


async def forever() -> None:
    await asyncio.Event().wait()


async def test_after_the_stop_none_is_kept_and_what_is_followed_ends_with_the_close() -> None:
    lingering = Lingering(LONG, Statistics())
    event_logs = EventLogs(1000, 10)
    logs = [EventLog(), EventLog(), EventLog()]
    tasks = [asyncio.create_task(forever()) for _ in logs]
    for number, log in enumerate(logs):
        event_logs.begin(log, {"id": f"resp_{number}"})
    assert [lingering.keep(tasks[n], logs[n]) for n in (0, 1)] == [True, True]
    with lingering.wanted(logs[0]):
        lingering.stop()
        assert not lingering.keep(tasks[2], logs[2])
        await until(tasks[1].done)
        assert not tasks[0].done()
        await lingering.close()
    assert [task.cancelled() for task in tasks] == [True, True, False]
    tasks[2].cancel()


async def test_a_turn_that_is_looked_at_now_and_then_runs_on() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG) as here:
        client, run, seen = await half_way(here, puppet)
        await vanish(here, client, "abort")
        (left,) = here.gateway._app[WORK]._lingering._left.values()
        before = left.since
        await here.get(f"/v1/responses/{seen[0]['response']['id']}")
        assert left.since > before
        run.finish()


@pytest.mark.parametrize("how", ["gone", "reads nothing"])
async def test_a_lost_stream_over_http_is_made_good(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(holding, "PATIENCE", 0.0)
    puppet = Puppet()
    async with talk(puppet, linger=LONG, stall_timeout=0.05) as here:
        body = {"model": "m", "input": "x", "stream": True}
        url = here.gateway.base_url + "/responses"
        answer = await here.session.post(url, json=body)
        run = await puppet.run()
        data = (await answer.content.readuntil(b"\n\n")).split(b'"id":"')[1]
        response_id = data.partition(b'"')[0].decode()
        if how == "gone":
            answer.close()
        else:
            for _ in range(40):
                run.say("x" * 1_000_000)
        await until(lambda: here.gateway.statistics().turns_lingering == 1)
        run.finish("done")
        await until(lambda: here.gateway.statistics().model_runs_active == 0)
        status, response = await here.get(f"/v1/responses/{response_id}")
        assert (status, response["status"]) == (200, "completed")
        assert text_of(response).endswith("done")
        assert here.gateway.statistics().model_runs_stopped == 0
        answer.close()


@pytest.mark.parametrize("stream", [True, False], ids=["stream that is held back", "document"])
async def test_a_post_stops_as_long_as_nobody_knows_its_id(*, stream: bool) -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG) as here:
        request = asyncio.create_task(here.post(input="x", stream=stream))
        run = await puppet.run()
        request.cancel()
        await run.stopped.wait()
        assert here.gateway.statistics().turns_lingering == 0


async def test_deleting_a_turn_that_lingers_stops_it() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG) as here:
        client, run, seen = await half_way(here, puppet)
        await vanish(here, client, "abort")
        assert (await here.delete(seen[0]["response"]["id"]))[0] == 200
        await run.stopped.wait()
        assert here.gateway.statistics().model_runs_stopped == 1


async def test_a_gateway_that_stops_does_not_wait_for_what_nobody_waits_for() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG, drain_timeout=LONG) as here:
        client, run, _ = await half_way(here, puppet)
        await vanish(here, client, "abort")
    assert run.stopped.is_set()


async def test_a_gateway_that_waits_for_others_stops_it_at_once() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG, drain_timeout=LONG) as here:
        client, run, _ = await half_way(here, puppet)
        await vanish(here, client, "abort")
        waited_for = asyncio.create_task(here.post(input="y"))
        other = await puppet.run()
        stopping = asyncio.create_task(here.gateway.__aexit__(None, None, None))
        await run.stopped.wait()
        assert not stopping.done()
        other.finish("done")
        assert text_of((await waited_for)[1]) == "done"
        await stopping


async def test_a_gateway_that_stops_lets_a_follower_read_to_the_end() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG, drain_timeout=LONG) as here:
        client, run, seen = await half_way(here, puppet)
        url = f"{here.gateway.base_url}/responses/{seen[0]['response']['id']}?stream=true"
        async with here.session.get(url) as answer:
            await answer.content.readline()
            await vanish(here, client, "abort")
            stopping = asyncio.create_task(here.gateway.__aexit__(None, None, None))
            await asyncio.sleep(0)
            run.finish("two")
            assert b"response.completed" in await answer.read()
        await stopping


async def test_a_gateway_that_stops_breaks_off_a_follower_in_the_end() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=LONG, drain_timeout=0.02) as here:
        client, run, seen = await half_way(here, puppet)
        url = f"{here.gateway.base_url}/responses/{seen[0]['response']['id']}?stream=true"
        async with here.session.get(url) as answer:
            await answer.content.readline()
            await vanish(here, client, "abort")
            await here.gateway.__aexit__(None, None, None)
            assert run.stopped.is_set()
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()
