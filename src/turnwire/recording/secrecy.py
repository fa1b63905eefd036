"""Takes secrets out of what is recorded.

What is secret in a header, an address or a tool's definition is known by its name; a key that was
seen there is then taken out of everything else, wherever it stands.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote_plus

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

REMOVED: Final = "***"

KEY_PROTOCOL: Final = "openai-insecure-api-key."  # docs/protocol/interop.md
_SHORTEST: Final = 8  # characters; what is shorter is no key, and would be found everywhere

# Not "tokens": the headers that tell of limits count them.
_KEYS: Final = frozenset(
    """
    apikey auth authorization credential credentials key keys passwd password secret secrets sig
    signature token
    """.split()  # noqa: SIM905
)
_OTHER_SECRETS: Final = frozenset("account cookie cookies organization project session".split())  # noqa: SIM905
_NO_KEYS: Final = frozenset({"sec-websocket-key", "idempotency-key"})  # removed, but not looked for
# Of the organisation and so on: what an error message repeats.
_IDENTIFIER: Final = re.compile(r"(?:org|proj|user|acct|account)[-_][\w-]+")
_LOOKS_LIKE_A_KEY: Final = re.compile(r"\b(?:sk|sess|ek|rk|pk)-[A-Za-z0-9_-]{20,}")


class Secrets:
    """All secrets that were seen.

    Args:
        known: Those that are known before anything is seen.
    """

    def __init__(self, *known: str) -> None:
        self._known: set[str] = set()
        self._pattern = _LOOKS_LIKE_A_KEY
        for secret in known:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Look for this text, too, from now on; unless it is too short to be a secret."""
        if len(secret) < _SHORTEST or secret.isdecimal() or secret in self._known:
            return
        self._known.add(secret)
        spellings = {
            spelling
            for each in self._known
            for spelling in (each, quote(each, safe=""), json.dumps(each)[1:-1])
        }
        spellings |= {spelling.replace("/", "\\/") for spelling in spellings}
        longest_first = sorted(spellings, key=len, reverse=True)
        found = "|".join([*map(re.escape, longest_first), _LOOKS_LIKE_A_KEY.pattern])
        self._pattern = re.compile(found)

    def clean(self, text: str) -> str:
        """Return a text without the secrets that are known."""
        return self._pattern.sub(REMOVED, text)

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Learn from headers, and return them without secrets, by name in lower case."""
        cleaned: dict[str, str] = {}
        for given, value in headers:
            name = given.lower()
            shown = self._header(name, value)
            cleaned[name] = f"{cleaned[name]}, {shown}" if name in cleaned else shown
        return {name: self.clean(value) for name, value in cleaned.items()}

    def _header(self, name: str, value: str) -> str:
        if name == "sec-websocket-protocol":
            return ", ".join(self._protocol(each.strip()) for each in value.split(","))
        words = _words(name)
        if words & _KEYS:
            if name not in _NO_KEYS:
                self._learn_credentials(value)
            return REMOVED
        if words & _OTHER_SECRETS:
            if _IDENTIFIER.fullmatch(value):
                self.learn(value)
            return REMOVED
        return value

    def _protocol(self, name: str) -> str:
        if not name.startswith(KEY_PROTOCOL):
            return name
        self.learn(name.removeprefix(KEY_PROTOCOL))
        return KEY_PROTOCOL + REMOVED

    def _learn_credentials(self, value: str) -> None:
        self.learn(value)
        scheme, _, credentials = value.partition(" ")
        self.learn(credentials.strip())
        if scheme.lower() == "basic":
            try:
                userinfo = b64decode(credentials).decode()
            except ValueError:
                return  # no credentials that anybody could use
            self.learn(userinfo.partition(":")[2])

    def path(self, path: str) -> str:
        """Learn from the query of a path, and return it without secrets."""
        place, mark, query = path.partition("?")
        return self.clean(place) + mark + "&".join(map(self._parameter, query.split("&")))

    def _parameter(self, parameter: str) -> str:
        name, mark, value = parameter.partition("=")
        if not _words(unquote_plus(name)) & (_KEYS | _OTHER_SECRETS):
            return self.clean(parameter)
        self.learn(value)
        self.learn(unquote_plus(value))
        return name + mark + REMOVED

    def learn_from_tools(self, data: bytes) -> None:
        """Learn what a create gives the server for signing in elsewhere: to an MCP server."""
        if b'"mcp"' not in data:
            return
        try:
            create: Any = msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        tools: Any = create.get("tools") if isinstance(create, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        for tool in tools if isinstance(tools, list) else ():  # pyright: ignore[reportUnknownVariableType]
            self._learn_from_tool(tool)

    def _learn_from_tool(self, tool: Any) -> None:
        if not isinstance(tool, dict):
            return
        authorization: Any = tool.get("authorization")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if isinstance(authorization, str):
            self._learn_credentials(authorization)
        headers: Any = tool.get("headers")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        for value in headers.values() if isinstance(headers, dict) else ():  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            if isinstance(value, str):
                self._learn_credentials(value)


def _words(name: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
    return set(re.split(r"[-_.\[\]]", spaced))
