"""Chains with their history, and the tool loop that runs on them."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Unpack, overload

import msgspec

from turnwire.client.as_types import response_reader
from turnwire.client.checking import checked_count, checked_listener
from turnwire.client.params import TurnParams, encode_input, extra_fields
from turnwire.client.steering import Steering
from turnwire.client.tools import Toolbox
from turnwire.client.turn import AsyncTurn
from turnwire.core.chain import Chain
from turnwire.core.dump import BadDump, dump, load
from turnwire.errors import ConfigError, ToolLoopLimit
from turnwire.events.conversion import assistant_message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from turnwire.client.params import Input
    from turnwire.client.runtime import Runtime
    from turnwire.client.steering import AsyncSteer
    from turnwire.client.tools import Tool
    from turnwire.core.answers import Unanswered
    from turnwire.core.history import HistoryItem
    from turnwire.core.request import Replay, Transport
    from turnwire.core.statistics import ChainStatistics
    from turnwire.events import Event, Response
    from turnwire.events.conversion import ToolCall

M = TypeVar("M")

_NOT_IN_CHAINS = {
    "conversation": "the chain is the conversation",
    "generate": "use `warm_up`",
    "previous_response_id": "the chain keeps it",
}


class Ways(NamedTuple):
    """How a chain's turns travel, where that is other than the client's way."""

    transport: Transport | None = None
    replay: Replay | None = None
    unanswered: Unanswered | None = None


class AsyncChain:
    """Turns linked by ``previous_response_id``; each costs only what is new in it.

    The chain keeps the whole history, so that nothing is lost when the server forgets: then
    everything is sent once more, and ``turn.chain_miss`` says why.  Turns of one chain run one
    after the other; different chains run side by side.
    """

    def __init__(
        self,
        runtime: Runtime,
        tools: Sequence[Tool] | None,
        ways: Ways,
        params: TurnParams,
        *,
        dump: bytes | None = None,
    ) -> None:
        _check(params)
        self._runtime = runtime
        self._ways = ways
        self._toolbox = Toolbox(tools or ())
        self._steering = Steering()
        self._given: dict[str, Any] = {**params, "tools": self._toolbox.definitions() or None}
        self._chain = Chain() if dump is None else _loaded(dump)
        self._params = runtime.encode_params(self._given, ways.transport)

    @property
    def history(self) -> list[dict[str, Any]]:
        """All items of completed turns, input and output, as they go over the wire."""
        return [msgspec.json.decode(item.encoded) for item in self._chain.items]

    @property
    def previous_response_id(self) -> str | None:
        """The response that the next turn continues, or None if everything will be sent."""
        return self._chain.head.response_id if self._chain.head else None

    @property
    def unanswered_calls(self) -> list[str]:
        """Ids of the tool calls in the history that have no output yet.

        Servers refuse a turn that leaves one unanswered: after a cancelled :meth:`run`, or for
        tools that only you can run, begin the next input with their outputs.
        """
        return [call_id for call_id in self._chain.unanswered if call_id is not None]

    @property
    def statistics(self) -> ChainStatistics:
        """Counters of this chain's turns, since it was made, forked or loaded."""
        return self._chain.statistics.copy()

    def dump(self) -> bytes:
        """Return the chain as bytes, for ``client.load_chain`` in this process or another one.

        They hold the whole history, so they are as confidential as that, and no key.  A turn that
        runs is not in them.
        """
        return dump(self._chain)

    def fork(self) -> AsyncChain:
        """Return a chain with the same past and its own future."""
        other = copy(self)
        other._chain = self._chain.fork()  # noqa: SLF001  # of this very class
        other._steering = Steering()  # noqa: SLF001  # the same
        return other

    def steer(self, input: Input) -> AsyncSteer:  # noqa: A002  # the SDK's name
        """Say something to the :meth:`run` that is going on; returns at once.

        While tools run it is held back and said to the next turn.  See :meth:`AsyncTurn.steer`.

        Raises:
            ConfigError: No run is going on, or ``input`` cannot be said to one.
            QueueFull: Too many bytes wait to be sent.
        """
        return self._steering.steer(input)

    def turn(
        self,
        input: Input | None = None,  # noqa: A002  # the SDK's name
        *,
        history: Input | None = None,
        transport: Transport | None = None,
        timeout: float | None = None,
        **params: Unpack[TurnParams],
    ) -> AsyncTurn:
        """Make the next turn; it starts when entered.

        Args:
            input: What is new: text, or items such as tool outputs.
            history: Instead of ``input``, the full history; it is compared with what was sent,
                and only what is new in it is sent.
            transport: If other than the chain's.
            timeout: Seconds from submission to the terminal event.
            **params: Parameters that differ from the chain's, for this turn only.

        Raises:
            ConfigError: The arguments do not fit together.
        """
        if (input is None) == (history is None):
            raise ConfigError("give either `input` (what is new) or `history` (all of it)")
        _check(params)
        return self._turn(input, history, transport, timeout, params)

    async def warm_up(self, input: Input = ()) -> Response:  # noqa: A002  # the SDK's name
        """Have the server read instructions, tools and ``input`` without running the model.

        Cancelling it cancels the warm-up.

        Raises:
            ConfigError: The chain goes over HTTP, or ``input`` cannot be sent.
            TurnError: The server refused; the chain goes on as if this had not been called.
            TransportError: The server could not be reached, or not in time.
        """
        async with self._turn(input, None, None, None, {"generate": False}) as turn:
            return await turn.get_final_response()

    @overload
    async def run(
        self,
        input: Input,
        *,
        max_turns: int = 50,
        transport: Transport | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        **params: Unpack[TurnParams],
    ) -> Response: ...

    @overload
    async def run(
        self,
        input: Input,
        *,
        max_turns: int = 50,
        transport: Transport | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        as_: type[M],
        **params: Unpack[TurnParams],
    ) -> M: ...

    async def run(
        self,
        input: Input,  # noqa: A002  # the SDK's name
        *,
        max_turns: int = 50,
        transport: Transport | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], None] | None = None,
        as_: type[M] | None = None,
        **params: Unpack[TurnParams],
    ) -> Response | M:
        """Run the tool loop: turn after turn until the model calls no more tools.

        Calls of one response run in parallel; an exception in a tool becomes its output, so that
        the model can go on.  The loop also returns where a call is of a tool that only the
        caller can run.  Cancelling stops the turn and the tools that run.

        Args:
            input: What is new: text or items.
            max_turns: Turns at most.
            transport: If other than the chain's.
            timeout: Seconds for each turn.
            on_event: A plain function, called with every event as it arrives; what it raises ends
                the loop.
            as_: A pydantic model for the last response; see :meth:`AsyncTurn.get_final_response`.
            **params: Parameters that differ from the chain's, for all turns of this run.

        Raises:
            ConfigError: An argument is wrong, or the client is closed.
            TransportError: The server could not be reached, or not in time.
            ToolLoopLimit: ``max_turns`` were not enough; nothing is lost.
            TurnError: A turn failed; the history ends with the last one that did not.
        """
        read = response_reader(as_)
        checked_count("max_turns", max_turns)
        if on_event is not None:
            checked_listener(on_event)
        self._steering.open()
        try:
            for turns_left in reversed(range(max_turns)):
                async with self.turn(input, transport=transport, timeout=timeout, **params) as turn:
                    self._steering.turn_began(turn)
                    if on_event is not None:
                        async for event in turn:
                            on_event(event)
                    response = await turn.get_final_response()
                calls = self._calls_to_run(response)
                if not calls:
                    return read(response)
                if not turns_left:
                    break
                input = await self._toolbox.run_all(calls)  # noqa: A001  # the SDK's name
        finally:
            self._steering.close()
        raise ToolLoopLimit(
            f"the model still calls tools after {max_turns} turns; raise `max_turns`, or answer"
            " the calls in `error.response` with `chain.run`",
            response=response,  # pyright: ignore[reportPossiblyUnboundVariable]  # max_turns is positive
        )

    def _calls_to_run(self, response: Response) -> list[ToolCall]:
        """Return the calls of a response, or none if the caller has to do something first."""
        answer = assistant_message(response)
        if answer.stop_reason != "tool_calls":  # cut off perhaps in the middle of a call
            return []
        runnable = {call.call_id for call in answer.tool_calls if self._toolbox.can_run(call)}
        return list(answer.tool_calls) if runnable.issuperset(self._chain.unanswered) else []

    def _turn(
        self,
        new: Input | None,
        history: Input | None,
        transport: Transport | None,
        timeout: float | None,
        params: dict[str, Any] | TurnParams,
    ) -> AsyncTurn:
        given = new if history is None else history
        items = encode_input(() if given is None else given)
        chosen = self._ways.transport if transport is None else transport
        encoded = self._params
        if params:
            encoded = self._runtime.encode_params({**self._given, **params}, chosen)

        def turn(items: list[HistoryItem]) -> AsyncTurn:
            start = self._runtime.starter(
                encoded,
                items,
                transport=chosen,
                timeout=timeout,
                replay=self._ways.replay,
                unanswered=self._ways.unanswered,
                chain=self._chain,
                whole=history is not None,
                warm_up=params.get("generate") is False,
            )
            # What was steered is in the history, together with the input that led to it.
            return AsyncTurn(start, lambda more, said: turn([*(() if said else items), *more]))

        return turn(items)


def _loaded(data: bytes) -> Chain:
    try:
        return load(data)
    except BadDump as error:
        raise ConfigError(str(error)) from error


def _check(params: TurnParams) -> None:
    given = {**params, **extra_fields(params)}
    for name, why in _NOT_IN_CHAINS.items():
        if given.get(name) is not None:
            raise ConfigError(f"`{name}` cannot be given to a chain: {why}")
