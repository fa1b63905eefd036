"""The model that is built in: deterministic, without a network, answering real input.

What it does with which input is in docs/reference/scripted-model.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from turnwire.gateway.input.tokens import estimated_usage
from turnwire.gateway.upstreams.deltas import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Delta,
    Finished,
    ReasoningDelta,
    TextDelta,
)
from turnwire.gateway.upstreams.scripted.answers import answer_of, next_calls_of
from turnwire.gateway.upstreams.scripted.situation import Situations
from turnwire.gateway.upstreams.scripted.words import excerpt, pieces

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.scripted.directives import Call
    from turnwire.gateway.upstreams.scripted.situation import Situation

__all__ = ["ScriptedUpstream"]

_ARGUMENT_PIECE: Final = 16  # characters
_BURST: Final = 8  # pieces between two chances for everybody else


class ScriptedUpstream:
    """Serves any model name with the scripted model.

    Args:
        sleep: Waits for so many seconds, and lets others run.
    """

    models = ("turnwire-demo",)

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._situations = Situations()

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        """Answer a prompt, piece by piece."""
        situation = self._situations.of(prompt)
        calls = next_calls_of(situation, prompt.parameters)
        pace = situation.question.pace
        limit = prompt.parameters.max_output_tokens
        said = reasoned = 0
        for delta in _deltas(prompt, situation, calls):
            if not isinstance(delta, CallStarted | CallEnded):
                if said == limit:
                    break
                if pace or said % _BURST == _BURST - 1:
                    await self._sleep(pace)
                said += 1
                reasoned += isinstance(delta, ReasoningDelta)
            yield delta
        else:
            limit = None
        yield estimated_usage(prompt, output_tokens=said, reasoning_tokens=reasoned)
        yield Finished("stop" if limit is None else "max_output_tokens")


def _deltas(prompt: Prompt, situation: Situation, calls: tuple[Call, ...]) -> Iterator[Delta]:
    reasoning = prompt.parameters.reasoning or {}
    if reasoning.get("summary") or reasoning.get("generate_summary"):
        yield from map(ReasoningDelta, pieces(_thought(situation, calls)))
    for index, call in enumerate(calls):
        yield CallStarted(index, call.name)
        for start in range(0, len(call.arguments), _ARGUMENT_PIECE):
            yield ArgumentsDelta(index, call.arguments[start : start + _ARGUMENT_PIECE])
        yield CallEnded(index)
    if not calls:
        answer = answer_of(situation, prompt.parameters, prompt.item_count)
        yield from map(TextDelta, pieces(answer))


def _thought(situation: Situation, calls: tuple[Call, ...]) -> str:
    asked = excerpt(situation.question.question, 120)
    seen = len(situation.outputs())
    plan = f"calling {', '.join(call.name for call in calls)}" if calls else "answering"
    return f'The user asks: "{asked}". Tool outputs seen: {seen}. Next: {plan}.'
