"""What reaches stdout and stderr of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from turnwire.cli.screen import Screen
from turnwire.cli.terminal import console, harmless, one_line
from turnwire.events import Event, decode_event, encode


@pytest.fixture(autouse=True)
def _fresh_consoles() -> None:
    console.cache_clear()  # one made in another test would write to that test's streams


def event(kind: str, **members: Any) -> Event:
    return decode_event(encode({"type": kind, **members}))


def text(delta: str) -> Event:
    return event("response.output_text.delta", delta=delta)


def call(name: str, arguments: str) -> Event:
    item = {"type": "function_call", "call_id": "c", "name": name, "arguments": arguments}
    return event("response.output_item.done", item=item, output_index=0)


def thought(delta: str) -> Event:
    return event("response.reasoning_summary_text.delta", delta=delta)


def test_text_goes_to_stdout_and_ends_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(as_json=False) as screen:
        screen.show(text("Hel"))
        screen.show(text("lo"))
    assert capsys.readouterr() == ("Hello\n", "")


def test_a_line_that_is_ended_is_not_ended_again(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(as_json=False) as screen:
        screen.show(text("Hello\n"))
    assert capsys.readouterr().out == "Hello\n"


def test_refusals_are_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(as_json=False) as screen:
        screen.show(event("response.refusal.delta", delta="No."))
    assert capsys.readouterr().out == "No.\n"


def test_calls_go_to_stderr_on_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(as_json=False) as screen:
        screen.show(text("Let me look."))
        screen.show(call("read_file", '{"path":\n"a"}'))
        screen.show(text("Done."))
    assert capsys.readouterr() == ("Let me look.\nDone.\n", '→ read_file {"path": "a"}\n')


def test_a_call_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(as_json=False) as screen:
        screen.show(call("read\x1b[2Jfile", "\x9b31m" + "x" * 1000))
    assert capsys.readouterr().err == "→ read[2Jfile 31m" + "x" * 157 + "\n"


def test_reasoning_is_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(as_json=False) as screen:
        screen.show(thought("hm"))
    assert capsys.readouterr() == ("", "")


def test_reasoning_is_shown_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console(stderr=True), "_force_terminal", True)
    with Screen(as_json=False) as screen:
        screen.show(thought("Think\x1b[5m."))
        screen.show(text("Say."))
    out, err = capsys.readouterr()
    assert out == "Say.\n"
    assert "Think[5m." in err


def test_json_is_one_line_an_event_as_it_came(capsys: pytest.CaptureFixture[str]) -> None:
    pretty = decode_event(b'{"type":"new.event",\r\n "odd": "a\\nb", "x": 1.0}')
    with Screen(as_json=True) as screen:
        screen.show(pretty)
        screen.show(text("x"))
        screen.say("no text")
    assert capsys.readouterr() == (
        '{"type":"new.event",   "odd": "a\\nb", "x": 1.0}\n'.replace("   ", "   ")
        + '{"type":"response.output_text.delta","delta":"x"}\n',
        "",
    )


def test_said_text_tells_whether_deltas_came() -> None:
    with Screen(as_json=False) as screen:
        assert not screen.said_text
        screen.show(text("x"))
        assert screen.said_text


def test_control_characters_are_taken_out_and_letters_stay() -> None:
    assert harmless("a\tb\nc\x1b[1m\x07\x7f\x9bé😀") == "a\tb\nc[1mé😀"
    assert one_line("a\n  b\x1b") == "a b"
    assert len(one_line("x" * 1000)) == 500
