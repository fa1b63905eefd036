"""``turnwire doctor``: every way in which a server can be no server for WebSocket mode."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from architecture.repository import ROOT
from cli.command import run
from cli.doctor_servers import completed, replying, saying
from client.forward_proxy import ForwardProxy
from client.tls_front import Authority, Front
from turnwire.cli.doctor import examination, route
from turnwire.cli.doctor.case import Case, Limits, Told
from turnwire.cli.doctor.checks import CHECKS
from turnwire.cli.doctor.configuration import MATTER, base_url, configure, environment, key
from turnwire.cli.doctor.examination import Examination, examine
from turnwire.cli.doctor.findings import Check
from turnwire.cli.doctor.verdict import MEANINGS
from turnwire.gateway import Gateway, Settings
from turnwire.testing import (
    Gate,
    Peer,
    Step,
    answer,
    close,
    deltas,
    drop,
    error,
    refuse,
    silence,
    wait,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from turnwire.cli.doctor.findings import Result

pytestmark = pytest.mark.io

CLOSED = "http://127.0.0.1:9/v1"
KEY = "sk-very-secret"
QUICK = Limits(check=0.5, total=60, pong=0.05, close=0.05)  # for servers that never answer
PATIENT = Limits(check=30, upload=30, total=60, pong=30)  # for those that do


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MATTER:
        monkeypatch.delenv(name, raising=False)


async def look(
    url: str, limits: Limits = PATIENT, *, model: str | None = "m", **told: Any
) -> Examination:
    return await examine(Told(base_url=url, model=model, **told), limits=limits)


def verdicts(examined: Examination, *names: str) -> dict[str, str]:
    found = {each.name: each.verdict.value for each in examined.findings}
    return {name: found[name] for name in names} if names else found


def result(examined: Examination, name: str) -> Result:
    return next(each.result for each in examined.findings if each.name == name)


def others(examined: Examination) -> set[str]:
    """Return the checks that did not find all well."""
    return {name for name, verdict in verdicts(examined).items() if verdict != "ok"}


# Servers on which all is well


async def test_all_is_well_with_the_gateway_and_no_model_runs() -> None:
    async with Gateway() as gateway:
        examined = await look(gateway.base_url, model=None, probe_size=True)
    assert others(examined) == set()
    assert (examined.conclusion.usable, examined.conclusion.code) == ("websocket", 0)
    assert result(examined, "warm_up").details["model"] == "turnwire-demo"
    assert result(examined, "lanes").details == {"outcome": "echoed"}


async def test_a_peer_sees_three_warm_ups_one_invalid_post_and_no_model_run() -> None:
    async with Peer() as peer:
        examined = await look(peer.base_url)
        assert others(examined) <= {"models"}
        assert (peer.warm_ups, peer.model_runs, len(peer.posts)) == (3, 0, 1)
        assert peer.posts[0].body == {}
        assert len(peer.connections) == 1
        first, second, third = peer.connections[0].creates
        assert (first["generate"], first["store"]) == (False, False)
        assert (second["previous_response_id"], third["stream_id"]) == ("resp_1", "doctor")


@pytest.mark.parametrize(
    ("lanes", "verdict", "outcome"),
    [("echo", "ok", "echoed"), ("ignore", "note", "ignored"), ("reject", "note", "refused")],
)
async def test_lanes(lanes: Any, verdict: str, outcome: str) -> None:
    async with Peer(lanes=lanes) as peer:
        examined = await look(peer.base_url)
    assert verdicts(examined, "continuation", "lanes") == {"continuation": "ok", "lanes": verdict}
    assert result(examined, "lanes").details == {"outcome": outcome}
    assert examined.conclusion.code == 0


# Upgrades that are refused


@pytest.mark.parametrize(
    ("step", "said", "advice"),
    [
        (401, "HTTP 401", "does not try HTTP"),
        (403, "HTTP 403", "goes to HTTP"),
        (404, "HTTP 404", "check the path"),
        (426, "HTTP 426", "speaks HTTP alone"),
        (418, "HTTP 418", "goes to HTTP"),
        (503, "HTTP 503", "dials again"),
        (refuse(429, headers={"Retry-After": "7"}), "try again in 7 s", "turnwire waits, dials"),
        (refuse(429, headers={"Retry-After": "600"}), "in 600 s", "waits a minute at most"),
        (refuse(302, headers={"Location": "https://login.example/x"}), "HTTP 302", "login.example"),
        (refuse(400, b"<html>", headers=None), "no reason given (application/json)", "a proxy"),
        (drop(), "the upgrade failed", "cut upgrades off"),
    ],
    ids=str,
)
async def test_a_refused_upgrade_leaves_http(step: Any, said: str, advice: str) -> None:
    async with Peer(handshake=step) as peer:
        examined = await look(peer.base_url)
        assert peer.model_runs == 0
    found = result(examined, "handshake")
    assert found.verdict == "problem"
    assert said in found.said
    assert advice in found.advice
    assert verdicts(examined, "ping", "warm_up", "lanes") == {
        "ping": "skipped",
        "warm_up": "skipped",
        "lanes": "skipped",
    }
    assert verdicts(examined, "http", "clock") == {"http": "ok", "clock": "ok"}


async def test_only_http_is_exit_code_1_and_says_why() -> None:
    async with Gateway(settings=Settings(port=0, websocket=False)) as gateway:
        examined = await look(gateway.base_url)
    assert (examined.conclusion.usable, examined.conclusion.code) == ("http", 1)
    assert examined.conclusion.sentence == (
        "WebSocket mode does not work (refused with HTTP 426: WebSocket is switched off here; POST"
        ' a create.); HTTP does, and `transport="auto"` falls back to it.'
    )


async def test_a_redirect_within_the_server_is_followed_and_noted() -> None:
    def elsewhere(request: Any) -> Any:
        moved = request.path == "/v1/responses"
        return refuse(307, headers={"Location": "/responses"}) if moved else None

    async with Peer(handshake=elsewhere) as peer:
        examined = await look(peer.base_url)
    found = result(examined, "handshake")
    assert found.verdict == "note"
    assert "after a redirect to http://127.0.0.1:" in found.said
    assert examined.conclusion.usable == "websocket"


@pytest.mark.slow
async def test_an_upgrade_that_is_never_answered() -> None:
    gate = Gate()
    async with Peer(handshake=wait(gate)) as peer:
        examined = await look(peer.base_url, QUICK)
        gate.open()
    found = result(examined, "handshake")
    assert (found.verdict, found.said) == ("problem", "no answer within 0.5 s")
    assert "swallow upgrades" in found.advice
    assert examined.conclusion.usable == "http"


# Servers that are none


async def test_a_closed_port() -> None:
    examined = await look(CLOSED)
    before = dict.fromkeys(("base_url", "key", "environment", "proxy", "dns", "size"), "ok")
    after = [check.name for check in CHECKS if check.name not in {*before, "connect"}]
    assert verdicts(examined) == before | {"connect": "problem"} | dict.fromkeys(after, "skipped")
    assert (examined.conclusion.usable, examined.conclusion.code) == ("nothing", 3)
    assert "nobody listens there" in examined.conclusion.sentence


@pytest.mark.slow
async def test_a_server_that_never_answers_takes_no_check_longer_than_its_limit() -> None:
    async with saying(None) as url:
        examined = await look(url, QUICK)
    late = {each.name for each in examined.findings if each.result.said == "no answer within 0.5 s"}
    assert late == {"handshake", "models", "http"}
    assert verdicts(examined, "connect", "sign_in") == {"connect": "ok", "sign_in": "skipped"}
    assert (examined.conclusion.usable, examined.conclusion.code) == ("nothing", 3)


async def test_a_server_that_speaks_something_else() -> None:
    async with saying(b"220 mail.example ESMTP\r\n") as url:
        examined = await look(url)
    found = result(examined, "handshake")
    assert found.verdict == "problem"
    assert "no answer to an upgrade" in found.said
    assert verdicts(examined, "models", "http") == {"models": "problem", "http": "problem"}
    assert examined.conclusion.code == 3


async def test_a_101_that_is_not_one() -> None:
    data = b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    async with saying(data + b"Sec-WebSocket-Accept: x\r\n\r\n") as url:
        examined = await look(url)
    assert "no answer to an upgrade" in result(examined, "handshake").said


async def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route.socket, "getaddrinfo", _unknown)
    examined = await look("http://nowhere.example/v1")
    found = result(examined, "dns")
    assert (found.verdict, found.said) == (
        "problem",
        "nowhere.example is not known: Name or service not known",
    )
    assert result(examined, "handshake").said == "the name nowhere.example leads nowhere"


def _unknown(*_: object, **__: object) -> None:
    raise OSError(-2, "Name or service not known")


# The key


async def test_a_key_that_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with Peer(handshake=_asks_for_key) as peer:
        found = result(await look(peer.base_url), "sign_in")
    assert found.said == "the key is accepted; without it the answer is HTTP 401"
    assert (found.verdict, found.details) == ("ok", {"key": "accepted"})


def _asks_for_key(request: Any) -> int | None:
    return None if request.headers.get("Authorization") == f"Bearer {KEY}" else 401


async def test_a_key_that_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with Peer() as peer:
        found = result(await look(peer.base_url), "sign_in")
    assert (found.verdict, found.details) == ("ok", {"key": "not checked"})


async def test_a_key_that_is_missing() -> None:
    async with Peer(handshake=_asks_for_key) as peer:
        examined = await look(peer.base_url)
    found = result(examined, "sign_in")
    assert (found.verdict, found.details) == ("problem", {"key": "missing"})
    assert examined.conclusion.code == 3


async def test_a_key_that_is_refused_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", KEY)
    body = b'{"error": {"message": "Wrong key: sk-very-secret"}}'
    head = b"HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with saying(head + body) as url:
        examined = await look(url, api_key_env="GATEWAY_KEY")
    found = result(examined, "sign_in")
    assert (found.verdict, found.details) == ("problem", {"key": "refused"})
    assert "check GATEWAY_KEY" in found.advice
    assert result(examined, "handshake").said == "refused with HTTP 401: Wrong key: ***"
    assert examined.conclusion.code == 3


async def test_a_key_that_http_takes_and_the_upgrade_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with Peer(handshake=403) as peer:
        examined = await look(peer.base_url)
    assert result(examined, "sign_in").verdict == "note"
    assert (examined.conclusion.usable, examined.conclusion.code) == ("http", 1)


# Turns


@pytest.mark.parametrize(
    ("steps", "verdict", "said", "usable"),
    [
        ([error("unsupported_parameter", 400)], "note", "refused with status 400", "websocket"),
        ([error("insufficient_quota", 429)], "problem", "refused with status 429", "websocket"),
        ([error("invalid_api_key", 401)], "problem", "refused with status 401", "nothing"),
        ([answer("Hi")], "problem", "a model ran, and is billed", "websocket"),
        ([close(1008)], "problem", "close code 1008", "http"),
        ([drop()], "problem", "close code 1006", "http"),
    ],
    ids=lambda each: str(each)[:40],
)
async def test_a_warm_up_that_does_not_work(
    steps: Sequence[Step], verdict: str, said: str, usable: str
) -> None:
    async with Peer(warm_up=steps) as peer:
        examined = await look(peer.base_url)
        assert peer.warm_ups <= 2
    found = result(examined, "warm_up")
    assert found.verdict == verdict
    assert said in found.said
    assert verdicts(examined, "continuation", "http") == {"continuation": "skipped", "http": "ok"}
    assert examined.conclusion.usable == usable


@pytest.mark.slow
async def test_creates_that_are_not_answered() -> None:
    async with Peer(warm_up=[silence()]) as peer:
        examined = await look(peer.base_url, QUICK)
    assert result(examined, "warm_up").said == "no answer within 0.5 s"
    assert verdicts(examined, "ping", "lanes") == {"ping": "ok", "lanes": "skipped"}
    assert examined.conclusion.usable == "http"


async def test_a_model_run_is_cut_off_at_its_first_output() -> None:
    gate = Gate()
    async with Peer(warm_up=[deltas(3), wait(gate, after="response.output_text.delta")]) as peer:
        examined = await look(peer.base_url)
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        gate.open()
    assert result(examined, "warm_up").details["outcome"] == "ran"


async def test_a_model_run_shows_in_the_tokens_too() -> None:
    async with replying(lambda _: [completed(1, tokens=3)]) as url:
        examined = await look(url)
    assert result(examined, "warm_up").details["outcome"] == "ran"
    assert "bill" in result(examined, "lanes").said


async def test_a_server_that_forgets_the_warm_up() -> None:
    def replies(create: dict[str, Any]) -> list[dict[str, Any]]:
        if "previous_response_id" not in create:
            return [{"type": "keepalive"}, completed(1)]
        body = {"code": "previous_response_not_found", "message": "Who?"}
        return [{"type": "error", "status": 400, "error": body}]

    async with replying(replies) as url:
        examined = await look(url)
    found = result(examined, "continuation")
    assert (found.verdict, found.said) == ("note", "the server no longer knew the response: Who?")
    assert result(examined, "lanes").details == {"outcome": "ignored"}  # on a new socket


async def test_a_server_that_never_pongs() -> None:
    async with replying(lambda _: [completed(1)], pongs=False) as url:
        examined = await look(url, QUICK)
    found = result(examined, "ping")
    assert (found.verdict, found.said) == ("problem", "no pong within 0.05 s")
    assert examined.conclusion.sentence.startswith("WebSocket mode works, but mind ping")


async def test_a_server_that_closes_every_socket_at_once() -> None:
    async with replying(close=1008) as url:
        examined = await look(url)
    assert "close code 1008: go away" in result(examined, "ping").said
    assert examined.conclusion.usable == "nothing"


async def test_events_that_are_none() -> None:
    async with replying(lambda _: [{}]) as url:
        examined = await look(url)
    assert "a binary message" in result(examined, "warm_up").said
    async with replying(lambda _: [{"no": "type"}]) as url:
        examined = await look(url)
    assert "no event" in result(examined, "warm_up").said


async def test_without_a_model_no_turn_is_tried_and_that_is_said() -> None:
    async with replying() as url:
        examined = await look(url, model=None)
    assert result(examined, "warm_up").said == "no model is known: name one with --model"
    assert "no turn was tried" in examined.conclusion.sentence
    assert examined.conclusion.code == 0


@pytest.mark.parametrize(("limit", "verdict"), [(16 * 2**20, "ok"), (2**20, "note")])
async def test_the_size_probe(limit: int, verdict: str) -> None:
    async with Peer(max_message_bytes=limit) as peer:
        found = result(await look(peer.base_url, probe_size=True), "size")
        assert peer.model_runs == 0
    assert found.verdict == verdict
    assert "16,776,192 bytes" in found.said


# The way


async def test_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Peer() as peer, ForwardProxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:pass-word@{proxy.place}")
        examined = await look(peer.base_url)
        found = result(examined, "proxy")
        assert found.said == (
            f"http://{proxy.place}, from HTTP_PROXY, with a name and a password; without a tunnel,"
            " since the URL is http://"
        )
        assert f"to the proxy, {proxy.place}" in result(examined, "connect").said
        assert examined.conclusion.code == 0
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        found = result(await look(peer.base_url), "proxy")
        assert found.said == "none; HTTP_PROXY names one, and NO_PROXY excludes this server"


async def test_a_proxy_that_makes_no_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ForwardProxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.place)
        examined = await look("https://host.example/v1")
        assert proxy.heads[0].startswith("CONNECT host.example:443 HTTP/1.1\r\n")
    found = result(examined, "tls")
    assert found.said == ("the proxy makes no tunnel to host.example:443: HTTP/1.1 407 Who are you")
    assert result(examined, "handshake").said == "the proxy makes no tunnel"


@pytest.mark.slow
async def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    authority = Authority()
    async with Peer() as peer, Front(peer, authority.server()) as front:
        options = ("doctor", "--json", "--model", "m", "--base-url", front.base_url)
        trusted = await run(*options, SSL_CERT_FILE=str(authority.write(tmp_path)))
        found = json.loads(trusted.out)["checks"]["tls"]
        assert (trusted.code, found["verdict"]) == (0, "ok")
        assert found["details"]["trusted_through"].startswith("SSL_CERT_FILE")
        assert found["details"]["issuer"].startswith("trustme")
        foreign = await run(*options, SSL_CERT_FILE=str(Authority().write(tmp_path)))
        found = json.loads(foreign.out)["checks"]["tls"]
        assert (foreign.code, found["verdict"]) == (3, "problem")
        assert "is not trusted: unable to get local issuer certificate" in found["said"]


async def test_a_certificate_that_expires_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.write(tmp_path)))
    async with Peer() as peer, Front(peer, authority.server()) as front:
        case = case_of(base_url=front.base_url)
        expires = (await route.tls(case)).details["expires_at"]
        case.now = lambda: expires - 86400
        assert (await route.tls(case)).verdict == "note"


async def test_no_tls_where_tls_is_expected() -> None:
    async with Peer() as peer:
        examined = await look(peer.base_url.replace("http:", "https:"))
    assert result(examined, "tls").said == "no TLS is spoken there"


@pytest.mark.parametrize(
    ("ahead", "verdict"), [(0, "ok"), (60, "note"), (-60, "note"), (3600, "problem")]
)
async def test_a_clock_that_is_wrong(ahead: float, verdict: str) -> None:
    async with Peer() as peer:
        examined = await examine(
            Told(base_url=peer.base_url), limits=PATIENT, now=lambda: time.time() + ahead
        )
    assert result(examined, "clock").verdict == verdict


# Configuration


def case_of(**told: Any) -> Case:
    """Return a case for checks that need no session."""
    all_told = Told(**told)
    return Case(
        told=all_told,
        configuration=configure(all_told),
        session=None,  # type: ignore[arg-type]
        limits=PATIENT,
    )


@pytest.mark.parametrize(
    ("url", "verdict", "said"),
    [
        ("https://host/v1", "ok", "https://host/v1, from --base-url"),
        ("http://host/v1", "note", "without TLS"),
        ("http://localhost/v1", "ok", "http://localhost/v1"),
        ("https://api.openai.com", "note", "without /v1"),
        ("host/v1", "problem", "base_url must look like"),
        (None, "ok", "https://api.openai.com/v1, from the default"),
    ],
)
async def test_base_urls(url: str | None, verdict: str, said: str) -> None:
    found = await base_url(case_of(base_url=url))
    assert found.verdict == verdict
    assert said in found.said


@pytest.mark.parametrize(
    ("variables", "told", "verdict", "said"),
    [
        ({"OPENAI_API_KEY": KEY}, {}, "ok", "OPENAI_API_KEY is set"),
        ({"OPENAI_API_KEY": f'"{KEY}"'}, {}, "problem", "a space or a quotation mark"),
        ({"OPENAI_API_KEY": f"{KEY}\n"}, {}, "problem", "cannot be used"),
        ({}, {}, "problem", "OPENAI_API_KEY is not set"),
        ({}, {"base_url": CLOSED}, "ok", "none is sent"),
        ({"K": KEY}, {"api_key_env": "K"}, "ok", "K is set"),
        ({}, {"base_url": CLOSED, "api_key_env": KEY}, "problem", "names is not set"),
    ],
)
async def test_keys(
    variables: dict[str, str],
    told: dict[str, str],
    verdict: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = await key(case_of(**told))
    assert found.verdict == verdict
    assert said in found.said
    assert KEY not in repr(found)


async def test_the_environment_is_named_without_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    found = await environment(case_of(base_url=CLOSED))
    assert (found.verdict, found.said) == ("ok", "set: OPENAI_ORG_ID")
    monkeypatch.setenv("SSLKEYLOGFILE", os.devnull)
    assert (await environment(case_of(base_url=CLOSED))).verdict == "note"


async def test_a_base_url_that_is_none_sends_nothing() -> None:
    examined = await look("ftp://me:pass-word@host/v1")
    assert verdicts(examined, "base_url", "handshake") == {
        "base_url": "problem",
        "handshake": "skipped",
    }
    assert (examined.conclusion.usable, examined.conclusion.code) == ("nothing", 2)
    assert "pass-word" not in repr(examined.findings)


# What must not be seen, and must not be hidden


@pytest.mark.slow
@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_no_secret_is_shown_even_if_the_server_repeats_it(form: tuple[str, ...]) -> None:
    told = {"message": "sk-very-secret, p w, proxy-secret, query-secret, \x1b[31m and p%20w"}
    async with Peer(handshake=refuse(403, {"error": told})) as peer, ForwardProxy() as proxy:
        url = peer.base_url.replace("://", "://somebody:p%20w@") + "?api-key=query-secret"
        done = await run(
            *("doctor", *form, "--base-url", url),
            OPENAI_API_KEY=KEY,
            HTTP_PROXY=f"http://me:proxy-secret@{proxy.place}",
        )
        url = url.replace("somebody:p%20w@", "")
        with_key = await run(
            *("doctor", *form, "--base-url", url),
            OPENAI_API_KEY=KEY,
            HTTP_PROXY=f"http://me:proxy-secret@{proxy.place}",
        )
    assert (done.code, with_key.code) == (1, 1)
    for secret in (
        KEY,
        "somebody",
        "p%20w",
        "p w",
        "query-secret",
        "proxy-secret",
        "\x1b",
    ):
        assert secret not in done.out + done.err
    for secret in (KEY, "query-secret", "proxy-secret", "\x1b"):
        assert secret not in with_key.out + with_key.err
    assert "refused with HTTP 403: ***" in with_key.out


async def test_a_check_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(case: Case) -> Result:
        raise ZeroDivisionError("sk-very-secret")

    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    checks = [Check("broken", "broken", "Turns", broken), *CHECKS]
    monkeypatch.setattr(examination, "CHECKS", checks)
    async with Peer() as peer:
        examined = await look(peer.base_url)
    assert result(examined, "broken").said == "the check itself failed: ZeroDivisionError: ***"
    assert result(examined, "warm_up").verdict == "ok"


async def test_all_checks_together_are_bounded() -> None:
    examined = await look(CLOSED, Limits(total=0))
    assert set(verdicts(examined).values()) == {"skipped"}
    assert result(examined, "lanes").said == "the 0 s for all checks were used up"


# What people and programs see

GOLDEN = """\
Configuration
  ok       base URL      http://HERE/v1, from OPENAI_BASE_URL
  ok       key           OPENAI_API_KEY is not set; none is sent
  ok       environment   set: OPENAI_BASE_URL
