"""Counts stay few whatever clients and upstreams say."""

from msgspec.structs import replace

from gateway.observing.seeing import COMPLETED, DELTA, Scene, error, failed
from turnwire.gateway.observing.adding import NOTHING
from turnwire.gateway.observing.tally import CODE_LIMIT, Distribution, Tally


def test_turns_are_counted_by_outcome_and_transport() -> None:
    scene = Scene()
    observer = scene.observer
    scene.run(scene.lane_turn(waited=2.0), 0.5, DELTA, COMPLETED)
    scene.run(observer.posted("", streamed=True), failed("server_error"))
    scene.run(observer.posted("", streamed=False), error("server_error"))
    scene.run(observer.posted("", streamed=False), DELTA)
    tally = observer.tally
    assert tally.turns == {
        ("completed", "websocket"): 1,
        ("failed", "sse"): 1,
        ("error", "json"): 1,
        ("stopped", "json"): 1,
    }
    assert tally.errors == {"server_error": 2}
    assert tally.tokens == {"input": 30, "cached": 20, "output": 7, "reasoning": 2}
    assert (sum(tally.duration.counts), sum(tally.first_event.counts)) == (4, 2)
    assert (tally.duration.total, tally.first_event.total) == (2.5, 2.5)


def test_a_size_counts_for_the_smallest_bound_that_holds_it() -> None:
    seen = Distribution((1.0, 2.0))
    for size in (0.5, 1.0, 1.5, 2.0, 9.0):
        seen.add(size)
    assert (seen.counts, seen.total) == ([2, 2, 1], 14.0)


def test_an_upstream_cannot_fill_memory_with_codes() -> None:
    tally = Tally()
    for number in range(CODE_LIMIT * 3):
        tally.error(f"code_{number}")
    tally.error("code_0")
    assert len(tally.errors) == CODE_LIMIT + 1
    assert (tally.errors["other"], tally.errors["code_0"]) == (2 * CODE_LIMIT, 2)


def test_a_client_cannot_fill_memory_with_close_codes() -> None:
    tally = Tally()
    for code in (1000, 1000, 1006, 3000, 4999, 0):
        tally.close(code)
    assert tally.closed == {"1000": 2, "1006": 1, "other": 3}


def test_refused_messages_are_counted_while_their_socket_is_open_and_afterwards() -> None:
    scene = Scene()
    scene.lane_turn()
    scene.lane_turn()
    for number, socket in scene.observer.sockets.items():
        for _ in range(number):
            socket.serving.received(b'{"type": "response.create", "stream_id": "?"}', 0.0)
    socket.serving.received(b"", 0.0, text=False)
    expected = {"invalid_stream_id": 3, "invalid_request_error": 1}
    assert scene.observer.refused_messages() == expected
    scene.observer.closed(scene.observer.sockets[2], 1000)
    assert scene.observer.refused_messages() == expected


def test_the_hit_ratio_is_of_those_turns_that_continue_something() -> None:
    assert NOTHING.hit_ratio is None
    assert replace(NOTHING, chains={"new": 10, "hit": 3, "miss": 1}).hit_ratio == 0.75


def test_sockets_are_there_until_they_close() -> None:
    scene = Scene()
    watch = scene.lane_turn()
    assert [socket.turns for socket in scene.observer.sockets.values()] == [1]
    scene.observer.closed(scene.observer.sockets[1], 1001)
    scene.run(watch, COMPLETED)  # it lingered
    assert (scene.observer.sockets, scene.observer.tally.closed) == ({}, {"1001": 1})
