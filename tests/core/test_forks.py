"""Forks of a chain that is not stored: whoever goes first, nobody sends the history again."""

from __future__ import annotations

import itertools

import pytest

from core.test_refused_unread import Shell, a_turn, answer, encoded
from turnwire.core.chain import Chain


def begun(shell: Shell) -> Chain:
    """Return a chain whose first turn is done, on the first socket."""
    chain = Chain()
    shell.submit(a_turn("a", chain, store=False))
    shell.hear(shell.dial(), answer("r1"))
    return chain


@pytest.mark.parametrize("lanes", [True, None])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_every_order_of_going_on_costs_only_what_is_new(
    order: tuple[int, ...], *, lanes: bool | None
) -> None:
    shell = Shell(lanes=lanes)
    source = begun(shell)
    chains = [source, source.fork(), source.fork()]
    turns = [shell.submit(a_turn("b", chains[index], store=False)) for index in order]
    heard = 1
    while heard < len(shell.sent):  # the server takes each turn as it comes
        socket, create = shell.sent[heard]
        name = {"stream_id": create["stream_id"]} if "stream_id" in create else {}
        response = {"id": f"r{heard + 1}"}
        shell.hear(socket, encoded(type="response.created", response=response, **name))
        shell.hear(socket, encoded(type="response.in_progress", response=response, **name))
        heard += 1
    assert [turn.chain_miss for turn in turns] == [None, None, None]
    assert [create["previous_response_id"] for _, create in shell.sent[1:]] == ["r1"] * 3
    assert len({create.get("stream_id") for _, create in shell.sent[1:]}) == 3
    assert len(shell.dialled) == 1


def test_a_fork_that_nobody_holds_any_more_is_not_waited_for() -> None:
    shell = Shell(lanes=True)
    source = begun(shell)
    source.fork()
    shell.submit(a_turn("b", source, store=False))
    assert "stream_id" not in shell.sent[-1][1]


def test_the_reason_tells_a_lost_socket_from_a_full_one() -> None:
    shell = Shell(lanes=True, active_limit=1)
    source = begun(shell)
    shell.submit(a_turn("x"))  # fills the only place of the first socket
    turn = shell.submit(a_turn("b", source, store=False))
    shell.dial()
    assert turn.chain_miss is not None
    assert turn.chain_miss.reason == "lane_taken"
