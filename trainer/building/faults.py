"""PURE: what a build failed of, by what make, nvcc, gcc, ld and cmake printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a build failed.

    Attributes:
        error: the line of the first error, as printed; empty if no line looks like one.
        context: what was printed around it, itself included, a few lines.
        place: file and line that it names, "./src/gemm.c:12"; or what was being made, "obj/gemm.o"; empty if neither.
        cause: what it likely comes of, a sentence; empty if it is not known.
        remedy: what to do about it, a sentence; empty if it is not known.
    """

    error: str
    context: tuple[str, ...] = ()
    place: str = ""
    cause: str = ""
    remedy: str = ""


def explain(lines: Iterable[str]) -> Fault:
    """Find the first error in a build's output, and say what it comes of.

    Args:
        lines: all of the output, errors included, in the order in which it came.
    """
    raise NotImplementedError
