"""Objects of pydantic models out of JSON: exact where it fits, and never an error where not.

What fits is left to pydantic, strictly: nothing is converted.  What does not, because of a word
that the class does not know yet say, is put together without checks and stays what it was.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

import msgspec

_LISTS: Final = frozenset({list, Sequence, Iterable})
_PLAIN: Final = frozenset({dict, object, Any})
_TAG: Final = "type"  # what tells the members of a union apart, unless the union says otherwise
_CLASSES: Final = 1024  # about which something is remembered


def is_model(given: object) -> bool:
    """Say whether this is a class of pydantic's kind, of version 2."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not isinstance(given, type):  # nobody has one who has no pydantic
        return False
    return issubclass(given, pydantic.BaseModel) and hasattr(given, "model_validate_json")


def members(kind: Any) -> list[Any]:
    """Return the types in a union, also in unions inside of it; any other type is its only one."""
    kind = _bare(kind)
    if get_origin(kind) not in (Union, UnionType):
        return [kind]
    return [one for inner in get_args(kind) for one in members(inner) if one is not NoneType]


@lru_cache(_CLASSES)
def words_of(cls: Any, key: str) -> list[str]:
    """Return the words that a model's field may hold, as its ``Literal`` says; else none."""
    name = _names(cls).get(key)
    kinds = members(cls.model_fields[name].annotation) if name is not None else []
    words = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    return [word.value if isinstance(word, Enum) else word for word in words]


def build(classes: Sequence[Any], raw: bytes) -> Any:
    """Make an object of the first class that the JSON fits, or else of the most similar one."""
    for cls in classes:
        try:
            return cls.model_validate_json(raw, strict=True)
        except ValueError:  # pydantic's own is one
            continue
    value: dict[str, object] = msgspec.json.decode(raw)
    return _object(_most_similar(classes, value), value)


def _object(cls: Any, value: dict[str, object]) -> Any:
    """Make an object of a model without checks; what is missing is None, as in the SDK."""
    names, fields = _names(cls), cls.model_fields
    given = {
        key: _built(fields[names[key]].annotation, each, _tag(fields[names[key]]))
        for key, each in value.items()
        if key in names
    }
    # The SDK's classes have a `model_construct` of their own, which guesses: hence pydantic's.
    construct = sys.modules["pydantic"].BaseModel.model_construct.__func__
    made = construct(cls, None, **given)
    for name in names.values():
        made.__dict__.setdefault(name, None)
    if made.model_extra is not None:
        made.model_extra.update((key, each) for key, each in value.items() if key not in names)
    return made


def _built(kind: Any, value: object, tag: str) -> object:
    """Make what a type describes, as far as it is one that is known here; keep anything else."""
    if isinstance(value, list):
        found = _inside(kind, _LISTS)
        items = cast("list[object]", value)
        return [_built(found, one, _tag_inside(found)) for one in items] if found else items
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, object]", value)
    model = _model_for(members(kind), fields, tag)
    if model is not None:
        return _object(model, fields)
    found = _inside(kind, {dict})
    if found is None:
        return fields
    return {key: _built(found, one, _tag_inside(found)) for key, one in fields.items()}


def _inside(kind: Any, origins: Container[Any]) -> Any:
    """Return the type of what such a list or dict contains, or None."""
    found = (get_args(one)[-1] for one in members(kind) if get_origin(one) in origins)
    return next(found, None)


def _model_for(kinds: Sequence[Any], value: dict[str, object], tag: str) -> Any:
    """Return the model that a union has for this, or None."""
    models = [one for one in kinds if is_model(one)]
    has_plain = any((get_origin(one) or one) in _PLAIN for one in kinds)
    if len(models) == 1 and not has_plain:
        return models[0]
    fitting = [cls for cls in models if _accepts(cls, tag, value)]
    if fitting:
        return _most_similar(fitting, value)
    if has_plain or not models:
        return None
    # As the union's first member, which is what the SDK takes, it would be mistaken.
    return next((base for base in models[0].__mro__ if _holds_anything(base, models)), None)


def _accepts(cls: Any, tag: str, value: dict[str, object]) -> bool:
    name = _names(cls).get(tag)
    if tag not in value:
        return name is None or not cls.model_fields[name].is_required()
    words = words_of(cls, tag)
    return name is not None and (not words or value[tag] in words)


def _holds_anything(base: Any, models: Sequence[Any]) -> bool:
    """Say whether a class stands for all of these, and for whatever else there may be."""
    is_open = is_model(base) and not base.model_fields and base.model_config.get("extra") == "allow"
    return is_open and all(issubclass(cls, base) for cls in models)


def _most_similar(classes: Sequence[Any], value: dict[str, object]) -> Any:
    """Return the class that knows most of the fields; the first one of several."""
    return max(classes, key=lambda cls: len(_names(cls).keys() & value.keys()))


@lru_cache(_CLASSES)
def _names(cls: Any) -> dict[str, str]:
    """Return the names of a model's fields by what they are called on the wire."""
    return {_key(name, field): name for name, field in cls.model_fields.items()}


def _key(name: str, field: Any) -> str:
    alias = field.validation_alias if isinstance(field.validation_alias, str) else field.alias
    return alias or name


def _tag(*metadata: Any) -> str:
    """Return what tells the members of a union apart, as the SDK and pydantic have it noted."""
    deeper = [each for one in metadata for each in (one, *getattr(one, "metadata", ()))]
    tags = [getattr(each, "discriminator", None) for each in deeper]
    return next((tag for tag in tags if isinstance(tag, str)), _TAG)


def _tag_inside(kind: Any) -> str:
    return _tag(*get_args(kind)[1:]) if get_origin(kind) is Annotated else _TAG


def _bare(kind: Any) -> Any:
    """Take ``Annotated`` and names of types (``type X = ...``) away."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif hasattr(kind, "__value__"):
            kind = kind.__value__
        else:
            return kind
