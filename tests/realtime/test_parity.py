"""The two colours are the same transport: the same members with the same parameters."""

from __future__ import annotations

import inspect
from typing import Any, get_overloads

import pytest

from turnwire import realtime
from turnwire.realtime import sync

TWINS = [
    (realtime.RealtimeTransport, sync.SyncRealtimeTransport),
    (realtime.Answer, sync.Answer),
    (realtime.PendingItem, sync.PendingItem),
    (realtime.PendingResponse, sync.PendingResponse),
    (realtime.Subscription, sync.Reader),
    (realtime.AudioStream, sync.Reader),
    (realtime.TranscriptStream, sync.Reader),
]
OTHER_NAMES = {
    "aclose": "close",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "__await__": "result",
}
SPECIAL = {*OTHER_NAMES, *OTHER_NAMES.values()}
# Bridges and the transport itself use these, and they live on the loop.
OF_THE_LOOP = {
    *("prepare", "deliver"),
    *("settle", "outcome"),
    *("allow", "put", "flush", "take", "end", "waiting_bytes"),
}
# Who blocks may say for how long.
WITH_TIMEOUT = {"result", "created"}
OTHER_TYPES = {
    "Subscription": "Reader[RealtimeEvent]",
    "AudioStream": "Reader[AudioEvent]",
    "TranscriptStream": "Reader[Transcript]",
    "Generator[None, None, T_co]": "T_co",
    "RealtimeEvent": "T",
    "RealtimeEvent | None": "T | None",
}

twins = pytest.mark.parametrize(
    ("coloured", "plain"), TWINS, ids=[coloured.__name__ for coloured, _ in TWINS]
)


def members(cls: type) -> dict[str, Any]:
    """Return a class's public members by their blocking names."""
    return {
        OTHER_NAMES.get(name, name): member
        for base in reversed(cls.__mro__[:-1])
        if base.__module__.startswith("turnwire")
        for name, member in vars(base).items()
        if (name in SPECIAL or not name.startswith("_")) and name not in OF_THE_LOOP
    }


def is_attribute(member: Any) -> bool:
    return not callable(member) and not isinstance(member, property)


def parameters(function: Any) -> list[tuple[str, Any, str, Any]]:
    """Return names, kinds, annotations and defaults."""
    return [
        (one.name, one.kind, str(one.annotation), one.default)
        for one in inspect.signature(function).parameters.values()
        if one.name != "timeout"
    ]


def returned(member: Any) -> str:
    function = member.fget if isinstance(member, property) else member
    told = str(function.__annotations__["return"])
    return OTHER_TYPES.get(told, told)


@twins
def test_the_twins_have_the_same_members(coloured: type, plain: type) -> None:
    mine = {name for name, member in members(coloured).items() if not is_attribute(member)}
    theirs = {name for name, member in members(plain).items() if not is_attribute(member)}
    if coloured is realtime.RealtimeTransport:
        theirs.discard("options")  # an attribute of the other one
    assert sorted(mine) == sorted(theirs)


@twins
def test_the_twins_take_the_same_parameters(coloured: type, plain: type) -> None:
    others = members(plain)
    for name, member in members(coloured).items():
        if inspect.isfunction(member):
            assert parameters(member) == parameters(others[name]), name
            timed = "timeout" in inspect.signature(others[name]).parameters
            assert timed == (name in WITH_TIMEOUT), name
            assert not inspect.iscoroutinefunction(others[name]), name


def test_the_twins_return_the_same() -> None:
    coloured, plain = TWINS[0]
    others = members(plain)
    for name, member in members(coloured).items():
        if not is_attribute(member):
            assert returned(member) == returned(others[name]), name


def test_the_twins_have_the_same_overloads() -> None:
    for twin in TWINS[0]:
        found = [(parameters(one), returned(one)) for one in get_overloads(twin.on)]
        assert len(found) >= 24
        assert [len(given) for given, _ in found] == [2, 3] * (len(found) // 2)
        assert found[-1][1] == "Undo"
        assert get_overloads(twin.on) == get_overloads(TWINS[0][0].on)


@twins
def test_every_public_member_says_what_it_does(coloured: type, plain: type) -> None:
    for cls in (coloured, plain):
        silent = [
            name
            for name, member in members(cls).items()
            if not name.startswith("_")
            and name not in SPECIAL
            and not is_attribute(member)
            and not (member.__doc__ or "").strip()
        ]
        assert silent == []
