"""Several processes are one gateway: what is added, what is kept, and what is not."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from gateway.observing.seeing import COMPLETED, DELTA, Scene, error, failed
from turnwire.core.serving import Serving
from turnwire.gateway.observing.adding import NOTHING, added, counts_of, left_behind
from turnwire.gateway.observing.figures import Bar, Figures, Whole, alone, figures_of
from turnwire.gateway.observing.metrics import metrics_text
from turnwire.gateway.observing.statistics import Statistics
from turnwire.gateway.observing.tally import CODE_LIMIT
from turnwire.gateway.observing.upstreams import UpstreamState
from turnwire.gateway.status.snapshot import snapshot


class Says:
    """An upstream that is in some state."""

    models = ("m",)

    def __init__(self, *states: UpstreamState) -> None:
        self._states = states

    def states(self) -> tuple[UpstreamState, ...]:
        return self._states


GOOD = Says(UpstreamState("a", active=1))


def worked(number: int = 1, upstream: Says = GOOD) -> Figures:
    """Return the figures of a worker that has done one of everything, and does something now."""
    scene = Scene()
    scene.run(scene.lane_turn(waited=1.0), 0.03, DELTA, COMPLETED)
    scene.run(scene.observer.posted("", streamed=True), failed("server_error"))
    scene.run(scene.observer.posted("", streamed=False), error("previous_response_not_found"))
    scene.observer.closed(scene.observer.sockets[1], 1006)
    scene.observer.refused(401)
    scene.lane_turn().began()
    scene.observer.opened("", Serving()).serving.received(b"no JSON", 0.0)
    statistics = Statistics(
        sockets=3, sockets_open=2, turns=4, model_runs=3, model_runs_active=1, bytes_in=5
    )
    return figures_of(scene.observer, statistics, upstream, worker=number, share=2)  # type: ignore[arg-type]


def test_one_worker_is_what_it_is() -> None:
    one = worked()
    assert added([one]) == one
    assert (one.sockets_open, one.turns_running, len(one.bars)) == (2, 1, 4)


def test_two_workers_are_twice_as_much() -> None:
    one, two = worked(1), worked(2)
    both = added([one, two])
    numbers = [
        name
        for name in Figures.__struct_fields__
        if type(getattr(one, name)) is int and getattr(one, name)
    ]
    assert {name: getattr(both, name) for name in numbers} == {
        name: 2 * getattr(one, name) for name in numbers
    }
    for name in ("turns", "errors", "chains", "tokens", "closed", "messages", "refusals"):
        mine = getattr(one, name)
        assert mine, name
        assert getattr(both, name) == {kind: 2 * count for kind, count in mine.items()}
    assert both.statistics == Statistics(
        sockets=6, sockets_open=4, turns=8, model_runs=6, model_runs_active=2, bytes_in=10
    )
    assert both.duration.counts == tuple(2 * count for count in one.duration.counts)
    assert both.first_event.total == 2 * one.first_event.total > 0
    assert both.uptime == one.uptime > 0
    assert both.upstreams == (UpstreamState("a", active=2),)
    assert [bar.id for bar in both.bars] == [
        "1-1", "2-1", "1-2", "1-3", "1-4", "2-2", "2-3", "2-4",
    ]  # fmt: skip


def test_the_timeline_is_shared_by_all() -> None:
    scene = Scene()
    for _ in range(400):
        scene.run(scene.observer.posted("", streamed=False), COMPLETED)
    taken = [
        len(figures_of(scene.observer, Statistics(), GOOD, share=share).bars)  # type: ignore[arg-type]
        for share in (0, 1, 2, 256)
    ]
    assert taken == [0, 300, 150, 1]


def test_what_is_counted_stays_when_a_worker_ends_and_what_was_open_does_not() -> None:
    one = worked()
    kept = left_behind(NOTHING, one)
    assert kept == counts_of(one)
    after = added([kept, worked(2)])
    assert after.turns == {labels: 2 * count for labels, count in one.turns.items()}
    assert (after.sockets_open, after.statistics.sockets_open) == (2, 2)
    assert (after.turns_running, after.statistics.model_runs_active) == (1, 1)
    assert {bar.worker for bar in after.bars} == {2}
    assert after.upstreams == one.upstreams


def test_workers_that_keep_ending_leave_few_codes_behind() -> None:
    kept = NOTHING
    for number in range(3):
        codes = {f"made_up_{number}_{each}": 1 for each in range(CODE_LIMIT)}
        kept = left_behind(kept, replace(NOTHING, errors=codes))
    assert len(kept.errors) == CODE_LIMIT + 1
    assert sum(kept.errors.values()) == 3 * CODE_LIMIT
    assert kept.errors["other"] == 2 * CODE_LIMIT


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (
            [UpstreamState("a", "down", reason="refused"), UpstreamState("a")],
            UpstreamState("a", "down", reason="1 of 2 workers: refused"),
        ),
        (
            [UpstreamState("a", "suspect", 1), UpstreamState("a", "probing", 0, 2)],
            UpstreamState("a", "probing", 1, 2, "1 of 2 workers: probing"),
        ),
        (
            [UpstreamState("a", "down", reason="refused")] * 2,
            UpstreamState("a", "down", reason="refused"),
        ),
    ],
)
def test_an_upstream_is_as_bad_as_the_worker_finds_it_that_finds_it_worst(
    states: list[UpstreamState], expected: UpstreamState
) -> None:
    parts = [worked(number, Says(state)) for number, state in enumerate(states, 1)]
    assert added(parts).upstreams == (expected,)


def test_each_upstream_is_there_once_even_if_a_worker_does_not_know_it_yet() -> None:
    parts = [worked(1, Says()), worked(2, Says(UpstreamState("a"), UpstreamState("b")))]
    assert [state.name for state in added(parts).upstreams] == ["a", "b"]


def test_figures_can_be_sent() -> None:
    whole = Whole(added([worked(1), worked(2)]), 2, {1: 11, 2: 12})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(whole), type=Whole) == whole


def test_metrics_say_how_many_workers_are_in_them_if_there_are_several() -> None:
    figures = added([worked(1)])
    text = metrics_text(Whole(figures, 2, {2: 1}))[0].decode()
    assert "\nturnwire_workers 2.0\n" in text
    assert "\nturnwire_workers_answering 1.0\n" in text
    assert 'process_start_time_seconds{worker="2"}' in text
    text = metrics_text(alone(figures))[0].decode()
    assert "worker" not in text
    assert "\nprocess_start_time_seconds " in text


def test_the_page_is_told_who_answers() -> None:
    figures = added([worked(1), worked(2)])
    shown = snapshot(Whole(figures, 3, {1: 11, 2: 12}), now=figures.bars[0].received, window=60.0)
    assert shown["workers"] == {"all": 3, "answering": 2}
    assert (shown["errors"]["server_error"], shown["sockets"]["open"]) == (2, 4)
    assert shown["timeline"][1] == {
        "id": "2-1",
        "worker": 2,
        "socket": 1,
        "lane": 0,
        "transport": "websocket",
        "model": "other",
        "received": 99.0,
        "started": 100.0,
        "first_event": 100.03,
        "ended": 100.03,
        "outcome": "completed",
        "code": None,
    }
    assert snapshot(alone(figures), 0.0, 60.0)["workers"] is None


def test_turns_that_wait_are_told_apart_from_those_of_other_workers() -> None:
    scene = Scene()
    serving = scene.observer.opened("", Serving()).serving
    for _ in range(2):
        serving.received(b'{"type": "response.create", "model": "m", "input": "x"}', 5.0)
    figures = figures_of(scene.observer, Statistics(), GOOD, worker=2)  # type: ignore[arg-type]
    assert figures.turns_waiting == 1
    assert figures.bars == (Bar("2-1.0.5.000000", 2, 1, 0, "websocket", None, 5.0),)


def test_the_store_is_down_if_it_is_for_one_worker_that_answers() -> None:
    well, cut_off = worked(1), replace(worked(2), store_up=False)
    assert [added(parts).store_up for parts in ([well], [well, cut_off])] == [True, False]
    assert added([well, counts_of(cut_off)]).store_up, "nobody knows of a worker that is silent"
