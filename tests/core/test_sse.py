"""Event streams: however the bytes are cut, the messages are the same."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire.core.sse import MessageTooLong, SSEDecoder

line_ends = st.sampled_from(["\n", "\r\n", "\r"])
texts = st.text(
    st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]), max_size=8
)
lines = st.one_of(
    texts.map(lambda text: f"data: {text}"),
    texts.map(lambda text: f"data:{text}"),
    texts.map(lambda text: f": {text}"),
    st.sampled_from(["", "", "event: x", "id: 7", "retry: 1", "data: [DONE]", "nonsense"]),
)


def decode(*pieces: bytes) -> list[bytes]:
    decoder = SSEDecoder()
    return [message for piece in pieces for message in decoder.feed(piece)]


@given(st.lists(st.tuples(lines, line_ends)), st.booleans(), st.lists(st.integers(0, 200)))
def test_any_cut_of_the_bytes_gives_the_same_messages(
    stream: list[tuple[str, str]],
    bom: bool,  # noqa: FBT001
    cuts: list[int],
) -> None:
    text = "".join(line + end for line, end in stream)
    data = ("\ufeff" * bom + text).encode() + b"\n\n"
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    one_by_one = [bytes([byte]) for byte in data]
    assert decode(*pieces) == decode(data) == decode(*one_by_one) == expected(stream)


def expected(stream: list[tuple[str, str]]) -> list[bytes]:
    """Read the lines as the standard says; written apart from the decoder."""
    messages, data = [], []
    for line in [*joined(stream), ""]:
        if line.startswith("data:"):
            data.append(line[6:] if line[5:6] == " " else line[5:])
        elif not line:
            messages.append("\n".join(data))
            data = []
    return [message.encode() for message in messages if message not in ("", "[DONE]")]


def joined(stream: list[tuple[str, str]]) -> list[str]:
    """Return the lines; an empty line after a CR that ends in LF is no line: that is one CRLF."""
    found = []
    for index, (line, end) in enumerate(stream):
        after_return = index > 0 and stream[index - 1][1] == "\r"
        if not (after_return and not line and end == "\n"):
            found.append(line)
    return found


def test_a_message_over_the_limit_is_refused_also_without_an_end() -> None:
    decoder = SSEDecoder(limit_bytes=10)
    assert decoder.feed(b"data: 1234\n\n") == [b"1234"]
    with pytest.raises(MessageTooLong, match="10 bytes"):
        decoder.feed(b"data: 123456789")
    decoder = SSEDecoder(limit_bytes=10)
    assert decoder.feed(b"data: 1234\ndata: 1234\n") == []
    with pytest.raises(MessageTooLong):
        decoder.feed(b"data: 1234\n")


def test_many_messages_do_not_add_up_to_the_limit() -> None:
    decoder = SSEDecoder(limit_bytes=10)
    assert [decoder.feed(b"data: 12\n\n") for _ in range(9)] == [[b"12"]] * 9
