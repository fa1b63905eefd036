"""G.711 against the standard's tables and against the standard library's own, where it has one."""

from __future__ import annotations

import importlib.util
import struct
import warnings

import pytest

from turnwire.audio.g711 import A_LAW, MU_LAW

EVERY_SAMPLE = struct.pack("<65536h", *range(-32_768, 32_768))
EVERY_CODE = bytes(range(256))


def decoded(law: str, code: int) -> int:
    return struct.unpack("<h", {"mu": MU_LAW, "a": A_LAW}[law].decode(bytes([code])))[0]


# ITU-T G.711 (11/88), tables 1a to 2b: decoder output values, on our scale of 16 bits.
@pytest.mark.parametrize(
    ("law", "code", "value", "scale"),
    [
        ("mu", 0x80, 8031, 4),
        ("mu", 0x8F, 4191, 4),
        ("mu", 0x9F, 2079, 4),
        ("mu", 0xEF, 33, 4),
        ("mu", 0xFE, 2, 4),
        ("mu", 0xFF, 0, 4),
        ("mu", 0x00, -8031, 4),
        ("mu", 0x7E, -2, 4),
        ("mu", 0x7F, 0, 4),
        ("a", 0xFF ^ 0x55, 4032, 8),
        ("a", 0xF0 ^ 0x55, 2112, 8),
        ("a", 0xB0 ^ 0x55, 132, 8),
        ("a", 0x80 ^ 0x55, 1, 8),
        ("a", 0x00 ^ 0x55, -1, 8),
        ("a", 0x7F ^ 0x55, -4032, 8),
    ],
)
def test_codes_mean_what_the_standard_says(law: str, code: int, value: int, scale: int) -> None:
    assert decoded(law, code) == value * scale


def test_silence_is_silence() -> None:
    assert MU_LAW.encode(bytes(4)) == b"\xff\xff"
    assert A_LAW.encode(bytes(4)) == b"\xd5\xd5"


def test_every_code_survives() -> None:
    # µ-law has two zeros, of which encoders send the positive one.
    assert MU_LAW.encode(MU_LAW.decode(EVERY_CODE)) == EVERY_CODE.replace(b"\x7f", b"\xff")
    assert A_LAW.encode(A_LAW.decode(EVERY_CODE)) == EVERY_CODE


@pytest.mark.skipif(
    importlib.util.find_spec("audioop") is None, reason="Python 3.13 has it no more"
)
def test_every_sample_and_code_is_as_the_standard_library_had_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
    assert MU_LAW.encode(EVERY_SAMPLE) == audioop.lin2ulaw(EVERY_SAMPLE, 2)
    assert A_LAW.encode(EVERY_SAMPLE) == audioop.lin2alaw(EVERY_SAMPLE, 2)
    assert MU_LAW.decode(EVERY_CODE) == audioop.ulaw2lin(EVERY_CODE, 2)
    assert A_LAW.decode(EVERY_CODE) == audioop.alaw2lin(EVERY_CODE, 2)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        MU_LAW.encode(b"\0")
