"""The configuration's JSON schema, for editors and for tools that write such files."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final, get_type_hints

import msgspec
import msgspec.inspect

from turnwire.gateway.config.settings import Settings
from turnwire.gateway.config.tables import (
    Config,
    Key,
    Limits,
    ResponsesConfig,
    StoreConfig,
    Tls,
    UpstreamConfig,
)
from turnwire.gateway.upstreams.chat.options import ChatOptions

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json

# In the order of the reference page; the first one is the file itself.
TABLES: Final[dict[str, type]] = {
    "": Config,
    "server": Settings,
    "tls": Tls,
    "store": StoreConfig,
    "limits": Limits,
    "upstream": UpstreamConfig,
    "upstream.chat": ChatOptions,
    "upstream.responses": ResponsesConfig,
    "key": Key,
}

_ATTRIBUTE: Final = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def schema() -> Json:
    """Return the schema, with what the docstrings say about each field."""
    whole: Json = msgspec.json.schema(Config)
    kinds = {kind.__name__: kind for kind in TABLES.values()}
    for name, table in whole["$defs"].items():
        kind = kinds[name]
        table["description"] = (inspect.getdoc(kind) or "").partition("\n")[0]
        table["additionalProperties"] = False
        for field, words in meanings(kind).items():
            _describe(table["properties"][field], words)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | whole


def fields_of(kind: type) -> list[tuple[msgspec.inspect.Field, Any]]:
    """Return a table's fields in order, each with its type."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType | msgspec.inspect.DataclassType)
    hints = get_type_hints(kind, include_extras=True)
    return [(field, hints[field.name]) for field in info.fields]


def meanings(kind: type) -> dict[str, str]:
    """Return what a table's docstring says about its fields."""
    text = inspect.getdoc(kind) or ""
    _, _, attributes = text.partition("Attributes:\n")
    return {
        name: " ".join(words.split()).replace("``", "`")
        for name, words in _ATTRIBUTE.findall(attributes)
    }


def _describe(field: dict[str, Any], words: str) -> None:
    field["description"] = words
