"""Which function the scripted model calls when the prompt does not say it in a directive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.events import encode
from turnwire.gateway.json_shapes import Json, array_or_empty, object_or_empty
from turnwire.gateway.upstreams.scripted.arguments import (
    PATH_WORDS,
    TEXT_WORDS,
    arguments_for,
)
from turnwire.gateway.upstreams.scripted.directives import Call
from turnwire.gateway.upstreams.scripted.evidence import Evidence, has_extension
from turnwire.gateway.upstreams.scripted.words import meaningful_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.gateway.input.parameters import Parameters


# What it counts for that a prompt and a function have something in common.
_NAME_WORD: Final = 3
_OTHER_WORD: Final = 1
_FILE: Final = 3
_FOLDER: Final = 3
_QUOTATION: Final = 2
_NAMED_THING: Final = 1
_LEAST: Final = 2

_FOLDER_WORDS: Final = frozenset({"folder", "directory", "directori"})


def usable_functions(parameters: Parameters) -> dict[str, Json]:
    """Return the function tools that the model may call, by name, in order."""
    if parameters.tool_choice == "none":
        return {}
    tools = [tool for tool in parameters.tools if tool["type"] == "function"]
    functions: dict[str, Json] = {tool["name"]: tool for tool in tools}
    choice = object_or_empty(parameters.tool_choice)
    if choice.get("type") == "function":
        name = str(choice.get("name"))
        return {name: functions.get(name, {"name": name})}
    if choice.get("type") == "allowed_tools":
        allowed = map(object_or_empty, array_or_empty(choice.get("tools")))
        names = {tool.get("name") for tool in allowed}
        return {name: tool for name, tool in functions.items() if name in names}
    return functions


def must_call(parameters: Parameters) -> bool:
    """Say whether ``tool_choice`` wants a call in any case."""
    choice = object_or_empty(parameters.tool_choice)
    named = choice.get("type") == "function" or choice.get("mode") == "required"
    return named or parameters.tool_choice == "required"


def chosen_call(functions: Mapping[str, Json], prompt: str, *, forced: bool) -> Call | None:
    """Return a call to the function that fits the prompt best, or None if none fits.

    Args:
        functions: By name; of equals the first one wins.
        prompt: What the user asked.
        forced: Take the best one even if it does not fit.
    """
    scores = {name: _score(function, prompt) for name, function in functions.items()}
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or (scores[best] < _LEAST and not forced):
        return None
    arguments = arguments_for(functions[best].get("parameters"), prompt)
    return Call(best, encode(arguments).decode())


def _score(function: Json, prompt: str) -> int:
    asked = set(meaningful_words(prompt))
    parameters = object_or_empty(function.get("parameters"))
    required = {str(name) for name in array_or_empty(parameters.get("required"))}
    name = set(meaningful_words(function["name"]))
    others = set(meaningful_words(f"{function.get('description')} {' '.join(required)}")) - name
    score = _NAME_WORD * len(name & asked) + _OTHER_WORD * len(others & asked)

    evidence = Evidence(prompt)
    path = evidence.path()
    if path and has_extension(path):
        score += _FILE * bool(PATH_WORDS & {*meaningful_words(" ".join(required))})
    elif path:
        score += _FOLDER * bool(_FOLDER_WORDS & (name | others))
    if evidence.quoted():
        score += _QUOTATION * bool(TEXT_WORDS & required)
    elif evidence.name() and required and score:
        score += _NAMED_THING
    return score
