"""What the server says no to, with the codes and the words of the hosted service.

Sources: openai-agents-python issue 1661 (voice), openai-agents-js issues 963 (items) and 552
(truncation), pipecat issues 3677 and 2106 (length), livekit/agents issue 6157 (no audio yet).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from turnwire.gateway.json_shapes import Json

SHORTEST_COMMIT_MS: Final = 100


class Refused(Exception):  # the outcome of a client's event, not a fault of ours
    """A client's event that is answered with ``error``; the session goes on.

    Attributes:
        code: The wire's ``error.code``.
        param: The member at fault, or None.
        kind: The wire's ``error.type``.
    """

    def __init__(
        self,
        message: str,
        code: str,
        param: str | None = None,
        *,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.param = param
        self.kind = kind

    def event(self, client_event_id: str | None) -> Json:
        """Return the event; it names the client's event, if that had a name."""
        error = {
            "type": self.kind,
            "code": self.code,
            "message": str(self),
            "param": self.param,
            "event_id": client_event_id,
        }
        return {"type": "error", "error": error}


def missing(param: str) -> Refused:
    """Return what is said of a member that has to be there."""
    return Refused(f"Missing required parameter: '{param}'.", "missing_required_parameter", param)


def wrong_type(param: str, expected: str, got: str) -> Refused:
    """Return what is said of a member of another type."""
    return Refused(
        f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
        "invalid_type",
        param,
    )


def wrong_value(param: str, value: object, allowed: Iterable[str]) -> Refused:
    """Return what is said of a value that is none of those that there are."""
    listed = ", ".join(f"'{each}'" for each in allowed)
    return Refused(
        f"Invalid value: '{value}'. Supported values are: {listed}.", "invalid_value", param
    )


def unknown_member(param: str) -> Refused:
    """Return what is said of a member that the API does not have, as those of the beta."""
    return Refused(f"Unknown parameter: '{param}'.", "unknown_parameter", param)


def not_json() -> Refused:
    """Return what is said of a message that is no event."""
    return Refused(
        "The message is not a JSON object. Send one event as one text message.", "invalid_json"
    )


def beta_disabled() -> Refused:
    """Return what a client gets that asks for the protocol of the beta."""
    return Refused(
        "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
        "beta_api_shape_disabled",
    )


def session_expired(max_age: float) -> Refused:
    """Return what ends a session that is too old."""
    return Refused(expired_words(max_age), "session_expired")


def expired_words(max_age: float) -> str:
    """Return the words of the error, and of the close after it."""
    minutes = max_age / 60
    return f"Your session hit the maximum duration of {minutes:g} minutes."


def bad_audio(form: str) -> Refused:
    """Return what is said of audio that cannot be read."""
    return Refused(
        f"Invalid 'audio'. Expected base64-encoded audio bytes ({form}).", "invalid_value", "audio"
    )


def bad_image(param: str) -> Refused:
    """Return what is said of an image that is no URL, such as base64 alone."""
    return Refused(
        f"Invalid '{param}'. Expected a URL that begins with 'data:', 'https:' or 'http:'.",
        "invalid_value",
        param,
    )


def audio_too_long(size_bytes: int, limit_bytes: int) -> Refused:
    """Return what is said of an append that is too large."""
    return Refused(
        f"Invalid 'audio'. It has {size_bytes} bytes; the limit is {limit_bytes}. Send less at a"
        " time.",
        "invalid_value",
        "audio",
    )


def buffer_full(limit_bytes: int) -> Refused:
    """Return what is said of audio for which there is no room."""
    return Refused(
        f"The input audio buffer holds at most {limit_bytes} bytes. Commit it or clear it.",
        "input_audio_buffer_full",
        "audio",
    )


def buffer_too_small(ms: float) -> Refused:
    """Return what is said of a commit without enough audio."""
    return Refused(
        "Error committing input audio buffer: buffer too small. Expected at least"
        f" {SHORTEST_COMMIT_MS}ms of audio, but buffer only has {ms:.2f}ms of audio.",
        "input_audio_buffer_commit_empty",
    )


def no_item(doing: str, item_id: str, param: str = "item_id") -> Refused:
    """Return what is said of an item that is not there; ``doing`` as in ``delete``."""
    verb = {"retrieve": "retrieving", "delete": "deleting", "truncate": "truncating"}[doing]
    return Refused(
        f"Error {verb} item: the item with id '{item_id}' does not exist.",
        f"item_{doing}_invalid_item_id",
        param,
    )


def no_previous_item(item_id: str) -> Refused:
    """Return what is said of an item that is to stand behind one that is not there."""
    return Refused(
        f"Error creating item: the previous item with id '{item_id}' does not exist.",
        "item_create_invalid_previous_item_id",
        "previous_item_id",
    )


def duplicate_item(item_id: str) -> Refused:
    """Return what is said of an id that is taken."""
    return Refused(
        f"Error creating item: an item with id '{item_id}' already exists.",
        "item_create_duplicate_item_id",
        "item.id",
    )


def shorter_already(length_ms: int, asked_ms: int) -> Refused:
    """Return what is said of a truncation behind the end."""
    return Refused(
        f"Audio content of {length_ms}ms is already shorter than {asked_ms}ms",
        "invalid_value",
        "audio_end_ms",
    )


def no_model_audio() -> Refused:
    """Return what is said of a truncation of anything but the model's audio."""
    return Refused("Only model output audio messages can be truncated", "unsupported_content_type")


def voice_is_frozen() -> Refused:
    """Return what is said of another voice after the first audio."""
    return Refused(
        "Cannot update a conversation's voice if assistant audio is present.",
        "cannot_update_voice",
    )


def tracing_is_frozen() -> Refused:
    """Return what is said of tracing that was set already."""
    return Refused(
        "Cannot update tracing once it has been set for a session.", "cannot_update_tracing",
        "session.tracing",
    )  # fmt: skip


def already_active(response_id: str) -> Refused:
    """Return what is said of a second response."""
    return Refused(
        f"Conversation already has an active response in progress: {response_id}. Wait until the"
        " response is finished before creating a new one.",
        "conversation_already_has_active_response",
    )


def too_many_responses(limit: int) -> Refused:
    """Return what is said of one response too many outside of the default one."""
    return Refused(
        f"At most {limit} responses run at once. Wait for one to end.", "too_many_active_responses"
    )


def nothing_to_cancel() -> Refused:
    """Return what is said of a cancel without a response."""
    return Refused("Cancellation failed: no active response found", "response_cancel_not_active")
