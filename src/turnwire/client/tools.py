"""The tools of a chain: what the model is offered, and how its calls run.

A tool that fails never ends the loop: what went wrong becomes its output, for the model to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from turnwire.client.function_tool import FunctionTool, tool
from turnwire.errors import ConfigError
from turnwire.events import encode
from turnwire.events.conversion import (
    ToolCall,
    function_call_output,
    function_tools_from_chat_tools,
)

__all__ = ["FunctionTool", "Tool", "Toolbox", "tool"]

Json: TypeAlias = dict[str, Any]
Tool: TypeAlias = Callable[..., Any] | FunctionTool | Mapping[str, Any]

# Tools that bring functions whose names only the server and the caller know.
_BRING_FUNCTIONS = frozenset({"namespace", "tool_search"})


class Toolbox:
    """The tools of a chain: their definitions, and the functions behind some of them.

    Args:
        tools: Functions, :class:`FunctionTool` objects, and dicts. A dict goes to the server as it
            is (one in chat form is made flat); calls of it are the caller's to answer.
        max_output_bytes: Longer outputs are cut, and say so; default 1 MiB. In UTF-8.

    Raises:
        ConfigError: Two tools of one name, or a tool that cannot be offered to a model.
    """

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        *,
        max_output_bytes: int = 1024 * 1024,
    ) -> None:
        if max_output_bytes < 0:
            raise ConfigError(f"max_output_bytes is {max_output_bytes}; expected 0 or more")
        self._max_output_bytes = max_output_bytes
        self._functions: dict[str, FunctionTool] = {}
        self._definitions: list[Json] = []
        self._foreign_names: set[str] = set()
        self._knows_all_names = True
        for index, given in enumerate(tools):
            if isinstance(given, FunctionTool):
                self._add_function(given)
            elif callable(given):
                self._add_function(FunctionTool.from_function(given))
            else:
                self._add_foreign(given, f"tools[{index}]")

    def _add_function(self, made: FunctionTool) -> None:
        self._claim(made.name)
        self._functions[made.name] = made
        self._definitions.append(made.to_dict())

    def _add_foreign(self, given: Mapping[str, Any], where: str) -> None:
        try:
            (definition,) = function_tools_from_chat_tools([given])
        except ValueError as error:
            raise ConfigError(
                f"{where} is a {type(given).__name__}; expected a function, a FunctionTool or a "
                "dict that JSON can hold"
            ) from error
        kind, name = definition.get("type"), definition.get("name")
        if not isinstance(kind, str):
            raise ConfigError(
                f"{where} is a dict without a `type`; expected one such as "
                '{"type": "function", "name": ..., "parameters": {...}}'
            )
        if isinstance(name, str):
            self._claim(name)
            self._foreign_names.add(name)
        self._knows_all_names &= kind not in _BRING_FUNCTIONS
        self._definitions.append(definition)

    def _claim(self, name: str) -> None:
        if name in self._functions or name in self._foreign_names:
            raise ConfigError(
                f"two tools are named {name}; rename one with "
                "`FunctionTool.from_function(function, name=...)`"
            )

    def definitions(self) -> list[Json]:
        """Return the tools as they stand on the wire, in the order given."""
        return list(self._definitions)

    def can_run(self, call: ToolCall) -> bool:
        """Say whether this toolbox answers the call; if not, the loop hands it to its caller.

        A function that nobody knows is answered here, by an output that says so.
        """
        if call.kind != "function" or call.name in self._foreign_names:
            return False
        return call.name in self._functions or self._knows_all_names

    async def run(self, call: ToolCall) -> Json:
        """Run one call and return the item that answers it.

        Exceptions become outputs. Cancellation cancels an async function and leaves a sync one to
        its thread.

        Raises:
            ConfigError: The call is of a tool that has no function here; see :meth:`can_run`.
        """
        self._check(call)
        output = await self._output(call)
        return function_call_output(call.call_id, _cut(output, self._max_output_bytes))

    async def run_all(self, calls: Iterable[ToolCall]) -> list[Json]:
        """Run calls side by side and return their outputs in the order of the calls.

        Cancellation cancels every call that still runs and waits for all to end.

        Raises:
            ConfigError: One of the calls is of a tool that has no function here; none was run.
        """
        calls = list(calls)
        for call in calls:
            self._check(call)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.run(call)) for call in calls]
        return [task.result() for task in tasks]

    def _check(self, call: ToolCall) -> None:
        if not self.can_run(call):
            raise ConfigError(
                f"tool {call.name} was not given as a function, so its calls are yours to answer; "
                "ask can_run() first"
            )

    async def _output(self, call: ToolCall) -> str:
        known = self._functions.get(call.name)
        if known is None:
            names = ", ".join(self._functions) or "none"
            return f"Error: there is no tool named {call.name}; known tools: {names}"
        try:
            given, named = known.bind(call.arguments)
        except Exception as error:  # noqa: BLE001  # a type of the caller's may raise anything
            return _misfit(call.name, error)
        try:
            result = await known.invoke(given, named)
        except asyncio.CancelledError:
            if _cancelled_from_outside():
                raise
            return f"Error: the tool {call.name} was cancelled from inside"
        except Exception as error:  # noqa: BLE001  # whatever a tool raises, the model may read
            return f"Error: {_describe(error)}"
        return _text(call.name, result)


def _cancelled_from_outside() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _misfit(name: str, error: Exception) -> str:
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return f"Error: the arguments of {name} are not JSON: {error}; send one JSON object"
    reason = str(error) if isinstance(error, msgspec.ValidationError) else _describe(error)
    return f"Error: the arguments do not fit {name}: {reason}; follow its schema"


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _text(name: str, result: Any) -> str:
    if isinstance(result, str):
        return result
    try:
        return encode(result).decode()
    except (TypeError, ValueError, RecursionError) as error:
        return f"Error: the result of {name} cannot be written as JSON: {error}"


def _cut(text: str, limit_bytes: int) -> str:
    # A lone surrogate, as in an odd file name, has no UTF-8 and would fail the whole turn.
    data = text.encode(errors="replace")
    if len(data) <= limit_bytes:
        return data.decode()
    kept = data[:limit_bytes].decode(errors="ignore")
    left_out = len(data) - len(kept.encode())
    return f"{kept}\n[output cut: {left_out} of {len(data)} bytes left out]"
