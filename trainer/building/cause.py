"""PURE: a kind of error that a build may end of."""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUOTES = str.maketrans("`\u2018\u2019", "'''")


@dataclass(frozen=True, slots=True)
class Cause:
    """A kind of error, known by its words.

    Attributes:
        pattern: what its line holds, all quotes in it being straight ones.
        cause: what it comes of, a sentence; {0} stands for what the pattern's first group has found, and so on.
        remedy: what to do about it, likewise.
    """

    pattern: re.Pattern[str]
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Found:
    """A cause, told of one error: its sentences."""

    cause: str
    remedy: str


def known(pattern: str, cause: str, remedy: str) -> Cause:
    """A row of a table of causes."""
    return Cause(re.compile(pattern), cause, remedy)


def find_cause(text: str, causes: tuple[Cause, ...]) -> Found | None:
    """What a text comes of; of two causes that fit, the first. None if none does."""
    straight = text.translate(_QUOTES)
    for each in causes:
        if match := each.pattern.search(straight):
            groups = [group or "" for group in match.groups()]
            return Found(each.cause.format(*groups), each.remedy.format(*groups))
    return None
