"""The arguments of a session, without any socket."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

from turnwire import ConfigError, realtime
from turnwire.realtime import RealtimeOptions, RealtimeSettings, addressing, options, sync

KEY: dict[str, Any] = {"api_key": "sk-secret"}
BOTH = pytest.mark.parametrize("connect", [realtime.connect, sync.connect], ids=["async", "sync"])


def url_of(**given: Any) -> str:
    return RealtimeOptions(**{**KEY, **given}).endpoint().url


@BOTH
def test_connect_has_the_parameters_of_the_options(connect: Any) -> None:
    shown = inspect.signature(connect).parameters.values()
    fields = inspect.signature(RealtimeOptions).parameters.values()
    assert [(one.name, one.default) for one in shown] == [(one.name, one.default) for one in fields]
    assert {one.kind for one in shown} == {inspect.Parameter.KEYWORD_ONLY}


@BOTH
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"modle": "m"}, "`modle` is not an option of a session; did you mean `model`?"),
        ({"zzz": 1}, "`zzz` is not an option of a session; they are model, session, "),
        ({"model": "m", "call_id": "rtc_1"}, "give `model` or `call_id`"),
        ({"auth": "cookie"}, "`auth` must be 'header' or 'subprotocol', not 'cookie'"),
        ({"overflow": "drop"}, "`overflow` must be 'drop_oldest', 'block' or 'error'"),
        ({"playback": "speaker"}, "`playback` must be 'clock', 'reported' or 'read'"),
        ({"playback": 3}, "`playback` must be 'clock', 'reported', 'read' or a Playhead"),
        ({"timeout": 0}, "`timeout` must be a number of seconds above 0"),
        ({"renew_margin": "5"}, "`renew_margin` must be a number of seconds, not str"),
        ({"buffer_bytes": 0}, "`buffer_bytes` must be at least 1"),
        ({"output_latency_ms": -1}, "`output_latency_ms` must be zero or more"),
        ({"require_ephemeral": "yes"}, "`require_ephemeral` must be True, False or None"),
        ({"session": "fast"}, "`session` must be a mapping, not str"),
        ({"session": {"tools": [print]}}, "Realtime tools are dicts in the shape of the wire"),
        ({"session": {"include": [print]}}, "it cannot be sent as JSON"),
        ({"voice": "marin"}, '`voice` is what the session is to be: session={"voice": …}'),
        ({"model": 3}, "`model` must be a text, not int"),
        ({"api_key": 3}, "`api_key` must be a text, or a function that returns one, not int"),
        ({"base_url": b"x"}, "`base_url` must be a text, not bytes"),
        ({"default_headers": {"x": 1}}, "`default_headers` must be a mapping of texts, not dict"),
        ({"reconnect": "no"}, "`reconnect` must be True or False, not str"),
        ({"settings": {}}, "`settings` must be a RealtimeSettings, not dict"),
        ({"backlog_ms": "1"}, "`backlog_ms` must be a number of milliseconds, not str"),
        ({"backlog_ms": 0}, "`backlog_ms` must be a number of milliseconds above 0, not 0"),
        ({"session": {"output_format": "mp3"}}, "`output_format` must be pcm16, g711_ulaw"),
        (
            {"settings": RealtimeSettings(overflow="block")},
            "`settings` says `overflow`; say `overflow` to `connect` instead",
        ),
        (
            {"settings": RealtimeSettings(dial_timeout=3)},
            "`settings` says `dial_timeout`; say `timeout` to `connect` instead",
        ),
    ],
)
def test_a_wrong_argument_is_refused_at_once(connect: Any, given: Any, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        connect(**{**KEY, **given})
    assert str(raised.value).startswith(said)


@BOTH
def test_arguments_have_names(connect: Any) -> None:
    with pytest.raises(ConfigError, match="`connect` takes its arguments by name"):
        connect("gpt-realtime-2.1")


def test_what_settings_have_alone_is_kept() -> None:
    settings = RealtimeSettings(chunk_ms=(40.0, 80.0))
    made = RealtimeOptions(settings=settings, timeout=3, overflow="error").machine_settings()
    expected = dataclasses.replace(settings, dial_timeout=3, overflow="error")
    assert made == expected


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "https://api.openai.com/v1/realtime?model=gpt-realtime-2.1"),
        ({"model": "m"}, "https://api.openai.com/v1/realtime?model=m"),
        ({"call_id": "rtc_1"}, "https://api.openai.com/v1/realtime?call_id=rtc_1"),
        (
            {"query": {"intent": "transcription"}},
            "https://api.openai.com/v1/realtime?intent=transcription",
        ),
        (
            {"base_url": "https://me.openai.azure.com/openai/v1", "model": "my deployment"},
            "https://me.openai.azure.com/openai/v1/realtime?model=my+deployment",
        ),
        (
            {"base_url": "wss://me.example/openai?api-version=1&deployment=d&flag="},
            "https://me.example/openai/realtime?api-version=1&deployment=d&flag=",
        ),
        (
            {"base_url": "http://localhost:8080/v1?model=a&x=1&x=2", "model": "b"},
            "http://localhost:8080/v1/realtime?x=1&x=2&model=b",
        ),
    ],
)
def test_the_url(given: Any, url: str) -> None:
    assert url_of(**given) == url


def test_without_a_key_the_service_is_not_dialled() -> None:
    with pytest.raises(ConfigError, match="no API key"):
        RealtimeOptions().endpoint()


@pytest.mark.parametrize("in_browser", [False, True])
@pytest.mark.parametrize("required", [None, False, True])
def test_an_ephemeral_key_is_required_where_it_is_shown(
    monkeypatch: pytest.MonkeyPatch, *, in_browser: bool, required: bool | None
) -> None:
    monkeypatch.setattr(options, "IN_BROWSER", in_browser)
    made = RealtimeOptions(require_ephemeral=required, **KEY)
    if in_browser if required is None else required:
        with pytest.raises(ConfigError, match="not an ephemeral one"):
            made.endpoint()
    else:
        assert made.endpoint().api_key == "sk-secret"
    short = RealtimeOptions(require_ephemeral=required, api_key="ek_1")
    assert short.endpoint().api_key == "ek_1"


def test_a_browser_sends_its_key_as_a_subprotocol(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RealtimeOptions(**KEY).protocols() is None
    monkeypatch.setattr(options, "IN_BROWSER", True)
    assert RealtimeOptions(**KEY).protocols() == ("realtime",)
    assert RealtimeOptions(auth="header", **KEY).protocols() is None


def test_the_platform_tells_a_browser() -> None:
    assert addressing.IN_BROWSER is False


def test_nothing_secret_is_shown() -> None:
    shown = repr(
        RealtimeOptions(
            api_key="sk-secret",
            base_url="https://user:secret@host/v1?sig=secret",
            session={"instructions": "a secret"},
            default_headers={"x": "secret"},
            safety_identifier="secret",
            query={"sig": "secret"},
            proxy="http://u:secret@proxy",
        )
    )
    assert "secret" not in shown
