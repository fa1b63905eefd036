"""A Realtime session that was recorded is played again, whole or without what was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from turnwire import ConnectionLost, TurnError
from turnwire.audio import tone
from turnwire.realtime import RealtimeSettings, connect
from turnwire.recording import Recorder
from turnwire.testing import Replay
from turnwire.testing.realtime import RealtimeServer, counted, reply

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.io

KEY = "a-key-that-nobody-is-to-know"
WORDS = "What nobody else is to know."
HEARD = tone(440, 330)


async def talk(base_url: str, words: str = WORDS, **options: Any) -> list[str]:
    """Say something, be answered, take something back; return what was told."""
    async with connect(
        base_url=base_url, api_key=KEY, session={"turn_detection": None}, **options
    ) as rt:
        told = rt.events()
        rt.send_audio(HEARD)
        rt.commit()
        item = rt.send_message(words, respond=False)
        await item
        await rt.request_response()
        await rt.delete_item(item.item_id)
        types: list[str] = []
        async for event in told:
            types.append(event.type)
            if event.type == "conversation.item.deleted":
                return types
    raise AssertionError


@pytest.fixture(params=[False, True], ids=["whole", "redacted"])
async def recorded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, list[str]]:
    path = tmp_path / "talk.jsonl"
    async with (
        RealtimeServer(reply(counted(200)), speed=1000) as server,
        Recorder(server.http_url, path, redact_content=request.param) as recorder,
    ):
        told = await talk(recorder.base_url)
    text = path.read_text(encoding="utf-8")
    assert (KEY in text, WORDS in text) == (False, not request.param)
    return path, told


@pytest.mark.parametrize("chunk_ms", [(20, 100), (20, 40)])
async def test_it_goes_the_same_way_again(
    recorded: tuple[Path, list[str]], chunk_ms: tuple[int, int]
) -> None:
    path, told = recorded
    async with Replay(path) as replay:
        assert await talk(replay.base_url, settings=RealtimeSettings(chunk_ms=chunk_ms)) == told


async def test_who_says_something_else_is_told(recorded: tuple[Path, list[str]]) -> None:
    path, _ = recorded
    with pytest.raises((ConnectionLost, TurnError)) as raised:  # whichever comes first
        async with Replay(path) as replay:
            await talk(replay.base_url, "Else.")
    (report,) = raised.value.__notes__
    assert "$.item.content[0].text" in report
