"""PURE: a dataclass from JSON, which may say anything: each field as its annotation has it, or no value at all."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Readers = Mapping[str, Callable[[object], object]]
    """What reads a field, by its annotation; raises ValueError or TypeError where what is said is none."""

_NUMBER_MAX = 1 << 53

_Value = TypeVar("_Value")


def read_value(kind: Callable[..., _Value], said: object, readers: Readers) -> _Value:
    """A value of the dataclass ``kind``; of what only another version knows nothing is kept.

    Raises:
        ValueError, TypeError: ``said`` is none.
    """
    if not isinstance(said, dict):
        raise TypeError(said)
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass, as all of ours
    return kind(**{name: readers[known[name]](value) for name, value in said.items() if name in known})


def read_text(said: object) -> str:
    """Raises TypeError where it is none."""
    if isinstance(said, str):
        return said
    raise TypeError(said)


def read_tuple(read: Callable[[object], _Value]) -> Callable[[object], tuple[_Value, ...]]:
    """Reads a list, whose members ``read`` reads."""

    def read_all(said: object) -> tuple[_Value, ...]:
        if isinstance(said, list):
            return tuple(map(read, said))
        raise TypeError(said)

    return read_all


def _read_integer(said: object) -> int:
    if isinstance(said, int) and not isinstance(said, bool) and abs(said) < _NUMBER_MAX:
        return said
    raise TypeError(said)


def _read_number(said: object) -> float:
    if isinstance(said, float) and math.isfinite(said):
        return said
    return float(_read_integer(said))


def _read_answer(said: object) -> bool:
    if isinstance(said, bool):
        return said
    raise TypeError(said)


def or_none(read: Callable[[object], _Value]) -> Callable[[object], _Value | None]:
    """Reads what may be null."""
    return lambda said: None if said is None else read(said)


READERS: Readers = {
    "str": read_text,
    "int": _read_integer,
    "float": _read_number,
    "bool": _read_answer,
    "int | None": or_none(_read_integer),
    "float | None": or_none(_read_number),
    "tuple[str, ...]": read_tuple(read_text),
}
"""Of JSON's own types; numbers are finite, and whole ones small enough to be exact as others."""
