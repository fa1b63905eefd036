"""The server's half of steering, told as stories without a socket."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from turnwire.core.serving import Interrupt, Reply, Serving, Start

Json = dict[str, Any]


class Socket:
    """A client and the one who runs the turns, around the server's half."""

    def __init__(self, **options: Any) -> None:
        numbers = itertools.count()
        self.serving = Serving(new_steer_id=lambda: f"steer_{next(numbers):032x}", **options)
        self.responses = itertools.count(1)
        self.shown: list[Json] = []
        self.starts: list[Start] = []
        self.interrupted: list[int] = []

    def send(self, kind: str, **members: Any) -> list[Json]:
        """Send a message and return what is shown at once."""
        self.serving.received(msgspec.json.encode({"type": kind, **members}), 0.0)
        return self.look()

    def emit(self, turn: int, kind: str, **members: Any) -> list[Json]:
        self.serving.emit(turn, {"type": kind, **members}, 0.0)
        return self.look()

    def look(self) -> list[Json]:
        before = len(self.shown)
        for action in self.serving.actions():
            match action:
                case Reply(data):
                    self.shown.append(msgspec.json.decode(data))
                case Start():
                    self.starts.append(action)
                case Interrupt(turn):
                    self.interrupted.append(turn)
                case _:
                    pass
        return self.shown[before:]

    def begin(self) -> tuple[int, str]:
        """Let the last turn that was started begin its response."""
        turn, response_id = self.starts[-1].turn, f"resp_{next(self.responses)}"
        self.emit(turn, "response.created", response={"id": response_id})
        return turn, response_id

    def steer(self, response_id: str, given: Any = "now this") -> list[Json]:
        return self.send("response.steer", previous_response_id=response_id, input=given)

    def code(self, response_id: str) -> str:
        (event,) = self.steer(response_id)
        return event["error"]["code"]


CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def test_a_steered_response_is_followed_by_a_successor_with_its_settings() -> None:
    socket = Socket()
    settings: Json = {"model": "m", "tools": [], "store": False, "metadata": {"a": "b"}}
    socket.send("response.create", stream_id="a", input="question", **settings)
    turn, response_id = socket.begin()
    steer = {"id": f"steer_{0:032x}", "previous_response_id": response_id}
    assert socket.steer(response_id) == [
        {
            "type": "response.steer.accepted",
            "steer": steer,
            "sequence_number": 1,
            "stream_id": "a",
        }
    ]
    assert socket.interrupted == [turn]
    response = {"id": response_id, "output": [], "incomplete_details": {"reason": "steered"}}
    (event,) = socket.emit(turn, "response.incomplete", response=response)
    assert event["sequence_number"] == 2
    successor = socket.starts[-1]
    message = {"type": "message", "role": "user", "content": "now this"}
    request = settings | {"previous_response_id": response_id, "input": [message]}
    assert successor == Start(turn + 1, request, parent_cached=True)
    (created,) = socket.emit(successor.turn, "response.created", response={"id": "resp_new"})
    assert (created["stream_id"], created["sequence_number"]) == ("a", 0)


def test_what_was_accepted_comes_back_when_its_successor_cannot_begin() -> None:
    socket = Socket()
    socket.send("response.create", input="x")
    turn, response_id = socket.begin()
    given = [{"role": "user", "content": "so"}]
    socket.steer(response_id, given)
    socket.emit(turn, "response.completed", response={"id": response_id, "output": []})
    error = {"type": "invalid_request_error", "code": "c", "message": "The store is full."}
    assert socket.emit(socket.starts[-1].turn, "error", status=400, error=error) == [
        {
            "type": "response.steer.failed",
            "sequence_number": 3,
            "error": {
                "type": "invalid_request_error",
                "code": "successor_creation_failed",
                "message": "No response could take it. The store is full.",
            },
            "steer": {
                "id": f"steer_{0:032x}",
                "previous_response_id": response_id,
                "input": given,
            },
        }
    ]
    assert socket.serving.active == 0


