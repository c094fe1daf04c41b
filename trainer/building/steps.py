"""PURE: how far a build is, by what make and cmake print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a build.

    Attributes:
        what: "compile" or "link".
        output: the file that it makes, as the line names it: "obj/gemm.o".
        percent: how far the whole build is, where the line says so (cmake); None otherwise.
    """

    what: str
    output: str
    percent: int | None = None


def read_step(line: str) -> Step | None:
    """The step that a line of make's or cmake's output begins; None if it begins none."""
    raise NotImplementedError


def count_steps(lines: Iterable[str]) -> int:
    """How many steps a build has, by the lines of ``make -n``."""
    raise NotImplementedError
