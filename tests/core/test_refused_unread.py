"""Turns that the server refuses unread are written again; nobody notices but the counters."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from turnwire.core.actions import Close, Deliver, Dial, Finish, Send
from turnwire.core.chain import Chain
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.pool import Pool
from turnwire.core.request import TurnRequest
from turnwire.core.settings import PoolSettings

Json = dict[str, Any]


def a_turn(text: str, chain: Chain | None = None, **params: Any) -> TurnRequest:
    item = HistoryItem.of({"role": "user", "content": text})
    return TurnRequest(Params({"model": "m", **params}), [item], chain=chain)


def encoded(**event: Any) -> bytes:
    return msgspec.json.encode(event)


def refusal(code: str, **more: Any) -> bytes:
    return encoded(type="error", status=400, error={"code": code, "message": "no"}, **more)


def answer(response_id: str, *, status: str = "completed", output: Any = (), **more: Any) -> bytes:
    response = {"id": response_id, "status": status, "output": list(output)}
    return encoded(type=f"response.{status}", response=response, **more)


class Shell:
    """Keeps what the pool asked for."""

    def __init__(self, **settings: Any) -> None:
        self.pool = Pool(PoolSettings(**settings))
        self.dialled: list[int] = []
        self.closed: list[int] = []
        self.sent: list[tuple[int, Json]] = []
        self.events: list[str] = []
        self.finished: dict[int, Finish] = {}

    def settle(self) -> None:
        for action in self.pool.actions():
            match action:
                case Dial(connection):
                    self.dialled.append(connection)
                case Send(connection, turn, data):
                    self.sent.append((connection, msgspec.json.decode(data)))
                    self.pool.written(connection, turn, 0.0)
                case Close(connection):
                    self.closed.append(connection)
                case Deliver(_, event):
                    self.events.append(event.type)
                case Finish(turn):
                    self.finished[turn] = action
                case _:
                    pytest.fail(f"unexpected {action}")

    def submit(self, request: TurnRequest) -> Any:
        turn = self.pool.submit(request, 0.0)
        assert turn is not None
        self.settle()
        return turn

    def dial(self) -> int:
        self.pool.dialed(self.dialled[-1], 0.0)
        self.settle()
        return self.dialled[-1]

    def hear(self, connection: int, data: bytes) -> None:
        self.pool.received(connection, data, 0.0)
        self.settle()


def test_a_server_with_fewer_names_gets_the_turn_on_another_lane() -> None:
    shell = Shell(lanes=True, sockets=1)
    turns = [shell.submit(a_turn(text)) for text in "abc"]
    socket = shell.dial()
    assert [sent.get("stream_id") for _, sent in shell.sent] == [None, "lane-1", "lane-2"]
    shell.hear(socket, refusal("websocket_stream_limit_reached", stream_id="lane-2"))
    assert turns[2].id not in shell.finished
    shell.hear(socket, answer("r1", stream_id="lane-1"))
    assert shell.sent[-1][1]["stream_id"] == "lane-1"
    shell.hear(socket, answer("r2", stream_id="lane-1"))
    assert shell.finished[turns[2].id].failure is None
    assert (turns[2].resends, turns[2].model_runs) == (1, 1)
    # It is not asked for a third name again.
    shell.submit(a_turn("d"))
    shell.submit(a_turn("e"))
    assert [sent.get("stream_id") for _, sent in shell.sent[4:]] == ["lane-1"]


def test_a_socket_at_its_age_limit_hands_the_turn_to_another_one() -> None:
    shell = Shell(lanes=True)
    first = shell.submit(a_turn("a"))
    old = shell.dial()
    shell.hear(old, refusal("websocket_connection_limit_reached"))
    assert (shell.closed, len(shell.dialled)) == ([old], 2)
    new = shell.dial()
    shell.hear(new, answer("r1"))
    assert shell.finished[first.id].failure is None
    assert (first.resends, first.model_runs, shell.events) == (1, 1, ["response.completed"])


def test_the_age_limit_lets_a_running_turn_finish() -> None:
    shell = Shell(lanes=True)
    first = shell.submit(a_turn("a"))
    old = shell.dial()
    shell.hear(old, encoded(type="response.created", response={"id": "r1"}))
    shell.hear(old, refusal("websocket_connection_limit_reached"))
    shell.submit(a_turn("b"))
    assert (shell.finished, shell.closed, len(shell.dialled)) == ({}, [], 2)
    shell.hear(old, answer("r1"))
    assert (shell.finished[first.id].failure, shell.closed) == (None, [old])


def test_a_server_that_repeats_itself_is_not_obeyed_for_ever() -> None:
    shell = Shell(lanes=True)
    turn = shell.submit(a_turn("a"))
    for _ in range(5):
        shell.hear(shell.dial(), refusal("websocket_connection_limit_reached"))
    failure = shell.finished[turn.id].failure
    assert failure is not None
    assert (failure.code, turn.resends) == ("websocket_connection_limit_reached", 4)


def test_a_keepalive_does_not_show_that_the_turn_was_taken() -> None:
    shell = Shell(lanes=True, ping_interval=None)
    turn = shell.submit(a_turn("a"))
    shell.hear(shell.dial(), encoded(type="keepalive", sequence_number=1))
    assert (turn.delivery, shell.events) == ("writing", ["keepalive"])
    shell.pool.tick(31.0)
    shell.settle()
    assert shell.finished[turn.id].failure is not None


def test_a_call_that_was_cut_off_does_not_stay_in_the_history() -> None:
    shell = Shell(lanes=True)
    chain = Chain()
    shell.submit(a_turn("a", chain))
    socket = shell.dial()
    output = [
        {"type": "message", "role": "assistant", "id": "m1", "content": []},
        {"type": "reasoning", "id": "rs1", "summary": []},
        {"type": "function_call", "id": "f1", "call_id": "c1", "name": "f", "arguments": '{"a'},
    ]
    shell.hear(socket, answer("r1", status="incomplete", output=output))
    shell.submit(a_turn("b", chain))
    sent = shell.sent[-1][1]["input"]
    assert [item.get("id") for item in sent] == [None, "m1", None]
    assert chain.unanswered == []


def test_a_dial_is_final_for_those_who_have_only_a_draining_socket_beside_it() -> None:
    shell = Shell(lanes=True)
    shell.submit(a_turn("a"))
    old = shell.dial()
    shell.hear(old, encoded(type="response.created", response={"id": "r1"}))
    shell.hear(old, refusal("websocket_connection_limit_reached"))
    waiting = shell.submit(a_turn("b"))
    shell.pool.refused(shell.dialled[-1], 401, {}, b"", 0.0)
    shell.settle()
    failure = shell.finished[waiting.id].failure
    assert failure is not None
    assert failure.status == 401


def test_two_chains_that_take_turns_share_a_socket() -> None:
    shell = Shell()
    one, other = Chain(), Chain()
    shell.submit(a_turn("a", one, store=False))
    socket = shell.dial()
    shell.hear(socket, answer("r1"))
    shell.submit(a_turn("b", other, store=False))
    assert shell.sent[-1][1]["stream_id"] == "lane-1"  # also finds out whether there are lanes
    shell.hear(socket, answer("r2", stream_id="lane-1"))
    turn = shell.submit(a_turn("c", one, store=False))
    assert (turn.chain_miss, shell.sent[-1][1]["previous_response_id"]) == (None, "r1")
    assert shell.dialled == [socket]


def test_turns_without_a_chain_do_not_open_sockets_one_after_the_other() -> None:
    shell = Shell(lanes=False)
    for number in range(6):
        shell.submit(a_turn("a", store=False))
        shell.hear(shell.dial() if number == 0 else shell.dialled[0], answer(f"r{number}"))
    assert len(shell.dialled) == 1


def test_with_one_socket_the_first_turn_finds_out_about_lanes() -> None:
    shell = Shell(sockets=1)
    shell.submit(a_turn("a"))
    shell.submit(a_turn("b"))
    socket = shell.dial()
    assert [sent["stream_id"] for _, sent in shell.sent] == ["lane-1"]
    shell.hear(socket, encoded(type="response.created", response={"id": "r"}, stream_id="lane-1"))
    assert len(shell.sent) == 2
