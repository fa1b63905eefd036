"""The command line: what can be given, and what ``--help`` teaches about it."""

# No `from __future__ import annotations` here: typer reads the annotations.

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.markup import escape

import turnwire
from turnwire.cli.ask import DEMO_MODEL, Question, ask, read_prompt, why_not_whole
from turnwire.cli.demo.command import QUESTION, Demonstration, demo
from turnwire.cli.demo_voice.command import EXAMPLES as DEMO_VOICE_EXAMPLES
from turnwire.cli.demo_voice.command import demo_voice_command
from turnwire.cli.doctor.case import Told
from turnwire.cli.doctor.command import doctor
from turnwire.cli.doctor.verdict import MEANINGS as DOCTOR_MEANINGS
from turnwire.cli.exits import MEANINGS, ExitCode, complain, exits
from turnwire.cli.record import EXAMPLES as RECORD_EXAMPLES
from turnwire.cli.record import record_command
from turnwire.cli.serve import EXAMPLES as SERVE_EXAMPLES
from turnwire.cli.serve import serve_command
from turnwire.cli.terminal import writing
from turnwire.cli.voice.command import EXAMPLES as VOICE_EXAMPLES
from turnwire.cli.voice.command import voice_command


def _exit_codes(meanings: Mapping[ExitCode, str]) -> str:
    lines = (f"  {code.value:>3}  {said}" for code, said in meanings.items())
    return "\n".join(["[bold]Exit codes[/bold]", *lines])


_EXIT_CODES: Final = _exit_codes(MEANINGS)


def _examples(*examples: str) -> str:
    return "\n".join(["[bold]Examples[/bold]", *(f"  {escape(each)}" for each in examples)])


app = typer.Typer(
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables: a key might be among them
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EXIT_CODES,
)


def _show_version(value: bool) -> None:  # noqa: FBT001  # typer calls it so
    if value:
        with exits(), writing():
            typer.echo(f"turnwire {turnwire.__version__}")
        raise typer.Exit


@app.callback(
    epilog="\n\n".join(
        (
            _examples(
                'turnwire ask "Hello"                     a built-in model, without a key',
                'turnwire ask --tools files "List files"  with tools for this folder',
                "turnwire serve                           the gateway, for any client",
                "turnwire demo                            three transports, measured",
                "turnwire doctor                          why WebSocket mode works or not",
                "turnwire voice --in hello.wav            a Realtime session, from a file",
                "turnwire demo-voice                      an interruption, heard to the sample",
            ),
            _EXIT_CODES,
        )
    )
)
def turnwire_command(
    *,
    version: Annotated[  # the callback acts on it
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say it and exit."),
    ] = False,
) -> None:
    """Talk to models over one persistent WebSocket, where each turn sends only what is new.

    The key is read from OPENAI_API_KEY, never from an option, which other users could see.
    """


@app.command(
    "ask",
    epilog="\n\n".join(
        (
            _examples(
                'turnwire ask "Say hello"',
                'git diff | turnwire ask --instructions "Review this change"',
                "turnwire ask --tools files --root src 'Where is \"FIFO\" mentioned?'",
                'turnwire ask --base-url http://127.0.0.1:8080/v1 --model m "Hi"',
                'turnwire ask --json "Hi" | jq -r .type',
                'OPENAI_API_KEY=… turnwire ask --model gpt-5.1 --reasoning auto "Why?"',
            ),
            _EXIT_CODES,
        )
    ),
)
def ask_command(
    prompt: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROMPT]", help="What to ask; [bold]-[/bold] or none reads it from stdin."
        ),
    ] = None,
    *,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            envvar="OPENAI_MODEL",
            help=f"The model; the embedded gateway's is {DEMO_MODEL}.",
        ),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(
            envvar="OPENAI_BASE_URL",
            help="The server, such as https://host/v1. Without it: the hosted service if there is"
            " a key, else a gateway embedded in this process.",
        ),
    ] = None,
    instructions: Annotated[
        str | None, typer.Option("--instructions", "-i", help="What the model is to be like.")
    ] = None,
    tools: Annotated[
        Literal["files"] | None,
        typer.Option(
            help="[bold]files[/bold]: the model may list, read and search the files below --root,"
            " but for hidden ones. What it reads goes to the server.",
        ),
    ] = None,
    root: Annotated[
        Path, typer.Option(help="The folder for --tools files; the model cannot leave it.")
    ] = Path(),
    transport: Annotated[
        Literal["auto", "websocket", "http"],
        typer.Option(help="How turns travel; auto: HTTP where WebSocket does not work."),
    ] = "auto",
    reasoning: Annotated[
        Literal["auto", "concise", "detailed"] | None,
        typer.Option(help="Ask for a summary of the reasoning; shown dim on a terminal."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds that each turn may take.")
    ] = None,
    max_turns: Annotated[int, typer.Option(min=1, help="Turns that the tool loop may take.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every event as it came, one a line.")
    ] = False,
) -> None:
    """Ask a model, and print its answer as it comes.

    The text goes to stdout and everything else to stderr. Tool calls run until the model answers.
    """
    with exits():
        question = Question(
            prompt=read_prompt(*(prompt or ())),
            model=model,
            base_url=base_url,
            instructions=instructions,
            tools=tools,
            root=root,
            transport=transport,
            reasoning=reasoning,
            timeout=timeout,
            max_turns=max_turns,
            as_json=as_json,
        )
        reason = why_not_whole(asyncio.run(ask(question)))
        if reason is not None:
            complain(reason)
            raise typer.Exit(ExitCode.INTERRUPTED)


