"""``turnwire voice``, from options to an exit code."""

# No `from __future__ import annotations` here: typer reads the annotations.

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from turnwire.cli.exits import ExitCode, complain, exits
from turnwire.cli.terminal import console
from turnwire.cli.voice.live import live
from turnwire.cli.voice.plan import Plan
from turnwire.cli.voice.talk import Outcome, talk

EXAMPLES: Final = (
    "turnwire voice                           three tones, and what the built-in voice says",
    "turnwire voice --in hello.wav --out reply.wav --transcript",
    'turnwire voice --text "Good morning" --out reply.wav --record both.wav',
    "turnwire voice --base-url http://127.0.0.1:8080/v1 --in hello.wav --out reply.wav",
    "OPENAI_API_KEY=… turnwire voice --mic    microphone and speaker, until Ctrl-C",
)


def voice_command(
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            "--in",
            metavar="FILE.wav",
            help="What is said: PCM16, mono or stereo. Without it and --text: three tones.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.wav", help="Where the reply goes.")
    ] = None,
    transcript: Annotated[
        bool,
        typer.Option(
            "--transcript",
            help="Print both sides' words as they come; also so if no file is written.",
        ),
    ] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.wav",
            help="Both sides on one time line, in stereo: the user left, the assistant right.",
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Something written that is said before the sound, or alone.")
    ] = None,
    instructions: Annotated[
        str | None, typer.Option("--instructions", "-i", help="What the model is to be like.")
    ] = None,
    voice: Annotated[str | None, typer.Option(help="The voice, such as marin.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model; a recent one by default.")
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            "--base-url",
            "--url",
            envvar="OPENAI_BASE_URL",
            help="The server, such as https://host/v1. Without it: the hosted service if there is"
            " a key, else a gateway embedded in this process.",
        ),
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The environment variable with the key; by default OPENAI_API_KEY.",
        ),
    ] = None,
    g711: Annotated[
        bool, typer.Option("--g711", help="Speak as telephones do: µ-law at 8 kHz, both ways.")
    ] = False,
    mic: Annotated[
        bool,
        typer.Option("--mic", help="Talk with microphone and speaker until Ctrl-C."),
    ] = False,
    half_duplex: Annotated[
        bool,
        typer.Option(
            "--half-duplex",
            help="With --mic and without headphones: the microphone is mute while the speaker"
            " sounds, so nobody can interrupt.",
        ),
    ] = False,
) -> None:
    """Speak to a model over the Realtime API, and keep what it answers.

    A file is one sentence: it is sent at once and the reply is written as it comes.

    Words go to stdout, everything else to stderr.
    """
    with exits():
        plan = Plan(
            source=source,
            out=out,
            record=record,
            text=text,
            transcript=transcript,
            model=model,
            voice=voice,
            instructions=instructions,
            base_url=base_url,
            api_key_env=api_key_env,
            g711=g711,
            mic=mic,
            half_duplex=half_duplex,
        )
        plan.check()
        if plan.mic:
            with suppress(KeyboardInterrupt):  # that is how it ends
                asyncio.run(live(plan))
            return
        outcome = asyncio.run(talk(plan))
        console(stderr=True).print(_summary(plan, outcome), style="dim")
        code, reason = _ending(outcome)
        if reason is not None:
            complain(reason)
            raise typer.Exit(code)


def _summary(plan: Plan, outcome: Outcome) -> str:
    said = f"{outcome.said:.2f} s said, " if outcome.said else ""
    waited = "" if outcome.waited is None else f" after {outcome.waited * 1000:.0f} ms"
    files = [str(path) for path in (plan.out, plan.record) if path is not None]
    written = f": {' and '.join(files)}" if files else ""
    return f"{said}{outcome.replied:.2f} s answered{waited}{written}"


def _ending(outcome: Outcome) -> tuple[ExitCode, str | None]:
    """Return the exit code, and why the reply is not whole, if it is not."""
    response = outcome.response
    details = response.status_details
    reason = details.reason if details is not None else None
    error = details.error if details is not None else None
    why = (error and error.message) or reason or "the server gave no reason"
    match response.status:
        case "completed":
            return ExitCode.OK, None
        case "failed":
            return ExitCode.TURN_FAILED, f"the reply failed: {why}"
        case _:
            return ExitCode.INTERRUPTED, f"the reply is not whole: {why}"
