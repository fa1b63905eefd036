"""Compressed request bodies; gzip and deflate are in ``test_post.py``."""

from __future__ import annotations

import importlib.util
import sys

import msgspec
import pytest

from gateway.support import Talk, talk, text_of

pytestmark = pytest.mark.io

BODY = msgspec.json.encode({"model": "m", "input": "WORDS 3"})
EXTRA = importlib.util.find_spec("backports") and importlib.util.find_spec("backports.zstd")


def in_zstd(data: bytes) -> bytes:
    """Return a zstd frame with one raw block (RFC 8878), which takes no library to write."""
    magic, single_segment = b"\x28\xb5\x2f\xfd", b"\x20"
    last_raw_block = (len(data) << 3 | 1).to_bytes(3, "little")
    return magic + single_segment + bytes([len(data)]) + last_raw_block + data


async def post(here: Talk, data: bytes) -> tuple[int, str, bytes]:
    url, headers = here.gateway.base_url + "/responses", {"Content-Encoding": "zstd"}
    async with here.session.post(url, data=data, headers=headers) as answer:
        return answer.status, answer.content_type, await answer.read()


async def test_r23_a_body_in_zstd_where_python_or_the_extra_has_it() -> None:
    async with talk() as here:
        status, kind, body = await post(here, in_zstd(BODY))
        if sys.version_info >= (3, 14) or EXTRA:
            assert (status, text_of(msgspec.json.decode(body))) == (200, "one lane carries")
            status, kind, body = await post(here, b"not compressed")
            assert (status, kind) == (400, "application/json")
        else:
            assert (status, kind) == (400, "text/plain"), "aiohttp cannot even begin to read it"
            assert b"install `backports.zstd`" in body
