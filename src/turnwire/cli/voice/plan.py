"""What ``turnwire voice`` was told, and whether that can be done."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from turnwire.audio import PCM16, PCMU, WavSource, tone
from turnwire.cli.voice.files import check_names, check_wav
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from turnwire.audio import AudioFormat

TRANSCRIBER: Final = "gpt-transcribe"  # writes down what the user says, on the hosted service
SHORTEST_MS: Final = 100.0  # that can be committed: protocol notes, input buffer
_PHRASE: Final = (440, 550, 660)  # Hz, when no file is given
_NOTE_MS: Final = 250.0
_REST: Final = bytes(PCM16.bytes_in(80.0))
_CHUNK_MS: Final = 100.0
NEEDS_AUDIO: Final = 'other audio than 24 kHz PCM needs: pip install "turnwire[audio]"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that ``turnwire voice`` was told; what is None was not."""

    source: Path | None = None
    out: Path | None = None
    record: Path | None = None
    text: str | None = None
    transcript: bool = False
    model: str | None = None
    voice: str | None = None
    instructions: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    g711: bool = False
    mic: bool = False
    half_duplex: bool = False

    @property
    def audio_format(self) -> AudioFormat:
        """The format in which both sides speak."""
        return PCMU if self.g711 else PCM16

    @property
    def shows_words(self) -> bool:
        """Whether the words are printed: also if nothing else would remain of the talk."""
        return self.transcript or self.mic or not (self.out or self.record)

    @property
    def session(self) -> dict[str, Any]:
        """What the session is to be; only what was asked for."""
        given = {"voice": self.voice, "instructions": self.instructions}
        session: dict[str, Any] = {name: value for name, value in given.items() if value}
        if self.g711:
            session |= {"input_format": PCMU, "output_format": PCMU}
        if self.shows_words:
            session["transcription"] = {"model": TRANSCRIBER}
        if not self.mic:
            session["turn_detection"] = None  # a file is one sentence, pauses and all
        return session

    def check(self) -> None:
        """Find out what cannot be done, before anything is sent.

        Raises:
            ConfigError: Options that do not go together, a file that cannot be read or written or
                that two of them name, or an extra that is not installed.
        """
        alone = {"--in": self.source, "--out": self.out, "--g711": self.g711, "--text": self.text}
        for option, given in alone.items():
            if self.mic and given:
                raise ConfigError(f"--mic and {option} do not go together; leave one of them out")
        if self.half_duplex and not self.mic:
            raise ConfigError("--half-duplex is for --mic; leave it out, or talk with --mic")
        if self.text is not None and not self.text.strip():
            raise ConfigError('--text is empty; try: turnwire voice --text "Hello"')
        self._check_files()

    def _check_files(self) -> None:
        written = {"--out": self.out, "--record": self.record}
        check_names({"--in": self.source, **written})
        for option, path in written.items():
            if path is not None:
                check_wav(option, path)
        if self.g711:
            require_conversion()
        if self.source is not None:
            self._check_source(self.source)
        for path in written.values():
            if path is not None:
                check_writable(path)

    def _check_source(self, path: Path) -> None:
        try:
            source = WavSource(path, self.audio_format)
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be read: {(error.strerror or '').lower()};"
                " name a wav file with --in"
            ) from None
        if source.seconds * 1000 < SHORTEST_MS:
            raise ConfigError(
                f"{path} has {source.seconds * 1000:.0f} ms of sound, and a server takes"
                f" {SHORTEST_MS:.0f} ms or more; name a longer one with --in"
            )
        if source.file_format != self.audio_format:
            require_conversion()

    def said(self) -> Iterator[bytes]:
        """Yield what the user says, piece by piece; nothing if a text is all there is."""
        if self.source is not None:
            yield from WavSource(self.source, self.audio_format, chunk_ms=_CHUNK_MS)
        elif self.text is None:
            yield from self._phrase()

    def _phrase(self) -> Iterator[bytes]:
        phrase = tone_phrase()
        if self.audio_format != PCM16:
            # Here, because only this needs the extra.
            from turnwire.audio import resample  # noqa: PLC0415

            phrase = resample(phrase, PCM16, self.audio_format)
        size = self.audio_format.bytes_in(_CHUNK_MS)
        for start in range(0, len(phrase), size):
            yield phrase[start : start + size]


def tone_phrase() -> bytes:
    """Return a sentence of three tones, as PCM16 at 24 kHz."""
    notes = (tone(hertz, _NOTE_MS, level=0.4, fade_ms=5.0) for hertz in _PHRASE)
    return _REST.join(notes)


def require_conversion() -> None:
    """Find out whether audio can be converted.

    Raises:
        ConfigError: The extra is not installed.
    """
    try:
        import_module("turnwire.audio.resampling")
    except ImportError as error:
        raise ConfigError(NEEDS_AUDIO) from error


def check_writable(path: Path) -> None:
    """Find out now, not after the talk, whether a file can be written.

    Raises:
        ConfigError: It cannot.
    """
    try:
        path.open("ab").close()
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {(error.strerror or '').lower()}; name another file"
        ) from None
