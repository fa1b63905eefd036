"""Which file tools the scripted model uses next when it is told to ``EXPLORE``.

First a listing, then a search for a word of the question; then the files that real outputs named,
one a turn, those first that searches found; with every other file another search, for words of the
question and then for words that the files themselves contain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.events import encode
from turnwire.gateway.json_shapes import Json, array_or_empty, object_or_empty
from turnwire.gateway.upstreams.scripted.directives import Call
from turnwire.gateway.upstreams.scripted.findings import LIST, READ, SEARCH
from turnwire.gateway.upstreams.scripted.words import excerpt, meaningful_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.gateway.upstreams.scripted.situation import Output, Situation


TOOLS: Final = frozenset({LIST, READ, SEARCH})

_PATH_NAMES: Final = ("path", "file", "file_path", "filename", "folder", "directory", "root")
_WORD_NAMES: Final = ("text", "query", "pattern", "search", "needle", "term", "word")
_READS_A_SEARCH: Final = 2
_SHORTEST_WORD: Final = 4
_LONGEST_FINDING: Final = 160  # characters
_LINES_OF_A_FINDING: Final = 2


def next_calls(situation: Situation, tools: Mapping[str, Json]) -> tuple[Call, ...]:
    """Return the calls of the next turn; empty when enough were made.

    Args:
        situation: Of a message that says how many calls to make.
        tools: The three file tools by name.
    """
    left = situation.question.explore - situation.calls_made
    if left <= 0:
        return ()
    found = situation.findings
    if found.lists == 0:
        return (_call(tools[LIST], path="."),)
    file, word = found.next_file(), _word(situation)
    if file is None and found.lists <= len(found.folders):
        return (_call(tools[LIST], path=found.folders[found.lists - 1]),)
    if file is None and word is None:  # everything is known: look again at what there was
        file = found.read[situation.calls_made % len(found.read)] if found.read else "."
    calls: list[Call] = []
    if file is not None and (found.searches or word is None):
        calls.append(_call(tools[READ], path=file))
    if word is not None and (not calls or found.searches * _READS_A_SEARCH <= len(found.read)):
        calls.append(_call(tools[SEARCH], word=word))
    return tuple(calls[:left])


def _word(situation: Situation) -> str | None:
    asked = [w for w in meaningful_words(situation.question.question) if len(w) >= _SHORTEST_WORD]
    words = tuple(dict.fromkeys((*asked, *situation.findings.words)))
    done = situation.findings.searches
    return words[done] if done < len(words) else None


def _call(tool: Json, *, path: str | None = None, word: str | None = None) -> Call:
    """Call a tool with the names that its schema has for a path and for a text."""
    schema = object_or_empty(tool.get("parameters"))
    properties = object_or_empty(schema.get("properties"))
    required = [name for name in array_or_empty(schema.get("required")) if isinstance(name, str)]
    arguments: Json = {}
    for value, names in ((path, _PATH_NAMES), (word, _WORD_NAMES)):
        if value is not None:
            strings = [*(n for n in names if n in properties), *required, *properties, *names]
            arguments[strings[0]] = value
    return Call(tool["name"], encode(arguments).decode())


def findings_text(outputs: list[Output], question: str) -> str:
    """Quote from each output the lines that have to do with the question."""
    stems = meaningful_words(question)
    quotes = (f"{output.call}: {_finding(output.text, stems)}" for output in outputs)
    return "\n".join(quotes)


def _finding(text: str, stems: list[str]) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fitting = [line for line in lines if any(stem in line.lower() for stem in stems)]
    return excerpt(" / ".join((fitting or lines)[:_LINES_OF_A_FINDING]), _LONGEST_FINDING)
