"""``turnwire demo``, as users run it."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from cli.command import finish, run, start
from turnwire.cli.demo import command
from turnwire.cli.demo.compare import Comparison, Result, Spread
from turnwire.cli.demo.ways import WAYS
from turnwire.cli.terminal import console

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.io, pytest.mark.slow]

QUICK = ("demo", "--rounds", "1", "--rtt", "0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with something to read, and with names that must not get in Python's way."""
    (tmp_path / "files").mkdir()
    for number in range(6):
        (tmp_path / "files" / f"part{number}.txt").write_text(f"lanes of part {number}\n" * 20)
    for name in ("socket", "turnwire", "json"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('this is not a module')\n")
    return tmp_path


async def test_three_ways_do_the_same_work_and_the_bytes_tell_them_apart(folder: Path) -> None:
    done = await run(*QUICK, "--json", "--root", "files", cwd=folder)
    assert (done.code, done.err.count("\n")) == (0, 6), done.err
    said = json.loads(done.out)
    assert (said["rounds"], said["rtt"], said["disagreements"]) == (1, 0, [])
    full, linked, socket = said["results"]
    assert [each["way"]["key"] for each in said["results"]] == [
        "http_full",
        "http_linked",
        "websocket",
    ]
    assert {each["calls"] for each in said["results"]} == {24}
    assert len({each["turns"] for each in said["results"]}) == 1
    assert socket["sent"]["median"] < linked["sent"]["median"] < full["sent"]["median"]
    # The whole history grows from turn to turn, what is new does not.
    assert sorted(full["sent_per_turn"]) == full["sent_per_turn"]
    assert socket["sent_per_turn"][-1] < full["sent_per_turn"][-1] / 5
    for each in said["results"]:
        assert sum(each["sent_per_turn"]) <= each["sent"]["median"]
        assert each["cpu"]["median"] < each["wall"]["median"]


async def test_people_get_progress_a_table_bars_and_a_verdict(folder: Path) -> None:
    report = folder / "report.html"
    done = await run(
        *QUICK, "--calls", "4", "--root", str(folder / "files"), "--report", str(report)
    )
    assert done.code == 0, done.err
    assert done.err.count("round 1/1") == 3
    assert done.err.endswith(f"report: {report}\n")
    for expected in ("FINAL after tool:", "WebSocket chain", "█", "Bytes sent: the WebSocket"):
        assert expected in done.out
    assert report.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


async def test_an_empty_folder_is_explored_too(tmp_path: Path) -> None:
    done = await run(*QUICK, "--json", "--calls", "3", cwd=tmp_path)
    assert (done.code, json.loads(done.out)["results"][2]["calls"]) == (0, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--root", "nope"], "there is no folder 'nope'"),
        (["--report", "nope/report.html"], "the report cannot be written to nope/report.html"),
        (["--rtt", "-1"], "Invalid value for '--rtt'"),
        (["--calls", "0"], "Invalid value for '--calls'"),
    ],
)
async def test_wrong_options_are_refused_before_any_work(
    tmp_path: Path, options: list[str], said: str
) -> None:
    done = await run("demo", *options, cwd=tmp_path, COLUMNS="200")
    assert (done.code, done.out) == (2, "")
    assert said in done.err


async def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    process = await start(*QUICK, "--calls", "1", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout._transport.close()  # type: ignore[attr-defined]  # as `head` does
    assert (await finish(process)).code == 141


def test_runs_that_cannot_be_compared_are_an_error_said_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    results = tuple(
        Result(way, 2, 1, *[Spread.of([1.0])] * 4, sent_per_turn=(1, 1)) for way in WAYS
    )
    found = Comparison("Why?", 0.0, 1, results, "Because.", ("WebSocket chain: another answer",))
    monkeypatch.setattr(command, "_measure", lambda *_: found)
    console.cache_clear()
    code = command.demo(command.Demonstration(root=tmp_path))
    assert code == 1
    out, err = capsys.readouterr()
    assert err == "error: the runs are not comparable: WebSocket chain: another answer\n"
    assert "Because." in out


async def test_ctrl_c_ends_it_quietly(folder: Path) -> None:
    process = await start("demo", "--root", str(folder / "files"), "--rtt", "1")
    assert process.stderr is not None
    await process.stderr.readline()
    process.send_signal(signal.SIGINT)
    done = await finish(process)
    assert (done.code, done.out) == (130, "")
