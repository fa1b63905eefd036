"""Bytes of a stream to JSON texts, with the oddities of servers."""

from __future__ import annotations

import pytest

from turnwire.core.sse import MessageTooLong
from turnwire.gateway.upstreams.chat.stream_messages import StreamMessages

DONE = b"data: [DONE]\n\n"


def read(*pieces: bytes) -> tuple[list[bytes], bool]:
    messages = StreamMessages()
    texts = [text for piece in pieces for text in messages.feed(piece)]
    return texts + messages.end(), messages.done


@pytest.mark.parametrize(
    "stream",
    [
        b'data: {"a":1}\n\ndata: {"b":2}\n\n' + DONE,
        b'data:{"a":1}\n\ndata:{"b":2}\n\ndata:[DONE]\n\n',
        b'data: {"a":1}\r\n\r\ndata: {"b":2}\r\n\r\ndata: [DONE]\r\n\r\n',
        b'data: {"a":1}\r\rdata: {"b":2}\r\rdata: [DONE]\r\r',
        b': hello\n\nid: 1\nevent: x\ndata: {"a":1}\nretry: 3\n\ndata: {"b":2}\n\n: x\n\n' + DONE,
        b'\xef\xbb\xbfdata: {"a":1}\n\n\n\ndata:\n\ndata: {"b":2}\n\n' + DONE,
        b'data: {"a":1}\n\ndata: {"b":2}\n\ndata: [DONE]',
        b'data: {"a":1}\n\ndata: {"b":2}\n\ndata: [DONE] \n\ndata: {"c":3}\n\n',
        b'\n\ndata: {"a":1}\n\ndata: {"b":2}\n\n' + DONE,
    ],
)
def test_any_cut_of_a_stream_gives_the_same_texts(stream: bytes) -> None:
    expected = ([b'{"a":1}', b'{"b":2}'], True)
    assert read(stream) == expected
    assert read(*(bytes([byte]) for byte in stream)) == expected
    for place in range(len(stream)):
        assert read(stream[:place], stream[place:]) == expected


def test_lines_of_one_event_belong_together() -> None:
    stream = b'data: {"a":\r\ndata: 1}\r\n\r\n'
    for place in range(len(stream)):
        assert read(stream[:place], stream[place:]) == ([b'{"a":\n1}'], False)


def test_the_last_event_may_lack_its_end() -> None:
    assert read(b'data: {"a":1}\n\ndata: {"b":2}') == ([b'{"a":1}', b'{"b":2}'], False)
    assert read(b'data: {"a":1}\n\ndata: {"b":2}\n') == ([b'{"a":1}', b'{"b":2}'], False)


@pytest.mark.parametrize(
    "stream",
    [b'error: {"code":500}\n\n', b'event: error\ndata: {"code":500}\n\n'],
)
def test_errors_are_wrapped(stream: bytes) -> None:
    assert read(stream)[0] == [b'{"error":{"code":500}}']
    assert read(b'data: {"a":1}\n\n' + stream + b'data: {"b":2}\n\n')[0] == [
        b'{"a":1}',
        b'{"error":{"code":500}}',
        b'{"b":2}',
    ]


@pytest.mark.parametrize("pieces", [(b' \n{"a":', b"\n1}"), (b"", b"\n", b'{"a":\n1}')])
def test_an_answer_that_is_no_stream(pieces: tuple[bytes, ...]) -> None:
    messages = StreamMessages()
    assert [messages.feed(piece) for piece in pieces] == [[]] * len(pieces)
    assert messages.end() == [b'{"a":\n1}']
    assert messages.whole


@pytest.mark.parametrize("start", [b"data: ", b'{"a":"', b"data: x\ndata: "])
def test_texts_are_bounded(start: bytes) -> None:
    messages = StreamMessages(limit_bytes=100)
    for piece in (start, b"x" * 60):
        messages.feed(piece)
    with pytest.raises(MessageTooLong):
        messages.feed(b"x" * 60)


@pytest.mark.parametrize(("answer", "whole"), [(b"{}", True), (b"ok", False), (b"\n", False)])
def test_an_answer_of_next_to_nothing(answer: bytes, whole: bool) -> None:  # noqa: FBT001  # given by name
    messages = StreamMessages()
    assert messages.feed(answer) == []
    assert (messages.end(), messages.whole) == ([answer] if whole else [], whole)


def test_nothing_is_nothing() -> None:
    assert read(b"") == ([], False)
    assert read() == ([], False)


def test_an_event_of_an_error_is_one_however_it_is_cut() -> None:
    stream = b'event: error\ndata: {"message":"full"}\n\ndata: {"a":1}\n\n'
    expected = ([b'{"error":{"message":"full"}}', b'{"a":1}'], False)
    for place in range(len(stream)):
        assert read(stream[:place], stream[place:]) == expected
