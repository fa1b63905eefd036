"""What a server speaks, found out from answers to questions that cost it nothing; no I/O.

No question runs a model: each POST lacks all that a model would need.  What is known of which
server, and whence, is in docs/reference/upstream-detection.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from turnwire.gateway.json_shapes import array_or_empty, is_object, object_or_empty
from turnwire.gateway.upstreams.address import address_of

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["chat", "responses", "websocket"]

_SUFFIXES: Final = ("/chat/completions", "/responses", "/models")
_VERSION: Final = re.compile(r"v\d+\w*|openai")
_LOCKED: Final = frozenset({401, 403})
_NOT_HERE: Final = frozenset({404, 405, 410, 501})
_NOT_NOW: Final = frozenset({502, 503, 504})


class Presence(Enum):
    """What an answer says of the path that was asked."""

    THERE = "there"
    MISSING = "missing"
    LOCKED = "locked"  # without the right key the server does not say
    NOT_NOW = "not_now"  # the server starts, or what is behind a proxy does not run
    SILENT = "silent"  # there was no answer


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the server, or why there is none.

    Attributes:
        status: HTTP status; None if there was no answer.
        body: What was decoded of JSON, or else the text's beginning.
        headers: With names in lower case.
        problem: Why there was no answer.
        code: The same as a code of ``failures.py``.
    """

    status: int | None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All answers below one base URL.

    Attributes:
        url: The base URL.
        models: To GET models.
        upgrade: To a WebSocket upgrade of responses.
        responses: To a POST to responses without input.
        chat: To a POST to chat/completions without messages.
        root: To GET of the server's root.
    """

    url: str
    models: Reply
    upgrade: Reply
    responses: Reply
    chat: Reply
    root: Reply


@dataclass(frozen=True, slots=True)
class Detected:
    """What a server speaks.

    Attributes:
        kind: How it is best asked.
        url: The base URL that answered.
        server: Which program it is, or None if it does not show.
        models: What it lists.
        reason: Why, in one line.
    """

    kind: Kind
    url: str
    server: str | None
    models: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Undetected:
    """It could not be found out.

    Attributes:
        reason: Why, and what to do.
        reached: False if nobody answered: it may be otherwise later.
        locked: True if a key is needed.
        problem: What is wrong, if it may be otherwise later; for the log.
    """

    reason: str
    reached: bool
    locked: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Server:
    """What is known of a program.

    Attributes:
        order: The kinds that it may have, the one first by which most turns work.
        note: Why, if that is not the usual order.
    """

    order: tuple[Kind, ...]
    note: str = ""


_ALL_KINDS: Final[tuple[Kind, ...]] = ("websocket", "responses", "chat")
_FEWER_TOOLS: Final = _Server(
    ("chat", "websocket", "responses"), "its /responses does not take all tools that clients send"
)
_UNKNOWN: Final = _Server(
    ("websocket", "chat", "responses"),
    "nobody knows whether its /responses takes all that clients send; `kind` decides otherwise",
)
_WHOLE: Final = _Server(_ALL_KINDS)
_SERVERS: Final = {
    "OpenAI": _WHOLE,
    "Azure OpenAI": _WHOLE,
    "xAI": _WHOLE,
    "turnwire": _WHOLE,
    "vLLM": _FEWER_TOOLS,
    "SGLang": _FEWER_TOOLS,
    "llama.cpp": _FEWER_TOOLS,
    "Ollama": _FEWER_TOOLS,
    "LM Studio": _FEWER_TOOLS,
    "LiteLLM": _Server(
        ("responses", "chat", "websocket"), "its WebSocket mode has no lanes and drops warm-ups"
    ),
}
_OWNERS: Final = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "llamacpp": "llama.cpp",
    "library": "Ollama",
    "organization_owner": "LM Studio",
    "turnwire": "turnwire",
}
_HOSTS: Final = {"api.openai.com": "OpenAI", "api.x.ai": "xAI", "ollama.com": "Ollama"}
_AZURE: Final = ".openai.azure.com"  # below it each customer has a name
_OLLAMA_ROOT: Final = "Ollama is running"


def base_urls(url: str) -> tuple[str, ...]:
    """Return the base URLs that an address may mean, the likeliest first.

    Raises:
        ValueError: It is no address of a server.
    """
    address = address_of(url)
    if address is None or address.query:
        raise ValueError("no address of a server")
    path = address.path.rstrip("/")
    for suffix in _SUFFIXES:
        path = path.removesuffix(suffix)
    given = address._replace(path=path, fragment="").geturl()
    if _VERSION.fullmatch(path.rpartition("/")[2]):
        return (given,)
    return (f"{given}/v1", given)


def presence(reply: Reply) -> Presence:
    """Say what the answer to a question says that no server can serve."""
    status = reply.status
    if status is None:
        return Presence.SILENT
    if status in _LOCKED:
        return Presence.LOCKED
    if status in _NOT_NOW:
        return Presence.NOT_NOW
    if status in _NOT_HERE:
        # A server that looks at the model first says that there is no such model.
        missing_model = status == 404 and "model" in _message(reply).lower()  # noqa: PLR2004
        return Presence.THERE if missing_model else Presence.MISSING
    if status >= 400 or _answers_like_a_model(reply):  # noqa: PLR2004  # errors
        return Presence.THERE
    # Whoever answers anything else to such a question answers everything: LM Studio says 200 to
    # paths that it does not have, and web pages do.
    return Presence.MISSING


def _answers_like_a_model(reply: Reply) -> bool:
    """Recognize a server that does not look at what it is asked, and talks anyway."""
    streams = reply.headers.get("content-type", "").startswith("text/event-stream")
    body = object_or_empty(reply.body)
    return streams or "choices" in body or body.get("object") == "response"


def upgrade_presence(reply: Reply) -> Presence:
    """Say what the answer to an upgrade says."""
    if reply.status == 101:  # noqa: PLR2004  # switching protocols
        return Presence.THERE
    return Presence.SILENT if reply.status is None else Presence.MISSING


def decide(findings: Findings) -> Detected | Undetected:
    """Choose how a server is asked."""
    found = {
        "websocket": upgrade_presence(findings.upgrade),
        "responses": presence(findings.responses),
        "chat": presence(findings.chat),
    }
    server = server_of(findings)
    known = _SERVERS.get(server or "", _UNKNOWN)
    for kind in known.order:
        if found[kind] is Presence.THERE:
            reason = f"{kind}: {_evidence(findings)}"
            usual = next(each for each in _ALL_KINDS if found[each] is Presence.THERE)
            if kind != usual:
                reason += f"; {server or 'unknown server'}: {known.note}"
            return Detected(kind, findings.url, server, listed(findings.models), reason)
    return _undetected(findings, set(found.values()))


def server_of(findings: Findings) -> str | None:
    """Recognize a program by what it shows of itself."""
    replies = (findings.models, findings.responses, findings.chat, findings.root)
    host = urlsplit(findings.url).hostname or ""
    if host in _HOSTS:
        return _HOSTS[host]
    if host.endswith(_AZURE):
        return "Azure OpenAI"
    if any(name.startswith("x-litellm-") for reply in replies for name in reply.headers):
        return "LiteLLM"
    if any(reply.headers.get("server", "").startswith("llama.cpp") for reply in replies):
        return "llama.cpp"
    if isinstance(findings.root.body, str) and findings.root.body.startswith(_OLLAMA_ROOT):
        return "Ollama"
    for model in _models_in(findings.models):
        owner = object_or_empty(model).get("owned_by")
        if isinstance(owner, str) and owner in _OWNERS:
            return _OWNERS[owner]
    return None


def listed(reply: Reply) -> tuple[str, ...]:
    """Return the names in a list of models; none if it is no list."""
    names = [object_or_empty(model).get("id") for model in _models_in(reply)]
    return tuple(name for name in names if isinstance(name, str))


def _models_in(reply: Reply) -> list[Any]:
    return array_or_empty(object_or_empty(reply.body).get("data")) if reply.status == 200 else []  # noqa: PLR2004


def _undetected(findings: Findings, found: set[Presence]) -> Undetected:
    if found == {Presence.SILENT} and findings.models.status is None:
        problem = findings.models.problem or "no answer"
        return Undetected(
            f"the model server cannot be reached: {problem}. Start it, or correct the URL.",
            reached=False,
            problem=problem,
        )
    evidence = _evidence(findings)
    if Presence.NOT_NOW in found:
        return Undetected(
            f"the model server is not ready: {evidence}. Try again when it has loaded its model.",
            reached=False,
            problem=f"it is not ready: {evidence}",
        )
    if Presence.LOCKED in found:
        return Undetected(
            f"the model server wants a key: {evidence}. Name the environment variable that holds"
            " it in `api_key_env`, or the kind of the upstream in `kind`.",
            reached=True,
            locked=True,
        )
    return Undetected(
        f"this is no model server that is known here: {evidence}. Correct the URL, or name the"
        " kind of the upstream in `kind`.",
        reached=True,
    )


def _evidence(findings: Findings) -> str:
    """Say what was asked and what came of it, without anything of the server's own words."""
    path = urlsplit(findings.url).path
    models = "answered" if listed(findings.models) else _status(findings.models)
    upgrade = "taken" if findings.upgrade.status == 101 else _status(findings.upgrade)  # noqa: PLR2004
    return (
        f"GET {path}/models {models}, WebSocket upgrade {upgrade},"
        f" POST {path}/responses {_status(findings.responses)},"
        f" POST {path}/chat/completions {_status(findings.chat)}"
    )


def _status(reply: Reply) -> str:
    return "had no answer" if reply.status is None else f"is {reply.status}"


def _message(reply: Reply) -> str:
    body = object_or_empty(reply.body)
    error = body.get("error", body)
    message = error.get("message") if is_object(error) else error
    return message if isinstance(message, str) else ""
