"""Events and responses as classes of the caller's: the official SDK's, or other pydantic models.

The ``type`` of an event decides its class.  Pydantic comes with the caller's classes; nothing here
imports it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from turnwire.client.building import build, is_model, members, words_of
from turnwire.errors import ConfigError
from turnwire.events import TurnRestartedEvent, TurnResumedEvent, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from turnwire.events import Event, Response

M = TypeVar("M")

# No server sends these, so no class of the caller's can be meant for them.
_OWN: Final = {str(cls.__struct_config__.tag) for cls in (TurnRestartedEvent, TurnResumedEvent)}

_EXAMPLE: Final = "such as openai.types.responses."


def event_reader(as_: object) -> Callable[[Event], Any]:
    """Return what makes an event of one of turnwire's.

    An event for which there is no class stays turnwire's own: one of a type that is not among
    them, and those that no server sends.

    Args:
        as_: A pydantic model with a ``type``, or a union of such.

    Raises:
        ConfigError: It is none.
    """
    try:
        classes = _remembered(as_)
    except TypeError:  # not hashable, as a union with pydantic's `Field` in it
        classes = _classes_by_type(as_)

    def read(event: Event) -> Any:
        fitting = classes.get(event.type)
        return build(fitting, event.raw) if fitting else event

    return read


def response_reader(as_: type[M] | None) -> Callable[[Response], Response | M]:
    """Return what makes a response of one of turnwire's.

    Args:
        as_: A pydantic model, or None for turnwire's own.

    Raises:
        ConfigError: It is something else.
    """
    if as_ is None:
        return lambda response: response
    if not is_model(as_):
        raise ConfigError(
            f"`as_` must be a model of pydantic 2 {_EXAMPLE}Response, not {_name(as_)}; "
            "unions are for `turn.events`"
        )

    def read(response: Response) -> M:
        made: M = build((as_,), encode(response.to_dict()))
        return made

    return read


def create_reader(as_: type[M] | None, *, stream: bool) -> Callable[[Response], Response | M]:
    """Return the same for ``responses.create``.

    Raises:
        ConfigError: ``as_`` is no pydantic model, or what is asked for is the turn.
    """
    if stream and as_ is not None:
        raise ConfigError(
            "`as_` does not fit `stream=True`, which returns the turn: give it to `turn.events` or "
            "to `turn.get_final_response`"
        )
    return response_reader(as_)


@lru_cache(64)  # of the SDK's union it takes a third of a millisecond
def _remembered(as_: Hashable) -> dict[str, tuple[Any, ...]]:
    return _classes_by_type(as_)


def _classes_by_type(as_: object) -> dict[str, tuple[Any, ...]]:
    """Find the classes for each ``type`` that an event may have."""
    classes: dict[str, tuple[Any, ...]] = {}
    for one in members(as_):
        if not is_model(one):
            raise ConfigError(
                "`as_` must be a model of pydantic 2 for an event, or a union of such, "
                f"{_EXAMPLE}ResponseStreamEvent, not {_name(one)}"
            )
        words = words_of(one, "type")
        if not words:
            raise ConfigError(
                f"`as_`: {_name(one)} does not say which events it is for; give it a field like "
                '`type: Literal["response.completed"]`'
            )
        for word in set(words) - _OWN:
            classes[word] = (*classes.get(word, ()), one)
    return classes


def _name(given: object) -> str:
    return getattr(given, "__qualname__", None) or f"an object of type {type(given).__qualname__}"
