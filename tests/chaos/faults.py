"""The faults of the server: what each does to the steps of one answer, and to its doors.

Every choice comes from a stream of random numbers that belongs to one question and attempt, or to
one request at a door.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from turnwire.testing import (
    abort,
    close,
    completed,
    drop,
    emit,
    error,
    failed,
    half_open,
    incomplete,
    ping,
    refuse,
    say,
    silence,
    stop_reading,
    swallow,
    terminal,
    withhold_pongs,
)
from turnwire.testing.steps import Drop, Error, Say, Silence, Swallow, Wait

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from turnwire.testing import Refuse, Step

    Steps = list[Step]
    Edit = Callable[[Random, Steps, int], Steps]  # the answer's steps, and how many events they are
    Door = Refuse | Drop | Say | Silence | Wait

_GARBAGE = (
    b"{", b"[]", b"null", b"17", b'"text"', b"\x00\xff\xfe", b"", b"nonsense",
    b'{"type":"response.output_text.delta","delta":"tru', b'{"type":7}', b'{"no":"type"}',
)  # fmt: skip
_CLOSES = (1000, 1001, 1005, 1008, 1011, 1012, 1013, 4000)
_SHAPES = ("nested", "flat", "status_code", "detail")
_STRANGER = {"id": "resp_of_nobody", "object": "response", "status": "completed", "output": []}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        edit: What becomes of an answer.
        busy: True if the server says that it may be asked again.
        harmless: True if no turn may fail because of it, as long as it happens once.
        only: Where it can happen: on a ``socket``, there on its default ``lane``, in an
            ``unstored`` or a ``continued`` turn there, or anywhere.
    """

    edit: Edit
    busy: bool = False
    harmless: bool = False
    only: str | None = None


def _hint(rng: Random) -> dict[str, str]:
    return {"retry-after-ms": str(rng.randrange(1, 25))}


def _end(rng: Random, after: int | None) -> Step:
    return (drop(after=after), abort(after=after), close(rng.choice(_CLOSES), after=after))[
        rng.randrange(3)
    ]


def _then_nothing(steps: Steps, last: Error, after: int) -> Steps:
    """Say that after so many events, and nothing more."""
    return [*steps, swallow(after=after), replace(last, after=after)]


def _in_the_middle(rng: Random, steps: Steps, events: int) -> Steps:
    return [*steps, _end(rng, rng.randrange(1, events))]


def _limit(rng: Random, steps: Steps, events: int) -> Steps:
    return [error("websocket_connection_limit_reached", 400, lane=True)]


def _limit_and_close(rng: Random, steps: Steps, events: int) -> Steps:
    return [error("websocket_connection_limit_reached", 400, lane=False), close(1000)]


def _late_limit(rng: Random, steps: Steps, events: int) -> Steps:
    after = rng.randrange(1, events + 1)
    told = error("websocket_connection_limit_reached", 400, lane=False, after=after)
    return [*steps, swallow(after=after), close(1000, after=after), told]


def _garbage(rng: Random, steps: Steps, events: int) -> Steps:
    data, binary = rng.choice(_GARBAGE), rng.random() < 0.2
    return [*steps, say(data, binary=binary, after=rng.randrange(events))]


def _busy(rng: Random, steps: Steps, events: int) -> Steps:
    code, status = rng.choice(
        (("rate_limit_exceeded", 429), ("server_error", 500), ("server_is_overloaded", 503))
    )
    if rng.random() < 0.4:
        return [failed(rng.choice(("rate_limit_exceeded", "server_error")))]
    shape = rng.choice(_SHAPES[:3])
    headers = _hint(rng) if rng.random() < 0.8 else None
    return [error(code, status, shape=shape, headers=headers)]


def _evicted(rng: Random, steps: Steps, events: int) -> Steps:
    text = "Previous response with id 'resp_0' not found."
    shape = rng.choice(_SHAPES)
    code = None if shape == "detail" else "previous_response_not_found"
    return [error(code, rng.choice((400, 404)), shape=shape, message=text)]


