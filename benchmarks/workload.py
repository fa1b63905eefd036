"""What is measured: the bytes of the requests, and of the answers.

Sizes are those of a coding agent with three tools: about 1.2 kB of tools and instructions in every
turn, 300 B of tool output, 20 pieces of function arguments.
"""

from __future__ import annotations

import json
from typing import Any, Final

MODEL: Final = "bench"
BURST: Final = "Write a burst."  # this input is answered with one, any other with a call
BURST_DELTAS: Final = 2_000
ARGUMENT_DELTAS: Final = 20

INSTRUCTIONS: Final = (
    "You are a careful engineer who works in a repository through tools. Read before you write, "
    "change as little as is needed, keep to the style that is there, and say what you did. "
    "Paths are relative to the root of the repository. Never leave the root. "
    "When a tool fails, read its message, correct the arguments and try once more."
)


def _tool(name: str, description: str, **parameters: str) -> dict[str, Any]:
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "name": name, "description": description, "parameters": schema}


TOOLS: Final = [
    _tool(
        "read_file",
        "Read a text file and return its content with line numbers.",
        path="Path of the file.",
        lines="Range of lines such as 10-80, or all.",
    ),
    _tool(
        "search_text",
        "Search all files for a regular expression and return the lines that match.",
        pattern="Regular expression.",
        folder="Folder to search in.",
    ),
    _tool("list_files", "List the files of a folder, sorted by name.", folder="Path."),
]

QUESTION: Final = (
    "Find out where the retry delay of the uploader is computed, whether it honours the header "
    "that the server sends, and which tests cover it. Name files and lines."
)

TOOL_OUTPUT: Final = "\n".join(
    f"{line}: def step_{line}(value: int) -> int: return value * {line} + 1"
    for line in range(40, 45)
)


def tool_output(call_id: str) -> dict[str, Any]:
    """Return what the agent answers to a call: about 300 B with its call id."""
    return {"type": "function_call_output", "call_id": call_id, "output": TOOL_OUTPUT}


# The answers. Every id ends in the same digits, which the server replaces by a number.

DIGITS: Final = b"0" * 32
RESPONSE_ID: Final = "resp_" + "0" * 32
_MESSAGE_ID: Final = "msg_" + "0" * 32
_ITEM_ID: Final = "fc_" + "0" * 32
_CALL_ID: Final = "call_" + "0" * 32


def burst_events() -> list[dict[str, Any]]:
    """Return a text of 2,000 pieces."""
    at = {"item_id": _MESSAGE_ID, "output_index": 0, "content_index": 0}
    text = "piece of text " * BURST_DELTAS
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": _MESSAGE_ID, "type": "message", "role": "assistant"}
    delta = {"type": "response.output_text.delta", **at, "delta": "piece of text ", "logprobs": []}
    done = item | {"status": "completed", "content": [part]}
    return _numbered(
        *_opening(),
        _event(
            "output_item.added",
            output_index=0,
            item=item | {"status": "in_progress", "content": []},
        ),
        _event("content_part.added", **at, part=part | {"text": ""}),
        *(delta | {"obfuscation": "x" * 14} for _ in range(BURST_DELTAS)),
        _event("output_text.done", **at, text=text, logprobs=[]),
        _event("content_part.done", **at, part=part),
        _event("output_item.done", output_index=0, item=done),
        _event("completed", response=_response("completed", [done])),
    )


def call_events() -> list[dict[str, Any]]:
    """Return a function call whose arguments come in 20 pieces."""
    at = {"item_id": _ITEM_ID, "output_index": 0}
    arguments = json.dumps({"path": "src/uploader/transport/retry_policy.py", "lines": "40-80"})
    size = -(-len(arguments) // ARGUMENT_DELTAS)
    pieces = [arguments[start : start + size] for start in range(0, len(arguments), size)]
    item = {"id": _ITEM_ID, "type": "function_call", "call_id": _CALL_ID, "name": "read_file"}
    done = item | {"status": "completed", "arguments": arguments}
    return _numbered(
        *_opening(),
        _event(
            "output_item.added",
            output_index=0,
            item=item | {"status": "in_progress", "arguments": ""},
        ),
        *(
            _event("function_call_arguments.delta", **at, delta=piece, obfuscation="x" * 12)
            for piece in pieces
        ),
        _event("function_call_arguments.done", **at, arguments=arguments),
        _event("output_item.done", output_index=0, item=done),
        _event("completed", response=_response("completed", [done])),
    )


def _event(kind: str, **members: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **members}


def _opening() -> list[dict[str, Any]]:
    response = _response("in_progress", [])
    return [_event("created", response=response), _event("in_progress", response=response)]


def _numbered(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


def _response(status: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    usage = {
        "input_tokens": 2048,
        "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0},
        "output_tokens": 64,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 2112,
    }
    return {
        "id": RESPONSE_ID,
        "object": "response",
        "created_at": 1_760_000_000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": INSTRUCTIONS,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "model": MODEL,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [tool | {"strict": True} for tool in TOOLS],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if status == "completed" else None,
    }