Route
  ok       proxy         none; nothing names one
  ok       name          127.0.0.1 is an address
  ok       connection    to the server, HERE, in N ms
  ok       TLS           none: the URL is http://, the server on this machine
WebSocket
  problem  handshake     refused with HTTP 426: WebSocket is switched off here; POST a create.
                         → `transport="auto"` goes to HTTP; the server, or a proxy that drops \
upgrades, speaks HTTP alone here
  skipped  ping          there is no socket: see the handshake
HTTP
  ok       models        HTTP 200, 1 model
  ok       POST          HTTP 400 to a POST that is no JSON, as it should be
  ok       clock         ours and the server's agree
Turns
  ok       sign-in       no key is sent, and none is asked for
  skipped  warm-up       there is no socket: see the handshake
  skipped  continuation  there is no socket: see the handshake
  skipped  lanes         there is no socket: see the handshake
  ok       size          turnwire sends messages up to 15.5 MiB and takes 256 MiB; --probe-size \
finds the server's limit out

WebSocket mode does not work (refused with HTTP 426: WebSocket is switched off here; POST a \
create.); HTTP does, and `transport="auto"` falls back to it.
"""


@pytest.mark.slow
async def test_the_report_for_people() -> None:
    async with Gateway(settings=Settings(port=0, websocket=False)) as gateway:
        done = await run(
            "doctor", OPENAI_BASE_URL=gateway.base_url, SSL_CERT_FILE="", SSL_CERT_DIR=""
        )
    shown = re.sub(r"[\d.]+ ms", "N ms", done.out).replace(gateway.base_url[7:-3], "HERE")
    assert (done.code, shown, done.err) == (1, GOLDEN, "")


@pytest.mark.slow
async def test_the_report_for_programs_is_the_documented_one() -> None:
    async with Gateway() as gateway:
        done = await run("doctor", "--json", "--base-url", gateway.base_url)
    report = json.loads(done.out)
    checks = report.pop("checks")
    assert report.pop("seconds") < 30
    assert report.pop("turnwire")
    assert report == {"usable": "websocket", "sentence": "WebSocket mode works.", "exit_code": 0}
    assert all(set(each) == {"verdict", "said", "advice", "details"} for each in checks.values())
    page = (ROOT / "docs" / "howto" / "doctor.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", page, flags=re.MULTILINE)
    assert [name for name, _ in documented] == [check.name for check in CHECKS] == list(checks)
    for name, details in documented:
        assert set(checks[name]["details"]) <= set(re.findall(r"`(\w+)`", details)), name


def test_the_documented_exit_codes_are_the_real_ones() -> None:
    page = (ROOT / "docs" / "howto" / "doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", page, flags=re.MULTILINE)
    assert rows == [(str(code.value), said) for code, said in MEANINGS.items()]


@pytest.mark.slow
async def test_help_has_its_own_exit_codes() -> None:
    done = await run("doctor", "--help", COLUMNS="80")
    lines = {line.strip() for line in done.out.splitlines()}
    assert {f"{code.value}  {said}" for code, said in MEANINGS.items()} <= lines
    assert done.out.count("  turnwire doctor") >= 3
