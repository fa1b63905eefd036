"""Each server event of the official SDK's models reads the same here."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, cast, get_args, get_origin

import msgspec
import pytest
from openai.types import realtime as sdk
from pydantic import BaseModel

from turnwire.events import realtime
from turnwire.events.realtime import (
    RealtimeEvent,
    RealtimeSession,
    ResponseAudioDeltaEvent,
    UnknownEvent,
    client,
    decode_realtime_event,
)

pytestmark = pytest.mark.interop

MODELS: list[type[BaseModel]] = list(get_args(get_args(sdk.RealtimeServerEvent)[0]))
VARIANTS = range(9)  # as many as there are kinds of items
# Parts of their own have the same names here as within their items.
MISSING = object()
SPARSE = [False, True]
RENAMED = {"text": "output_text", "audio": "output_audio"}


def filled(wanted: Any, name: str, variant: int, *, optional: bool) -> Any:
    """Return JSON for an annotation of the SDK's models; variants go through the unions."""
    origin, args = get_origin(wanted), get_args(wanted)
    if origin in {Union, types.UnionType}:
        choices = [each for each in args if each is not type(None)]
        if len(choices) < len(args) and not optional:
            return None
        return filled(choices[variant % len(choices)], name, variant, optional=optional)
    if origin is Literal:
        return args[variant % len(args)]
    if origin is list:
        return [filled(args[0], name, variant, optional=optional)]
    if origin is dict:
        return {"key": "value"}
    if hasattr(wanted, "__metadata__"):  # Annotated
        return filled(args[0], name, variant, optional=optional)
    if isinstance(wanted, type) and issubclass(wanted, BaseModel):
        return sample(wanted, variant, optional=optional)
    if name in {"delta", "audio"}:
        return "AAEC"
    plain: dict[Any, Any] = {str: f"the {name}", int: 7, float: 1.5, bool: True}
    return plain.get(wanted, {"any": 1})


def sample(model: type[BaseModel], variant: int = 0, *, optional: bool = True) -> dict[str, Any]:
    found = {
        name: filled(field.annotation, name, variant, optional=optional)
        for name, field in model.model_fields.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def differences(ours: Any, theirs: Any, path: str) -> list[str]:
    """Return where what the SDK has, as JSON, is not what we have."""
    if path == "event.part.type":
        theirs = RENAMED.get(str(theirs), theirs)
    if isinstance(ours, RealtimeSession):
        ours = ours.fields
    if isinstance(ours, msgspec.Struct):
        return [
            found
            for name in theirs
            for found in differences(getattr(ours, name, MISSING), theirs[name], f"{path}.{name}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        mine, yours = cast("list[Any]", ours), cast("list[Any]", theirs)
        if len(mine) == len(yours):
            pairs = zip(mine, yours, strict=True)
            return [found for a, b in pairs for found in differences(a, b, f"{path}[]")]
    return [] if ours == theirs else [f"{path}: {ours!r} is not {theirs!r}"]


@pytest.mark.parametrize("sparse", SPARSE, ids=["whole", "sparse"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_an_event_of_the_sdk_reads_the_same(model: type[BaseModel], sparse: Any) -> None:
    for variant in VARIANTS:
        theirs: Any = model.model_validate(sample(model, variant, optional=not sparse))
        data = theirs.to_json(indent=None).encode()
        ours = decode_realtime_event(data)
        plain = msgspec.json.decode(data)
        assert not isinstance(ours, UnknownEvent)
        assert plain == ours.to_dict()
        assert plain.pop("type") == ours.raw_type
        assert differences(ours, plain, "event") == []


def test_samples_fill_every_kind_of_item() -> None:
    model: Any = sdk.ConversationItemDone
    kinds = {sample(model, variant)["item"]["type"] for variant in VARIANTS}
    assert len(kinds) == 7
    assert {"message", "function_call", "mcp_call", "mcp_list_tools"} <= kinds


def test_classes_have_the_sdks_names() -> None:
    betas_own = {"ConversationItemCreatedEvent"}
    nested = {
        "ConversationItemRetrieved",
        "OutputAudioBufferStarted",
        "OutputAudioBufferStopped",
        "OutputAudioBufferCleared",
    }
    theirs = {model.__name__ for model in MODELS}
    assert nested <= theirs
    ours = {
        name
        for name in realtime.__all__
        if isinstance(getattr(realtime, name), type)
        and issubclass(getattr(realtime, name), RealtimeEvent)
    }
    assert theirs - ours == betas_own


def test_audio_is_the_sdks_delta_decoded() -> None:
    theirs: Any = sdk.ResponseAudioDeltaEvent.model_validate(sample(sdk.ResponseAudioDeltaEvent))
    ours = decode_realtime_event(theirs.to_json(indent=None).encode())
    assert isinstance(ours, ResponseAudioDeltaEvent)
    assert (b"\0\1\2", theirs.delta) == (ours.audio, ours.delta)


CLIENT_MODELS: list[tuple[dict[str, Any], Any]] = [
    (client.session_update({"audio": {"output": {"voice": "ash"}}}), sdk.SessionUpdateEvent),
    (client.commit(), sdk.InputAudioBufferCommitEvent),
    (client.clear(), sdk.InputAudioBufferClearEvent),
    (client.output_audio_clear(), sdk.OutputAudioBufferClearEvent),
    (client.item_delete("i"), sdk.ConversationItemDeleteEvent),
    (client.item_retrieve("i"), sdk.ConversationItemRetrieveEvent),
    (client.item_truncate("i", 0, 5), sdk.ConversationItemTruncateEvent),
    (client.user_message("hi", previous_item_id="p"), sdk.ConversationItemCreateEvent),
    (client.assistant_message("hi"), sdk.ConversationItemCreateEvent),
    (client.system_message("hi"), sdk.ConversationItemCreateEvent),
    (client.function_output("c", "{}"), sdk.ConversationItemCreateEvent),
    (client.response_create({"metadata": {"a": "b"}}), sdk.ResponseCreateEvent),
    (client.response_cancel("r"), sdk.ResponseCancelEvent),
]


@pytest.mark.parametrize(("event", "model"), CLIENT_MODELS)
def test_the_sdk_reads_what_we_send(event: dict[str, Any], model: Any) -> None:
    read = model.model_validate(event)
    assert event == read.model_dump(mode="json", exclude_unset=True)
    assert set(event) <= set(model.model_fields)
