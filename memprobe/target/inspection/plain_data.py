"""Dataclasses as dictionaries that JSON can hold, and back with every value checked.

What comes back from a file was perhaps never written by memprobe: each value must have the type that
its field declares, or the whole is refused with the name of the field.
"""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

INTEGER_LIMIT = 1 << 64
"""Addresses are the largest numbers there are."""


class WrongData(ValueError):
    """A value is not what its field declares."""


def as_plain(value: Any) -> Any:
    """Turn dataclasses and tuples into dictionaries and lists, all the way down."""
    if is_dataclass(value):
        return {field.name: as_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [as_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: as_plain(item) for key, item in value.items()}
    return value.value if isinstance(value, Enum) else value


def from_plain(kind: type[T], value: Any, name: str = "") -> T:
    """Build a `kind` from what as_plain made of one; raises WrongData.

    `name` is that of the value in messages.
    """
    built: T = _build(kind, value, name or kind.__name__)
    return built


def _build(kind: Any, value: Any, name: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _any_of(typing.get_args(kind), value, name)
    if origin is tuple:
        return _tuple(typing.get_args(kind), value, name)
    if origin is dict:
        return _dictionary(typing.get_args(kind)[1], value, name)
    if origin is Mapping:
        return types.MappingProxyType(_dictionary(typing.get_args(kind)[1], value, name))
    if is_dataclass(kind):
        return _dataclass(kind, value, name)
    return _scalar(kind, value, name)


def _any_of(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    (kind,) = (kind for kind in kinds if kind is not type(None))
    return _build(kind, value, name)


def _tuple(kinds: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise WrongData(f"{name} is not a list")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise WrongData(f"{name} has {len(value)} values, not {len(kinds)}")
    pairs = zip(kinds, value, strict=True)
    return tuple(_build(kind, item, f"{name}[{index}]") for index, (kind, item) in enumerate(pairs))


def _dictionary(kind: Any, value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongData(f"{name} is not an object")
    return {key: _build(kind, item, f"{name}.{key[:40]}") for key, item in value.items()}


def _dataclass(kind: Any, value: Any, name: str) -> Any:
    hints, required = _hints(kind)
    # A field with a default may be missing: files of older versions do not have it.
    if not isinstance(value, dict) or not required <= value.keys() <= hints.keys():
        raise WrongData(f"{name} does not have the fields {', '.join(hints)}")
    return kind(**{field: _build(hints[field], item, f"{name}.{field}") for field, item in value.items()})


@lru_cache
def _hints(kind: Any) -> tuple[dict[str, Any], set[str]]:
    """The type of every field, and the names of those without a default."""
    hints = typing.get_type_hints(kind)
    required = {one.name for one in fields(kind) if one.default is one.default_factory is MISSING}
    return {one.name: hints[one.name] for one in fields(kind)}, required


def _scalar(kind: Any, value: Any, name: str) -> Any:
    if issubclass(kind, Enum):
        return _member(kind, value, name)
    is_whole = type(value) is int  # not isinstance: True is no number here
    if is_whole and not -INTEGER_LIMIT < value < INTEGER_LIMIT:
        raise WrongData(f"{name} is too large")
    if kind is float and is_whole:
        return float(value)
    if type(value) is not kind:
        raise WrongData(f"{name} is not of type {kind.__name__}")
    if kind is float and not math.isfinite(value):
        raise WrongData(f"{name} is not finite")
    return value


def _member(kind: type[Enum], value: Any, name: str) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise WrongData(f"{name} is none of {', '.join(str(one.value) for one in kind)}") from None
