"""The parameters of a create: their types, their limits, and which of them are not for us.

Unknown fields are ignored (interop rules R6 to R8); a wrong type is refused with the name of the
parameter.  Sources: docs/protocol/lanes.md, the SDK's ``response_create_params``.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from turnwire.gateway.json_shapes import Json  # msgspec reads it at run time
from turnwire.gateway.refusal import RequestRefused

_Positive = Annotated[int, Meta(ge=1)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """A create whose parameters have the right types."""

    model: str = ""
    input: str | list[Json] = []
    instructions: str | list[Json] | None = None
    previous_response_id: str | None = None
    store: bool = True
    generate: bool = True
    background: bool = False
    stream: bool = False
    tools: list[Json] = []
    tool_choice: str | Json = "auto"
    parallel_tool_calls: bool = True
    max_output_tokens: _Positive | None = None
    max_tool_calls: _Positive | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Meta(ge=0, le=1)] = 1.0
    presence_penalty: _Penalty = 0.0
    frequency_penalty: _Penalty = 0.0
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] = 0
    truncation: Literal["auto", "disabled"] = "disabled"
    reasoning: Json | None = None
    text: Json | None = None
    metadata: dict[str, str] = {}
    include: list[str] = []
    prompt_cache_key: str | None = None
    prompt_cache_options: Json | None = None
    safety_identifier: str | None = None
    user: str | None = None
    # The create as it came, without nulls: for what an upstream may pass on unread.
    sent: Json = {}

    @property
    def warm_up(self) -> bool:
        """True if the input is only to be stored; ``prewarm`` wins over ``generate: true``."""
        return not self.generate or (self.prompt_cache_options or {}).get("prewarm") is True


# What the gateway cannot do and must not seem to do: leaving it out would change the answer.
_REFUSED: Final[dict[str, str]] = {
    "background": "Background responses are not available here. Leave `background` out.",
    "conversation": (
        "Conversations are not available here. Continue with `previous_response_id` instead."
    ),
    "prompt": "Stored prompts are not available here. Send `instructions` and `input` instead.",
    "context_management": (
        "Automatic compaction is not available here. Leave `context_management` out."
    ),
}

_PLACE: Final = re.compile(r" - at `\$\.?(?P<param>.*)`$")


def read_parameters(
    request: Json, *, default_model: str | None = None, compacts: bool = False
) -> Parameters:
    """Check a create and return its parameters.

    Args:
        request: The create.
        default_model: Used if it names none.
        compacts: True if the upstream takes ``context_management``.

    Raises:
        RequestRefused: With the parameter at fault in ``param``.
    """
    request = {key: value for key, value in request.items() if value is not None}
    for name, message in _REFUSED.items():
        if request.get(name) and not (compacts and name == "context_management"):
            raise RequestRefused(message, code="unsupported_parameter", param=name)
    if default_model is not None:
        request.setdefault("model", default_model)
    if not request.get("model"):
        raise _missing("model", "Name one that GET /v1/models lists.")
    try:
        parameters = msgspec.convert({**request, "sent": request}, Parameters)
    except msgspec.ValidationError as error:
        raise _wrong_type(str(error)) from None
    if "input" not in request and not (parameters.previous_response_id or parameters.warm_up):
        raise _missing("input", "Send a string or a list of items.")
    _check_tools(parameters.tools)
    return parameters


def _check_tools(tools: list[Json]) -> None:
    for index, tool in enumerate(tools):
        if not isinstance(tool.get("type"), str):
            raise _missing(f"tools[{index}].type", "Each tool needs one, such as `function`.")
        if tool["type"] != "function":
            continue  # unknown types are echoed and otherwise left alone (R8)
        if not isinstance(tool.get("name"), str):
            raise _missing(
                f"tools[{index}].name",
                "A function's name stands beside `type`, not inside `function`.",
            )
        if not isinstance(tool.get("parameters"), dict | None):
            raise RequestRefused(
                f"`tools[{index}].parameters` must be a JSON schema object.",
                code="invalid_type",
                param=f"tools[{index}].parameters",
            )


def _missing(param: str, advice: str) -> RequestRefused:
    return RequestRefused(
        f"The parameter `{param}` is missing or not a string. {advice}",
        code="missing_required_parameter",
        param=param,
    )


def _wrong_type(complaint: str) -> RequestRefused:
    place = _PLACE.search(complaint)
    param = place["param"] if place else None
    what = complaint[: place.start()] if place else complaint
    return RequestRefused(
        f"The parameter `{param}` is not valid: {what[:1].lower()}{what[1:]}.",
        code="invalid_type" if ", got `" in what else "invalid_value",
        param=param,
    )
