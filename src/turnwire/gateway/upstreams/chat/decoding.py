"""What a chat server says to deltas: pure.

Order is kept: reasoning, text and calls come out as they came in.  Calls end with the answer, since
servers may mix the pieces of several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.gateway.json_shapes import UNREADABLE, Json, is_array, is_object, object_or_empty
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.chat.calls import Calls
from turnwire.gateway.upstreams.chat.chunks import Choice, Chunk, Said, decode_chunk, decode_json
from turnwire.gateway.upstreams.chat.logprobs import wire_logprobs
from turnwire.gateway.upstreams.chat.reasoning import reasoning_in, text_in
from turnwire.gateway.upstreams.chat.thinking import ThinkTags
from turnwire.gateway.upstreams.chat.usage import usage_of_timings, usage_report
from turnwire.gateway.upstreams.deltas import (
    Finished,
    FinishReason,
    ReasoningDelta,
    ReasoningTextDelta,
    RefusalDelta,
    TextDelta,
)
from turnwire.gateway.upstreams.failures import failure_in_stream

if TYPE_CHECKING:
    from turnwire.gateway.upstreams.chat.options import ChatOptions
    from turnwire.gateway.upstreams.chat.thinking import Piece
    from turnwire.gateway.upstreams.chat.tools import ToolTable
    from turnwire.gateway.upstreams.deltas import Delta

# All others mean that the model came to its end.
_REASONS: Final[dict[str, FinishReason]] = {
    "length": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "model_length": "max_output_tokens",  # Mistral
    "content_filter": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
}
# And these, that the server gave up: vLLM and SGLang, OpenRouter, DeepSeek.
_GAVE_UP: Final = frozenset({"abort", "error", "insufficient_system_resource"})
_SHOWN_AS: Final[dict[str, type[ReasoningTextDelta | ReasoningDelta]]] = {
    "text": ReasoningTextDelta,
    "summary": ReasoningDelta,
}


class ChatDecoder:
    """Decodes one answer.

    Args:
        tools: Those of the prompt.
        secrets: What errors must not repeat.
    """

    def __init__(
        self, tools: ToolTable, options: ChatOptions, secrets: tuple[str, ...] = ()
    ) -> None:
        self._secrets = secrets
        self._calls = Calls(tools)
        tags = options.think_tags
        self._tags = None if tags == "off" else ThinkTags(inside=tags == "open")
        self._thought = _SHOWN_AS.get(options.reasoning)
        self._logprobs: list[Json] = []  # of text that the tags hold back
        self._usage: Any = None
        self._timings: Any = None
        self._reason = ""
        self._ended = False

    def feed(self, text: bytes) -> list[Delta]:
        """Take one JSON text of the answer.

        Raises:
            UpstreamFailed: It says so, or it is not what a chat server says.
        """
        try:
            chunk = decode_chunk(text)
        except UNREADABLE as error:
            return self._feed_lines(text, error)
        if chunk.usage or chunk.timings or chunk.x_groq or chunk.error or not chunk.choices:
            self._take_rest(chunk, text)
        for choice in chunk.choices or ():
            if not choice.index:  # the first of several answers, or the only one
                return self._take(choice)
        return []

    def end(self, *, done: bool) -> list[Delta]:
        """Return what is left once the answer has ended; without ``Finished`` if it was cut.

        Args:
            done: True if the server has said that the answer is complete.
        """
        deltas = self._end_text()
        if not (done or self._reason or self._ended):
            return deltas
        reason = _REASONS.get(self._reason.lower(), "stop")
        deltas += self._calls.end(whole=reason == "stop")
        if is_object(self._usage):
            deltas.append(usage_report(self._usage))
        elif is_object(self._timings):
            deltas.append(usage_report(usage_of_timings(self._timings)))
        return [*deltas, Finished(reason)]

    def _feed_lines(self, text: bytes, error: Exception) -> list[Delta]:
        """Take an event whose lines are events of their own, as without empty lines between."""
        lines = text.split(b"\n")
        if len(lines) == 1:
            raise UpstreamFailed(
                "The model server sent something that is not a chat completions chunk. Check that"
                " its address leads to an OpenAI-compatible server.",
                code="upstream_malformed",
            ) from error
        return [delta for line in lines if line.strip() for delta in self.feed(line)]

    def _take_rest(self, chunk: Chunk, text: bytes) -> None:
        """Take what stands beside the choices."""
        if chunk.error:
            raise failure_in_stream({"error": chunk.error}, self._secrets)
        if chunk.choices is None and (chunk.object == "error" or chunk.detail):
            raise failure_in_stream(decode_json(text), self._secrets)
        groq = object_or_empty(chunk.x_groq)
        usage = chunk.usage or groq.get("usage")
        if usage:
            self._usage = usage
            self._ended = self._ended or not chunk.choices
        self._timings = chunk.timings or self._timings

    def _take(self, choice: Choice) -> list[Delta]:
        said = choice.delta or choice.message
        if choice.finish_reason:
            self._finish(choice)
        if choice.usage:
            self._usage = choice.usage  # Moonshot
        if said is None:
            return []
        content = said.content
        if (
            self._tags is None
            and type(content) is str
            and choice.logprobs is None
            and not (said.tool_calls or said.reasoning_content or said.reasoning)
            and not (said.refusal or said.function_call or said.thinking or said.reasoning_details)
        ):
            return [TextDelta(content)] if content else []  # nearly all of them
        return self._take_all(said, choice.logprobs)

    def _finish(self, choice: Choice) -> None:
        reason: Any = choice.finish_reason
        if choice.error:
            raise failure_in_stream({"error": choice.error}, self._secrets)
        if reason in _GAVE_UP:
            raise UpstreamFailed(
                f"The model server gave the answer up ({reason}). Try again.",
                status=503,
                code="upstream_gave_up",
            )
        self._reason = str(reason)

    def _take_all(self, said: Said, logprobs: Any) -> list[Delta]:
        deltas: list[Delta] = []
        reasoning = reasoning_in(said)
        if reasoning:
            deltas += self._end_text(spoken=False)
            deltas += self._think(reasoning)
        if is_array(said.content):
            for part in said.content:
                deltas += self._take_part(object_or_empty(part))
        elif isinstance(said.content, str) and said.content:
            deltas += self._speak(said.content, wire_logprobs(logprobs))
        if isinstance(said.refusal, str) and said.refusal:
            deltas += [*self._end_text(), RefusalDelta(said.refusal)]
        if said.tool_calls or is_object(said.function_call):
            deltas += self._end_text(spoken=False)
            deltas += self._calls.feed(said.tool_calls)
            if is_object(said.function_call):
                deltas += self._calls.feed_legacy(said.function_call)
        return deltas

    def _take_part(self, part: Json) -> list[Delta]:
        text = text_in(part)
        if part.get("type") in {"thinking", "reasoning"}:
            return [*self._end_text(spoken=False), *self._think(text)]
        return self._speak(text, ())

    def _think(self, text: str) -> list[Delta]:
        return [self._thought(text)] if self._thought and text else []

    def _speak(self, text: str, logprobs: tuple[Json, ...]) -> list[Delta]:
        if self._tags is None:
            return [TextDelta(text, logprobs)] if text else []
        self._logprobs += logprobs
        pieces = self._tags.feed(text)
        if self._tags.passed:
            self._tags = None
        return self._said(pieces)

    def _said(self, pieces: list[Piece]) -> list[Delta]:
        deltas: list[Delta] = []
        for side, text in pieces:
            logprobs, self._logprobs = self._logprobs, []
            deltas += self._think(text) if side == "reasoning" else [TextDelta(text, (*logprobs,))]
        return deltas

    def _end_text(self, *, spoken: bool = True) -> list[Delta]:
        """Let go of what may have been a tag.

        Args:
            spoken: False if no text follows, so that white space means nothing.
        """
        tags, self._tags = self._tags, None
        if tags is None:
            return []
        if not spoken:
            tags.drop_space()
        return self._said(tags.end())
