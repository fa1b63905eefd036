"""Arguments from a prompt, by a JSON schema."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwire.gateway.upstreams.scripted.arguments import arguments_for
from turnwire.gateway.upstreams.scripted.evidence import has_extension, paths_in

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def filled(prompt: str, *required: str, **properties: Any) -> dict[str, Any]:
    """Fill a schema in which everything is required unless names are given."""
    schema = {"type": "object", "properties": properties, "required": required or [*properties]}
    return arguments_for(schema, prompt)


@pytest.mark.parametrize(
    ("prompt", "name", "kind", "value"),
    [
        ("Read docs/howto/gateway.md, please.", "path", STRING, "docs/howto/gateway.md"),
        ("What is in README.md?", "file_path", STRING, "README.md"),
        ("List src/", "folder", STRING, "src/"),
        ('Search for "a b"', "query", STRING, "a b"),
        ("Search for `x()`", "pattern", STRING, "x()"),
        ("The weather in New York?", "city", STRING, "New York"),
        ("The weather in paris?", "city", STRING, "paris"),
        ("See https://example.com/a?b=1.", "url", STRING, "https://example.com/a?b=1"),
        ("Write to ada@example.com.", "recipient", STRING, "ada@example.com"),
        ("On 2026-12-24, please", "date", STRING, "2026-12-24"),
        ("city: Oslo, units: metric", "units", STRING, "metric"),
        ('Send it with subject "Hi there"', "subject", STRING, "Hi there"),
        ("Give me 5 of them", "limit", INTEGER, 5),
        ("the 3 best, limit 7", "limit", INTEGER, 7),
        ("Add 2.5", "a", {"type": "number"}, 2.5),
        ("minus -4", "a", INTEGER, -4),
        ("in Fahrenheit", "units", {"enum": ["celsius", "fahrenheit"]}, "fahrenheit"),
        ("sorted descending", "order", {"enum": ["ascend", "descend"]}, "descend"),
        ("be verbose", "verbose", {"type": "boolean"}, True),
        ("do not be verbose", "verbose", {"type": "boolean"}, False),
        ("a.txt and b.txt", "paths", {"type": "array", "items": STRING}, ["a.txt", "b.txt"]),
        ("1, 2 and 3", "numbers", {"type": "array", "items": INTEGER}, [1, 2, 3]),
        ("anything", "mode", {"const": "fast"}, "fast"),
        ("level: 5", "level", {}, "5"),
        (
            "move it to 3",
            "target",
            {"type": "object", "properties": {"x": INTEGER}},
            {"x": 3},
        ),
        ("in Oslo", "city", {"anyOf": [{"type": "null"}, STRING]}, "Oslo"),
        ("in Oslo", "city", {"type": ["null", "string"]}, "Oslo"),
    ],
)
def test_what_the_prompt_shows_is_taken(
    prompt: str, name: str, kind: dict[str, Any], value: object
) -> None:
    assert filled(prompt, **{name: kind}) == {name: value}


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("query", STRING, "Go on."),
        ("path", STRING, "."),
        ("limit", INTEGER, 0),
        ("limit", {"type": "integer", "minimum": 1}, 1),
        ("limit", {"type": "integer", "default": 10}, 10),
        ("deep", {"type": "boolean"}, False),
        ("names", {"type": "array", "items": STRING}, []),
        ("order", {"enum": ["up", "down"]}, "up"),
        ("limit", {"anyOf": [INTEGER, {"type": "null"}]}, None),
        ("limit", {"type": ["integer", "null"]}, None),
        ("inner", {"type": "object", "properties": {"x": INTEGER}, "required": ["x"]}, {"x": 0}),
    ],
)
def test_what_is_required_and_not_shown_is_as_plain_as_the_schema_allows(
    name: str, kind: dict[str, Any], value: object
) -> None:
    assert filled("Go on.", **{name: kind}) == {name: value}


def test_what_is_optional_and_not_shown_stays_out() -> None:
    kinds = {"path": STRING, "limit": INTEGER, "deep": {"type": "boolean"}}
    assert filled("List them", "other", **kinds) == {}


def test_evidence_is_used_once() -> None:
    assert filled("from Berlin to Oslo", origin=STRING, destination=STRING) == {
        "origin": "Berlin",
        "destination": "Oslo",
    }


def test_references_are_followed() -> None:
    schema = {
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/Place"}},
        "required": ["place"],
        "$defs": {"Place": {"type": "object", "properties": {"city": STRING}}},
    }
    assert arguments_for(schema, "in Oslo") == {"place": {"city": "Oslo"}}


def test_a_schema_that_contains_itself_ends() -> None:
    node = {"$ref": "#"}
    names = [f"child_{number}" for number in range(30)]
    schema = {"type": "object", "properties": dict.fromkeys(names, node), "required": names}
    assert arguments_for(schema, "x")
    assert arguments_for({"$ref": "#"}, "x") == {}


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
words_of_schemas = st.sampled_from(
    ["type", "properties", "required", "items", "enum", "anyOf", "$ref", "#", "object", "array"]
)
schemas = st.recursive(
    scalars | words_of_schemas,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words_of_schemas | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas, st.text())
def test_no_schema_and_no_prompt_breaks_it(schema: object, prompt: str) -> None:
    assert isinstance(arguments_for(schema, prompt), dict)


def test_paths() -> None:
    prompt = (
        "See ./a/b.py and /etc/hosts, also README.md. Or e.g. 3.5 and foo.bar/ ~/x .gitignore"
        " https://a.b/c.html a@b.co src/ and/or i.e. end."
    )
    assert paths_in(prompt) == [
        "./a/b.py", "/etc/hosts", "README.md", "foo.bar/", "~/x", ".gitignore", "src/",
    ]  # fmt: skip
    assert [has_extension(path) for path in ("a/b.py", "a.b/c", "src/", ".gitignore")] == [
        True,
        False,
        False,
        True,
    ]
