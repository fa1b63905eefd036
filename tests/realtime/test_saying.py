"""What is said in the shape of the wire, too much at once, or in very long pieces."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest

from realtime.support import talk, told, until
from turnwire import ConfigError, QueueFull
from turnwire.core.realtime.uplink import NoRoom
from turnwire.realtime import SpeakerPlayhead, Transcript

ITEM = {"type": "message", "role": "user", "content": []}


@pytest.mark.io
@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"type": "session.update", "session": None}, "`session` .* is an object, not null"),
        ({"type": "session.update", "session": {1: 2}}, "an object whose keys are texts, not int"),
        ({"type": "conversation.item.create", "item": None}, "`item` .* is an object, not null"),
        ({"type": "conversation.item.create", "item": "x"}, "`item` .* is an object, not str"),
        (
            {"type": "conversation.item.create", "item": ITEM, "previous_item_id": 1},
            "`previous_item_id` .* is a text, not int",
        ),
        ({"type": "conversation.item.delete", "item_id": None}, "`item_id` .* is a text, not null"),
        ({"type": "conversation.item.delete", "item_id": ["x"]}, "is a text, not list"),
        ({"type": "conversation.item.retrieve", "item_id": 3}, "`item_id` .* is a text, not int"),
        (
            {
                "type": "conversation.item.truncate",
                "item_id": "x",
                "content_index": 0,
                "audio_end_ms": "abc",
            },
            "`audio_end_ms` .* is a number, not str",
        ),
        ({"type": "response.create", "response": [1]}, "`response` .* is an object, not list"),
        ({"type": "response.cancel", "response_id": 1}, "`response_id` .* is a text, not int"),
        ({"type": "input_audio_buffer.append", "audio": None}, "`audio` .* is a text, not null"),
        ({"type": "input_audio_buffer.append", "audio": "ä"}, "not base64"),
        ({"type": "input_audio_buffer.append"}, "needs `audio`"),
        ("response.create", "needs a `type`"),
    ],
)
async def test_an_event_of_a_wrong_shape_is_refused(event: Any, said: str) -> None:
    async with talk() as (rt, server):
        before = len(told(server))
        with pytest.raises(ConfigError, match=said):
            rt.send(event)
        await rt.update_session(instructions="after it")
        assert len(told(server)) == before + 1


WISHES = {
    "create_item": lambda rt: rt.create_item(ITEM),
    "delete_item": lambda rt: rt.delete_item("x"),
    "retrieve_item": lambda rt: rt.retrieve_item("x"),
    "truncate_item": lambda rt: rt.truncate_item("x", 0, 1),
    "reset_history": lambda rt: rt.reset_history([]),
    "ask_response": lambda rt: rt.request_response(),
    "cancel_response": lambda rt: rt.cancel_response(),
    "interrupt": lambda rt: rt.interrupt(),
    "update_session": lambda rt: rt.update_session(instructions="x"),
    "renew": lambda rt: rt.renew(),
    "send": lambda rt: rt.send({"type": "x.new"}),
    "commit": lambda rt: rt.commit(),
    "clear": lambda rt: rt.clear(),
}


@pytest.mark.io
@pytest.mark.parametrize("wish", WISHES)
async def test_what_has_no_room_is_refused(wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise NoRoom

    async with talk() as (rt, _):
        with monkeypatch.context() as patch:
            patch.setattr(rt._machine, wish, full)
            with pytest.raises(QueueFull, match="may wait to be sent apart from audio") as raised:
                WISHES[wish](rt)
        assert raised.value.limit_bytes == rt._machine.settings.control_bytes


@pytest.mark.io
async def test_a_long_file_is_not_copied_for_each_piece() -> None:
    audio = bytes(20 * 2**20)
    async with talk() as (rt, _):
        tracemalloc.start()
        feeding = asyncio.create_task(rt.feed(audio))
        await until(lambda: rt.backlog_ms > 0)
        _, most_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    assert most_bytes < len(audio) / 2


@pytest.mark.io
async def test_a_function_that_waited_for_what_was_cancelled_silences_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    job: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    job.cancel()
    heard: list[str] = []

    async def waits(_: Any) -> None:
        await job

    async with talk() as (rt, _):
        rt.on("session.updated", waits)
        rt.on("response.done", lambda event: heard.append(event.type))
        await rt.update_session(instructions="x")
        await rt.request_response()
        await until(lambda: heard)
    assert "a function that listens to session.updated failed" in caplog.text


def test_words_are_not_in_what_is_printed_of_a_transcript() -> None:
    printed = repr(Transcript("user", "item_1", "secret", final=True))
    assert printed == "Transcript(role='user', item_id='item_1', final=True)"


def test_a_speaker_can_be_a_playhead() -> None:
    assert SpeakerPlayhead.__module__ == "turnwire.realtime.devices"
