"""Events and responses as classes of the caller's: in both colours, over both transports."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import openai
import pytest
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseFailedEvent,
    ResponseStreamEvent,
    ResponseTextDeltaEvent,
)
from pydantic import BaseModel, Field, field_validator
from typing_extensions import TypeAliasType

from client.colours import ONE_TRY, read
from turnwire import ConfigError, OtherEvent, TurnError, TurnRestartedEvent
from turnwire.events import ResponseOutputItemAddedEvent
from turnwire.testing import Peer, Turns, answer, call, completed, drop, emit, failed, item

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = [pytest.mark.io, pytest.mark.interop]


async def test_a_turns_events_are_the_sdks(open_client: Open, transport: str) -> None:
    async with (
        Peer(lambda create: [answer("Hello big world")]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        async with client.responses.stream(model="m", input="x") as turn:
            events = [event async for event in turn.events(as_=ResponseStreamEvent)]
            response = await turn.get_final_response(as_=Response)
        sent = peer.connections[0].sent if transport == "websocket" else peer.posts[0].sent
        assert [event.to_dict() for event in events] == sent
        assert all(isinstance(event, openai.BaseModel) for event in events)
        texts = [event.delta for event in events if isinstance(event, ResponseTextDeltaEvent)]
        assert texts == ["Hello", " big", " world"]
        assert isinstance(events[-1], ResponseCompletedEvent)
        assert type(response) is Response
        assert response == events[-1].response
        assert response.output_text == "Hello big world"


async def test_create_and_run_return_the_sdks_response(open_client: Open, transport: str) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    script = Turns([answer("one")], [call("add", {"a": 1, "b": 2})], [answer("three")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        response = await client.responses.create(model="m", input="x", as_=Response)
        assert (type(response), response.output_text) == (Response, "one")
        chain = client.chain(model="m", tools=[add])
        response = await chain.run("x", as_=Response)
        assert (type(response), response.output_text) == (Response, "three")


async def test_events_that_have_no_class_come_all_the_same(open_client: Open) -> None:
    script = [emit("response.of_next_month", delta=1), answer("x")]
    async with Peer(lambda _: script) as peer, open_client(peer) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            both = ResponseCreatedEvent | ResponseTextDeltaEvent
            events = [event async for event in turn.events(as_=both)]
        sent = peer.connections[0].sent
        assert [event.to_dict() for event in events] == sent
        theirs = {type(event) for event in events if isinstance(event, openai.BaseModel)}
        assert theirs == {ResponseCreatedEvent, ResponseTextDeltaEvent}
        assert any(type(event) is ResponseOutputItemAddedEvent for event in events)
        (other,) = (event for event in events if event.type == "response.of_next_month")
        assert type(other) is OtherEvent


class Restarted(BaseModel):
    type: Literal["turn.restarted"]


async def test_what_turnwire_says_itself_stays_its_own(open_client: Open, transport: str) -> None:
    script = Turns([answer("lost"), drop(after="response.in_progress")], [answer("whole")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            asked = turn.events(as_=ResponseStreamEvent | Restarted)
            events = [event async for event in asked]
        own = [event for event in events if not isinstance(event, openai.BaseModel)]
        assert [type(event) for event in own] == [TurnRestartedEvent]
        assert "".join(getattr(event, "delta", "") for event in events) == "whole"


async def test_a_turn_that_fails_raises_after_its_events(open_client: Open) -> None:
    script = [answer("Hello"), failed("of_next_month")]
    async with Peer(lambda _: script) as peer, open_client(peer, **ONE_TRY) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            events, raised = await read(turn.events(as_=ResponseStreamEvent))
        assert (type(raised), raised.code) == (TurnError, "of_next_month")
        assert type(events[-1]) is ResponseFailedEvent
        assert events[-1].response.error.code == "of_next_month"


async def test_a_response_that_does_not_fit_is_the_sdks_all_the_same(open_client: Open) -> None:
    script = [item(type="of_next_month", id="i"), completed(service_tier="express")]
    async with Peer(lambda _: script) as peer, open_client(peer) as client:
        response = await client.responses.create(model="m", input="x", as_=Response)
        assert (type(response), response.service_tier) == (Response, "express")
        assert [type(each) for each in response.output] == [openai.BaseModel]
        assert response.output[0].type == "of_next_month"


class Told(BaseModel):
    """A class that tells when an object of it is made."""

    type: Literal["response.output_text.delta"]
    delta: str
    made: ClassVar[list[str]] = []

    @field_validator("delta")
    @classmethod
    def _tell(cls, delta: str) -> str:
        cls.made.append(delta)
        return delta


async def test_an_event_is_made_when_its_turn_comes(open_client: Open) -> None:
    Told.made.clear()
    async with Peer(lambda _: [answer("a b c")]) as peer, open_client(peer) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            async for event in turn.events(as_=Told):
                if isinstance(event, Told):
                    break
            assert Told.made == ["a"]
            rest = [event async for event in turn.events(as_=Told) if isinstance(event, Told)]
        assert [event.delta for event in rest] == [" b", " c"]
        assert Told.made == ["a", " b", " c"]


class Kind(StrEnum):
    CREATED = "response.created"


class Created(BaseModel):
    kind: Literal[Kind.CREATED] = Field(alias="type")


class Text(BaseModel):
    type: Literal["response.output_text.delta", "response.output_text.done"]
    delta: str = ""


Mine = Annotated[Created | Annotated[Text, "with a note"], Field(description="mine")]


@pytest.mark.parametrize(
    "as_", [Mine, Mine | None, TypeAliasType("Named", Mine)], ids=["union", "optional", "named"]
)
async def test_any_union_of_models_will_do(open_client: Open, as_: Any) -> None:
    async with Peer(lambda _: [answer("a")]) as peer, open_client(peer) as client:
        async with client.responses.stream(model="m", input="x") as turn:
            events = [event async for event in turn.events(as_=as_)]
        assert [event for event in events if isinstance(event, BaseModel)] == [
            Created(type="response.created"),
            Text(type="response.output_text.delta", delta="a"),
            Text(type="response.output_text.done"),
        ]


class Untold(BaseModel):
    delta: str


@dataclass
class NoModel:
    type: Literal["response.created"]


@pytest.mark.parametrize(
    ("as_", "told"),
    [
        (dict, "not dict"),
        (None, "not an object of type NoneType"),
        ("Response", "not an object of type str"),
        (NoModel, "not NoModel"),
        (Text | int, "not int"),
        (Untold, "Untold does not say which events it is for"),
        (Response, "Response does not say which events it is for"),
    ],
)
async def test_what_gives_no_events_is_refused_at_once(
    open_client: Open, as_: Any, told: str
) -> None:
    async with Peer() as peer, open_client(peer) as client:
        turn = client.responses.stream(model="m", input="x")
        with pytest.raises(ConfigError, match=r"ResponseStreamEvent|Literal") as raised:
            turn.events(as_=as_)
        assert told in str(raised.value)
        assert peer.creates == []


@pytest.mark.parametrize(
    "as_", [dict, "Response", NoModel, ResponseStreamEvent, Response.construct(), 3]
)
async def test_what_is_no_response_is_refused_before_anything_is_sent(
    open_client: Open, as_: Any
) -> None:
    async with Peer() as peer, open_client(peer) as client:
        turn = client.responses.stream(model="m", input="x")
        chain = client.chain(model="m")
        for ask in (
            partial(turn.get_final_response, as_=as_),
            partial(client.responses.create, model="m", input="x", as_=as_),
            partial(chain.run, "x", as_=as_),
        ):
            with pytest.raises(
                ConfigError, match=r"such as openai\.types\.responses\.Response, not "
            ):
                await ask()
        with pytest.raises(ConfigError, match=r"`turn\.events`"):
            await client.responses.create(model="m", input="x", stream=True, as_=Response)
        with pytest.raises(ConfigError, match=r"`as_` cannot be given here.*`turn\.events`"):
            client.chain(model="m", as_=Response)
        assert peer.creates == []
