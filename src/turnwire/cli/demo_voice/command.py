"""``turnwire demo-voice``, from options to numbers."""

# No `from __future__ import annotations` here: typer reads the annotations.

import asyncio
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from turnwire.audio import Recorder
from turnwire.cli.demo_voice.display import print_findings
from turnwire.cli.demo_voice.findings import Findings, findings
from turnwire.cli.demo_voice.report import report
from turnwire.cli.demo_voice.scene import Scene, play
from turnwire.cli.demo_voice.sentences import sentences
from turnwire.cli.demo_voice.tracks import tracks_of
from turnwire.cli.exits import ExitCode, complain, exits
from turnwire.cli.terminal import console, writing
from turnwire.cli.voice.files import check_names, check_wav
from turnwire.cli.voice.plan import check_writable

AFTER: Final = 2.4  # in the middle of a word, where the last sample can be told exactly
EXAMPLES: Final = (
    "turnwire demo-voice",
    "turnwire demo-voice --after 3.1          interrupt later",
    "turnwire demo-voice --report voice.html --record talk.wav",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceDemonstration:
    """Everything that ``turnwire demo-voice`` was told."""

    after: float = AFTER
    report: Path | None = None
    record: Path | None = None
    as_json: bool = False


def demo_voice_command(
    *,
    after: Annotated[
        float,
        typer.Option(min=1.5, max=4.0, help="Seconds of the first answer until it is interrupted."),
    ] = AFTER,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Write a page with pictures and sound; it needs no network."
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.wav", help="Write both sides, in stereo: the user left, as it was heard."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Interrupt a model that speaks, and compare what it is told with what was heard.

    The built-in voice gives two answers, faster than they play; a user interrupts the first one.

    It takes eight seconds and needs no key; the model speaks in tones, the sockets are real.
    """
    with exits():
        told = VoiceDemonstration(after=after, report=report, record=record, as_json=as_json)
        raise typer.Exit(demo_voice(told))


def demo_voice(told: VoiceDemonstration) -> ExitCode:
    """Play the scene and print what came out.

    Raises:
        ConfigError: A file cannot be written, or both are the same.
        TurnwireError: The session failed.
    """
    check_names({"--report": told.report, "--record": told.record})
    if told.record is not None:
        check_wav("--record", told.record)
    for path in (told.report, told.record):
        if path is not None:
            check_writable(path)
    scene = _played(told.after)
    found = findings(scene)
    with writing():
        if told.as_json:
            _print_json(found)
        else:
            print_findings(console(), found, tracks_of(scene, found))
    _write_files(told, scene, found)
    for disagreement in found.disagreements:
        complain(f"not as it should be: {disagreement}")
    return ExitCode.TURN_FAILED if found.disagreements else ExitCode.OK


def _played(after: float) -> Scene:
    err = console(stderr=True)
    text = f"two answers, and somebody who interrupts the first one after {after:g} s"
    if not err.is_terminal:
        err.print(text, style="dim")
        return asyncio.run(play(after))
    with err.status(text, spinner="dots"):
        return asyncio.run(play(after))


def _write_files(told: VoiceDemonstration, scene: Scene, found: Findings) -> None:
    err = console(stderr=True)
    if told.report is not None:
        machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
        page = report(scene, found, tracks_of(scene, found), machine)
        told.report.write_text(page, encoding="utf-8")
        err.print(f"report: {told.report}")
    if told.record is not None:
        with Recorder() as recorder:
            recorder.heard_from_user(scene.user_from, scene.user)
            recorder.played_to_user(scene.ear_from, scene.ear)
            recorder.write(told.record)
        err.print(f"recording: {told.record}")


def _print_json(found: Findings) -> None:
    data = {**asdict(found), "sentences": sentences(found)}
    encoded = msgspec.json.format(msgspec.json.encode(data), indent=2)
    console().file.write(encoded.decode() + "\n")
