"""PURE: what a doctor says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How things stand with a topic."""

    GOOD = "good"
    WARNING = "warning"
    """It works, but not as well as it could; or it could not be looked at."""
    BAD = "bad"
    """Something that a training here needs cannot work as it is."""


@dataclass(frozen=True, slots=True)
class Line:
    """One finding.

    Attributes:
        level: how bad it is.
        topic: what it is about, a word or two: "GPU".
        what: what was found, a clause.
        remedy: what to do, a sentence or some; empty where all is well.
    """

    level: Level
    topic: str
    what: str
    remedy: str = ""


def good(topic: str, what: str) -> Line:
    """All is well with it."""
    return Line(Level.GOOD, topic, what)


def warning(topic: str, what: str, remedy: str) -> Line:
    """It works, but not as well as it could."""
    return Line(Level.WARNING, topic, what, remedy)


def bad(topic: str, what: str, remedy: str) -> Line:
    """It cannot work."""
    return Line(Level.BAD, topic, what, remedy)
