"""PURE: how far a build is, by what make and cmake print.

make prints a command before it runs it, and with ``-n`` prints all that it would run: as many compile and link as the
build has steps. cmake's makefiles print a line of their own for each step, and how far that is of the whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Act(Enum):
    """What a step does."""

    COMPILE = "compile"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a build, at its beginning.

    Attributes:
        act: what it does.
        output: the file that it makes, as the line names it: "obj/gemm.o".
        percent: how far the whole build is when the step is done, where the line says so, as cmake's do.
    """

    act: Act
    output: str
    percent: int | None = None


# A compiler's or archiver's name, with its directory, the machine that it is for, and its version, if any:
# /usr/bin/x86_64-linux-gnu-g++-11. ccache may stand before it.
_PROGRAM = re.compile(
    r"(?:\S*ccache\s+)?(?:\S*/)?(?:[\w.]+-)*(?P<name>gcc|g\+\+|cc|c\+\+|clang|clang\+\+|nvcc|ar)(?:-[\d.]+)?\s"
)
_OUTPUT = re.compile(r"\s-o\s*(\S+)")
_ARCHIVE = re.compile(r"\s(\S+\.a)(?=\s|$)")
_CMAKE = re.compile(r"\[ *(?P<percent>\d+)%\] (?P<verb>Building|Linking) \w+ (?:.* )?(?P<output>\S+)$")


def read_step(line: str) -> Step | None:
    """The step that a line of make's or cmake's output begins; None if it begins none."""
    line = line.strip()
    if match := _CMAKE.match(line):
        act = Act.COMPILE if match["verb"] == "Building" else Act.LINK
        return Step(act, match["output"], int(match["percent"]))
    program = _PROGRAM.match(line)
    if program is None:
        return None
    if program["name"] == "ar":
        archive = _ARCHIVE.search(line)
        return Step(Act.LINK, archive[1]) if archive else None
    output = _OUTPUT.search(line)
    if output is None:
        return None
    return Step(Act.COMPILE if re.search(r"\s-c\s", line) else Act.LINK, output[1])


def count_steps(lines: Iterable[str]) -> int:
    """How many steps a build has, by the lines that ``make -n`` prints for it."""
    return sum(read_step(line) is not None for line in lines)
