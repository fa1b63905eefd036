"""Audio from one format into another, piece by piece."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

from turnwire.events.realtime.audio_format import PCMA, PCMU
from turnwire.extras import needs

with needs("audio", "numpy and soxr", module=__name__):
    import numpy as np

    _soxr = import_module("soxr")

from turnwire.audio.g711 import A_LAW, MU_LAW, Law

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from turnwire.events.realtime.audio_format import AudioFormat

    class _Stream(Protocol):
        """What is used of ``soxr.ResampleStream``, which has no types."""

        def resample_chunk(self, x: NDArray[np.float32], last: bool) -> NDArray[np.float32]: ...  # noqa: FBT001 - soxr's own


_LAWS = {PCMU.type: MU_LAW, PCMA.type: A_LAW}


class Resampler:
    """One stream of audio, from one format into another.

    The same bytes come out however the input is cut into pieces.  Between different rates the
    output lags behind by the filter's length, 15 ms (``MQ``) or 21 ms (``HQ``); :meth:`flush`
    brings the rest, and then the length is exact.  Between equal formats nothing is done.

    Args:
        source: What comes in: PCM16 of any rate, µ-law, A-law.
        target: What goes out.
        quality: soxr's: ``HQ`` is good for 20 bits, ``MQ`` for 16, and lags less; they cost
            the same.

    Raises:
        ImportError: numpy or soxr is missing: ``pip install "turnwire[audio]"``; raised by the
            import of this module.
    """

    def __init__(
        self, source: AudioFormat, target: AudioFormat, *, quality: Literal["MQ", "HQ"] = "HQ"
    ) -> None:
        self.source = source
        self.target = target
        self._quality = quality
        self._rates = source.rate, target.rate
        self._start()

    def feed(self, data: bytes) -> bytes:
        """Convert the next piece of the stream.

        Args:
            data: Of any length; half a sample at the end waits for its other half.

        Returns:
            Whole samples of the target format: what is ready of this piece and the ones before.
        """
        whole = self._whole_samples(data)
        if self.source == self.target:
            return whole
        return self._encode(self._convert(self._decode(whole)))

    def flush(self) -> bytes:
        """End the stream and return what is left of it.

        All in all ``round(n * target rate / source rate)`` samples came out for ``n`` that went
        in, halves rounded up.  Half a sample that still waits for its other half is no sound and
        goes.  What is fed after this is a new stream.
        """
        samples_in, samples_out, stream = self._samples_in, self._samples_out, self._stream
        self._start()
        if stream is None:
            return b""
        rate_in, rate_out = self._rates
        missing = (2 * samples_in * rate_out + rate_in) // (2 * rate_in) - samples_out
        tail = stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)[:missing]
        # soxr rounds exact halves down at some pairs of rates.
        return self._encode(_to_int16(np.pad(tail, (0, missing - len(tail)))))

    def _start(self) -> None:
        self._partial = b""
        self._samples_in = 0
        self._samples_out = 0
        self._stream: _Stream | None = None

    def _whole_samples(self, data: bytes) -> bytes:
        if self._partial:
            data = self._partial + data
        extra = len(data) % self.source.sample_bytes
        self._partial = data[len(data) - extra :]
        return data[: len(data) - extra]  # Python copies nothing if that is all of it

    def _decode(self, data: bytes) -> NDArray[np.int16]:
        law = _law(self.source)
        if law:
            return law.expand(np.frombuffer(data, dtype=np.uint8))
        return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)

    def _convert(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        rate_in, rate_out = self._rates
        if rate_in == rate_out or not len(samples):
            return samples
        if self._stream is None:
            # Not int16: soxr would dither it, and differently for each way of cutting the stream.
            self._stream = cast(
                "_Stream",
                _soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32", quality=self._quality),
            )
        self._samples_in += len(samples)
        converted = self._stream.resample_chunk(samples.astype(np.float32), last=False)
        self._samples_out += len(converted)
        return _to_int16(converted)

    def _encode(self, samples: NDArray[np.int16]) -> bytes:
        law = _law(self.target)
        if law:
            return law.compress(samples).tobytes()
        return samples.astype("<i2", copy=False).tobytes()


def resample(data: bytes, source: AudioFormat, target: AudioFormat) -> bytes:
    """Convert audio that is all there; see :class:`Resampler`."""
    resampler = Resampler(source, target)
    return resampler.feed(data) + resampler.flush()


def _law(audio_format: AudioFormat) -> Law | None:
    return _LAWS.get(audio_format.type)


def _to_int16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Round; what the filter swings over full scale is clipped."""
    return np.rint(samples).clip(-32768, 32767).astype(np.int16)
