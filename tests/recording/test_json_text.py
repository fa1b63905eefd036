from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire.recording.json_text import JsonText

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
OBJECTS = st.lists(VALUES) | st.dictionaries(st.text(), VALUES)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"city": "Oslo", "days": 12}', '{"city": "xxxx", "days": 11}'),
        (
            '{"a":[true,null,-1.5e3,"\\"q"],"b":{"c":""}}',
            '{"a":[true,null,-1.1e1,"xxx"],"b":{"c":""}}',
        ),
        ("true love", "xxxxxxxxx"),
        ('{"a": trust me}', '{"a": truxxxxxx'),
        ('{"a": 1} and more', '{"a": 1} xxxxxxxx'),
        ("", ""),
    ],
)
def test_what_is_left(text: str, redacted: str) -> None:
    assert JsonText().feed(text) == redacted
    assert len(redacted) == len(text)


@given(value=OBJECTS, ascii_only=st.booleans())
def test_json_stays_json_with_the_same_names(value: object, *, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    redacted = JsonText().feed(text)
    assert len(redacted) == len(text)
    assert JsonText().feed(redacted) == redacted
    assert shape(json.loads(redacted)) == shape(json.loads(text))


@given(OBJECTS, st.integers(1, 5))
def test_pieces_add_up_to_the_whole(value: object, size: int) -> None:
    text = json.dumps(value)
    pieces = JsonText()
    redacted = "".join(pieces.feed(text[at : at + size]) for at in range(0, len(text), size))
    assert redacted == JsonText().feed(text)


def shape(value: object) -> object:
    match value:
        case dict():
            return {name: shape(each) for name, each in value.items()}
        case list():
            return [shape(each) for each in value]
        case bool() | None:
            return value
        case _:
            return type(value)