app.command("serve", epilog="\n\n".join((_examples(*SERVE_EXAMPLES), _EXIT_CODES)))(serve_command)


@app.command(
    "demo",
    epilog="\n\n".join(
        (
            _examples(
                "turnwire demo",
                "turnwire demo --rtt 0.15                 as from another continent",
                "turnwire demo --calls 100 --rounds 1",
                "turnwire demo --root ~/project --report demo.html",
            ),
            _EXIT_CODES,
        )
    ),
)
def demo_command(
    question: Annotated[
        str, typer.Argument(help="What the agent is asked about the files.")
    ] = QUESTION,
    *,
    calls: Annotated[
        int, typer.Option(min=1, max=1000, help="Tool calls that it makes before it answers.")
    ] = 24,
    rtt: Annotated[
        float, typer.Option(min=0, max=10, help="Seconds of the simulated round trip; 0 for none.")
    ] = 0.05,
    rounds: Annotated[
        int, typer.Option(min=1, max=100, help="How often each way is measured.")
    ] = 3,
    root: Annotated[Path, typer.Option(help="The folder with the files.")] = Path(),
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a page with charts; it needs no network."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Measure one agent's work over three transports, on the files of a folder.

    The same tool calls go over HTTP with the full history, over HTTP with
    previous_response_id, and over one WebSocket.

    The model is scripted; tools, sockets and numbers are real.
    """
    with exits():
        code = demo(
            Demonstration(
                question=question,
                calls=calls,
                rounds=rounds,
                rtt=rtt,
                root=root,
                report=report,
                as_json=as_json,
            )
        )
        raise typer.Exit(code)


@app.command(
    "doctor",
    epilog="\n\n".join(
        (
            _examples(
                "turnwire doctor                          the server that ask would use",
                "turnwire doctor --base-url http://127.0.0.1:8080/v1",
                "turnwire doctor --api-key-env GATEWAY_KEY --base-url https://host/v1",
                "turnwire doctor --json | jq .checks.handshake",
            ),
            _exit_codes(DOCTOR_MEANINGS),
        )
    ),
)
def doctor_command(
    *,
    base_url: Annotated[
        str | None,
        typer.Option(
            help="The server; by default OPENAI_BASE_URL, else the hosted service.",
        ),
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The environment variable with the key; by default OPENAI_API_KEY.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model for warm-ups, which run none; by default OPENAI_MODEL, else the first"
            " that the server lists.",
        ),
    ] = None,
    probe_size: Annotated[
        bool,
        typer.Option("--probe-size", help="Send 16 MiB to find out how large a message may be."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of lines.")
    ] = False,
) -> None:
    """Find out why WebSocket mode works with a server, or why it does not.

    It looks at configuration, route, handshake, key, turns and HTTP, within 30 seconds.
    No model runs on servers that follow the protocol.
    """
    with exits():
        told = Told(
            base_url=base_url,
            api_key_env=api_key_env,
            model=model,
            probe_size=probe_size,
            as_json=as_json,
        )
        raise typer.Exit(doctor(told))


app.command("voice", epilog="\n\n".join((_examples(*VOICE_EXAMPLES), _EXIT_CODES)))(voice_command)


app.command("demo-voice", epilog="\n\n".join((_examples(*DEMO_VOICE_EXAMPLES), _EXIT_CODES)))(
    demo_voice_command
)


app.command("record", epilog="\n\n".join((_examples(*RECORD_EXAMPLES), _EXIT_CODES)))(
    record_command
)


logging.getLogger("turnwire").addHandler(logging.NullHandler())  # stderr is for people
