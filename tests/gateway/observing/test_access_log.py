"""The access log: a line for each turn and socket, and nothing of what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from gateway.observing.seeing import COMPLETED, CREATED, DELTA, Scene, error
from gateway.support import Puppet, talk, until
from turnwire.errors import ConfigError
from turnwire.gateway.access.keys import Keyring, hash_of
from turnwire.gateway.app import WORK
from turnwire.gateway.config.tables import Key, Limits
from turnwire.gateway.observing.access_log import AccessLog
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import UsageReport
from turnwire.gateway.upstreams.routed import Route, RoutedUpstream
from turnwire.gateway.upstreams.scripted import ScriptedUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.deltas import Delta

Json = dict[str, Any]


def lines(path: Path) -> list[Json]:
    return [msgspec.json.decode(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("worker", [None, 2])
def test_each_line_has_the_number_of_its_worker(tmp_path: Path, worker: int | None) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path), worker=worker)
    scene = Scene(log)
    scene.run(scene.lane_turn(), CREATED, 0.25, DELTA, 1.0, COMPLETED)
    log.close()
    written = lines(path)
    assert [line.get("worker") for line in written] == [worker] * 2


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
            "status": 400,
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


class Down:
    """An upstream that answers nothing."""

    models = ("m",)

    async def generate(self, _: Prompt) -> AsyncIterator[Delta]:
        raise UpstreamFailed("down", status=503)
        yield


async def upstream_in_line(path: Path, *routes: Route) -> tuple[str, str]:
    async with talk(RoutedUpstream(routes), access_log=str(path)) as here:
        await here.post(input="Hello")
    (turn,) = lines(path)
    return turn["outcome"], turn["upstream"]


@pytest.mark.io
async def test_a_turn_names_the_upstream_that_answered_or_was_asked_last(tmp_path: Path) -> None:
    first = Route(name="first", upstream=Down(), retries=0)
    second = Route(name="second", upstream=ScriptedUpstream())
    third = Route(name="third", upstream=Down(), retries=0)
    assert await upstream_in_line(tmp_path / "a", second, first) == ("completed", "second")
    assert await upstream_in_line(tmp_path / "b", first, second, third) == ("completed", "second")
    assert await upstream_in_line(tmp_path / "c", first, third) == ("error", "third")


@pytest.mark.io
async def test_who_it_was_is_said_with_the_name_of_the_key(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    keyring = Keyring([Key(name="build", hash=hash_of("sk-secret"))], Limits())
    headers = {"Authorization": "Bearer sk-secret"}
    async with talk(keyring=keyring, access_log=str(path)) as here:
        client = await here.dial(headers=headers)
        await client.respond(input="x")
        await client.raw.close()
        await until(lambda: here.gateway.statistics().sockets_open == 0)
        url = here.gateway.base_url + "/responses"
        for there in (url, url + "/compact"):
            async with here.session.post(
                there, json={"model": "m", "input": "x"}, headers=headers
            ) as answer:
                assert answer.status == 200
    assert [(line["event"], line["owner"]) for line in lines(path)] == [
        (event, "build") for event in ("socket_opened", "turn", "socket_closed", "turn", "turn")
    ]
    assert "secret" not in path.read_text("utf-8")


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, str], tuple[int, str]]] = {
    "no key": ({}, {}, (401, "invalid_api_key")),
    "another page": ({}, {"Origin": "https://secret.example"}, (403, "access_denied")),
    "sockets": ({"websocket": False}, {"Authorization": "Bearer k"}, (426, "upgrade_required")),
}


@pytest.mark.io
@pytest.mark.parametrize("case", REFUSALS)
async def test_a_connect_that_is_refused_has_a_line(tmp_path: Path, case: str) -> None:
    settings, headers, (status, code) = REFUSALS[case]
    path = tmp_path / "access.log"
    keyring = Keyring([Key(name="build", hash=hash_of("k"))], Limits())
    async with talk(keyring=keyring, access_log=str(path), **settings) as here:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await here.dial(headers=headers)
    (line,) = lines(path)
    assert (line["event"], line["wanted"]) == ("refused", "connect")
    assert (line["status"], line["code"]) == (status, code)
    assert line["owner"] == "build" if "Authorization" in headers else len(line["owner"]) == 12
    assert "secret" not in path.read_text("utf-8")


@pytest.mark.io
async def test_what_is_over_a_limit_has_a_line(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    keyring = Keyring([], Limits(sockets=1, requests_per_minute=1))
    async with talk(keyring=keyring, access_log=str(path)) as here:
        client = await here.dial()
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await here.dial()
        await client.respond(input="x")
        await client.refused(input="x")
        assert (await here.post(input="x"))[0] == 429
        await client.raw.close()
        await until(lambda: here.gateway.statistics().sockets_open == 0)
    told = [
        (line["event"], line.get("wanted") or line.get("transport"), line.get("status"))
        for line in lines(path)
    ]
    assert told == [
        ("socket_opened", None, None),
        ("refused", "connect", 429),
        ("turn", "websocket", None),
        ("turn", "websocket", 429),
        ("turn", "json", 429),
        ("socket_closed", None, None),
    ]


@pytest.mark.io
async def test_what_comes_while_the_gateway_drains_has_a_line(tmp_path: Path) -> None:
    path, puppet = tmp_path / "access.log", Puppet()
    async with talk(puppet, access_log=str(path)) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await puppet.run()
        here.gateway._app[WORK].stop()
        await client.create(input="secret", stream_id="secret")
        assert (await here.post(input="x"))[0] == 503
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await here.dial()
        run.finish()
        await client.until("response.completed")
        await client.closed()
        await until(lambda: here.gateway.statistics().sockets_open == 0)
    refused = [line for line in lines(path) if line["event"] == "refused"]
    assert [(each["wanted"], each["status"], each["code"]) for each in refused] == [
        ("message", 400, "websocket_connection_limit_reached"),
        ("create", 503, "server_shutdown"),
        ("connect", 503, "server_shutdown"),
    ]
    assert [each.get("socket") for each in refused] == [1, None, None]
    assert "secret" not in path.read_text("utf-8")


@pytest.mark.io
async def test_messages_and_paths_that_nobody_serves_have_a_line(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with talk(access_log=str(path), max_message_bytes=1000) as here:
        client = await here.dial()
        await client.create(input="secret" * 200)
        await client.event()
        await client.send({"type": "secret"})
        await client.event()
        assert (await here.get("/v1/secret"))[0] == 404
        assert (await here.get("/v1/responses/resp_secret"))[0] == 404
        await client.raw.close()
        await until(lambda: here.gateway.statistics().sockets_open == 0)
    refused = [line for line in lines(path) if line["event"] == "refused"]
    assert [(each["wanted"], each["status"], each["code"]) for each in refused] == [
        ("message", 413, "message_too_large"),
        ("message", 400, "invalid_request_error"),
        ("other", 404, "not_found"),
        ("other", 404, "invalid_request_error"),
    ]
    assert "secret" not in path.read_text("utf-8")
