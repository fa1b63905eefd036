"""The items of a chain as the messages of a chat: pure, and never failing on an odd item.

A chat wants the calls of one answer in one message, and right after it an answer to each.  Items
come in any order and may be there twice (interop rule R12), so they are read twice: once for what
answers what, once for the messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.events import encode
from turnwire.gateway.json_shapes import Json, array_or_empty, object_or_empty
from turnwire.gateway.upstreams.chat.parts import chat_parts, content_of, refuse
from turnwire.gateway.upstreams.chat.tools import CUSTOM_ARGUMENT, chat_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from turnwire.gateway.upstreams.chat.options import ChatOptions

_NO_OUTPUT: Final = "(no output)"
_SYSTEM_ROLES: Final = frozenset({"system", "developer"})
_ANSWERS: Final = {"tool_search_output": "call_id", "mcp_approval_response": "approval_request_id"}
# What a call says about itself that is not what it asks for.
_NOT_ARGUMENTS: Final = frozenset(
    {"type", "id", "call_id", "approval_request_id", "status", "created_by", "caller"}
)


def chat_messages(
    items: Iterable[Json], instructions: str | list[Json] | None, options: ChatOptions
) -> list[Json]:
    """Return the messages of a chat.

    Args:
        items: The whole chain and what the turn adds, oldest first.
        instructions: The turn's own.
        options: How this server wants them.

    Raises:
        UpstreamFailed: With status 400, for content that cannot be passed on.
    """
    whole = [*_instructions(instructions), *items]
    calls = {call_id for item in whole if (call_id := _call_of(item))}
    reading = _Reading(_answers(whole), calls, options)
    for item in whole:
        reading.take(item)
    messages = _with_one_beginning(reading.messages(), options)
    return _merged(messages) if options.merge_roles else messages


def _instructions(given: str | list[Json] | None) -> list[Json]:
    if isinstance(given, str):
        return [{"type": "message", "role": "system", "content": given}] if given else []
    return [{"type": "message", "role": "system", **item} for item in given or ()]


def _answers(items: list[Json]) -> dict[str, Json]:
    """Return the first answer to each call."""
    answers: dict[str, Json] = {}
    for item in items:
        call_id = _answered_by(item)
        if call_id:
            answers.setdefault(call_id, item)
    return answers


def _answered_by(item: Json) -> str | None:
    """Return the call that an item answers, or None if it is no answer."""
    kind: str = item["type"]
    member = "call_id" if kind.endswith("_call_output") else _ANSWERS.get(kind)
    call_id = item.get(member) if member else None
    return call_id if isinstance(call_id, str) else None


def _call_of(item: Json) -> str | None:
    """Return the name of the call that an item is, or None if it is none."""
    kind: str = item["type"]
    if not kind.endswith("_call") and kind != "mcp_approval_request":
        return None
    call_id = item.get("call_id") or item.get("id")
    return call_id if isinstance(call_id, str) else ""


class _Reading:
    """Items in, messages out; what a model said in a row becomes one message."""

    def __init__(
        self, answers: dict[str, Json], known_calls: set[str], options: ChatOptions
    ) -> None:
        self._answers = answers
        self._known_calls = known_calls
        self._options = options
        self._messages: list[Json] = []
        self._taken: set[str] = set()  # the calls
        self._said: dict[str, Any] = {}  # content of messages, by id
        # The answer of the model that is being read.
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[Json] = []

    def messages(self) -> list[Json]:
        """Return all of them."""
        self._end_answer()
        return self._messages

    def take(self, item: Json) -> None:
        """Read one item; what says nothing to a chat is left out."""
        kind: str = item["type"]
        answered = _answered_by(item)
        call_id = _call_of(item)
        if answered is not None:
            self._take_answer(item, answered)
        elif call_id is not None:
            self._take_call(item, call_id)
        elif kind == "message":
            self._take_message(item)
        elif kind == "item_reference":
            refuse("An `item_reference`", "Send the item itself, or continue its response.")
        elif kind == "reasoning" and self._options.reasoning_field:
            if self._texts or self._calls:
                self._end_answer()
            self._reasoning += _reasoning_texts(item)

    def _is_repeat(self, call_id: str) -> bool:
        taken = call_id in self._taken
        self._taken.add(call_id)
        return taken

    def _take_message(self, item: Json) -> None:
        item_id: Any = item.get("id")
        if isinstance(item_id, str):
            if self._said.get(item_id) == item.get("content"):
                return
            self._said[item_id] = item.get("content")
        content = content_of(chat_parts(item.get("content"), self._options))
        role = item.get("role")
        if role == "assistant" and isinstance(content, str):
            if content:
                if self._texts and not self._calls:
                    self._end_answer()  # it spoke twice; with calls, both are one answer
                self._texts.append(content)
            return
        self._end_answer()
        if role in _SYSTEM_ROLES:
            role = self._options.developer_role if role == "developer" else "system"
        elif role != "assistant":
            role = "user"
        self._messages.append({"role": role, "content": content})

    def _take_call(self, item: Json, call_id: str) -> None:
        output = self._answers.get(call_id) or _own_output(item)
        if output is None and item["type"] not in {"function_call", "custom_tool_call"}:
            return  # a tool of the server's own: what came of it is in the text
        if self._is_repeat(call_id):
            return
        self._answers[call_id] = output or {"output": _NO_OUTPUT}
        name, arguments = _called(item)
        function = {"name": name, "arguments": arguments}
        self._calls.append({"id": call_id, "type": "function", "function": function})

    def _take_answer(self, item: Json, call_id: str) -> None:
        """Answers stand where their calls are; one without a call is not lost, either."""
        self._end_answer()
        if call_id in self._known_calls or self._is_repeat(call_id):
            return
        content = content_of(chat_parts(_output_of(item), self._options))
        self._messages.append({"role": "user", "content": content or _NO_OUTPUT})

    def _end_answer(self) -> None:
        texts, reasoning, calls = self._texts, self._reasoning, self._calls
        self._texts, self._reasoning, self._calls = [], [], []
        if not texts and not calls:
            return
        message: Json = {"role": "assistant", "content": "\n".join(texts) if texts else None}
        if reasoning and self._options.reasoning_field:
            message[self._options.reasoning_field] = "\n".join(reasoning)
        self._messages.append(message)
        if calls:
            message["tool_calls"] = calls
            self._answer(calls)

    def _answer(self, calls: list[Json]) -> None:
        """Add the tools' messages; those hold text alone, so pictures follow as the user's."""
        pictures: list[Json] = []
        for call in calls:
            parts = chat_parts(_output_of(self._answers[call["id"]]), self._options)
            texts = [part for part in parts if part["type"] == "text"]
            others = [part for part in parts if part["type"] != "text"]
            content = content_of(texts) or ("(see below)" if others else _NO_OUTPUT)
            self._messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
            if others:
                about = f"Output of {call['function']['name']} ({call['id']}):"
                pictures += [{"type": "text", "text": about}, *others]
        if pictures:
            self._messages.append({"role": "user", "content": pictures})


def _called(item: Json) -> tuple[str, str]:
    """Return the name and the arguments of a call as a chat has them."""
    match item["type"]:
        case "function_call" | "mcp_call" | "mcp_approval_request":
            arguments = item.get("arguments")
            whole = arguments if isinstance(arguments, str) and arguments.strip() else "{}"
            return chat_name(str(item.get("name")), item.get("namespace")), whole
        case "custom_tool_call":
            arguments = encode({CUSTOM_ARGUMENT: item.get("input", "")}).decode()
            return chat_name(str(item.get("name")), item.get("namespace")), arguments
        case kind:
            asked = {key: value for key, value in item.items() if key not in _NOT_ARGUMENTS}
            return kind.removesuffix("_call"), encode(asked).decode()


def _own_output(item: Json) -> Json | None:
    """Return the output of a tool that the server itself ran and wrote into the call."""
    output = item.get("output") if item["type"] == "mcp_call" else None
    return {"output": output} if isinstance(output, str) else None


def _output_of(answer: Json) -> Any:
    """Return what a tool has put out: text or parts; any other JSON as text."""
    if "output" not in answer:
        said = {key: value for key, value in answer.items() if key not in _NOT_ARGUMENTS}
        return encode(said).decode()
    output = answer["output"]
    if isinstance(output, str):
        return output
    types = {object_or_empty(part).get("type") for part in array_or_empty(output)}
    if types and all(isinstance(kind, str) and kind.startswith("input_") for kind in types):
        return output
    if object_or_empty(output).get("type") == "computer_screenshot":
        return [{**output, "type": "input_image"}]
    return encode(output).decode() if output else ""


def _reasoning_texts(item: Json) -> list[str]:
    shown = array_or_empty(item.get("content")) or array_or_empty(item.get("summary"))
    texts = (object_or_empty(part).get("text") for part in shown)
    return [text for text in texts if isinstance(text, str)]


def _with_one_beginning(messages: list[Json], options: ChatOptions) -> list[Json]:
    """Join the system messages at the beginning, since many chat templates take only one."""
    count = 0
    while count < len(messages) and messages[count]["role"] in _SYSTEM_ROLES:
        count += 1
    for message in messages[count:]:
        if message["role"] in _SYSTEM_ROLES and options.late_system_role == "user":
            message["role"] = "user"
    if count <= 1 or not all(isinstance(each["content"], str) for each in messages[:count]):
        return messages
    content = "\n\n".join(each["content"] for each in messages[:count])
    return [{"role": messages[0]["role"], "content": content}, *messages[count:]]


def _merged(messages: list[Json]) -> list[Json]:
    """Make one message of neighbours with the same role; those of tools stay apart."""
    merged: list[Json] = []
    for message in messages:
        last = merged[-1] if merged else {"role": None}
        joins = last["role"] == message["role"] and message["role"] in {"user", "assistant"}
        if not joins or "tool_calls" in last:
            merged.append(message)
            continue
        content = content_of([*_parts(last["content"]), *_parts(message["content"])])
        merged[-1] = {**last, **message, "content": content or None}
    return merged


def _parts(content: str | list[Json] | None) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content or []
