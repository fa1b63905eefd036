"""Hugging Face's speech-to-speech as a Realtime server, for the tests: its words, our stubs behind.

The sockets, the sessions, the items, the responses, their cancelling: all that is theirs.  Only
the four models behind their queues are stood in for, as those are gigabytes.  Where it is loud
somebody speaks; what they said is ``a tone``; the answer repeats the last message, and sounds like
a saw.  A text with the name of a function calls it, and ``How many?`` is answered with the number
of messages.

Run by the Python of an environment that has the package; ends with its standard input.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from dataclasses import replace
from queue import Queue
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import uvicorn
from openai.types.realtime import RealtimeConversationItemFunctionCall
from openai.types.responses.response_function_tool_call import ResponseFunctionToolCall
from speech_to_speech.api.openai_realtime.pipeline_unit import PipelineUnit
from speech_to_speech.api.openai_realtime.service import RealtimeService
from speech_to_speech.api.openai_realtime.websocket_router import create_app
from speech_to_speech.LLM.chat import build_active_chat, make_assistant_message
from speech_to_speech.pipeline.cancel_scope import CancelScope
from speech_to_speech.pipeline.events import (
    AssistantOutputEvent,
    AssistantResponseDoneEvent,
    SpeechStartedEvent,
    SpeechStoppedEvent,
    TranscriptionCompletedEvent,
)
from speech_to_speech.pipeline.history import ResponseHistory
from speech_to_speech.pipeline.messages import (
    AUDIO_RESPONSE_DONE,
    AssistantTextPart,
    AssistantToolCallPart,
    AudioOutput,
    GenerateResponseRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE: Final = 16_000  # of its queues; on the wire it has what the session says
LOUD: Final = 500.0
PAUSE_MS: Final = 200.0
WORD_MS: Final = 500
PIECE_MS: Final = 40
SPEED: Final = 8.0  # of speaking, against playing; of long answers, so that they can be stopped
LONG_WORDS: Final = 20


class Unit:
    """One of its pipelines, with stand-ins for its models."""

    def __init__(self) -> None:
        self.scope = CancelScope()
        self.listen, self.playing = threading.Event(), threading.Event()
        self.heard: Queue[Any] = Queue()
        self.said: Queue[Any] = Queue()
        self.told: Queue[Any] = Queue()
        self.asked: Queue[Any] = Queue()
        self.service = RealtimeService(
            text_prompt_queue=self.asked, should_listen=self.listen, chat_size=50
        )

    def pipeline(self) -> PipelineUnit:
        for each in (self.hear, self.think):
            threading.Thread(target=each, daemon=True).start()
        self.listen.set()
        return PipelineUnit(
            index=0,
            service=self.service,
            cancel_scope=self.scope,
            should_listen=self.listen,
            response_playing=self.playing,
            input_queue=self.heard,
            output_queue=self.said,
            text_output_queue=self.told,
            text_prompt_queue=self.asked,
            handlers=[],
        )

    def hear(self) -> None:
        """Find out where somebody speaks."""
        at_ms, began_ms, quiet_ms = 0.0, None, 0.0
        while True:
            given = self.heard.get()
            if not isinstance(given, tuple):  # the session ends: pass it on
                at_ms, began_ms = 0.0, None
                self.asked.put(given)
                continue
            samples = np.frombuffer(given[0], dtype=np.int16).astype(np.float64)
            at_ms += len(samples) * 1000 / RATE
            loud = bool(len(samples)) and np.sqrt(np.mean(samples**2)) >= LOUD
            quiet_ms = 0.0 if loud else quiet_ms + len(samples) * 1000 / RATE
            if loud and began_ms is None:
                began_ms = at_ms
                self.told.put(SpeechStartedEvent(audio_start_ms=int(at_ms)))
            elif began_ms is not None and quiet_ms >= PAUSE_MS:
                spoken = SpeechStoppedEvent(
                    duration_s=(at_ms - began_ms) / 1000, audio_end_ms=int(at_ms)
                )
                began_ms = None
                self.told.put(spoken)
                self.told.put(TranscriptionCompletedEvent(transcript="a tone"))

    def think(self) -> None:
        """Answer each question."""
        while True:
            question = self.asked.get()
            if isinstance(question, GenerateResponseRequest):
                self.answer(question)
            else:
                self.said.put(question)

    def answer(self, question: GenerateResponseRequest) -> None:
        generation, key = self.scope.generation, question.response_key
        parts = list(self.parts(question))
        common = {"cancel_generation": generation, "response_key": key}
        history = ResponseHistory.capture(
            question.runtime_config.chat,
            [item_of(part) for part in parts],
            after_item_id=question.runtime_config.chat.history_anchor_id(),
        )
        self.said.put(AssistantOutputEvent(parts=parts, history=history, **common))
        words = [word for part in parts if part.type == "text" for word in part.text.split()]
        pieces = len(words) * WORD_MS // PIECE_MS if speaks(question) else 0
        for number in range(pieces):
            if self.scope.is_stale(generation):
                break
            self.said.put(AudioOutput(audio=saw(number), **common))
            if len(words) >= LONG_WORDS:
                threading.Event().wait(PIECE_MS / 1000 / SPEED)
        whole = replace(history, complete=True)
        self.said.put(AssistantResponseDoneEvent(history=whole, **common))
        self.said.put(AudioOutput(audio=AUDIO_RESPONSE_DONE, **common))

    def parts(self, question: GenerateResponseRequest) -> Iterator[Any]:
        session = question.runtime_config.session
        role, text, count = last_of(question)
        for tool in session.tools or []:
            name = tool.get("name") if isinstance(tool, dict) else tool.name
            if name and role == "user" and name in text.split():
                call = ResponseFunctionToolCall(
                    type="function_call",
                    call_id="call_1",
                    name=name,
                    arguments=json.dumps({"city": "Oslo"}),
                )
                yield AssistantToolCallPart(tool=call)
                return
        yield AssistantTextPart(text=str(count) if text == "How many?" else f"You said: {text}")


def last_of(question: GenerateResponseRequest) -> tuple[str, str, int]:
    """Return who spoke last, what they said, and how many messages there are with it."""
    chat = build_active_chat(question.runtime_config.chat, question.response)
    messages = [each for each in chat.to_transformers_chat() if each["role"] != "system"]
    message = messages[-1]
    content = message.get("content") or ""
    if not isinstance(content, str):
        content = " ".join(part.get("text", "") for part in content)
    # It joins what the user said in several messages that nobody answered.
    return message["role"], content.split("\n")[-1], len(messages)


def item_of(part: Any) -> Any:
    """Return what its history keeps of a part of an answer."""
    if part.type == "text":
        return make_assistant_message(part.text)
    return RealtimeConversationItemFunctionCall(
        type="function_call",
        call_id=part.tool.call_id,
        name=part.tool.name,
        arguments=part.tool.arguments,
    )


def speaks(question: GenerateResponseRequest) -> bool:
    """Say whether the answer is to be heard."""
    for asked in (question.response, question.runtime_config.session):
        modalities = getattr(asked, "output_modalities", None)
        if modalities is not None:
            return "audio" in modalities
    return True


def saw(number: int) -> Any:
    """Return a piece of a tone."""
    count = RATE * PIECE_MS // 1000
    at = np.arange(number * count, (number + 1) * count)
    return ((at % 80 - 40) * 100).astype(np.int16)


def main() -> None:
    """Serve until the standard input ends."""
    stop = threading.Event()
    units = [Unit() for _ in range(16)]  # one that is left is free again after a while
    app = create_app(pool=[unit.pipeline() for unit in units], stop_event=stop)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    listening = socket.create_server(("127.0.0.1", 0))

    def until_end() -> None:
        sys.stdin.read()
        stop.set()
        server.should_exit = True

    threading.Thread(target=until_end, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
