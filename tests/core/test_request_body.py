"""Bodies as libraries write them: taken apart, and known again by how they begin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnwire.core.request_body import Prefix, RequestBody, read_body

Json = dict[str, Any]


def message(text: str) -> Json:
    return {"role": "user", "content": text}


def written(*items: Json, **fields: Any) -> bytes:
    body = {"model": "m", "input": list(items), "tools": [{"name": "f"}], **fields}
    return json.dumps(body, separators=(",", ":")).encode()


def read(data: bytes) -> RequestBody:
    body = read_body(data)
    assert body is not None
    return body


def decoded(body: RequestBody) -> list[Json]:
    return [json.loads(item.encoded) for item in body.items]


def test_a_body_is_its_items_and_its_parameters() -> None:
    body = read(written(message("a"), message("b"), stream=True, store=False, top_p=None))
    assert decoded(body) == [message("a"), message("b")]
    assert body.shape.params.fields == {
        "model": b'"m"',
        "tools": b'[{"name":"f"}]',
        "store": b"false",
    }
    assert (body.shape.streams, body.shape.is_background, body.shape.is_linked) == (
        True,
        False,
        False,
    )
    assert body.prefix.endswith(b'"content":"b"}')


def test_text_is_one_message_of_the_user() -> None:
    body = read(json.dumps({"input": "hëllo", "model": "m"}).encode())
    assert decoded(body) == [{"type": "message", "role": "user", "content": "hëllo"}]
    assert body.prefix_bytes == 0  # nothing to know it by


@pytest.mark.parametrize("data", [b'{"model":"m"}', b'{"input":[],"model":"m"}'])
def test_no_input_is_no_items(data: bytes) -> None:
    body = read(data)
    assert (body.items, body.prefix_bytes) == ([], 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b'{"input":',
        b'{"input":{}}',
        b'{"input":7}',
        b'{"input":["text"]}',
        b'{"input":[1]}',
        b'{"input":[]}\xff',
        b'{"input":"a","previous_response_id":7}',
        b"[" * 10_000,
    ],
)
def test_what_is_no_create(data: bytes) -> None:
    assert read_body(data) is None


def test_a_link_of_the_callers_own() -> None:
    body = read(written(message("a"), previous_response_id="resp_1"))
    assert (body.shape.previous_response_id, body.shape.is_linked) == ("resp_1", True)
    assert "previous_response_id" not in body.shape.params.fields
    assert read(written(message("a"), conversation="conv_1")).shape.is_linked
    assert not read(written(message("a"), previous_response_id=None)).shape.is_linked


def test_a_longer_body_is_read_from_where_it_differs() -> None:
    first = read(written(message("a"), message("b")))
    second = Prefix(first).continued_by(written(message("a"), message("b"), message("c")))
    assert second is not None
    assert decoded(second) == [message("c")]
    assert second.shape is first.shape  # nothing else was read again
    third = Prefix(second).continued_by(
        written(message("a"), message("b"), message("c"), message("d"), message("e"))
    )
    assert third is not None
    assert decoded(third) == [message("d"), message("e")]


def test_other_parameters_behind_the_input_are_read() -> None:
    first = read(written(message("a"), stream=False))
    second = Prefix(first).continued_by(
        written(message("a"), message("b"), stream=True, text={"input": [1]})
    )
    assert second is not None
    assert decoded(second) == [message("b")]
    assert second.shape.streams
    assert second.shape.params.fields == {
        "model": b'"m"',
        "tools": b'[{"name":"f"}]',
        "text": b'{"input": [1]}'.replace(b" ", b""),
    }
    third = Prefix(second).continued_by(written(message("a"), message("b"), message("c")))
    assert third is not None
    assert decoded(third) == [message("c")]
    assert not third.shape.streams


@pytest.mark.parametrize(
    "data",
    [
        written(message("a")),  # nothing new
        written(message("b"), message("c")),
        written(message("a!"), message("c")),
        written(message("a"), message("b"))[:-1],  # cut off
        written(message("a"), message("b")) + b"}",
        written(message("a"), message("b")).replace(b'"m"', b'"n"'),  # another model in front
        written(message("a"), message("b")).replace(b'},{"role"', b'},7,{"role"'),
        b"",
    ],
)
def test_what_does_not_continue_it(data: bytes) -> None:
    assert Prefix(read(written(message("a")))).continued_by(data) is None


def test_other_parameters_of_the_same_length_are_read() -> None:
    first = read(written(message("a"), top_p=1))
    second = Prefix(first).continued_by(written(message("a"), message("b"), top_p=0))
    assert second is not None
    assert second.shape.params.fields["top_p"] == b"0"


def test_a_tail_that_comes_twice() -> None:
    """The same bytes at the end say nothing if what is before them is no list of items."""
    tail = b'],"model":"m"}'
    first = read(b'{"input":[{"a":1}' + tail)
    other = b'{"input":[{"a":1},{"b":2}],"metadata":{"x":[3' + tail + b"}"
    deeper = Prefix(first).continued_by(other)
    assert deeper is not None
    assert deeper.shape.params.fields == {"metadata": b'{"x":[3],"model":"m"}'}
    nested = b'{"input":[{"a":1},{"b":2}],"x":"' + tail.replace(b'"', b'\\"') + b'","model":"m"}'
    again = Prefix(first).continued_by(nested)
    assert again is not None
    assert again.shape.params.fields["x"] == b'"],\\"model\\":\\"m\\"}"'


def test_the_name_of_the_input_may_stand_elsewhere_too() -> None:
    for data in (
        b'{"metadata":{"input":[]},"input":[],"model":"m"}',
        b'{"metadata":{"input":[{"a":1}]},"input":[{"a":1}],"model":"m"}',
        b'{"instructions":"\\"input\\":[{\\"a\\":1}]","input":[{"a":1}]}',
    ):
        first = read(data)
        if not first.items:
            continue
        end = data.rindex(b"]")
        longer = data[:end] + b',{"b":2}' + data[end:]
        second = Prefix(first).continued_by(longer)
        assert second is not None
        assert decoded(second) == [{"b": 2}]
    data = b'{"metadata":{"input":[{"a":1}]},"input":[{"a":1}],"model":"m"}'
    inside = data.replace(b"1}", b'1},{"b":2}', 1)
    assert Prefix(read(data)).continued_by(inside) is None


def test_spaces_are_no_obstacle() -> None:
    def spaced(*items: Json) -> bytes:
        return json.dumps({"model": "m", "input": list(items), "n": 1}, indent=2).encode()

    first = read(spaced(message("a")))
    second = Prefix(first).continued_by(spaced(message("a"), message("b")))
    assert second is not None
    assert decoded(second) == [message("b")]
    third = Prefix(second).continued_by(spaced(message("a"), message("b"), message("c")))
    assert third is not None
    assert decoded(third) == [message("c")]


def test_nothing_of_it_is_shown() -> None:
    body = read(written(message("secret")))
    assert "secret" not in repr(body)
