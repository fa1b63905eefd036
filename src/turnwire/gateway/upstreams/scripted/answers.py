"""What the scripted model does next: calls, or a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.events import encode
from turnwire.gateway.json_shapes import is_object, object_or_empty
from turnwire.gateway.upstreams.scripted.arguments import arguments_for
from turnwire.gateway.upstreams.scripted.choosing import chosen_call, must_call, usable_functions
from turnwire.gateway.upstreams.scripted.directives import Call, next_step
from turnwire.gateway.upstreams.scripted.exploring import TOOLS, findings_text, next_calls
from turnwire.gateway.upstreams.scripted.situation import LONGEST_QUOTE
from turnwire.gateway.upstreams.scripted.words import excerpt

if TYPE_CHECKING:
    from turnwire.gateway.input.parameters import Parameters
    from turnwire.gateway.upstreams.scripted.situation import Situation

FINAL: Final = "FINAL after tool: \n"

_SAYING: Final = (
    "one lane carries each turn and every event finds its way home while the socket stays open"
)
_LONGEST_ECHO: Final = 400  # characters of the question in a plain answer
_LONGEST_FINAL: Final = 20_000  # characters of all quoted outputs together
_SHORTEST_QUOTE: Final = 80  # characters of one of very many outputs


def next_calls_of(situation: Situation, parameters: Parameters) -> tuple[Call, ...]:
    """Return the calls that the model makes now; empty if it answers."""
    if parameters.tool_choice == "none":
        return ()
    question = situation.question
    functions = usable_functions(parameters)
    calls = next_step(question.steps, situation.calls_made)
    if not calls and question.explore and functions.keys() >= TOOLS:
        calls = next_calls(situation, functions)
    if not calls and functions:
        forced = must_call(parameters)
        if forced or not _has_answer(situation):
            call = chosen_call(functions, question.question, forced=forced)
            calls = (call,) if call else ()
    return calls if parameters.parallel_tool_calls else calls[:1]


def _has_answer(situation: Situation) -> bool:
    """Say whether the user's message needs no tool any more, or asks for none."""
    question = situation.question
    told = bool(question.steps) or bool(question.explore) or question.words is not None
    return told or situation.output is not None


def answer_of(situation: Situation, parameters: Parameters, item_count: int) -> str:
    """Return what the model says when it makes no calls, in the form that ``text.format`` asks for.

    Args:
        situation: The chain, seen from its end.
        parameters: Of this turn.
        item_count: Items of the whole input, which a plain answer names as a proof.
    """
    form = object_or_empty((parameters.text or {}).get("format"))
    schema = form.get("schema")
    if form.get("type") == "json_schema" and is_object(schema):
        seen = [situation.user_text, *(output.text for output in situation.outputs())]
        return encode(arguments_for(schema, "\n".join(seen))).decode()
    plain = _plain_answer(situation, item_count)
    return encode({"answer": plain}).decode() if form.get("type") == "json_object" else plain


def _plain_answer(situation: Situation, item_count: int) -> str:
    outputs = situation.outputs()
    question = situation.question
    if outputs and question.explore:
        return FINAL + findings_text(outputs, question.question)
    if outputs:
        longest = min(max(_LONGEST_FINAL // len(outputs), _SHORTEST_QUOTE), LONGEST_QUOTE)
        return FINAL + "\n".join(excerpt(output.text, longest) for output in outputs)
    if question.words is not None:
        return _words(question.words)
    echo = excerpt(situation.user_text.strip(), _LONGEST_ECHO)
    items = "1 item" if item_count == 1 else f"{item_count} items"
    return f'You said: "{echo}". The context holds {items}.'


def _words(count: int) -> str:
    vocabulary = _SAYING.split()
    rounds = -(-count // len(vocabulary))
    return " ".join((vocabulary * rounds)[:count])
