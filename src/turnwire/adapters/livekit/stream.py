"""One chat: a turn whose events become LiveKit's chunks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit.agents import llm as livekit_llm

from turnwire.adapters.livekit.chunks import Said
from turnwire.adapters.livekit.context import Mark, marks_of, read_context
from turnwire.adapters.livekit.parameters import definitions_of, fields_of
from turnwire.adapters.livekit.raising import incomplete_error, livekit_error
from turnwire.errors import FirstEventTimeout, TurnwireError

if TYPE_CHECKING:
    from livekit.agents.llm import ChatContext, Tool
    from livekit.agents.types import APIConnectOptions

    from turnwire.adapters.livekit.context import Json
    from turnwire.adapters.livekit.known_chains import KnownChain, KnownChains
    from turnwire.adapters.livekit.llm import LLM
    from turnwire.client.aio import AsyncClient
    from turnwire.client.turn import AsyncTurn
    from turnwire.events import Response


class LLMStream(livekit_llm.LLMStream):
    """The stream that :meth:`LLM.chat` returns; closing it cancels its turn.

    Attributes:
        turn: The turn that runs, or ran last: its transport, bytes and model runs can be read
            there; None before it began.
    """

    def __init__(
        self,
        owner: LLM,
        *,
        chat_ctx: ChatContext,
        tools: list[Tool],
        conn_options: APIConnectOptions,
        client: AsyncClient,
        chains: KnownChains,
        wanted: Json,
        strict: bool,
        breakpoints: bool,
    ) -> None:
        # Callers go on to change their context while the turn runs.
        super().__init__(  # pyright: ignore[reportUnknownMemberType]  # LiveKit leaves a part open
            owner, chat_ctx=chat_ctx.copy(), tools=tools, conn_options=conn_options
        )
        self._model = owner.model
        self.turn: AsyncTurn | None = None
        self._client = client
        self._chains = chains
        self._wanted = wanted
        self._strict = strict
        self._breakpoints = breakpoints

    async def _run(self) -> None:
        tools = definitions_of(self._tools, strict=self._strict)
        fields = fields_of(self._model, self._wanted, tools)
        items = read_context(self._chat_ctx, breakpoints=self._breakpoints)
        said = Said()
        try:
            if fields.get("store") is False:
                self.turn = self._client.responses.stream(input=items, extra_body=fields)
                await self._play(said)
            else:
                await self._continue(items, fields, said)
        except TurnwireError as error:
            # What runs on the server might be done twice there.
            may_repeat = all(tool.get("type") == "function" for tool in tools)
            raise livekit_error(error, may_repeat=may_repeat, shown=said.anything) from error

    async def _continue(self, items: list[Json], fields: Json, said: Said) -> None:
        """Run the turn on the chain that the context continues, or on a new one."""
        marks = marks_of(items)
        found = self._chains.find(marks)
        if found is None:
            # LiveKit leaves calls without an output out, and knows no calls but of functions.
            known, count, chain = None, 0, self._client.chain(unanswered_calls="drop")
        else:
            known, count = found
            chain = known.chain
        self.turn = chain.turn(items[count:], extra_body=fields)
        response = await self._play(said, known)
        spoken = said.items(response)
        if spoken is not None:
            before = marks[-1] if marks else Mark()
            self._chains.keep(chain, before.after(spoken))
            if known is not None:
                known.continued = True

    async def _play(self, said: Said, known: KnownChain | None = None) -> Response:
        """Run the turn, show what it says, and return its response."""
        turn = self.turn
        assert turn is not None  # whoever calls this has made it
        seconds = self._conn_options.timeout
        async with turn:
            if known is not None:
                # The chain as it was: its turn cannot have ended yet, as nothing was awaited.
                known.chain = known.chain.fork()
            try:
                batch = await asyncio.wait_for(turn.next_batch(), seconds)
            except TimeoutError:
                late = FirstEventTimeout(f"no event from the server within {seconds} s")
                late.delivery = turn.delivery
                raise late from None
            while batch:
                for event in batch:
                    chunk = said.chunk(event)
                    if chunk is not None:
                        self._event_ch.send_nowait(chunk)
                batch = await turn.next_batch()
            response = turn.response
        assert response is not None  # or it would have raised
        if response.status == "incomplete":
            details = response.incomplete_details
            raise incomplete_error(details.reason if details else None)
        for chunk in said.rest(response):
            self._event_ch.send_nowait(chunk)
        return response
