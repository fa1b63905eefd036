"""What is done with each event of a client: one function for each type, in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.gateway.voice.configuring import updated_session
from turnwire.gateway.voice.creating import decoded_audio, item_of
from turnwire.gateway.voice.refusals import (
    audio_too_long,
    missing,
    no_model_audio,
    shorter_already,
    wrong_type,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.session import VoiceSession


def _session_update(session: VoiceSession, event: Json) -> None:
    session.session = updated_session(
        session.session, event.get("session"), has_spoken=session.responding.has_spoken
    )
    session.input.configure(session.input_format, session.detection)
    session.emit({"type": "session.updated", "session": session.session})


def _append(session: VoiceSession, event: Json) -> None:
    audio = decoded_audio(event.get("audio"), session.input_format)
    limit_bytes = session.settings.max_audio_bytes
    if len(audio) > limit_bytes:
        raise audio_too_long(len(audio), limit_bytes)
    session.listening.listen(audio)


def _commit(session: VoiceSession, event: Json) -> None:  # noqa: ARG001  # there is nothing in it
    session.listening.commit()


def _clear(session: VoiceSession, event: Json) -> None:  # noqa: ARG001  # there is nothing in it
    session.listening.clear()
    session.emit({"type": "input_audio_buffer.cleared"})


def _item_create(session: VoiceSession, event: Json) -> None:
    item = item_of(event.get("item"), session.new_id, session.input_format, "item")
    previous = event.get("previous_item_id")
    if previous is not None and not isinstance(previous, str):
        raise wrong_type("previous_item_id", "a string", type(previous).__name__)
    session.items.check(item.id, previous)
    previous_id = session.items.add(item, previous)
    told = {"previous_item_id": previous_id, "item": item.snapshot()}
    session.emit({"type": "conversation.item.added", **told})
    session.emit({"type": "conversation.item.done", **told})


def _item_delete(session: VoiceSession, event: Json) -> None:
    item = session.items.get(_string(event, "item_id"), "delete")
    session.items.remove(item)
    session.emit({"type": "conversation.item.deleted", "item_id": item.id})


def _item_retrieve(session: VoiceSession, event: Json) -> None:
    item = session.items.get(_string(event, "item_id"), "retrieve")
    session.emit({"type": "conversation.item.retrieved", "item": item.with_audio()})


def _item_truncate(session: VoiceSession, event: Json) -> None:
    end_ms = _integer(event, "audio_end_ms")
    index = _integer(event, "content_index")
    item = session.items.get(_string(event, "item_id"), "truncate")
    track = item.tracks.get(index)
    if track is None or item.value.get("role") != "assistant" or not track.size_bytes:
        raise no_model_audio()
    length_ms = max(0, track.ms - session.settings.shorter_ms)
    if end_ms > length_ms:
        raise shorter_already(length_ms, end_ms)
    track.cut(end_ms)
    item.content[index]["transcript"] = ""
    told = {"item_id": item.id, "content_index": index, "audio_end_ms": end_ms}
    session.emit({"type": "conversation.item.truncated", **told})


def _response_create(session: VoiceSession, event: Json) -> None:
    session.responding.begin(event.get("response"))


def _response_cancel(session: VoiceSession, event: Json) -> None:
    response_id = event.get("response_id")
    if response_id is not None and not isinstance(response_id, str):
        raise wrong_type("response_id", "a string", type(response_id).__name__)
    session.responding.cancel(response_id)


def _string(event: Json, name: str) -> str:
    value = _given(event, name)
    if not isinstance(value, str):
        raise wrong_type(name, "a string", type(value).__name__)
    return value


def _integer(event: Json, name: str) -> int:
    value = _given(event, name)
    if isinstance(value, float):
        raise wrong_type(name, "an integer", "a decimal number")
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise wrong_type(name, "an integer of 0 or more", repr(value))
    return value


def _given(event: Json, name: str) -> Any:
    if name not in event:
        raise missing(name)
    return event[name]


ANSWERS: Final[dict[str, Callable[[VoiceSession, Json], None]]] = {
    "session.update": _session_update,
    "input_audio_buffer.append": _append,
    "input_audio_buffer.commit": _commit,
    "input_audio_buffer.clear": _clear,
    "conversation.item.create": _item_create,
    "conversation.item.retrieve": _item_retrieve,
    "conversation.item.truncate": _item_truncate,
    "conversation.item.delete": _item_delete,
    "response.create": _response_create,
    "response.cancel": _response_cancel,
}
