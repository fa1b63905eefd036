"""Formats, G.711, and the voice that speaks and hears tones."""

from __future__ import annotations

from array import array

import pytest

from gateway.voice.story import Story, tone
from turnwire.gateway.voice import g711
from turnwire.gateway.voice.conversation import Item
from turnwire.gateway.voice.formats import PCM, PCMA, PCMU, AudioFormat
from turnwire.gateway.voice.hearing import heard_tones
from turnwire.gateway.voice.tones import TonesVoice, spoken

pytestmark = pytest.mark.interop


def test_lengths() -> None:
    assert (PCM.ms(4800), PCM.ms(1), PCMU.ms(160), PCMA.ms(8000)) == (100, 1 / 48, 20, 1000)
    assert (PCM.size_bytes(100), PCMU.size_bytes(20)) == (4800, 160)
    assert (PCMU.silence(1), PCMA.silence(1)) == (b"\xff" * 8, b"\xd5" * 8)


@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
def test_every_byte_of_g711_comes_back(law: g711.Law) -> None:
    there = g711.decoded(bytes(range(256)), law)
    back = g711.encoded(there, law)
    assert g711.decoded(back, law) == there
    # µ-law has two zeros, of which one is enough.
    assert sum(one != other for one, other in zip(back, range(256), strict=True)) == (
        law == "audio/pcmu"
    )


@pytest.mark.parametrize("law", ["audio/pcmu", "audio/pcma"])
def test_g711_is_as_near_as_its_steps_are(law: g711.Law) -> None:
    samples = array("h", range(-32768, 32768, 7))
    back = g711.decoded(g711.encoded(samples, law), law)
    # The upper steps are 1024 wide; the greatest value of either law is below 2^15.
    assert max(abs(a - b) for a, b in zip(samples, back, strict=True)) <= 644
    small = [(a, b) for a, b in zip(samples, back, strict=True) if abs(a) < 256]
    assert max(abs(a - b) for a, b in small) <= 8


# ITU-T G.711, tables 1 and 2: the ends and the middle of both laws, in 16-bit samples.
KNOWN = [
    ("audio/pcmu", {0x00: -32124, 0x80: 32124, 0x7F: 0, 0xFF: 0, 0xFE: 8, 0x7E: -8, 0xF0: 120}),
    ("audio/pcma", {0x2A: -32256, 0xAA: 32256, 0xD5: 8, 0x55: -8, 0xD4: 24, 0x54: -24, 0xC5: 264}),
]


@pytest.mark.parametrize(("law", "samples"), KNOWN)
def test_g711_is_the_standard_s(law: g711.Law, samples: dict[int, int]) -> None:
    assert list(g711.decoded(bytes(samples), law)) == list(samples.values())


@pytest.mark.parametrize("form", [PCM, PCMU, PCMA], ids=lambda form: form.type)
def test_a_word_is_one_tone(form: AudioFormat) -> None:
    said = spoken("alpha beta delta")
    audio = said.sound.audio(0, form.count(said.sound.ms), form)
    assert heard_tones(audio, form) == [500, 600, 400]
    assert [word.at_ms for word in said.words] == [0, 220, 440]
    assert said.text == "alpha beta delta"


def test_sound_is_the_same_however_it_is_cut() -> None:
    sound = spoken("one two three").sound
    whole = sound.audio(0, 15_000, PCM)
    assert b"".join(sound.audio(at, at + 1000, PCM) for at in range(0, 15_000, 1000)) == whole


def test_the_built_in_voice_tells_what_it_heard() -> None:
    story = Story(voice=TonesVoice())
    story.append(tone(200, hz=440) + PCM.silence(100) + tone(300, hz=880) + PCM.silence(600))
    done = story.quiet()[-1]["response"]
    text = done["output"][0]["content"][0]["transcript"]
    assert text == "I heard 2 tones of 440 Hz and 880 Hz in 1100 milliseconds."


def test_the_built_in_voice_answers_text_silence_and_nothing() -> None:
    story = Story(voice=TonesVoice())
    story.configure(output_modalities=["text"], audio={"input": {"turn_detection": None}})

    def answer() -> str:
        return story.respond()["output"][0]["content"][0]["text"]

    assert answer() == "Hello. I hear tones, and answer in tones."
    story.write("good day")
    assert answer() == "You wrote: good day"
    story.append(PCM.silence(500))
    story.send("input_audio_buffer.commit")
    assert answer() == "I heard silence in 500 milliseconds."


def test_the_built_in_voice_calls_a_function_that_is_named() -> None:
    story = Story(voice=TonesVoice())
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"type": "function", "name": "get_weather", "parameters": city}
    story.configure(tools=[tool])
    story.write("Please use get_weather for Oslo.")
    (call,) = story.respond()["output"]
    assert (call["type"], call["name"], call["arguments"]) == (
        "function_call",
        "get_weather",
        '{"city":"Oslo"}',
    )
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
    story.send("conversation.item.create", item=output)
    (item,) = story.respond()["output"]
    assert item["content"][0]["transcript"] == "The function returned: rain"


def test_speech_can_be_slower() -> None:
    story = Story(voice=TonesVoice())
    story.configure(audio={"output": {"speed": 0.5}})
    story.respond()
    (item,) = story.session.items
    assert isinstance(item, Item)
    assert item.tracks[0].ms == 8 * 2 * 220
