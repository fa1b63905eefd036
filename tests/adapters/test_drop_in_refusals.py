"""The server's no before the first event is the HTTP answer that it would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.drop_in_calls import ASK, opened, output_text, plainly, report
from turnwire.testing import Peer, Turns, answer, drop, error, redirect, refuse

if TYPE_CHECKING:
    from types import ModuleType

    from turnwire.testing import Step

    Way = tuple[ModuleType, bool]

pytestmark = pytest.mark.io

LATER = {"retry-after": "7", "retry-after-ms": "7000", "x-request-id": "r"}
ERRORS: dict[str, tuple[Step, int]] = {
    "400": (error("invalid_prompt", 400, param="input", message="No."), 400),
    "401": (error("invalid_api_key", 401, message="Who?"), 401),
    "404": (error("model_not_found", 404, param="model"), 404),
    "429": (error("rate_limit_exceeded", 429, headers=LATER), 429),
    "503": (error("server_is_overloaded", 503), 503),
    "other words": (error("rate_limit_exceeded", 429, shape="status_code", headers=LATER), 429),
}
ODD: dict[str, tuple[Step, int]] = {
    "flat": (error("rate_limit_exceeded", None, shape="flat", message="Slow."), 429),
    "flat, unnumbered": (error("bad", None, shape="flat", numbered=False), 500),
    "no status": (error("rate_limit_exceeded", None), 429),
    "no quota": (error("insufficient_quota", None), 429),
    "a status that is none": (error("server_is_overloaded", 200), 503),
    "a type": (error("x", None, kind="not_found_error"), 404),
    "text": (error("invalid_prompt", 400, shape="text"), 400),
    "nothing but a type": (error(None, None), 400),
    "nothing": (error(None, None, kind="novel_error"), 500),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("step", "status"), ERRORS.values(), ids=ERRORS)
async def test_a_refusal_is_that_of_http(
    way: Way,
    theirs: ModuleType,
    step: Step,
    status: int,
    stream: bool,  # noqa: FBT001
) -> None:
    told: list[Any] = []
    for opening in (plainly(theirs, peer := Peer(lambda _: [step])), None):
        if opening is None:
            peer = Peer(lambda _: [step])
        async with peer, opening or opened(way, peer) as calls:
            response = await calls.ask({**ASK, "stream": stream})
            said = {name: value for name, value in response.json()["error"].items() if value}
            headers = {name: response.headers.get(name) for name in ("content-type", *LATER)}
            told.append((response.status_code, headers, said))
            assert peer.model_runs == 0
    assert told[1] == told[0]
    assert told[0][0] == status


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("step", "status"), ODD.values(), ids=ODD)
async def test_a_refusal_without_a_status_has_one(
    way: Way,
    step: Step,
    status: int,
    stream: bool,  # noqa: FBT001
) -> None:
    async with Peer(lambda _: [step]) as peer, opened(way, peer) as calls:
        response = await calls.ask({**ASK, "stream": stream})
        assert response.status_code == status
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
        assert report(response).transport == "websocket"


async def test_headers_that_are_no_headers_of_http_do_not_break_the_answer(way: Way) -> None:
    odd = {"x-limit": "Grüße 世界", "retry-after": 3}
    step = error("rate_limit_exceeded", 429, headers=odd)  # type: ignore[arg-type]  # as they come
    async with Peer(lambda _: [step]) as peer, opened(way, peer) as calls:
        response = await calls.ask()
    assert (response.status_code, response.headers["x-limit"]) == (429, "Grüße 世界")
    assert response.headers["retry-after"] == "3"


async def test_after_a_refusal_the_next_turn_goes_on(way: Way) -> None:
    script = Turns([error("invalid_prompt", 400)], [answer("Fine.")])
    async with Peer(script) as peer, opened(way, peer) as calls:
        assert (await calls.ask({**ASK, "stream": True})).status_code == 400
        assert output_text(await calls.ask()) == "Fine."
        assert len(peer.connections) == 1


# Upgrades


@pytest.mark.parametrize("transport", ["auto", "websocket"])
async def test_a_refused_key_is_that_answer(way: Way, transport: str) -> None:
    async with (
        Peer(key="another") as peer,
        opened(way, peer, transport=transport) as calls,
    ):
        response = await calls.ask()
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert (peer.connections, peer.posts) == ([], [])


async def test_a_refused_upgrade_is_that_answer_where_it_must_not_fall_back(way: Way) -> None:
    no = {"error": {"message": "Not here.", "type": "permission", "code": "p"}}
    async with (
        Peer(handshake=refuse(403, no)) as peer,
        opened(way, peer, transport="websocket") as calls,
    ):
        response = await calls.ask()
        assert (response.status_code, response.json()) == (403, no)
        assert peer.posts == []


async def test_what_is_no_error_and_no_upgrade_is_no_answer(way: Way, theirs: ModuleType) -> None:
    for door in (refuse(200, b"<html>"), redirect("https://example.com/v1/responses")):
        async with (
            Peer(handshake=door) as peer,
            opened(way, peer, transport="websocket") as calls,
        ):
            with pytest.raises(theirs.ConnectError):
                await calls.ask()
            assert peer.posts == []


@pytest.mark.parametrize("status", [400, 403, 404, 405, 426, 501])
@pytest.mark.parametrize("stream", [False, True])
async def test_where_sockets_do_not_work_creates_go_over_http(
    way: Way,
    status: int,
    stream: bool,  # noqa: FBT001
) -> None:
    body = {**ASK, "stream": stream}
    async with Peer(handshake=status) as peer, opened(way, peer) as calls:
        for number in (1, 2):
            response = await calls.ask(body)
            assert response.status_code == 200
            assert response.headers["x-turnwire-transport"] == report(response).transport == "http"
            reason = report(response).transport_reason
            assert reason.startswith("fallback: ")
            assert str(status) in reason
            assert len(peer.posts) == number
        assert [post.body for post in peer.posts] == [body, body]
        assert (len(peer.handshakes), peer.model_runs) == (1, 2)  # one was enough to know
        health = calls.client.turnwire.health()
        assert (health.transport, health.state) == ("http", "open")
        assert calls.client.turnwire.statistics().fallbacks == 2


async def test_a_server_that_is_down_is_the_librarys_error(way: Way, theirs: ModuleType) -> None:
    async with Peer() as peer:
        gone = peer.base_url
    for transport in ("auto", "websocket", "http"):
        async with opened(way, gone, transport=transport) as calls:
            with pytest.raises(theirs.ConnectError) as caught:
                await calls.ask()
            assert caught.value.request.url.path == "/v1/responses"


async def test_sockets_that_hang_up_are_fallen_back_from(way: Way) -> None:
    async with Peer(handshake=drop()) as peer, opened(way, peer) as calls:
        response = await calls.ask()
        assert (output_text(response), len(peer.posts)) == ("Hi", 1)


async def test_it_must_not_fall_back_if_told_so(way: Way, theirs: ModuleType) -> None:
    async with (
        Peer(handshake=drop()) as peer,
        opened(way, peer, transport="websocket") as calls,
    ):
        with pytest.raises(theirs.ConnectError):
            await calls.ask()
        assert peer.posts == []


async def test_http_goes_over_http(way: Way) -> None:
    async with Peer() as peer, opened(way, peer, transport="http") as calls:
        response = await calls.ask()
        assert (output_text(response), len(peer.posts), peer.handshakes) == ("Hi", 1, [])
        assert report(response).transport_reason == 'requested: transport="http"'


def by_http(theirs: ModuleType) -> Any:
    """Make a wrapped transport whose answers can be told from the peer's."""
    said = {"type": "message", "role": "assistant", "id": "msg_http"}
    said["content"] = [{"type": "output_text", "text": "By HTTP.", "annotations": []}]  # type: ignore[assignment]
    whole = {"id": "resp_http", "status": "completed", "output": [said]}
    return theirs.MockTransport(lambda _: theirs.Response(200, json=whole))


