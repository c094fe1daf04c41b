"""PURE: what a build failed of, by what make, nvcc, gcc, ld and cmake printed.

The first error counts: those after it mostly follow from it, and make's own last lines only say that there was one.
Programs are expected to speak English (LC_ALL=C).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.building.cause import Found, find_cause
from trainer.building.code_causes import CUDA, HEADERS, LINKING, SOURCES
from trainer.building.steps import read_step
from trainer.building.tool_causes import CMAKE, DOUBTS, MAKE, PROGRAMS, REFUSED, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a build failed.

    Attributes:
        error: the line of the first error, as printed, without white space around it; of cmake's messages, which take
            several lines, the first paragraph. Empty if nothing looks like an error.
        context: what was printed around it, itself included, a few lines; no commands.
        place: file and line that it names, "./src/gemm.c:12"; where there is none, what was being made, "obj/gemm.o";
            empty if that is not to be seen either.
        cause: what it likely comes of, a sentence; empty if that is not known.
        remedy: what to do about it; empty if that is not known.
    """

    error: str
    context: tuple[str, ...] = ()
    place: str = ""
    cause: str = ""
    remedy: str = ""


_CAUSES = (
    *RESOURCES,
    *PROGRAMS,
    *CUDA,
    *HEADERS,
    *SOURCES,
    *LINKING,
    *MAKE,
    *CMAKE,
    *REFUSED,
)

_LONGEST_LINE = 2000
"""In characters; what is said behind that is not looked at."""

_LINES_BEFORE = 2
_LINES_AFTER = 5
_LONGEST_MESSAGE = 40
"""How many lines a message of cmake's may have: a failed test of a compiler brings that compiler's output along."""

# What looks like an error without being known as one.
_ERROR = re.compile(
    r"(?:\b|\s)(?:fatal )?error\s*:|\bfatal\s*:|^\S*[Mm]akefile\S*:\d+: \*\*\*", re.IGNORECASE
)
_CMAKE_ERROR = re.compile(r"CMake Error\b")
# A warning may quote anything, "error:" too.
_NO_ERROR = re.compile(r"\bwarning\s*(?:#\S+\s*)?:|\bnote:|^CMake (?:Deprecation )?Warning", re.IGNORECASE)

# What is printed after an error, and only says that there was one.
_ENDING = re.compile(
    r"make(?:\[\d+\])?: \*\*\* |^ninja: build stopped|^collect2: error: ld returned|^compilation terminated"
    r"|: recipe for target .* failed$"
)
_MADE = re.compile(
    r"make(?:\[\d+\])?: \*\*\* \[(?:[^\]]+:\d+: )?([^\]]+)\] |: recipe for target '(.+)' failed$"
)
_PLACE = re.compile(r"^(?:In file included from |CMake Error at )?([^\s:()]+)(?::(\d+)(?=[:, ])|\((\d+)\): )")


def explain(lines: Iterable[str]) -> Fault:
    """Find the first error in a build's output, and say what it comes of.

    Args:
        lines: all of the output, standard error included, in the order in which it came.
    """
    # Commands are no news, and hold words of all kinds.
    said = ["" if read_step(line) else line[:_LONGEST_LINE].rstrip() for line in lines]
    for number, line in enumerate(said):
        if not line or _NO_ERROR.search(line):
            continue
        if _CMAKE_ERROR.match(line):
            return _explain_cmake(said, number)
        known = find_cause(line, _CAUSES)
        if known or (_ERROR.search(line) and not _ENDING.search(line)):
            return _fault(said, number, known)
    return _explain_ending(said)


def _explain_cmake(said: Sequence[str], number: int) -> Fault:
    """What cmake has to say is wrapped at 77 columns, and stands below a line that says where."""
    block = [said[number]]
    for line in said[number + 1 : number + _LONGEST_MESSAGE]:
        if line.startswith(("--", "Call Stack", "CMake ")):
            break
        block.append(line)
    paragraphs = re.split(r"\n\s*\n", "\n".join(block))
    whole = " ".join("\n".join(block).split())
    context = tuple(line for line in block if line)[: _LINES_AFTER + 1]
    return _tell(
        " ".join(paragraphs[0].split()), context, _place_of(said, number), find_cause(whole, _CAUSES)
    )


def _explain_ending(said: Sequence[str]) -> Fault:
    """No line says what went wrong: perhaps one says that something might."""
    for number, line in enumerate(said):
        if known := find_cause(line, DOUBTS):
            return _fault(said, number, known)
    for number, line in enumerate(said):
        if _ENDING.search(line):
            return _fault(said, number, None)
    return Fault("", tuple(line for line in said if line)[-_LINES_AFTER:])


def _fault(said: Sequence[str], number: int, known: Found | None) -> Fault:
    around = said[max(0, number - _LINES_BEFORE) : number + _LINES_AFTER + 1]
    context = tuple(line for line in around if line)
    return _tell(said[number].strip(), context, _place_of(said, number), known)


def _tell(error: str, context: tuple[str, ...], place: str, known: Found | None) -> Fault:
    return Fault(error, context, place, known.cause, known.remedy) if known else Fault(error, context, place)


def _place_of(said: Sequence[str], number: int) -> str:
    if match := _PLACE.match(said[number].strip()):
        return f"{match[1]}:{match[2] or match[3]}"
    made = next((match for line in said[number:] if (match := _MADE.search(line))), None)
    return (made[1] or made[2]) if made else ""
