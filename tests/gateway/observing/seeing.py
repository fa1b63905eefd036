"""An observer whose clock the test moves, turns that were seen, and metrics that were scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from turnwire.core.serving import Place, Serving
from turnwire.gateway.observing import Observer, SeenTurn, TurnWatch

if TYPE_CHECKING:
    from turnwire.gateway.observing.access_log import AccessLog

Json = dict[str, Any]
Samples = dict[str, float]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Scene:
    def __init__(self, access_log: AccessLog | None = None) -> None:
        self.clock = Clock()
        self.observer = Observer(lambda: ("known",), access_log, clock=self.clock)

    def lane_turn(self, *, lane: int = 0, waited: float = 0.0) -> TurnWatch:
        socket = self.observer.opened("f" * 32, Serving())
        return self.observer.on_lane(socket, Place(lane, self.clock.now - waited))

    def run(self, watch: TurnWatch, *events: Json | float) -> None:
        """Begin a turn, show events, let seconds pass, end it."""
        watch.began()
        for event in events:
            if isinstance(event, dict):
                watch.shown(event)
            else:
                self.clock.now += event
        watch.ended()


def usage(**counts: int) -> Json:
    return {
        "input_tokens": counts.get("input", 0),
        "input_tokens_details": {"cached_tokens": counts.get("cached", 0)},
        "output_tokens": counts.get("output", 0),
        "output_tokens_details": {"reasoning_tokens": counts.get("reasoning", 0)},
    }


CREATED: Json = {"type": "response.created", "response": {}}
DELTA: Json = {"type": "response.output_text.delta", "delta": "secret"}
COMPLETED: Json = {
    "type": "response.completed",
    "response": {"error": None, "usage": usage(input=30, cached=20, output=7, reasoning=2)},
}


def failed(code: str | None) -> Json:
    error = {"code": code, "message": "secret"}
    return {"type": "response.failed", "response": {"error": error, "usage": None}}


def error(code: str | None, status: int = 400) -> Json:
    body = {"type": "invalid_request_error", "message": "secret"}
    return {
        "type": "error",
        "status": status,
        "error": body if code is None else body | {"code": code},
    }


def seen(number: int, *, ended: float | None = None) -> SeenTurn:
    turn = SeenTurn(number, "json", "", received=0.0, started=0.0)
    turn.ended = ended
    return turn


def samples(text: str) -> Samples:
    """Return what is ours, as it is written: a name with its labels, and a number."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            if sample.name.startswith("turnwire_"):
                name = sample.name.removeprefix("turnwire_")
                found[f"{name}{{{labels}}}" if labels else name] = sample.value
    return found
