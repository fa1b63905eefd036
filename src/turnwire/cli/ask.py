"""``turnwire ask``: one prompt, one answer, and the tool loop in between."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from turnwire.cli.files import FileTools
from turnwire.cli.screen import Screen
from turnwire.client.aio import AsyncClient
from turnwire.errors import ConfigError
from turnwire.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from turnwire.core.request import Transport
    from turnwire.events import Response

DEMO_MODEL: Final = "turnwire-demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Everything that ``turnwire ask`` was told; what is None was not."""

    prompt: str
    model: str | None = None
    base_url: str | None = None
    instructions: str | None = None
    tools: Literal["files"] | None = None
    root: Path = Path()
    transport: Transport = "auto"
    reasoning: str | None = None
    timeout: float | None = None
    max_turns: int = 50
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask; ``embedded`` if it runs in this process."""

    base_url: str | None
    model: str
    embedded: bool = False


def read_prompt(given: str | None = None, *more: str) -> str:
    """Return the prompt, from stdin if it is ``-``, or if none is given and stdin is piped.

    Raises:
        ConfigError: There is none, it is not UTF-8, or there is ``more``: it was not quoted.
    """
    if more:
        raise ConfigError('the prompt is one argument; quote it: turnwire ask "What is new?"')
    if given is None and (sys.stdin is None or sys.stdin.isatty()):
        raise ConfigError('no prompt; try: turnwire ask "What is new?", or pipe it in')
    prompt = _read_stdin() if given is None or given == "-" else given
    if not prompt.strip():
        raise ConfigError('the prompt is empty; try: turnwire ask "What is new?"')
    return prompt


def _read_stdin() -> str:
    if sys.stdin is None:  # closed before the process began
        raise ConfigError('stdin is closed; try: turnwire ask "What is new?"')
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"stdin is not UTF-8 text: byte {error.start} is not") from None


async def ask(question: Question) -> Response:
    """Ask, show the answer as it comes, and return it.

    Raises:
        ConfigError: Something is missing; nothing was sent.
        TurnwireError: As from ``chain.run``.
    """
    tools = FileTools(question.root).functions() if question.tools else None
    with Screen(as_json=question.as_json) as screen:
        async with (
            _server(question, screen) as server,
            AsyncClient(
                base_url=server.base_url,
                transport=question.transport,
                # A proxy cannot know what runs inside of this process.
                trust_env=not server.embedded,
            ) as client,
        ):
            chain = client.chain(
                model=server.model,
                instructions=question.instructions,
                tools=tools,
                reasoning={"summary": question.reasoning} if question.reasoning else None,
            )
            screen.wait("waiting for the model")
            response = await chain.run(
                question.prompt,
                max_turns=question.max_turns,
                timeout=question.timeout,
                on_event=screen.show,
            )
            if client.statistics().fallbacks:
                screen.note(f"over HTTP: {client.health().reason or 'no socket would do'}")
            if not screen.said_text:  # a server that sends no deltas
                screen.say(response.output_text)
    return response


def why_not_whole(response: Response) -> str | None:
    """Return why the server stopped the answer early, or None if it is whole."""
    if response.status != "incomplete":
        return None
    details = response.incomplete_details
    return f"the answer is not whole: {(details and details.reason) or 'the server gave no reason'}"


@asynccontextmanager
async def _server(question: Question, screen: Screen) -> AsyncGenerator[Server]:
    """Find the server to ask, or be one.

    Raises:
        ConfigError: No model is named.
    """
    base_url = question.base_url or os.environ.get("OPENAI_BASE_URL") or None
    if base_url is None and not os.environ.get("OPENAI_API_KEY"):
        async with Gateway() as gateway:
            screen.note(
                "no base URL and no key: asking the embedded gateway's scripted model"
                " (set OPENAI_API_KEY, or --base-url, to ask a real one)"
            )
            yield Server(gateway.base_url, question.model or DEMO_MODEL, embedded=True)
        return
    model = question.model or os.environ.get("OPENAI_MODEL")
    if not model:
        raise ConfigError(
            "no model is named; give one with --model or OPENAI_MODEL"
            f" (`turnwire serve` takes --model {DEMO_MODEL})"
        )
    yield Server(base_url, model)