def test_a_response_that_waits_for_its_client_keeps_what_was_said() -> None:
    socket = Socket()
    socket.send("response.create", input="x")
    turn, response_id = socket.begin()
    socket.steer(response_id, "one")
    completed = {"id": response_id, "output": [CALL]}
    _, pending = socket.emit(turn, "response.completed", response=completed)
    stub = {"type": "function_call_output", "call_id": "c1", "name": "f"}
    assert pending == {
        "type": "response.steer.pending",
        "reason": "waiting_for_required_input",
        "required_input": [stub],
        "steer": {"id": f"steer_{0:032x}", "previous_response_id": response_id},
        "sequence_number": 3,
    }
    accepted, pending = socket.steer(response_id, "two")
    kinds = (accepted["type"], pending["type"], pending["sequence_number"])
    assert kinds == ("response.steer.accepted", "response.steer.pending", 5)
    output = {**stub, "output": "42"}
    socket.send("response.create", previous_response_id=response_id, input=[output])
    messages = [{"type": "message", "role": "user", "content": each} for each in ("one", "two")]
    assert socket.starts[-1].request["input"] == [*messages, output]
    assert socket.code(response_id) == "response_already_completed"


def test_a_response_that_ended_is_known_for_some_time_and_then_forgotten() -> None:
    socket = Socket()
    ended: list[str] = []
    for _ in range(65):
        socket.send("response.create", input="x")
        turn, response_id = socket.begin()
        socket.emit(turn, "response.completed", response={"id": response_id, "output": []})
        ended.append(response_id)
    assert socket.code(ended[0]) == "response_not_found"
    assert {socket.code(each) for each in ended[1:]} == {"response_already_completed"}


def test_input_that_waits_is_never_forgotten() -> None:
    socket = Socket()
    socket.send("response.create", stream_id="a", input="x")
    turn, waiting = socket.begin()
    socket.emit(turn, "response.completed", response={"id": waiting, "output": [CALL]})
    socket.steer(waiting)
    for _ in range(70):
        socket.send("response.create", input="x")
        turn, response_id = socket.begin()
        socket.emit(turn, "response.completed", response={"id": response_id, "output": []})
    socket.send("response.create", stream_id="a", previous_response_id=waiting, input=[])
    assert len(socket.starts[-1].request["input"]) == 1


@pytest.mark.parametrize("store", [True, False])
def test_a_lane_that_goes_on_without_a_response_returns_what_was_said_to_it(*, store: bool) -> None:
    socket = Socket()
    socket.send("response.create", input="x", store=store)
    turn, waiting = socket.begin()
    socket.emit(turn, "response.completed", response={"id": waiting, "output": [CALL]})
    socket.steer(waiting)
    socket.send("response.create", input="something else", store=store)
    turn, response_id = socket.begin()
    _, failed = socket.emit(turn, "response.completed", response={"id": response_id, "output": []})
    assert failed["error"]["code"] == "successor_creation_failed"
    assert failed["steer"]["input"] == "now this"
    assert socket.code(waiting) == "response_already_completed"


@pytest.mark.parametrize("limit", ["number", "bytes"])
def test_steers_of_one_response_are_bounded(limit: str) -> None:
    socket = Socket(queue_bytes=3000 if limit == "bytes" else 10_000_000)
    socket.send("response.create", input="x")
    _, response_id = socket.begin()
    codes = [
        socket.steer(response_id, "x" * 1000)[0].get("error", {}).get("code") for _ in range(17)
    ]
    most = 16 if limit == "number" else 2
    assert codes == [None] * most + ["too_many_pending_steers"] * (17 - most)


def test_a_socket_without_steers_says_so() -> None:
    serving = Serving()
    serving.received(b'{"type":"response.steer","previous_response_id":"r","input":"x"}', 0.0)
    (action,) = serving.actions()
    assert isinstance(action, Reply)
    event = msgspec.json.decode(action.data)
    assert event["error"]["code"] == "steering_not_supported"
    assert "stream_id" not in event


def test_whether_a_model_can_be_steered_is_asked_when_somebody_steers() -> None:
    able = {"m"}
    socket = Socket(steers=lambda request: request["model"] in able)
    socket.send("response.create", model="m", input="x")
    turn, response_id = socket.begin()
    able.clear()
    assert socket.code(response_id) == "steering_not_supported"
    able.add("m")
    (accepted,) = socket.steer(response_id)
    assert (accepted["type"], socket.interrupted) == ("response.steer.accepted", [turn])


def test_what_could_be_said_of_a_model_at_the_end_of_its_turn_stays() -> None:
    able = {"m"}
    socket = Socket(steers=lambda request: request["model"] in able)
    socket.send("response.create", model="m", input="x")
    turn, response_id = socket.begin()
    socket.emit(turn, "response.completed", response={"id": response_id, "output": [CALL]})
    able.clear()
    (accepted, pending) = socket.steer(response_id)
    assert [each["type"] for each in (accepted, pending)] == [
        "response.steer.accepted", "response.steer.pending",
    ]  # fmt: skip
