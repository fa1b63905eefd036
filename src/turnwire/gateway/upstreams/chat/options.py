"""What differs between servers that all say they speak chat completions."""

from __future__ import annotations

from typing import Literal

import msgspec

from turnwire.gateway.json_shapes import Json  # msgspec reads it at run time

Reasoning = Literal["text", "summary", "hidden"]
ThinkTags = Literal["at_start", "open", "off"]


class ChatOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to speak with one chat server.

    Attributes:
        model: Sent instead of the model that the client names, or None.
        max_tokens_field: What the server calls the limit of the output.
        developer_role: The role of what a developer says; few local servers know ``developer``.
        late_system_role: The role of system messages after the beginning, which some chat
            templates refuse.
        merge_roles: True makes one message of neighbours with one role, for chat templates that
            want user and assistant to take turns.
        reasoning: How the model's open reasoning is shown: as reasoning text, as a summary, or
            not at all.
        reasoning_field: What the server calls the reasoning of an earlier assistant message, such
            as ``reasoning_content``; None sends none back.
        reasoning_effort: False keeps ``reasoning.effort`` from a server that refuses it.
        think_tags: Whether tags such as ``<think>`` in the answer's text mark reasoning:
            ``at_start`` if the answer begins with one, ``open`` if it begins inside, as some
            chat templates make it, ``off`` never.
        files: True sends files as ``file`` parts; else only text files are sent, as text.
        usage: False leaves ``stream_options`` out.
        passed_on: Fields of the create that are sent on as they are, if the client sends them.
        extra_body: Further fields, such as ``chat_template_kwargs``; they win over everything.
    """

    model: str | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    developer_role: Literal["system", "developer"] = "system"
    late_system_role: Literal["system", "user"] = "system"
    merge_roles: bool = False
    reasoning: Reasoning = "text"
    reasoning_field: str | None = None
    reasoning_effort: bool = True
    think_tags: ThinkTags = "at_start"
    files: bool = False
    usage: bool = True
    passed_on: tuple[str, ...] = (
        "chat_template_kwargs",
        "logit_bias",
        "min_p",
        "repetition_penalty",
        "seed",
        "stop",
        "top_k",
        "user",
    )
    extra_body: Json = {}
