"""The two colours are the same client: the same members with the same parameters."""

from __future__ import annotations

import inspect
from typing import Any, get_overloads

import pytest

import turnwire

TWINS = [
    (turnwire.AsyncClient, turnwire.Client),
    (turnwire.AsyncResponses, turnwire.Responses),
    (turnwire.AsyncChain, turnwire.Chain),
    (turnwire.AsyncTurn, turnwire.Turn),
    (turnwire.AsyncSteer, turnwire.Steer),
]
OTHER_NAMES = {
    "aclose": "close",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}
SPECIAL = {*OTHER_NAMES, *OTHER_NAMES.values()}

twins = pytest.mark.parametrize(("coloured", "plain"), TWINS, ids=lambda cls: cls.__name__)


def members(cls: type) -> dict[str, Any]:
    """Return a class's public members, ours that it inherits included, by their blocking names."""
    return {
        OTHER_NAMES.get(name, name): member
        for base in reversed(cls.__mro__[:-1])
        for name, member in vars(base).items()
        if name in SPECIAL or not name.startswith("_")
    }


def parameters(function: Any) -> list[tuple[str, Any, str, Any]]:
    """Return names, kinds, annotations and defaults."""
    return [
        (one.name, one.kind, str(one.annotation), one.default)
        for one in inspect.signature(function).parameters.values()
    ]


def in_blocking_words(text: str) -> str:
    return text.replace("Async", "")


@twins
def test_the_twins_have_the_same_members(coloured: type, plain: type) -> None:
    assert sorted(members(coloured)) == sorted(members(plain))


@twins
def test_the_twins_take_the_same_parameters(coloured: type, plain: type) -> None:
    others = members(plain)
    for name, member in members(coloured).items():
        assert type(member) is type(others[name]), name
        if inspect.isfunction(member):
            assert parameters(member) == parameters(others[name]), name


@twins
def test_the_twins_return_the_same(coloured: type, plain: type) -> None:
    others = members(plain)
    for name, member in members(coloured).items():
        is_property = isinstance(member, property)
        mine = member.fget if is_property else member
        theirs = others[name].fget if is_property else others[name]
        returns = in_blocking_words(str(mine.__annotations__["return"]))
        assert returns == str(theirs.__annotations__["return"]), name


def test_the_clients_are_made_alike() -> None:
    assert parameters(turnwire.AsyncClient.__init__) == parameters(turnwire.Client.__init__)


@twins
def test_the_twins_have_the_same_overloads(coloured: type, plain: type) -> None:
    others = members(plain)
    for name, member in members(coloured).items():
        assert overloads(member) == overloads(others[name]), name


def test_what_returns_several_things_has_overloads() -> None:
    counts = {
        turnwire.Responses.create: 3,
        turnwire.Chain.run: 2,
        turnwire.Turn.events: 2,
        turnwire.Turn.get_final_response: 2,
    }
    assert {function: len(overloads(function)) for function in counts} == counts


def overloads(member: Any) -> list[tuple[Any, str]]:
    return [
        (parameters(overload), in_blocking_words(overload.__annotations__["return"]))
        for overload in (get_overloads(member) if inspect.isfunction(member) else ())
    ]


@twins
def test_every_public_member_says_what_it_does(coloured: type, plain: type) -> None:
    for cls in (coloured, plain):
        silent = [
            name
            for name, member in members(cls).items()
            if not name.startswith("_") and not (member.__doc__ or "").strip()
        ]
        assert silent == []
