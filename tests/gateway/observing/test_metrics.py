"""The metrics: what is said, in which words, and that clients cannot choose any of them."""

from __future__ import annotations

import sys

import pytest
from prometheus_client import REGISTRY

from gateway.observing.seeing import COMPLETED, DELTA, Samples, Scene, failed, samples
from gateway.support import Puppet, Talk, talk, until
from turnwire.gateway.observing.figures import alone, figures_of
from turnwire.gateway.observing.metrics import metrics_text
from turnwire.gateway.observing.statistics import Statistics
from turnwire.gateway.observing.upstreams import UpstreamState
from turnwire.gateway.observing.version import installed_version
from turnwire.gateway.store import MemoryStore


class Two:
    models = ("a",)

    def states(self) -> tuple[UpstreamState, ...]:
        return UpstreamState("good", active=2, waiting=1), UpstreamState("bad", "down")


def scraped(scene: Scene, statistics: Statistics | None = None) -> Samples:
    figures = figures_of(scene.observer, statistics or Statistics(), Two(), share=0)  # type: ignore[arg-type]
    text, _ = metrics_text(alone(figures))
    return samples(text.decode())


def test_a_gateway_that_did_nothing_says_so_in_every_name() -> None:
    found = scraped(Scene())
    assert {name for name in found if "bucket" not in name} == {
        f'info{{version="{installed_version()}"}}',
        "turns_active", "turns_waiting",
        "time_to_first_event_seconds_count", "time_to_first_event_seconds_sum",
        "turn_duration_seconds_count", "turn_duration_seconds_sum",
        'chain_lookups_total{result="hit"}', 'chain_lookups_total{result="miss"}',
        "model_runs_started_total", "model_runs_stopped_total", "model_runs_active",
        "sockets_opened_total", "sockets_open", "lanes",
        'tokens_total{kind="input"}', 'tokens_total{kind="cached"}',
        'tokens_total{kind="output"}', 'tokens_total{kind="reasoning"}',
        "received_bytes_total", "sent_bytes_total", "saved_bytes_total",
        'upstream_up{upstream="good"}', 'upstream_up{upstream="bad"}',
        'upstream_turns_active{upstream="good"}', 'upstream_turns_active{upstream="bad"}',
        'upstream_turns_waiting{upstream="good"}', 'upstream_turns_waiting{upstream="bad"}',
        "store_up",
    }  # fmt: skip
    alive = {name: value for name, value in found.items() if value}
    assert alive == {
        f'info{{version="{installed_version()}"}}': 1,
        'upstream_up{upstream="good"}': 1,
        'upstream_turns_active{upstream="good"}': 2,
        'upstream_turns_waiting{upstream="good"}': 1,
        "store_up": 1,
    }


def test_what_happened_is_in_the_numbers() -> None:
    scene = Scene()
    scene.run(scene.lane_turn(), 0.03, DELTA, COMPLETED)
    scene.run(scene.observer.posted("", streamed=True), failed("server_error"))
    scene.observer.closed(scene.observer.sockets[1], 1006)
    scene.observer.refused(401)
    scene.lane_turn()
    scene.observer.sockets[2].serving.received(b"no JSON", 0.0)
    statistics = Statistics(
        model_runs=7, model_runs_stopped=2, model_runs_active=1, sockets=4, bytes_in=5, bytes_out=6
    )
    found = scraped(scene, statistics)
    expected = {
        'turns_total{outcome="completed",transport="websocket"}': 1,
        'turns_total{outcome="failed",transport="sse"}': 1,
        'errors_total{code="server_error"}': 1,
        'refused_requests_total{status="401"}': 1,
        'refused_messages_total{code="invalid_request_error"}': 1,
        'sockets_closed_total{code="1006"}': 1,
        'tokens_total{kind="cached"}': 20,
        'time_to_first_event_seconds_bucket{le="0.025"}': 0,
        'time_to_first_event_seconds_bucket{le="0.05"}': 1,
        'time_to_first_event_seconds_bucket{le="+Inf"}': 1,
        "time_to_first_event_seconds_count": 1,
        'turn_duration_seconds_bucket{le="+Inf"}': 2,
        "model_runs_started_total": 7,
        "model_runs_stopped_total": 2,
        "model_runs_active": 1,
        "sockets_opened_total": 4,
        "received_bytes_total": 5,
        "sent_bytes_total": 6,
    }
    assert {name: found[name] for name in expected} == expected


def test_scrapes_leave_nothing_behind() -> None:
    before = set(REGISTRY._names_to_collectors)
    scene = Scene()
    assert scraped(scene) == scraped(scene)
    assert set(REGISTRY._names_to_collectors) == before


async def scrape(here: Talk) -> Samples:
    async with here.session.get(here.gateway.url + "/metrics") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        return samples(await answer.text())


@pytest.mark.io
async def test_a_running_gateway_is_scraped() -> None:
    model = Puppet()
    async with talk(model) as here:
        client = await here.dial()
        for lane in ("secret", "secret"):
            await client.create(model="secret", input="x", stream_id=lane)
        run = await model.run()
        run.say("hello")
        await client.until("response.output_text.delta")
        found = await scrape(here)
        now = ("turns_active", "turns_waiting", "model_runs_active", "sockets_open", "lanes")
        assert [found[name] for name in now] == [1, 1, 1, 1, 2]
        run.finish()
        (await model.run()).finish()
        await client.terminal()
        await client.terminal()
        await client.raw.close(code=4001)
        await until(lambda: here.gateway.statistics().sockets_open == 0)
        found = await scrape(here)
    assert [found[name] for name in now] == [0, 0, 0, 0, 0]
    assert found['sockets_closed_total{code="other"}'] == 1
    assert found['turns_total{outcome="completed",transport="websocket"}'] == 2
    assert found['upstream_up{upstream="puppet"}'] == 1
    assert not [name for name in found if "secret" in name]


class CutOff(MemoryStore):
    """A store whose server does not answer until it does."""

    available = False


@pytest.mark.io
async def test_a_store_that_does_not_answer_is_down() -> None:
    store = CutOff(2**20, 10)
    async with talk(store=store) as here:
        assert (await scrape(here))["store_up"] == 0
        store.available = True
        assert (await scrape(here))["store_up"] == 1


@pytest.mark.io
async def test_without_the_extra_the_answer_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    async with talk() as here:
        status, body = await here.get("/metrics")
    assert (status, 'pip install "turnwire[metrics]"' in body["error"]["message"]) == (501, True)


@pytest.mark.io
async def test_metrics_are_for_operators() -> None:
    async with talk(status="off") as here:
        assert (await here.get("/metrics"))[0] == 404
