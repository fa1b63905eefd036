"""Audio of the user's in a replay: the same sound in other pieces is the same."""

from __future__ import annotations

from base64 import b64encode

import msgspec
import pytest

from turnwire.recording.comparing import Comparison
from turnwire.recording.expecting import ExpectedSocket
from turnwire.recording.lines import Message, Open, Upgrade
from turnwire.recording.reading import Numbered
from turnwire.recording.redaction import Redaction
from turnwire.recording.spoken import audio_of

SOUND = bytes(range(200)) * 5


def append(audio: bytes, *, hidden: bool = False) -> bytes:
    said = msgspec.json.encode(
        {"type": "input_audio_buffer.append", "audio": b64encode(audio).decode()}
    )
    return Redaction().text(said.decode()).encode() if hidden else said


COMMIT = msgspec.json.encode({"type": "input_audio_buffer.commit"})


def expected(*messages: bytes, redacted: bool = False) -> ExpectedSocket:
    lines = [
        Upgrade(at=0.0, connection=1, path="/v1/realtime", headers={}),
        Open(at=0.0, connection=1, headers={}),
        *(
            Message(at=0.0, connection=1, sender="client", text=message.decode())
            for message in messages
        ),
    ]
    numbered = [Numbered(number, line) for number, line in enumerate(lines)]
    return ExpectedSocket(1, numbered, Comparison((), redacted=redacted))


def arrive(socket: ExpectedSocket, *messages: bytes) -> list[str]:
    return [
        str(found)
        for message in messages
        if (found := socket.arrive(message, binary=False)) is not None
    ]


def pieces(size: int) -> list[bytes]:
    return [append(SOUND[begin : begin + size]) for begin in range(0, len(SOUND), size)]


def test_appended_audio_is_read() -> None:
    assert audio_of(append(SOUND)) == SOUND
    for other in (COMMIT, b'{"type":"input_audio_buffer.append","audio":"!"}', b"{", append(b"")):
        assert audio_of(other) == b""


@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize("now", [1, 7, 100, 334, 1000])
@pytest.mark.parametrize("then", [1000, 250, 7])
def test_the_same_audio_may_come_in_other_pieces(now: int, then: int, *, redacted: bool) -> None:
    recorded = [
        append(SOUND[begin : begin + then], hidden=redacted) for begin in range(0, len(SOUND), then)
    ]
    socket = expected(*recorded, COMMIT, redacted=redacted)
    assert arrive(socket, *pieces(now), COMMIT) == []
    assert socket.left() == []


def test_other_audio_is_told() -> None:
    socket = expected(append(SOUND))
    assert arrive(socket, append(SOUND[:10]), append(b"no")) == [
        "connection 1, line 2: $.audio: is not what was recorded"
    ]


def test_less_audio_is_told_when_something_else_comes() -> None:
    socket = expected(append(SOUND), COMMIT)
    assert arrive(socket, append(SOUND[:10]), COMMIT) == [
        "connection 1, line 2: $.audio: is missing"
    ]
    assert [str(each) for each in socket.left()] == [
        "connection 1, line 2: $: never arrived",
        "connection 1, line 3: $: never arrived",
    ]


def test_more_audio_is_told() -> None:
    socket = expected(append(SOUND), COMMIT)
    assert arrive(socket, append(SOUND + b"more")) == [
        "connection 1, line 3: $.audio: is more than was recorded"
    ]
    assert arrive(expected(COMMIT), COMMIT, append(SOUND)) == [
        "connection 1, line 2: $.audio: is more than was recorded"
    ]


def test_an_empty_piece_is_a_message_like_others() -> None:
    socket = expected(append(b""), append(SOUND), append(b""), COMMIT)
    assert arrive(socket, append(b""), append(SOUND), append(b""), COMMIT) == []
    assert socket.left() == []


def test_what_is_said_besides_may_stand_otherwise_among_the_audio() -> None:
    update = msgspec.json.encode({"type": "session.update", "session": {"voice": "ash"}})
    socket = expected(append(SOUND[:100]), update, append(SOUND[100:]), COMMIT)
    assert arrive(socket, append(SOUND[:60]), update, append(SOUND[60:]), COMMIT) == []
    assert socket.left() == []


def test_the_first_piece_finds_its_socket() -> None:
    socket = expected(append(SOUND), COMMIT)
    assert socket.begins_with(append(SOUND[:10]), binary=False)
    assert not socket.begins_with(append(b"no"), binary=False)
    assert not expected(COMMIT).begins_with(append(SOUND), binary=False)
