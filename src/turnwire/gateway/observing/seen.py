"""One turn and one socket as operators see them: times, sizes and outcomes, never content.

Pure: the time is an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from turnwire.gateway.store.event_log import TERMINAL_TYPES

if TYPE_CHECKING:
    from collections.abc import Collection

    from turnwire.core.serving import Serving
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.json_shapes import Json

Transport = Literal["websocket", "sse", "json"]
Outcome = Literal["completed", "incomplete", "failed", "error", "stopped"]
ChainUse = Literal["new", "hit", "miss"]

# What every response begins with before its model has said anything.
_OPENING: Final = frozenset({"response.created", "response.queued", "response.in_progress"})

_OUTCOMES: Final[dict[str, Outcome]] = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "error": "error",
}

# An upstream may say anything where a code belongs; what does not look like one is not repeated.
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
OTHER: Final = "other"


def tidy_code(code: object) -> str:
    """Return an error code that may be shown to operators; ``other`` if it is none."""
    return code if isinstance(code, str) and _CODE.fullmatch(code) else OTHER


@dataclass(slots=True, eq=False)
class SeenTurn:
    """What is known of one turn; all times are of one monotonic clock, in seconds.

    Attributes:
        number: Counts turns since the gateway started.
        owner: A fingerprint of the key; see ``owner_of``.
        socket: The number of its socket; None if it came by POST.
        lane: 0 for the default lane, more for a named one; None if it came by POST.
        received: When the create came.
        started: When its lane was free, and work on it began.
        first_event: When the first output came, or None.
        ended: When it ended, or None.
        model: One of the names that the gateway lists, or ``other``; never a client's own word.
        items_in: Input items that the turn adds.
        bytes_in: Bytes of these items.
        bytes_saved: Bytes of the chain, which the client did not have to send again.
        chain: ``hit`` if it continues a response that was found, ``miss`` if one that was not.
        estimated_tokens: What it is charged, as nobody has told of its tokens; else 0.
        outcome: How it ended; ``stopped`` means that nobody wanted it any more.
        code: The error's code, or None.
        status: The status of an ``error`` event, or None.
        key_name: The name of the key that it came with; empty if it has none.
        upstream: The configured name of the upstream that answered, or was asked last, or None.
    """

    number: int
    transport: Transport
    owner: str
    received: float
    started: float
    socket: int | None = None
    lane: int | None = None
    first_event: float | None = None
    ended: float | None = None
    model: str = OTHER
    items_in: int = 0
    bytes_in: int = 0
    bytes_saved: int = 0
    chain: ChainUse = "new"
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    estimated_tokens: int = 0
    outcome: Outcome = "stopped"
    code: str | None = None
    status: int | None = None
    key_name: str = ""
    upstream: str | None = None

    def asked(self, prompt: Prompt, models: Collection[str]) -> None:
        """Note what the model is asked, in numbers."""
        parameters = prompt.parameters
        self.model = parameters.model if parameters.model in models else OTHER
        self.items_in = len(prompt.items)
        self.bytes_in = prompt.new_bytes
        if prompt.parent is not None:
            self.chain = "hit"
            self.bytes_saved = prompt.parent.content_bytes

    def shown(self, event: Json, now: float) -> None:
        """Note an event of the turn."""
        kind: str = event["type"]
        if kind in TERMINAL_TYPES:
            self._end(_OUTCOMES[kind], event)
        elif self.first_event is None and kind not in _OPENING:
            self.first_event = now

    def estimate(self, tokens: int) -> None:
        """Note an estimate, unless the turn's own count is known."""
        if not (self.input_tokens or self.output_tokens):
            self.estimated_tokens = tokens

    def _end(self, outcome: Outcome, event: Json) -> None:
        response: Json = event.get("response") or {}
        # The wire has no terminal event for a turn that was cancelled by id.
        self.outcome = "stopped" if response.get("status") == "cancelled" else outcome
        error: Json | None = response.get("error") or event.get("error")
        if error is not None:
            self.code = tidy_code(error.get("code") or error.get("type"))
            self.status = event.get("status")
        if self.code == "previous_response_not_found":
            self.chain = "miss"
        usage: Json = response.get("usage") or {}
        self.input_tokens = usage.get("input_tokens", 0)
        self.output_tokens = usage.get("output_tokens", 0)
        self.cached_tokens = usage.get("input_tokens_details", {}).get("cached_tokens", 0)
        self.reasoning_tokens = usage.get("output_tokens_details", {}).get("reasoning_tokens", 0)


@dataclass(slots=True, eq=False)
class SeenSocket:
    """What is known of one socket.

    Attributes:
        number: Counts sockets since the gateway started.
        owner: A fingerprint of the key; see ``owner_of``.
        opened: When its upgrade was answered.
        serving: Its lanes and what waits in them.
        turns: Turns that were started on it.
        key_name: The name of the key that it came with; empty if it has none.
    """

    number: int
    owner: str
    opened: float
    serving: Serving
    turns: int = 0
    key_name: str = ""


Wanted = Literal["connect", "message", "create", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something that was refused before it became a socket or a turn.

    Attributes:
        wanted: A socket; an answer to a message on one, mostly a create; a turn by POST; or
            anything else of what the gateway serves.
        status: What was answered.
        code: Why; see ``tidy_code``.
        owner: A fingerprint of the key, known or not; see ``owner_of``.
        key_name: The name of the key; empty if it has none, or is not known.
        socket: The number of the socket that it came on; None if it came over HTTP.
    """

    wanted: Wanted
    status: int
    code: str
    owner: str
    key_name: str = ""
    socket: int | None = None
