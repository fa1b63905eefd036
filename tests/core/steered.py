"""A pool whose turns are steered, and a server that says whatever a test wants it to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from turnwire.core.actions import (
    Close,
    Deliver,
    Dial,
    Fetch,
    Finish,
    Ping,
    Post,
    Restart,
    Send,
    SignIn,
    Steered,
)
from turnwire.core.failure import CloseInfo
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.pool import Pool
from turnwire.core.request import Deadlines, TurnRequest
from turnwire.core.settings import PoolSettings
from turnwire.core.steer import SteerState

if TYPE_CHECKING:
    from turnwire.core.chain import Chain
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.steer import Steer

Json = dict[str, Any]

STUB: Json = {"type": "function_call_output", "call_id": "c1", "name": "weather"}
CALL: Json = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather"}
OUTPUT: Json = {"type": "function_call_output", "call_id": "c1", "output": "sun"}


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": text}


def message(text: str) -> Json:
    part = {"type": "output_text", "text": text}
    return {"type": "message", "id": f"msg_{text}", "role": "assistant", "content": [part]}


def brief(item: Json) -> str:
    """Return what an item says, in a word."""
    content = item.get("content")
    if isinstance(content, list):
        return str(content[0]["text"])
    return str(content or item.get("output") or item["type"])


class Shell:
    """Keeps what the pool wanted done, and says what happened."""

    def __init__(self, **settings: Any) -> None:
        given = {"lanes": True, "sockets": 1} | settings
        self.pool = Pool(PoolSettings(**given))
        self.now = 0.0
        self.slow = False  # nothing that is sent is written
        self.dialled: list[int] = []
        self.closed: list[int] = []
        self.sent: list[tuple[int, Json]] = []
        self.numbers: list[int] = []
        self.sizes: list[int] = []
        self.unwritten: list[tuple[int, int]] = []
        self.exchanges: list[int] = []
        self.posted: list[Json] = []
        self.fetched: list[tuple[int, str]] = []
        self.events: list[tuple[int, str]] = []
        self.restarted: list[int] = []
        self.told: list[tuple[int, bool]] = []
        self.finished: dict[int, Finish] = {}

    def settle(self) -> None:  # noqa: C901, PLR0912  # a list
        for action in self.pool.actions():
            match action:
                case Dial(connection):
                    self.dialled.append(connection)
                case Send(connection, number, data):
                    self.sent.append((connection, msgspec.json.decode(data)))
                    self.numbers.append(number)
                    self.sizes.append(len(data))
                    if self.slow:
                        self.unwritten.append((connection, number))
                    else:
                        self.pool.written(connection, number, self.now)
                case SignIn(exchange):
                    self.exchanges.append(exchange)
                case Post(_, _, body):
                    self.posted.append(msgspec.json.decode(body))
                case Fetch(exchange, response_id):
                    self.fetched.append((exchange, response_id))
                case Close(connection):
                    self.closed.append(connection)
                case Deliver(number, event):
                    assert number not in self.finished, "nothing follows the end"
                    self.events.append((number, event.type))
                case Restart(number):
                    self.restarted.append(number)
                case Finish(number):
                    assert number not in self.finished, "a turn ends once"
                    self.finished[number] = action
                case Steered(number, ended):
                    self.told.append((number, ended))
                case Ping(_):
                    pass
                case _:
                    pass

    # What callers do.

    def ask(
        self,
        *said: str | Json,
        chain: Chain | None = None,
        whole: bool = False,
        link: str | None = None,
        deadlines: Deadlines | None = None,
        transport: Any = "websocket",
        replay: Any = "always",
        **params: Any,
    ) -> PoolTurn:
        items = [HistoryItem.of(user(one) if isinstance(one, str) else one) for one in said]
        request = TurnRequest(
            Params({"model": "m", "store": False, **params}),
            items,
            transport=transport,
            chain=chain,
            whole=whole,
            previous_response_id=link,
            replay=replay,
            deadlines=deadlines or Deadlines(),
        )
        turn = self.pool.submit(request, self.now)
        assert turn is not None
        self.settle()
        return turn

    def say(self, turn: PoolTurn, *texts: str) -> Steer:
        """Steer a turn."""
        steer = self.pool.steer(turn, [HistoryItem.of(user(text)) for text in texts], self.now)
        assert steer is not None
        self.settle()
        return steer

    def cancel(self, turn: PoolTurn) -> None:
        self.pool.cancel(turn.id, self.now)
        self.settle()

    # What the way does.

    def dial(self) -> int:
        """Open the socket that was dialled last."""
        self.pool.dialed(self.dialled[-1], self.now)
        self.settle()
        return self.dialled[-1]

    @property
    def socket(self) -> int:
        """The socket that was dialled last."""
        return self.dialled[-1]

    def lose(self, connection: int | None = None, *unwritten: int, code: int = 1006) -> None:
        lost = self.socket if connection is None else connection
        self.pool.lost(lost, CloseInfo(code), self.now, unwritten)
        self.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass, and wake the pool as often as it wants to be."""
        until = self.now + seconds
        while (due := self.pool.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.pool.tick(self.now)
            self.settle()
            again = self.pool.deadline()
            assert again is None or again > self.now, "a tick makes progress"
        self.now = until

    # What the server says.

    def hear(self, kind: str, *, on: int | None = None, **members: Any) -> None:
        lane = members.pop("lane", None)
        named = {} if lane is None else {"stream_id": lane}
        data = msgspec.json.encode({"type": kind} | members | named)
        self.pool.received(self.socket if on is None else on, data, self.now)
        self.settle()

    def created(self, response_id: str, **more: Any) -> None:
        response = {"id": response_id, "status": "in_progress", "output": []}
        self.hear("response.created", response=response, **more)

    def delta(self, text: str = "x", **more: Any) -> None:
        self.hear("response.output_text.delta", delta=text, output_index=0, **more)

    def ended(
        self,
        response_id: str,
        *output: str | Json,
        status: str = "completed",
        reason: str | None = None,
        **more: Any,
    ) -> None:
        items = [message(one) if isinstance(one, str) else one for one in output]
        response: Json = {"id": response_id, "status": status, "output": items}
        if reason is not None:
            response["incomplete_details"] = {"reason": reason}
        self.hear(f"response.{status}", response=response, **more)

    def steered(self, response_id: str, *output: str | Json, **more: Any) -> None:
        """End a response because of a steer."""
        self.ended(response_id, *output, status="incomplete", reason="steered", **more)

    def accept(self, steer_id: str | None, response_id: str | None, **more: Any) -> None:
        about = {"id": steer_id, "previous_response_id": response_id}
        self.hear("response.steer.accepted", steer=about, **more)

    def pend(self, steer_id: str | None, response_id: str | None, **more: Any) -> None:
        about = {"id": steer_id, "previous_response_id": response_id}
        why = "waiting_for_required_input"
        self.hear("response.steer.pending", steer=about, reason=why, required_input=[STUB], **more)

    def reject(
        self,
        steer_id: str | None,
        response_id: str | None,
        code: str = "response_not_active",
        **more: Any,
    ) -> None:
        about = {"id": steer_id, "previous_response_id": response_id, "input": []}
        about = {name: value for name, value in about.items() if value is not None}
        error = {"type": "invalid_request_error", "code": code, "message": "No."}
        self.hear("response.steer.failed", steer=about, error=error, **more)

    def error(self, code: str, status: int = 400, message: str = "no", **more: Any) -> None:
        self.hear("error", status=status, error={"code": code, "message": message}, **more)

    # What the tests ask.

    @property
    def steers(self) -> list[tuple[str, list[str]]]:
        """Return what was said on the wire: to which response, and what."""
        return [
            (sent["previous_response_id"], [brief(item) for item in sent["input"]])
            for _, sent in self.sent
            if sent["type"] == "response.steer"
        ]

    @property
    def creates(self) -> list[Json]:
        return [sent for _, sent in self.sent if sent["type"] == "response.create"]

    def kinds(self, turn: PoolTurn) -> list[str]:
        return [kind for number, kind in self.events if number == turn.id]

    def failure(self, turn: PoolTurn) -> str | None:
        """Return what kind of failure a turn ended with, or None if it ended well."""
        failure = self.finished[turn.id].failure
        return None if failure is None else failure.kind.value

    @property
    def pending_lanes(self) -> list[str]:
        """Return the states of all lanes in use, by name."""
        found = [
            f"{lane.name}:{lane.state.value}"
            for socket in self.pool._state.sockets.values()  # there is no other way
            for lane in socket.lanes
        ]
        return sorted(found)


def history(chain: Chain) -> list[str]:
    """Return what a chain holds, in a word for each item."""
    return [brief(msgspec.json.decode(item.encoded)) for item in chain.items]


def begun(chain: Chain | None = None, **settings: Any) -> tuple[Shell, PoolTurn]:
    """Return a pool whose only turn runs as the response `r1` on the default lane."""
    shell = Shell(**settings)
    turn = shell.ask("go", chain=chain)
    shell.dial()
    shell.created("r1")
    return shell, turn


def code(steer: Steer) -> str | None:
    """Return the code of a steer that does not count."""
    assert steer.failure is not None
    return steer.failure.code


def in_state(state: SteerState, **settings: Any) -> tuple[Shell, PoolTurn, Steer]:
    """Return a turn that runs, with a steer in a state."""
    shell, turn = begun(**settings)
    steer = shell.say(turn, "left")
    match state:
        case SteerState.ACCEPTED:
            shell.accept("s1", "r1")
        case SteerState.PENDING:
            shell.pend("s1", "r1")
        case SteerState.FAILED:
            shell.reject(None, "r1")
        case SteerState.COMMITTED:
            shell.accept("s1", "r1")
            shell.steered("r1", "one")
            shell.created("r2")
        case _:
            pass
    assert steer.state is state
    return shell, turn, steer


def kind(steer: Steer) -> str:
    """Return what kind of failure a steer ended with."""
    assert steer.failure is not None
    return steer.failure.kind.value
