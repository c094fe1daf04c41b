"""PURE: what a card is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["plain", "good", "waiting", "trouble", "over"]
"""``good``: all is well; ``waiting``: something is under way or amiss that passes by itself; ``trouble``: the user is
needed; ``over``: ended, and nothing is wanted; ``plain``: a fact."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fact: what it is about in a word or two, what is so, and more lines of it."""

    label: str
    text: str
    tone: Tone = "plain"
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something out of the ordinary, and what the user can do about it; empty where there is nothing to do."""

    text: str
    remedy: str = ""
    tone: Tone = "waiting"