async def test_a_message_that_no_socket_takes(way: Way, theirs: ModuleType) -> None:
    body = {**ASK, "input": "x" * 5000}
    async with (
        Peer(max_message_bytes=4000) as peer,
        opened(way, peer, transport=by_http(theirs)) as auto,
        opened(way, peer, transport="websocket") as never,
    ):
        response = await auto.ask(body)
        assert (output_text(response), report(response).transport) == ("By HTTP.", "http")
        for _ in range(2):
            refused = await never.ask(body)
            assert refused.status_code == 413
            assert "socket" in refused.json()["error"]["message"]
        assert output_text(await never.ask()) == "Hi"
        assert peer.model_runs == 1


async def test_a_turn_over_http_in_the_middle_of_a_chain(way: Way, theirs: ModuleType) -> None:
    """The chain stays where it was, and what came over HTTP is sent as new."""
    async with (
        Peer(max_message_bytes=4000) as peer,
        opened(way, peer, transport=by_http(theirs)) as calls,
    ):
        history: list[Any] = []

        async def ask(text: str) -> tuple[str, str]:
            history.append({"role": "user", "content": text})
            response = await calls.ask({"model": "any", "input": history})
            history.extend(response.json()["output"])
            return report(response).transport, output_text(response)

        assert await ask("one") == ("websocket", "one")
        assert await ask("x" * 5000) == ("http", "By HTTP.")
        history[2]["content"] = "made short"  # as a caller does who compacts
        assert await ask("three") == ("websocket", "three")
        assert await ask("four") == ("websocket", "four")
        sent = [(create.get("previous_response_id"), create["input"]) for create in peer.creates]
        assert [link for link, _ in sent[-2:]] == ["resp_1", "resp_2"]
        assert [len(items) for _, items in sent[-2:]] == [3, 1]
