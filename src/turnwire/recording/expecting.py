"""What a replay expects of its clients: which recorded message each one that arrives stands for.

Order counts inside a lane, and among messages without a lane; lanes may overtake each other, as the
program that was recorded has them run side by side.  So does the user's audio, which may also come
in other pieces.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from turnwire.recording.lines import Http, Message, Refused, Upgrade
from turnwire.recording.names import learn_from, with_names
from turnwire.recording.spoken import Spoken, audio_of, is_about_audio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from turnwire.recording.comparing import Comparison
    from turnwire.recording.reading import Numbered, Recording


_AUDIO: Final = object()


class Mismatch(NamedTuple):
    """A client that did something else.

    Attributes:
        where: Which connection and line, for people.
        differences: What is different, each beginning with its path.
    """

    where: str
    differences: Sequence[str]

    def __str__(self) -> str:
        return f"{self.where}: {'; '.join(self.differences)}"


class ExpectedSocket:
    """One recorded socket.

    Attributes:
        number: Of its connection.
        lines: All of them.
        arrived: Numbers of the lines whose messages have arrived.
    """

    def __init__(self, number: int, lines: Sequence[Numbered], comparison: Comparison) -> None:
        self.number = number
        self.lines = lines
        self.arrived: set[int] = set()
        self._comparison = comparison
        self._names: dict[str, str] = {}  # that the client gives now, by those of then
        self._spoken = Spoken(redacted=comparison.redacted)
        self._piece: tuple[int, bytes] = (-1, b"")  # of audio that is awaited; its line
        self._missing: dict[object, deque[tuple[int, Message]]] = {}
        for each in lines:
            if isinstance(each.line, Message) and each.line.sender == "client":
                queue = self._missing.setdefault(_queue_of(each.line.data), deque())
                queue.append((each.number, each.line))

    @property
    def path(self) -> str:
        """Where it was opened, without the query."""
        first = self.lines[0].line
        assert isinstance(first, Upgrade)  # of_recording() looks
        return first.path.partition("?")[0]

    @property
    def is_refused(self) -> bool:
        """Whether the upgrade was refused."""
        return any(isinstance(each.line, Refused) for each in self.lines)

    def begins_with(self, data: bytes, *, binary: bool) -> bool:
        """Say whether a message is one that may come first."""
        if self.arrived:
            return False
        audio, queue = b"" if binary else audio_of(data), self._missing.get(_AUDIO)
        if audio and queue:
            return self._spoken.may_begin(audio, audio_of(queue[0][1].data))
        return self._find(data, binary=binary) is not None

    def arrive(self, data: bytes, *, binary: bool) -> Mismatch | None:
        """Note a message; or say why none of those that may come now is this one."""
        audio = b"" if binary else audio_of(data)
        if audio:
            self._spoken.hear(audio)
            return self._find_audio()
        if self._spoken.size_bytes and _queue_of(data) is _AUDIO:
            return self._other_audio("is missing")
        number = self._find(data, binary=binary)
        if number is None:
            return self._mismatch(data, binary=binary)
        line = self._note(number)
        learn_from(self._names, line.data, data)
        return None

    def answer(self, recorded: bytes) -> bytes:
        """Return what the server said, with the names that the client gives now."""
        return with_names(recorded.decode(), self._names).encode() if self._names else recorded

    def _next(self) -> list[tuple[int, Message]]:
        """Return the messages of which any may come now, in the order in which they were sent."""
        return sorted(queue[0] for queue in self._missing.values() if queue)

    def _find(self, data: bytes, *, binary: bool) -> int | None:
        for number, line in self._next():
            same_kind = line.binary == binary
            if same_kind and not self._comparison.differences(line.data, data, self._names):
                return number
        return None

    def _note(self, number: int) -> Message:
        self.arrived.add(number)
        queue = next(each for each in self._missing.values() if each and each[0][0] == number)
        return queue.popleft()[1]

    def _find_audio(self) -> Mismatch | None:
        queue = self._missing.get(_AUDIO)
        while self._spoken.size_bytes:
            number, line = queue[0] if queue else (0, None)
            if number != self._piece[0]:
                self._piece = number, audio_of(line.data) if line is not None else b""
            if not self._piece[1]:
                return self._other_audio("is more than was recorded")
            found = self._spoken.find(self._piece[1])
            if found is False:
                return self._other_audio("is not what was recorded")
            if found is None:
                break
            self._note(number)
        return None

    def _other_audio(self, what: str) -> Mismatch:
        queue = self._missing.get(_AUDIO)
        number = queue[0][0] if queue else self.lines[-1].number
        return Mismatch(f"connection {self.number}, line {number}", [f"$.audio: {what}"])

    def _mismatch(self, data: bytes, *, binary: bool) -> Mismatch:
        following = self._next()
        if not following:
            where = f"connection {self.number}"
            return Mismatch(where, [f"$: a message of {len(data)} bytes more than recorded"])
        same_queue = self._missing.get(_queue_of(data))
        number, line = same_queue[0] if same_queue else following[0]
        differences = self._comparison.differences(line.data, data, self._names)
        if line.binary != binary:
            kinds = {True: "binary", False: "text"}
            differences = [f"$: recorded {kinds[line.binary]}, arrived {kinds[binary]}"]
        return Mismatch(f"connection {self.number}, line {number}", differences)

    def left(self) -> list[Mismatch]:
        """Return what never arrived."""
        return [
            Mismatch(f"connection {self.number}, line {number}", ["$: never arrived"])
            for number in sorted(each[0] for queue in self._missing.values() for each in queue)
        ]


class Expected:
    """Everything that is recorded, and what of it has not happened yet."""

    def __init__(self, recording: Recording, comparison: Comparison) -> None:
        self._comparison = comparison
        self._sockets: list[ExpectedSocket] = []
        self._exchanges: list[tuple[int, Sequence[Numbered], Http]] = []
        for number, lines in recording.connections.items():
            match lines[0].line:
                case Upgrade():
                    self._sockets.append(ExpectedSocket(number, lines, comparison))
                case Http() as http:
                    self._exchanges.append((number, lines, http))
                case _:
                    pass  # it began before the recording did

    def next_socket(self, path: str) -> ExpectedSocket | None:
        """Return what the next upgrade on a path becomes; None if there was no further one."""
        for index, each in enumerate(self._sockets):
            if each.path == path.partition("?")[0]:
                return self._sockets.pop(index)
        return None

    def exchange_socket(
        self, given: ExpectedSocket, data: bytes, *, binary: bool
    ) -> ExpectedSocket:
        """Return the socket that a first message belongs to: dials may overtake each other."""
        for index, each in enumerate(self._sockets):
            fits = not each.is_refused and each.path == given.path
            if fits and each.begins_with(data, binary=binary):
                self._sockets[index] = given
                return each
        return given

    def next_exchange(
        self, method: str, path: str, body: bytes
    ) -> tuple[int, Sequence[Numbered]] | Mismatch:
        """Return the first recorded exchange that was asked for in the same way, and take it."""
        closest: Mismatch | None = None
        for index, (number, lines, http) in enumerate(self._exchanges):
            if (http.method, http.path.partition("?")[0]) != (method, path.partition("?")[0]):
                continue
            differences = self._comparison.differences(http.data, body) if body else []
            if not differences and bool(body) == bool(http.data):
                del self._exchanges[index]
                return number, lines
            where = f"connection {number}, line {lines[0].number}"
            closest = closest or Mismatch(where, differences or ["$: recorded with a body"])
        return closest or Mismatch(
            f"{method} {path.partition('?')[0]}", ["$: not recorded, or not so often"]
        )

    def left(self, begun: Iterable[ExpectedSocket]) -> list[Mismatch]:
        """Return what never happened."""
        never = ["$: never happened"]
        left = [mismatch for socket in begun for mismatch in socket.left()]
        left += [
            Mismatch(f"connection {socket.number}, an upgrade", never) for socket in self._sockets
        ]
        left += [
            Mismatch(f"connection {number}, {http.method} {http.path.partition('?')[0]}", never)
            for number, _, http in self._exchanges
        ]
        return left


def _queue_of(data: bytes) -> object:
    """Return inside of what the order of a message counts."""
    return _AUDIO if is_about_audio(data) else lane_of(data)


def lane_of(data: bytes) -> Any:
    """Return the lane that a message names, or None."""
    try:
        return msgspec.json.decode(data, type=_Lane).stream_id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class _Lane(msgspec.Struct):
    stream_id: str | None = None