def _unknown(rng: Random, steps: Steps, events: int) -> Steps:
    more = (
        emit("codex.rate_limits", primary={"used_percent": 3}, after=rng.randrange(events + 1)),
        emit("keepalive", after=rng.randrange(events + 1)),
        emit("response.brand_new.delta", delta="x", after=rng.randrange(1, events + 1)),
        ping(3, after=rng.randrange(events + 1)),
    )
    return [*steps, *rng.sample(more, rng.randrange(1, 4))]


def _odd_end(rng: Random, steps: Steps, events: int) -> Steps:
    return [*steps, rng.choice((completed([]), completed(lambda items: items[:1]),
                                terminal("response.done")))]  # fmt: skip


TURNS: dict[str, Fault] = {
    "drop before": Fault(lambda rng, steps, events: [*steps, _end(rng, 0)]),
    "drop middle": Fault(_in_the_middle),
    "drop after": Fault(lambda rng, steps, events: [*steps, completed(), _end(rng, None)]),
    "half-open": Fault(
        lambda rng, steps, events: [*steps, half_open(after=rng.randrange(events + 1))],
        only="socket",
    ),
    "no pongs": Fault(
        lambda rng, steps, events: [*steps, withhold_pongs(after=0), silence()], only="socket"
    ),
    "deaf": Fault(lambda rng, steps, events: [stop_reading(), *steps], only="socket"),
    "silence": Fault(
        lambda rng, steps, events: [*steps, silence(after=rng.randrange(1, events + 1))]
    ),
    "swallow": Fault(lambda rng, steps, events: [swallow()], only="socket"),
    "garbage": Fault(_garbage, only="socket"),
    "evicted": Fault(_evicted, harmless=True, only="continued"),
    "limit": Fault(_limit, harmless=True, only="socket"),
    "limit, closed": Fault(_limit_and_close, only="socket"),
    "late limit": Fault(_late_limit, only="lane"),
    "busy": Fault(_busy, busy=True, harmless=True),
    "refused": Fault(lambda rng, steps, events: [error("invalid_prompt", 400)]),
    "late error": Fault(
        lambda rng, steps, events: _then_nothing(
            steps, error("server_error", 500), rng.randrange(1, events)
        ),
        busy=True,  # if it comes before output
    ),
    "late failure": Fault(lambda rng, steps, events: [*steps, failed("server_error")]),
    "nobody's error": Fault(
        lambda rng, steps, events: _then_nothing(
            steps, error("server_error", 500, lane=False), rng.randrange(events)
        ),
        busy=True,
        only="lane",
    ),
    "stranger": Fault(
        lambda rng, steps, events: [
            *steps,
            emit("response.completed", response=_STRANGER, after=rng.randrange(1, events)),
        ],
        only="unstored",
    ),
    "unknown": Fault(_unknown, harmless=True),
    "odd end": Fault(_odd_end, harmless=True),
    "incomplete": Fault(
        lambda rng, steps, events: [*steps, incomplete("max_output_tokens")], harmless=True
    ),
}


def _busy_door(rng: Random) -> Door:
    return refuse(rng.choice((429, 500, 503)), headers=_hint(rng))


DOORS: dict[str, Callable[[Random], Door]] = {
    "door busy": _busy_door,
    "door refused": lambda rng: refuse(rng.choice((403, 404, 426, 501))),
    "door hangs": lambda rng: silence(),
    "door drops": lambda rng: rng.choice((drop(), abort())),
    "door garbage": lambda rng: say(b"SSH-2.0-Something\r\n\r\n"),
}

# Done to the round as a whole: round.py.
TIMES = ("forget", "rotate key", "close client", "age")


def is_unread(steps: Steps) -> bool:
    """Say whether no model begins to answer: the first thing that happens is an error."""
    if isinstance(steps[0], Error | Swallow):
        return steps[0].after in (None, 0)
    return any(isinstance(step, Error) and step.after == 0 for step in steps)
