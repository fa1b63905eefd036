"""What may stand behind the gateway: one upstream of each kind, and how often its model ran."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from interop.gateway import words
from interop.gateway.chat_server import chat_server
from turnwire.gateway.config.tables import UpstreamConfig
from turnwire.testing import Create, Peer, reasoning
from turnwire.testing import answer as say
from turnwire.testing import call as call_

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from turnwire.testing import Step

KINDS: Final = ("scripted", "chat", "responses", "websocket")


@dataclass(frozen=True, slots=True)
class Behind:
    """An upstream.

    Attributes:
        config: What the gateway is told of it.
        model_runs: Counts on its side; None for the gateway's own.
        complaints: What the server refused.
    """

    config: UpstreamConfig
    model_runs: Callable[[], int] | None = None
    complaints: Callable[[], list[object]] = list


@asynccontextmanager
async def behind(kind: str) -> AsyncIterator[Behind]:
    """Start an upstream."""
    match kind:
        case "scripted":
            yield Behind(UpstreamConfig(kind="scripted"))
        case "chat":
            async with chat_server() as server:
                config = UpstreamConfig(kind="chat", url=server.url)
                yield Behind(
                    config,
                    lambda: server.model_runs,
                    lambda: list(server.asked[: len(server.asked) - server.model_runs]),
                )
        case "responses":
            # As a server that speaks HTTP alone: an upgrade would be refused.
            async with Peer(_script, handshake=426) as peer:
                yield Behind(
                    UpstreamConfig(kind="responses", url=peer.base_url),
                    lambda: peer.model_runs,
                    lambda: [*peer.refusals, *peer.handshakes],
                )
        case "websocket":
            async with Peer(_script, posts=405) as peer:
                yield Behind(
                    UpstreamConfig(kind="websocket", url=peer.base_url),
                    lambda: peer.model_runs,
                    lambda: [*peer.refusals, *peer.posts],
                )
        case _:
            raise ValueError(kind)


def _script(create: Create) -> list[Step]:
    """Answer a create with the model of ``words.py``."""
    items = [
        item
        for item in [*create.history, *create.input]
        if item.get("role") not in {"system", "developer"}
    ]
    last = max(at for at, item in enumerate(items) if item.get("role") == "user")
    form = (create.request.get("text") or {}).get("format") or {}
    asked = words.Asked(
        _text(items[last]["content"]),
        [_text(item["output"]) for item in items[last:] if "output" in item],
        len(items),
        form.get("schema"),
    )
    thought = [reasoning(words.THOUGHT)] if create.request.get("reasoning") else []
    called = [call_(name, arguments) for name, arguments in words.calls(asked)]
    return [*thought, *(called or [say(words.answer(asked))])]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)
