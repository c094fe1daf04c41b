"""The ``fields`` parameter: which parts of an answer are wanted. PURE.

Grammar (https://developers.google.com/workspace/drive/api/guides/performance#partial): ``a,b`` names fields,
``a/b`` and ``a(b,c)`` parts of a field or of each item of a list, ``*`` all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from drivesync.testing.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_TOKEN = re.compile(r"\s*([A-Za-z0-9_.\-]+|[*/(),])\s*", re.ASCII)


class Shape(Protocol):
    """What fields a resource may have."""

    def child(self, name: str) -> Shape | None:
        """The shape of a field, or None where the resource has no such field."""


@dataclass(frozen=True, slots=True)
class Mask:
    """A parsed selection; ``everything`` wins over ``parts``."""

    parts: Mapping[str, Mask]
    everything: bool = False

    def part(self, name: str) -> Mask | None:
        """The selection within a field, None where the field is not wanted."""
        return ALL if self.everything else self.parts.get(name)

    def wanted(self, names: Iterable[str]) -> Iterator[tuple[str, Mask]]:
        """Of ``names`` those that are wanted, each with the selection within it."""
        for name in names:
            part = self.part(name)
            if part is not None:
                yield name, part

    def select(self, value: object) -> object:
        """``value`` with only the wanted parts; of a list, of each item."""
        if self.everything:
            return value
        if isinstance(value, list):
            return [self.select(item) for item in value]
        if isinstance(value, dict):
            return {name: part.select(value[name]) for name, part in self.parts.items() if name in value}
        return value


ALL = Mask({}, everything=True)


@lru_cache(maxsize=256)
def parse_fields(text: str) -> Mask:
    """Read a selection.

    Raises:
        ApiError: 400 invalidParameter.
    """
    tokens = _split(text)
    mask, at = _parse_list(tokens, 0, text)
    if at != len(tokens):
        raise _refuse(text)
    return mask


def check_fields(mask: Mask, shape: Shape, prefix: str = "") -> None:
    """Refuse names that the resource does not have.

    Raises:
        ApiError: 400 invalidParameter, as Drive answers to unknown fields.
    """
    for name, part in mask.parts.items():
        inner = shape.child(name)
        if inner is None:
            raise _refuse(prefix + name)
        check_fields(part, inner, f"{prefix}{name}/")


def _refuse(text: str) -> ApiError:
    return ApiError(400, "invalidParameter", f"Invalid field selection {text}", location="fields")


def _split(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _refuse(text)
        tokens.append(match[1])
        at = match.end()
    return tokens


def _parse_list(tokens: list[str], at: int, text: str) -> tuple[Mask, int]:
    mask, at = _parse_path(tokens, at, text)
    while at < len(tokens) and tokens[at] == ",":
        other, at = _parse_path(tokens, at + 1, text)
        mask = _merge(mask, other)
    return mask, at


def _parse_path(tokens: list[str], at: int, text: str) -> tuple[Mask, int]:
    if at >= len(tokens) or tokens[at] in "/(),":
        raise _refuse(text)
    name, inner, at = tokens[at], ALL, at + 1
    if at < len(tokens) and tokens[at] == "/":
        inner, at = _parse_path(tokens, at + 1, text)
    elif at < len(tokens) and tokens[at] == "(":
        inner, at = _parse_list(tokens, at + 1, text)
        if at >= len(tokens) or tokens[at] != ")":
            raise _refuse(text)
        at += 1
    return (ALL if name == "*" else Mask({name: inner})), at


def _merge(one: Mask, other: Mask) -> Mask:
    if one.everything or other.everything:
        return ALL
    merged = dict(one.parts)
    for name, part in other.parts.items():
        merged[name] = _merge(merged[name], part) if name in merged else part
    return Mask(merged)
