"""What a round is: a server and clients with certain manners, chosen by the seed.

A round has a temper.  In a *wild* one everything happens; in the others only what must not cost a
single turn, so that there every turn has to end well.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Any

from chaos.faults import DOORS, TIMES, TURNS
from turnwire import Backoff

if TYPE_CHECKING:
    from turnwire import Interruption

TEMPERS = ("wild",) * 12 + ("calm", "gentle", "resend", "resume")
_PATIENT = {
    "ping_interval": 5.0, "ping_timeout": 10.0, "first_event_timeout": 30.0, "dial_timeout": 10.0,
    "queue_timeout": 60.0,
}  # fmt: skip
_HASTY = {
    "ping_interval": 0.3, "ping_timeout": 0.3, "first_event_timeout": 1.0, "dial_timeout": 0.3,
    "progress_timeout": 1.0, "write_timeout": 1.0, "queue_timeout": 6.0,
}  # fmt: skip
_LOSSES = ("drop before", "drop middle", "garbage")


@dataclass(frozen=True, slots=True)
class Round:
    """The choices of one round.

    Attributes:
        seed: Of the whole.
        number: Which round.
        turns: How many, about.
        callers: How many ask at once.
        temper: What is to be expected.
        colour: ``async`` or ``sync``.
        peer: Arguments of the server.
        client: Options of the clients.
        faults: Kinds of spoilt answers.
        doors: Kinds of spoilt requests.
        times: What happens now and then, by how often a second.
        fault_rate: Share of answers that are spoilt.
        door_rate: Share of requests that are.
        delay_rate: Share of answers that take their time.
        once: True if a question's first answer alone may be spoilt.
    """

    seed: str
    number: int
    turns: int
    callers: int
    temper: str
    colour: str
    peer: dict[str, Any] = field(default_factory=dict[str, Any])
    client: dict[str, Any] = field(default_factory=dict[str, Any])
    faults: list[str] = field(default_factory=list[str])
    doors: list[str] = field(default_factory=list[str])
    times: dict[str, float] = field(default_factory=dict[str, float])
    fault_rate: float = 0.0
    door_rate: float = 0.0
    delay_rate: float = 0.5
    once: bool = False

    def stream(self, what: object) -> Random:
        """Return random numbers for one purpose, the same in every run."""
        return Random(f"{self.seed} {self.number} {what}")

    @property
    def is_wild(self) -> bool:
        return self.temper == "wild"


def round_of(seed: str, number: int, turns: int, only: str | None = None) -> Round:
    """Choose a round."""
    rng = Random(f"{seed} {number}")
    temper = "wild" if only else rng.choice(TEMPERS)
    colour = "sync" if rng.random() < 0.25 else "async"
    callers = rng.choice((16, 48, 96))
    made = Round(seed, number, turns, callers, temper, colour)
    match temper:
        case "wild":
            return _wild(rng, made, only)
        case "gentle":
            peer, client = _sides(rng)
            client["max_retries"] = 4
            return _with(
                made, peer, _PATIENT | client,
                faults=[name for name, fault in TURNS.items() if fault.harmless],
                doors=["door busy"], fault_rate=0.12, door_rate=0.2, once=True,
            )  # fmt: skip
        case "resend":
            client = {"lanes": False, "max_sockets": 12, "transport": _transport(rng)}
            return _with(
                made, {}, _PATIENT | client, faults=list(_LOSSES), fault_rate=0.4, once=True
            )
        case "resume":
            client = {"lanes": False, "max_sockets": 12, "resume": True}
            client["transport"] = _transport(rng)
            peer = {"resumes": rng.choice(("json", "stream"))}
            return _with(
                made, peer, _PATIENT | client, faults=["drop middle"], fault_rate=0.4, once=True
            )
        case _:
            peer, client = _sides(rng)
            return _with(made, peer, _PATIENT | client)


def _with(made: Round, peer: dict[str, Any], client: dict[str, Any], **more: Any) -> Round:
    return replace(made, peer=peer, client=client, **more)


def _transport(rng: Random) -> str:
    return rng.choice(("auto", "auto", "websocket", "websocket", "http"))


def _sides(rng: Random) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choose how well the two sides know lanes."""
    lanes = rng.choice(("echo", "echo", "echo", "ignore", "reject", "mix"))
    peer = {
        "lanes": lanes,
        "active_limit": rng.choice((16, 16, 3)),
        "name_limit": rng.choice((32, 5)),
    }
    client = {
        "transport": _transport(rng),
        "max_sockets": rng.randrange(1, 5),
        "lanes": rng.choice((None, True) if lanes == "echo" else (None, False)),
    }
    return peer, client


def _wild(rng: Random, made: Round, only: str | None) -> Round:
    peer, client = _sides(rng)
    peer["resumes"] = rng.choice(("off", "json", "stream"))
    client |= {
        "resume": peer["resumes"] != "off" and rng.random() < 0.7,
        "replay": rng.choice(("safe", "never", "always", "asked")),
        "max_retries": rng.choice((0, 2, 2, 3)),
        "dial_backoff": Backoff((0.02, 0.05)),
        "max_age": rng.choice((0.5, 2.0, 3000.0)),
        "buffer_bytes": rng.choice((8 * 2**10, 16 * 2**20, 16 * 2**20)),
        "client_buffer_bytes": rng.choice((128 * 2**10, 64 * 2**20)),
    }
    if client["replay"] == "asked":
        client["replay"] = sometimes
    faults, doors = list(TURNS), list(DOORS)
    times = {name: rng.choice((0.0, 0.5, 2.0)) for name in TIMES}
    fault_rate, door_rate = rng.choice((0.03, 0.1, 0.25)), rng.choice((0.0, 0.1, 0.3))
    if only:
        faults = [name for name in TURNS if name == only]
        doors = [name for name in DOORS if name == only]
        times = {name: 2.0 for name in TIMES if name == only}
        fault_rate = door_rate = 0.2
    if times.get("age"):
        peer["age_limit"] = rng.choice((0.3, 1.0))
    return _with(
        made, peer, _HASTY | client, faults=faults, doors=doors, times=times,
        fault_rate=fault_rate, door_rate=door_rate,
    )  # fmt: skip


def sometimes(interruption: Interruption) -> bool:
    """A policy of an application's own."""
    return interruption.delivery != "output"
