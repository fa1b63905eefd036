"""The responses of a session: which may begin, which end, and whose turn it is to speak."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from turnwire.gateway.voice.configuring import response_parameters
from turnwire.gateway.voice.creating import item_of
from turnwire.gateway.voice.formats import format_of
from turnwire.gateway.voice.model import Asked
from turnwire.gateway.voice.refusals import already_active, nothing_to_cancel, too_many_responses
from turnwire.gateway.voice.response import Response
from turnwire.gateway.voice.speaking import Pause, Speaking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.conversation import Item
    from turnwire.gateway.voice.session import VoiceSession

# Raises `Refused` if there may be none now; what it returns is called with the tokens at the end.
Allow = Callable[[float], Callable[[int, float], None]]

_MS = 1000


class _Running:
    """A response, its steps, and when the next one is due."""

    def __init__(self, response: Response, steps: Iterator[Json | Pause], due: float) -> None:
        self.response = response
        self.steps = steps
        self.due = due
        self.ended: Callable[[int, float], None] | None = None
        self.heard_since: float | None = None  # if it is played at once


class Responding:
    """The responses of one session.

    Attributes:
        count: Responses that were begun: the model runs.
        has_spoken: Whether any of them was heard.
    """

    def __init__(self, session: VoiceSession, allow: Allow | None) -> None:
        self._session = session
        self._allow = allow
        self._running: list[_Running] = []
        self.count = 0
        self.has_spoken = False

    @property
    def due(self) -> float | None:
        """When the next event or the end of a pause is due."""
        return min((running.due for running in self._running), default=None)

    @property
    def active(self) -> Response | None:
        """The response of the default conversation that is being made, or None."""
        return next((each for each in self._actives() if each.in_chain), None)

    def _actives(self) -> list[Response]:
        return [running.response for running in self._running if running.response.active]

    def begin(self, asked: Json | None = None) -> Response:
        """Begin a response.

        Raises:
            Refused: One is being made, or something in ``asked`` cannot be.
        """
        session = self._session
        parameters = response_parameters(session.session, asked)
        in_chain = parameters.get("conversation") != "none"
        active = self.active
        if in_chain and active is not None:
            raise already_active(active.id)
        if len(self._actives()) >= session.settings.active_limit:
            raise too_many_responses(session.settings.active_limit)
        heard = self._heard(parameters)
        ended = self._allow(session.now) if self._allow is not None else None
        self.count += 1
        response = Response(
            session.new_id("resp"),
            parameters,
            format_of(parameters["audio"]["output"]["format"]),
            session.chain_id if in_chain else None,
            heard,
        )
        question = Asked(self.count, heard, parameters, response.speaks)
        sayings = session.voice.reply(question)
        speaking = Speaking(response, sayings, session.items, session.settings, session.new_id)
        running = _Running(response, speaking.steps(), session.now)
        running.ended = ended
        self._running.append(running)
        return response

    def _heard(self, parameters: Json) -> tuple[Item, ...]:
        """Return what is to be answered: the conversation, or what the create has instead."""
        session = self._session
        given = parameters.get("input")
        if given is None:
            return tuple(session.items)
        return tuple(_input_item(session, value, n) for n, value in enumerate(given))

    def step(self) -> None:
        """Do what is due first."""
        running = min(self._running, key=lambda each: each.due)
        step = next(running.steps, None)
        if step is None:
            self._running.remove(running)
        elif isinstance(step, Pause):
            if running.response.active:
                running.due += step.seconds
        else:
            self._session.emit(step)
            if step["type"] == "response.output_audio.delta":
                self.has_spoken = True
                if running.heard_since is None:
                    running.heard_since = self._session.now
            elif step["type"] == "response.done":
                self._done(running)

    def _done(self, running: _Running) -> None:
        response, now = running.response, self._session.now
        if running.ended is not None:
            running.ended(response.usage()["total_tokens"], now)
        if response.in_chain and response.status == "completed":
            since = now if running.heard_since is None else running.heard_since
            self._session.listening.wait_for_user(since + response.said_ms / _MS - now)

    def cancel(self, response_id: str | None, reason: str = "client_cancelled") -> None:
        """End the response of this name, or the one of the default conversation.

        Raises:
            Refused: It is not being made.
        """
        actives = self._actives()
        if response_id is None:
            response = self.active
        else:
            response = next((each for each in actives if each.id == response_id), None)
        known = self._session.settings.cancels_before_created
        if response is None or not (response.created or known):
            raise nothing_to_cancel()
        self._end(response, reason)

    def interrupt(self) -> None:
        """End the response of the default conversation, if there is one: somebody speaks."""
        response = self.active
        if response is not None:
            self._end(response, "turn_detected")

    def _end(self, response: Response, reason: str) -> None:
        response.end("cancelled", reason)
        for running in self._running:
            if running.response is response:
                running.due = self._session.now  # it was waiting to go on

    def abandon(self, now: float) -> None:
        """End them all without a word: the client has gone."""
        for running in self._running:
            if running.response.active and running.ended is not None:
                running.ended(running.response.usage()["total_tokens"], now)
        self._running.clear()


def _input_item(session: VoiceSession, value: Json, index: int) -> Item:
    if value.get("type") == "item_reference":
        return session.items.get(str(value.get("id")), "retrieve")
    return item_of(value, session.new_id, session.input_format, f"response.input[{index}]")
