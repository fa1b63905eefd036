"""Our transport with Realtime servers that others wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from interop.gateway.programs import turnwire_serve
from interop.realtime import programs
from interop.realtime.talks import LONG, RATE, SILENCE, VAD, WEATHER, dial, texts, tone, until
from turnwire.errors import ProgressTimeout, TurnError, TurnwireError
from turnwire.realtime import RealtimeSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interop.realtime.programs import Served

pytestmark = [
    pytest.mark.interop,
    pytest.mark.io,
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.timeout(90),  # LiteLLM's proxy takes its time to start
]

ALL: Final = ("aimock", "litellm", "speech_to_speech")
SPEAKING: Final = ("litellm", "speech_to_speech")  # aimock has text and functions
WORDS: Final = {"litellm": "You wrote: ", "aimock": "You said: ", "speech_to_speech": "You said: "}
TEXT: Final = {"output_modalities": ["text"], "turn_detection": None}
ANSWERS: Final[tuple[Any, ...]] = (
    {
        "match": {"userMessage": "weather", "hasToolResult": False},
        "response": {
            "toolCalls": [{"id": "call_1", "name": "weather", "arguments": '{"city": "Oslo"}'}]
        },
    },
    {"match": {"userMessage": "weather"}, "response": {"content": "So: rain"}},
    {"match": {"userMessage": "hello"}, "response": {"content": "You said: hello"}},
    {"match": {"userMessage": "again"}, "response": {"content": "You said: again"}},
)


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with programs.aimock(tmp_path_factory.mktemp("aimock"), ANSWERS) as served:
        yield served


@pytest.fixture(scope="module")
def litellm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("litellm")
    with turnwire_serve(folder) as behind, programs.litellm(folder, behind.url) as served:
        yield served


@pytest.fixture(scope="module")
def speech_to_speech(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with programs.speech_to_speech(tmp_path_factory.mktemp("speech")) as served:
        yield served


@pytest.fixture
def served(name: str, request: pytest.FixtureRequest) -> Served:
    return request.getfixturevalue(name)


@pytest.mark.parametrize("name", ALL)
async def test_a_turn_in_text(served: Served, name: str) -> None:
    async with dial(served, session=TEXT, wait_for="updated") as rt:
        await rt.update_session(instructions="Be brief.")
        await rt.send_message("hello", respond=False)
        response = await rt.request_response()
        assert response.status == "completed"
        assert texts(rt) == [("user", "hello"), ("assistant", f"{WORDS[name]}hello")]
        assert rt.session["instructions"] == "Be brief."


@pytest.mark.parametrize("name", ALL)
async def test_a_function_is_called_and_answered(served: Served, name: str) -> None:
    async with dial(served, session={**TEXT, "tools": [WEATHER]}) as rt:
        events, ends = rt.events(), rt.events()
        rt.send_message("weather please")
        call = await until(events, "function_call")
        assert call.name == "weather"
        await rt.send_function_output(call, "rain")
        await until(ends, "response.done", 2)
        assert texts(rt)[-1][0] == "assistant"
        assert texts(rt)[-1][1].endswith("rain")


@pytest.mark.parametrize("name", ALL)
async def test_a_renewed_session_goes_on_with_the_talk(served: Served, name: str) -> None:
    async with dial(served, session=TEXT) as rt:
        events = rt.events()
        rt.send_message("hello")
        await until(events, "response.done")
        rt.renew()
        renewed = await until(events, "reconnected")
        assert (renewed.generation, renewed.seeded_items, renewed.lost) == (2, 2, [])
        rt.send_message("again")
        await until(events, "response.done")
        said = [text for _, text in texts(rt)]
        assert said == ["hello", f"{WORDS[name]}hello", "again", f"{WORDS[name]}again"]


async def test_a_renewed_session_knows_what_was_said(speech_to_speech: Served) -> None:
    async with dial(speech_to_speech, session=TEXT) as rt:
        events = rt.events()
        rt.send_message("hello")
        await until(events, "response.done")
        rt.renew()
        await until(events, "reconnected")
        rt.send_message("How many?")
        await until(events, "response.done")
        assert texts(rt)[-1] == ("assistant", "3")


@pytest.mark.parametrize("name", SPEAKING)
async def test_a_turn_in_speech(served: Served, name: str) -> None:
    session = {"turn_detection": VAD, "transcription": {"model": "gpt-transcribe"}}
    async with dial(served, session=session) as rt:
        events, ends, sound = rt.events(), rt.events(), rt.audio()
        rt.send_audio(tone(400) + SILENCE)
        await until(events, "input_audio_buffer.speech_started")
        heard = await until(events, "conversation.item.input_audio_transcription.completed")
        assert heard.transcript.startswith("a tone")
        await until(ends, "response.done")
        assert await anext(sound)
        assert [role for role, _ in texts(rt)] == ["user", "assistant"]


@pytest.mark.parametrize("name", SPEAKING)
async def test_a_barge_in_says_how_much_was_heard(served: Served, name: str) -> None:
    session = {"turn_detection": VAD}
    async with dial(served, session=session, playback="reported") as rt:
        events, ends = rt.events(), rt.events()
        rt.send_message(LONG)
        delta = await until(events, "response.output_audio.delta", 5)
        rt.played(2 * RATE // 10)
        rt.send_audio(tone(400) + SILENCE)
        cut = await until(events, "audio_interrupted")
        assert (cut.item_id, cut.heard_ms) == (delta.item_id, 100)
        first = await until(ends, "response.done")
        assert (first.response_id, first.response.status) == (delta.response_id, "cancelled")
        second = await until(ends, "response.done")
        assert second.response.status == "completed"
        figures = rt.statistics()
        assert (figures.interruptions, figures.truncates, figures.truncate_errors) == (1, 1, 0)


@pytest.mark.parametrize("name", SPEAKING)
async def test_an_answer_is_stopped(served: Served, name: str) -> None:
    async with dial(served, session={"turn_detection": None}, playback="reported") as rt:
        events = rt.events()
        rt.send_message(LONG, respond=False)
        answer = rt.request_response()
        await until(events, "response.output_audio.delta", 5)
        rt.played(2 * RATE // 10)
        assert rt.interrupt() is True
        assert (await answer).status == "cancelled"
        (part,) = rt.heard
        assert (part.heard_ms, part.interrupted) == (100, True)
        rt.send_message("hello")
        assert (await until(events, "response.done", 2)).response.status == "completed"


async def test_what_a_server_does_not_know_fails_alone(speech_to_speech: Served) -> None:
    async with dial(speech_to_speech, session=TEXT) as rt:
        events = rt.events()
        item = rt.send_message("hello")
        await until(events, "response.done")
        with pytest.raises(TurnError, match=r"conversation\.item\.retrieve"):
            await rt.retrieve_item(item.item_id)
        rt.send_message("again")
        assert (await until(events, "response.done")).response.status == "completed"


async def test_a_server_that_does_not_answer_is_given_up(aimock: Served) -> None:
    async with dial(aimock, session=TEXT, settings=RealtimeSettings(answer_timeout=0.1)) as rt:
        events = rt.events()
        item = rt.send_message("hello")
        await until(events, "response.done")
        with pytest.raises(ProgressTimeout):
            await rt.delete_item(item.item_id)
        rt.send_message("again")
        assert (await until(events, "response.done")).response.status == "completed"


async def test_a_key_may_come_as_a_subprotocol(speech_to_speech: Served) -> None:
    async with dial(speech_to_speech, session=TEXT, auth="subprotocol") as rt:
        events = rt.events()
        rt.send_message("hello")
        assert (await until(events, "response.done")).response.status == "completed"


async def test_an_answer_that_fails_says_why(aimock: Served) -> None:
    async with dial(aimock, session=TEXT) as rt:
        rt.send_message("nobody knows", respond=False)
        response = await rt.request_response()
        assert response.status == "failed"
        assert response.status_details.error.code == "no_fixture_match"


async def test_the_beta_is_switched_off(aimock: Served) -> None:
    beta = {"OpenAI-Beta": "realtime=v1"}
    with pytest.raises(TurnwireError, match="OpenAI-Beta"):
        async with dial(aimock, session=TEXT, default_headers=beta):
            pass
