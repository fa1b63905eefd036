"""Nothing that arrives is lost: any JSON object with a type passes through as it is."""

from __future__ import annotations

import json
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from turnwire.events import OtherItem, decode_event, decode_item
from turnwire.events.server import KnownEvent

KNOWN_TYPES = sorted(str(each.__struct_config__.tag) for each in get_args(KnownEvent))

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
# The names that the decoder acts on, so that they often hold what they should not.
names = text | st.sampled_from(
    [
        "stream_id",
        "sequence_number",
        "response",
        "item",
        "delta",
        "error",
        "status",
        "output",
        "content",
        "id",
        "type",
        "headers",
        "usage",
        "turnwire:raw",
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
events = st.builds(
    lambda fields, kind: fields | {"type": kind},
    st.dictionaries(names, values, max_size=6),
    st.sampled_from(KNOWN_TYPES) | text,
)


@settings(deadline=None)
@given(events, st.sampled_from([None, 1]))
def test_any_object_with_a_type_passes_through(loaded: dict[str, Any], indent: int | None) -> None:
    data = json.dumps(loaded, indent=indent, ensure_ascii=indent is None).encode()
    event = decode_event(data)
    assert data == event.raw
    assert loaded == event.to_dict()
    assert loaded["type"] == event.type
    lane = loaded.get("stream_id")
    assert (lane if isinstance(lane, str) else None) == event.stream_id


@settings(deadline=None)
@given(values)
def test_any_item_passes_through(loaded: Any) -> None:
    data = json.dumps(loaded).encode()
    item = decode_item(data)
    assert data == item.raw
    if isinstance(loaded, dict):
        assert loaded == item.to_dict()
    else:
        assert OtherItem(raw=data) == item
