"""The access log: a line for each turn and socket, and nothing of what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from gateway.observing.seeing import COMPLETED, CREATED, DELTA, Scene, error
from gateway.support import Puppet, talk, until
from turnwire.errors import ConfigError
from turnwire.gateway.observing.access_log import AccessLog
from turnwire.gateway.upstreams.deltas import UsageReport

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]


def lines(path: Path) -> list[Json]:
    return [msgspec.json.decode(line) for line in path.read_text("utf-8").splitlines()]


def test_what_a_session_writes(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path), clock=lambda: 1_700_000_000.25)
    scene = Scene(log)
    scene.run(scene.lane_turn(lane=1, waited=0.5), CREATED, 0.25, DELTA, 1.0, COMPLETED)
    scene.run(scene.observer.posted("0" * 32, streamed=True), error("invalid_value"))
    scene.observer.closed(scene.observer.sockets[1], 1006)
    log.close()
    at = {"time": "2023-11-14T22:13:20.250Z"}
    socket = at | {"owner": "f" * 12, "socket": 1}
    nothing = {"items_in": 0, "bytes_in": 0, "bytes_saved": 0}
    assert lines(path) == [
        socket | {"event": "socket_opened"},
        socket
        | nothing
        | {
            "event": "turn",
            "transport": "websocket",
            "named_lane": True,
            "model": "other",
            "chain": "new",
            "queued_seconds": 0.5,
            "first_event_seconds": 0.75,
            "duration_seconds": 1.75,
            "input_tokens": 30,
            "cached_tokens": 20,
            "output_tokens": 7,
            "outcome": "completed",
        },
        at
        | nothing
        | {
            "event": "turn",
            "owner": "0" * 12,
            "transport": "sse",
            "model": "other",
            "chain": "new",
            "queued_seconds": 0.0,
            "duration_seconds": 0.0,
            "input_tokens": 0,
            "cached_tokens": 0,
            "output_tokens": 0,
            "outcome": "error",
            "code": "invalid_value",
        },
        socket
        | {"event": "socket_closed", "close_code": 1006, "duration_seconds": 1.25, "turns": 1},
    ]


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    log = AccessLog(str(path))
    scene = Scene(log)
    scene.lane_turn()
    path.rename(moved)
    scene.lane_turn()
    log.close()
    assert [[line["socket"] for line in lines(each)] for each in (moved, path)] == [[1], [2]]


def test_it_may_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    Scene(AccessLog("-")).lane_turn()
    out, err = capsys.readouterr()
    assert (out, msgspec.json.decode(err)["event"]) == ("", "socket_opened")


def test_a_file_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot write the access log .*; give another file"):
        AccessLog(str(tmp_path))


@pytest.mark.io
async def test_a_gateway_writes_it_without_content_headers_and_keys(tmp_path: Path) -> None:
    path, model = tmp_path / "access.log", Puppet()
    headers = {"Authorization": "Bearer sk-secret", "X-Secret": "secret"}
    async with talk(model, access_log=str(path)) as here:
        client = await here.dial(headers=headers)
        await client.create(
            model="puppet",
            input="secret",
            stream_id="secret",
            user="secret",
            metadata={"secret": "1"},
        )
        run = await model.run()
        run.say(UsageReport(input_tokens=5, output_tokens=3))
        run.finish("secret")
        await client.terminal()
        await client.create(model="secret", input="secret", previous_response_id="resp_secret")
        await client.terminal()
        await client.raw.close()
        await until(lambda: here.gateway.statistics().sockets_open == 0)
    assert "secret" not in path.read_text("utf-8")
    opened, first, second, closed = lines(path)
    assert [each["event"] for each in (opened, first, second, closed)] == [
        "socket_opened", "turn", "turn", "socket_closed",
    ]  # fmt: skip
    assert len({each["owner"] for each in lines(path)}) == 1
    assert {key: first[key] for key in ("model", "named_lane", "outcome", "output_tokens")} == {
        "model": "puppet", "named_lane": True, "outcome": "completed", "output_tokens": 3,
    }  # fmt: skip
    assert {key: second[key] for key in ("model", "named_lane", "outcome", "code")} == {
        "model": "other", "named_lane": False, "outcome": "error",
        "code": "previous_response_not_found",
    }  # fmt: skip
    assert (closed["close_code"], closed["turns"]) == (1000, 2)


@pytest.mark.io
async def test_a_client_that_vanishes_stops_its_turn(tmp_path: Path) -> None:
    path, model = tmp_path / "access.log", Puppet()
    async with talk(model, access_log=str(path)) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await model.run()
        run.say("half")
        await client.until("response.output_text.delta")
        client.raw._response.close()
        await run.stopped.wait()
        await until(lambda: here.gateway.statistics().sockets_open == 0)
    turn = next(line for line in lines(path) if line["event"] == "turn")
    closed = next(line for line in lines(path) if line["event"] == "socket_closed")
    assert (turn["outcome"], closed["close_code"]) == ("stopped", 1006)


@pytest.mark.io
async def test_a_post_is_a_turn_too(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with talk(access_log=str(path)) as here:
        assert (await here.post(input="Hello"))[0] == 200
    (turn,) = lines(path)
    assert (turn["transport"], turn["outcome"], "socket" in turn) == ("json", "completed", False)
