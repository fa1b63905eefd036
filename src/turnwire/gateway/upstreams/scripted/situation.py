"""What the scripted model knows of a chain: a few facts, carried from turn to turn.

Facts are folded over items one by one, and what the chain's earlier links amount to is remembered,
so a turn costs what it adds, however long the chain is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from turnwire.gateway.input.items import text_of
from turnwire.gateway.upstreams.scripted.directives import Directives, read_directives
from turnwire.gateway.upstreams.scripted.findings import Findings
from turnwire.gateway.upstreams.scripted.words import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from turnwire.gateway.context import Context, Prompt
    from turnwire.gateway.json_shapes import Json


LONGEST_QUOTE: Final = 2000  # characters of one tool output
_LONGEST_CALL: Final = 80  # characters of a call, in a list of findings
_LONGEST_QUESTION: Final = 20_000  # characters of a user message that are looked at for words


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that waits for an output."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Output:
    """A tool's output.

    Attributes:
        before: The one before it, or None.
        call: The call that it answers, short enough for a line of text.
        text: Its beginning.
    """

    before: Output | None
    call: str
    text: str


@dataclass(frozen=True, slots=True)
class Situation:
    """A chain, seen from its end.

    Attributes:
        question: The last user message, read.
        user_text: The same, unread.
        calls_made: Calls since then.
        open_calls: Those that wait for an output.
        output: The last tool output since then, linked to those before it.
        findings: What the outputs since then told about files.
    """

    question: Directives = field(default_factory=Directives)
    user_text: str = ""
    calls_made: int = 0
    open_calls: tuple[OpenCall, ...] = ()
    output: Output | None = None
    findings: Findings = field(default_factory=Findings)

    def outputs(self) -> list[Output]:
        """Return the outputs since the last user message, oldest first."""
        found: list[Output] = []
        output = self.output
        while output is not None:
            found.append(output)
            output = output.before
        return found[::-1]

    def after(self, items: Iterable[Json]) -> Situation:
        """Return the situation after these items."""
        situation = self
        for item in items:
            situation = situation._after(item)
        return situation

    def _after(self, item: Json) -> Situation:
        kind: str = item["type"]
        if kind == "message":
            return self._asked(text_of(item)) if item.get("role") == "user" else self
        if kind == "function_call":
            call = OpenCall(item["call_id"], item["name"], item["arguments"])
            return replace(
                self, calls_made=self.calls_made + 1, open_calls=(*self.open_calls, call)
            )
        if kind == "function_call_output":
            return self._answered(item["call_id"], text_of(item))
        return self

    def _asked(self, text: str) -> Situation:
        directives = read_directives(text)
        question = excerpt(directives.question, _LONGEST_QUESTION)
        return Situation(
            question=replace(directives, question=question),
            user_text=excerpt(text, _LONGEST_QUESTION),
            open_calls=self.open_calls,
        )

    def _answered(self, call_id: str, text: str) -> Situation:
        call = next((call for call in self.open_calls if call.call_id == call_id), None)
        findings = self.findings
        if call and self.question.explore:
            findings = findings.after(call.name, call.arguments, text)
        shown = excerpt(f"{call.name} {call.arguments}", _LONGEST_CALL) if call else ""
        return replace(
            self,
            open_calls=tuple(other for other in self.open_calls if other is not call),
            output=Output(self.output, shown, excerpt(text, LONGEST_QUOTE)),
            findings=findings,
        )


class Situations:
    """Remembers the situation at the end of each link of the chains."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Context, Situation] = WeakKeyDictionary()

    def of(self, prompt: Prompt) -> Situation:
        """Return the situation after everything in a prompt."""
        return self._after_chain(prompt.parent).after(prompt.items)

    def _after_chain(self, context: Context | None) -> Situation:
        unread: list[Context] = []
        situation = Situation()
        for link in context.lineage() if context else ():
            known = self._known.get(link)
            if known is not None:
                situation = known
                break
            unread.append(link)
        for link in reversed(unread):
            situation = situation.after(link.items())
        if context is not None:
            self._known[context] = situation
        return situation
