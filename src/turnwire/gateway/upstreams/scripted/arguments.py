"""Arguments for a function, taken from a prompt by the function's JSON schema.

What the schema does not require stays out unless the prompt shows it; what it requires and the
prompt does not show gets the plainest value that the schema allows.
"""

from __future__ import annotations

from typing import Any, Final

from turnwire.gateway.json_shapes import Json, array_or_empty, is_array, is_object, object_or_empty
from turnwire.gateway.upstreams.scripted.evidence import Evidence
from turnwire.gateway.upstreams.scripted.words import meaningful_words

_DEEPEST: Final = 8  # levels of a schema, and references followed in a row
_MOST_VALUES: Final = 500  # of one call: a schema may refer to itself

PATH_WORDS: Final = frozenset({"path", "file", "filenam", "filename", "folder", "directory"})
_EMAIL_WORDS: Final = frozenset({"email", "mail", "to", "from", "recipient", "sender", "cc"})
TEXT_WORDS: Final = frozenset({"query", "text", "pattern", "search", "term", "word", "keyword"})


def arguments_for(schema: Any, prompt: str) -> Json:
    """Return arguments that fit the schema of a function's parameters."""
    return _Filling(object_or_empty(schema), Evidence(prompt)).object(schema, 0)


class _Filling:
    """Fills one schema from one prompt."""

    def __init__(self, root: Json, evidence: Evidence) -> None:
        self._root = root
        self._values_left = _MOST_VALUES
        self._evidence = evidence

    def object(self, schema: Any, depth: int) -> Json:
        schema = self._resolved(schema)
        required = array_or_empty(schema.get("required"))
        filled: Json = {}
        if depth >= _DEEPEST:
            return filled
        for name, kind in object_or_empty(schema.get("properties")).items():
            self._values_left -= 1
            if self._values_left < 0:
                break
            resolved = self._resolved(kind)
            value = self._shown(name, resolved, depth + 1)
            if value is not None:
                filled[name] = value
            elif name in required:
                filled[name] = self._plainest(name, resolved, depth + 1)
        return filled

    def _resolved(self, schema: Any) -> Json:
        """Follow references, and take the first alternative that is not null."""
        for _ in range(_DEEPEST):
            if not is_object(schema):
                return {}
            reference = schema.get("$ref")
            alternatives = next(
                (schema[key] for key in ("anyOf", "oneOf", "allOf") if is_array(schema.get(key))),
                None,
            )
            if isinstance(reference, str):
                schema = self._referred(reference)
            elif alternatives is not None:
                schema = _first_alternative(schema, alternatives)
            else:
                return schema
        return {}

    def _referred(self, reference: str) -> Any:
        target: Any = self._root
        for step in reference.removeprefix("#/").split("/"):
            target = object_or_empty(target).get(step)
        return target

    def _shown(self, name: str, schema: Json, depth: int) -> Any:
        """Return what the prompt shows for a parameter, or None."""
        if "const" in schema:
            return schema["const"]
        if is_array(schema.get("enum")):
            return self._enum(schema["enum"])
        match _type_of(schema):
            case "string":
                return self._string(name, schema)
            case "integer":
                text = self._evidence.number(name, whole=True)
                return None if text is None else int(float(text))
            case "number":
                text = self._evidence.number(name, whole=False)
                return None if text is None else float(text) if "." in text else int(text)
            case "boolean":
                return self._evidence.wants(name)
            case "array":
                return self._array(name, self._resolved(schema.get("items")), depth)
            case "object":
                return self.object(schema, depth) or None
            case _:
                return self._evidence.labelled(name)

    def _enum(self, values: list[Any]) -> Any:
        for value in values:
            if value is not None and self._evidence.says(str(value)):
                return value
        stems = self._evidence.stems
        return next((v for v in values if stems & set(meaningful_words(str(v)))), None)

    def _string(self, name: str, schema: Json) -> str | None:
        evidence = self._evidence
        labelled = evidence.labelled(name)
        if labelled is not None:
            return labelled
        hints = {*meaningful_words(name), *name.lower().split("_"), str(schema.get("format"))}
        if hints & {"url", "uri"}:
            return evidence.url()
        if hints & _EMAIL_WORDS and (email := evidence.email()):
            return email
        if hints & {"date", "date-time"}:
            return evidence.date()
        if hints & PATH_WORDS:
            return evidence.path()
        if hints & TEXT_WORDS:
            return evidence.quoted()
        return evidence.quoted() or evidence.name()

    def _array(self, name: str, items: Json, depth: int) -> list[Any] | None:
        found: list[Any] = []
        value = self._shown(name.removesuffix("s"), items, depth)
        while value is not None and value not in found:
            found.append(value)
            value = self._shown(name.removesuffix("s"), items, depth)
        return found or None

    def _plainest(self, name: str, schema: Json, depth: int) -> Any:
        if "default" in schema:
            return schema["default"]
        if schema.get("nullable") or "null" in array_or_empty(schema.get("type")):
            return None
        if values := array_or_empty(schema.get("enum")):
            return values[0]
        match _type_of(schema):
            case "integer" | "number":
                return schema.get("minimum", 0)
            case "boolean":
                return False
            case "array":
                return []
            case "object":
                return self.object(schema, depth)
            case _:
                otherwise = "." if PATH_WORDS & {*meaningful_words(name)} else self._evidence.prompt
                return self._evidence.place() or otherwise


def _first_alternative(schema: Json, alternatives: list[Any]) -> Json:
    null = {"type": "null"}
    kinds = [object_or_empty(kind) for kind in alternatives if kind != null]
    beside = {key: schema[key] for key in ("description", "default") if key in schema}
    return (kinds[0] if kinds else {}) | beside | {"nullable": null in alternatives}


def _type_of(schema: Json) -> str | None:
    kinds: Any = schema.get("type")
    for kind in array_or_empty(kinds) or [kinds]:
        if isinstance(kind, str) and kind != "null":
            return kind
    return "object" if "properties" in schema else None
