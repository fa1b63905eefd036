"""``turnwire record``, as users run it."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import aiohttp
import pytest

import turnwire
from cli.command import Done, finish, run, start
from turnwire.gateway import Gateway
from turnwire.recording import read_recording
from turnwire.testing import Replay

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

pytestmark = [pytest.mark.io, pytest.mark.slow]

INTRODUCTION = """\
turnwire recorder on {url} (WebSocket and HTTP)
  file    a.jsonl: all that is said, without keys; for your eyes alone
  key     the client's, passed on
  or set  OPENAI_BASE_URL={url}
Ctrl-C stops it.
"""


async def read_introduction(process: Process) -> tuple[str, str]:
    """Read what a recorder says when it listens; return the URL and the text."""
    assert process.stdout is not None
    lines = b""
    while not lines.endswith(b"stops it.\n"):
        line = await process.stdout.readline()
        assert line, await finish(process)
        lines += line
    found = re.search(r"http://[^ ]+", lines.decode())
    assert found is not None
    return found[0], lines.decode()


async def start_record(
    gateway: Gateway, folder: Path, *options: str, **environment: str
) -> Process:
    return await start(
        "record",
        *("--upstream", gateway.base_url, "--out", "a.jsonl", "--port", "0"),
        *options,
        cwd=folder,
        **environment,
    )


async def ask(base_url: str) -> str:
    async with turnwire.AsyncClient(
        base_url=base_url, api_key="", trust_env=False, transport="websocket"
    ) as client:
        return (await client.responses.create(model="any", input="WORDS 3")).output_text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_records_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    async with Gateway() as gateway:
        process = await start_record(gateway, tmp_path)
        url, text = await read_introduction(process)
        assert text == INTRODUCTION.format(url=url)
        said = await ask(url)
        process.send_signal(number)
        done = await finish(process)
    assert (done.code, done.err) == (0, "")
    summary = r"Recorded: 1 socket, 0 HTTP exchanges, \d+ messages; [\d.]+ kB in a\.jsonl\.\n"
    assert re.fullmatch(summary, done.out)
    assert read_recording(tmp_path / "a.jsonl").notes == []
    async with Replay(tmp_path / "a.jsonl") as replay:
        assert await ask(replay.base_url) == said == "one lane carries"


async def test_the_key_of_the_environment_is_sent_and_not_recorded(tmp_path: Path) -> None:
    async with Gateway() as gateway:
        process = await start_record(
            gateway, tmp_path, "--api-key-from-environment", OPENAI_API_KEY="my-own-key"
        )
        url, text = await read_introduction(process)
        assert "key     OPENAI_API_KEY\n" in text
        await ask(url)
        process.terminate()
        done = await finish(process)
    assert "my-own-key" not in text + done.out + done.err + (tmp_path / "a.jsonl").read_text()


async def test_a_limit_is_mentioned_and_relaying_goes_on(tmp_path: Path) -> None:
    async with Gateway() as gateway:
        process = await start_record(gateway, tmp_path, "--max-bytes", "2000", "--redact-content")
        url, text = await read_introduction(process)
        assert "placeholders for what is said" in text
        assert await ask(url) == await ask(url) == "one lane carries"
        process.terminate()
        done = await finish(process)
    assert done.code == 0
    assert done.err == (
        "error: recording stopped: it is as large as --max-bytes allows; what is relayed from now"
        " on is not recorded\n"
    )
    assert (tmp_path / "a.jsonl").stat().st_size <= 2000


async def test_a_recorder_that_is_killed_leaves_what_it_wrote(tmp_path: Path) -> None:
    async with Gateway() as gateway:
        process = await start_record(gateway, tmp_path)
        url, _ = await read_introduction(process)
        said = await ask(url)
        process.kill()
        assert (await finish(process)).code == -signal.SIGKILL
    recording = read_recording(tmp_path / "a.jsonl")
    assert recording.notes == ["The recorder was killed: what came after is not in it."]
    async with Replay(tmp_path / "a.jsonl") as replay:
        assert await ask(replay.base_url) == said


async def test_web_pages_are_kept_out(tmp_path: Path) -> None:
    async with Gateway() as gateway:
        process = await start_record(gateway, tmp_path, "--host", "0.0.0.0")
        url, text = await read_introduction(process)
        assert "whoever reaches this address can use it" in text
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/models", headers={"Origin": "http://page.example"}) as answer,
        ):
            assert answer.status == 403
        process.terminate()
        assert (await finish(process)).code == 0


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--upstream", "host"], 2, "error: the upstream must look like https://host/v1\n"),
        (
            ["--api-key-from-environment"],
            2,
            "error: OPENAI_API_KEY is not set; set it, or let clients send their own key\n",
        ),
        (
            ["--out", "there.jsonl"],
            2,
            "error: there.jsonl exists, and a recording overwrites nothing: name another file\n",
        ),
        (
            ["--out", "no/a.jsonl"],
            2,
            "error: cannot write no/a.jsonl: No such file or directory; name another file\n",
        ),
    ],
)
async def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path, options: list[str], code: int, complaint: str
) -> None:
    (tmp_path / "there.jsonl").write_text("mine")
    done = await run("record", "--out", "a.jsonl", "--port", "0", *options, cwd=tmp_path)
    assert done == Done(code, "", complaint)
    assert (tmp_path / "there.jsonl").read_text() == "mine"


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    async with Gateway() as gateway:
        port = str(gateway.port)
        done = await run("record", "--out", "a.jsonl", "--port", port, cwd=tmp_path)
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")
    assert not (tmp_path / "a.jsonl").exists()
