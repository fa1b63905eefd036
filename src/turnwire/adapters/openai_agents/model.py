"""The model: the SDK builds what is sent and reads what comes; the way between is turnwire's."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, cast

from agents import ItemHelpers, ModelBehaviorError, OpenAIResponsesModel
from agents.models.fake_id import FAKE_RESPONSES_ID

from turnwire.adapters.openai_agents import objects, private
from turnwire.adapters.openai_agents.asides import merged
from turnwire.adapters.openai_agents.errors import retry_advice, sdk_error
from turnwire.adapters.openai_agents.fields import fields_of
from turnwire.adapters.openai_agents.stream import EventStream
from turnwire.errors import ConfigError, TurnwireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from openai.types.responses import Response

    from turnwire.adapters.openai_agents.chains import Chains, KnownChain
    from turnwire.adapters.openai_agents.fields import Fields
    from turnwire.client.steering import Steering
    from turnwire.client.turn import AsyncTurn

# What `ModelProvider.steering` was entered for: tasks that begin in it see it too.
CURRENT: ContextVar[Steering | None] = ContextVar("turnwire_steering", default=None)


class Model(OpenAIResponsesModel):
    """A model of the SDK's whose turns go through a turnwire client; a provider makes it.

    The runner hands over the whole history each turn; the chain that it continues is found, and
    only what is new is sent.  Runs side by side share the client's sockets.

    Args:
        model: The model's name.
        chains: The chains of the client, shared by all models of the provider.
        model_is_explicit: False if somebody chose the SDK's default.
        is_official: Whether it is the hosted service.
    """

    def __init__(
        self,
        model: str,
        chains: Chains,
        *,
        model_is_explicit: bool = True,
        is_official: bool = False,
    ) -> None:
        # Of the SDK's client only the URL would be asked: see the two methods below.
        super().__init__(model, cast("Any", None), model_is_explicit=model_is_explicit)
        self._chains = chains
        self._is_official = is_official

    def _uses_official_openai_endpoint(self) -> bool:
        return self._is_official

    def _supports_default_prompt_cache_key(self) -> bool:
        return self._is_official

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """Tell the runner whether a turn that failed may be sent again.

        What turnwire itself sends again it has done by then: docs/howto/recovery.md.
        """
        is_linked = bool(request.previous_response_id or request.conversation_id)
        advice = retry_advice(request.error, is_linked=is_linked)
        return advice or super().get_retry_advice(request)

    async def _fetch_response(
        self,
        system_instructions: str | None,
        input: str | list[Any],  # noqa: A002  # the SDK's name
        *others: Any,
        **named: Any,
    ) -> Any:
        """Run a turn: what the SDK's two ways to read it, whole and streamed, begin with."""
        logged = input if private.logs_what_is_said() else []  # it copies what it is given
        arguments = self._build_response_create_kwargs(
            system_instructions, logged, *others, **named
        )
        try:
            turn, known = self._turn(fields_of(arguments), input)
        except TurnwireError as error:
            raise sdk_error(error) from error
        running = _Running(turn, known, self._chains)
        steering = CURRENT.get()
        if named.get("stream"):
            if steering is not None:
                steering.turn_began(await _submitted(turn))
            return EventStream(
                turn, completed=running.completed, ended=running.ended, error_of=sdk_error
            )
        try:
            async with turn:
                if steering is not None:
                    steering.turn_began(turn)
                final = await turn.get_final_response()
        except TurnwireError as error:
            raise sdk_error(error) from error
        finally:
            running.ended()
        if final.status != "completed":
            details = final.incomplete_details
            reason = details.reason if details is not None else None
            raise ModelBehaviorError(
                f"The response is {final.status}: {reason or 'no reason given'}"
            )
        return running.completed()

    def _turn(self, fields: Fields, given: str | list[Any]) -> tuple[AsyncTurn, KnownChain | None]:
        """Make the turn, on the chain that the history continues unless the server keeps it."""
        items = self._items(given)
        try:
            return self._turn_of(fields, items)
        except ConfigError:  # perhaps a tuple's or an iterator's fault: the SDK takes them
            copied = ItemHelpers.input_to_new_input_list(items)
            return self._turn_of(fields, cast("list[Any]", copied))

    def _turn_of(self, fields: Fields, items: Sequence[Any]) -> tuple[AsyncTurn, KnownChain | None]:
        replay: Literal["never"] | None = "never" if private.runner_retries() else None
        client = self._chains.client
        if fields.is_linked:
            return client.responses.stream(
                input=items,
                previous_response_id=fields.previous_response_id,
                timeout=fields.timeout,
                replay=replay,
                **fields.params,
            ), None
        known = self._chains.find(items, replay)
        history = known.asides.restored(items)
        turn = known.chain.turn(history=history, timeout=fields.timeout, **fields.params)
        known.begin(turn)
        return turn, known

    def _items(self, given: str | list[Any]) -> list[Any]:
        """Return the input as a list, without what other providers have left in it."""
        if isinstance(given, str) or any(map(_needs_cleaning, given)):
            copied = ItemHelpers.input_to_new_input_list(given)
            return self._remove_openai_responses_api_incompatible_fields(copied)
        return given


def _needs_cleaning(item: Any) -> bool:
    # Looked at first, because the SDK copies all of the input for it.
    if not isinstance(item, dict):
        return False
    fields = cast("dict[str, Any]", item)
    return bool(fields.get("provider_data")) or fields.get("id") == FAKE_RESPONSES_ID


async def _submitted(turn: AsyncTurn) -> AsyncTurn:
    try:
        return await turn.submit()
    except TurnwireError as error:
        raise sdk_error(error) from error


class _Running:
    """A turn that runs, and what is to be done at its end."""

    def __init__(self, turn: AsyncTurn, known: KnownChain | None, chains: Chains) -> None:
        self._turn = turn
        self._known = known
        self._chains = chains

    def completed(self) -> Response:
        """Remember the chain, and return the response that the SDK goes on with."""
        final = merged(self._turn.responses)
        if self._known is not None:
            self._known.asides.note(self._turn)
            self._chains.keep(self._known, final, self._turn.full_bytes)
        response = objects.response(final)
        private.count_without_usage(response)
        return response

    def ended(self) -> None:
        """Let others use the chain."""
        if self._known is not None:
            self._known.end()
