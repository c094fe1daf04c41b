"""PURE: the Makefile of a darknet: which switches it has, and how they are set in the file.

Source: the Makefiles of AlexeyAB's and of the original darknet, and the manual of GNU Make.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trainer.building.recipe import ARCH, SWITCHES, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = frozenset({*SWITCHES, ARCH, "LIBSO"})
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_REFERENCE = re.compile(r"\$[({](\w+)[)}]")
_OPENCV_4 = re.compile(r"pkg-config[^`\n]*\bopencv4\b")

# An assignment outside a rule's commands, which begin with a tab: name, operator, and all that follows that.
_ASSIGNMENT = re.compile(r"( *(?:(?:export|override) +)*(\w+)[ \t]*([+?]|:{0,3})=[ \t]*)(.*)", re.DOTALL)


def read_makefile(text: str) -> Recipe:
    """Read a darknet's Makefile; one of something else does not know GPU."""
    values: dict[str, str] = {}
    mentioned: set[str] = set()
    for line in _logical_lines(text):
        if line.startswith("#"):
            continue
        mentioned.update(_REFERENCE.findall(line))
        match = _ASSIGNMENT.match(line)
        if match and match[2] in _NAMES:
            value = _plain(_without_comment(match[4]))
            values[match[2]] = f"{values.get(match[2], '')} {value}".strip() if match[3] == "+" else value
    return Recipe(
        known=_NAMES & (mentioned | values.keys()),
        values=tuple(sorted(values.items())),
        opencv4=bool(_OPENCV_4.search(text)),
    )


def edit_makefile(text: str, settings: Mapping[str, str]) -> str:
    """Set variables in the file, as the tutorial's ``sed`` was meant to; all else stays, character for character.

    Where ARCH is set, lines that add another architecture to it become comments: AlexeyAB's adds 7.0 for CUDNN_HALF=1,
    which CUDA 13 does not compile for. White space between a value and a comment behind it goes: GNU Make takes it for
    a part of the value, and "1 " is not 1.

    Args:
        text: read without translating line ends.
        settings: new values by name, of ``Switches.settings(recipe.known)``.
    """
    return "".join(_edit_line(line, settings) for line in _logical_lines(text))


def _edit_line(line: str, settings: Mapping[str, str]) -> str:
    match = _ASSIGNMENT.match(line)
    if match is None or match[2] not in settings:
        return line
    before, name, operator, rest = match.groups()
    if operator == "+":
        return f"# {line}" if name == ARCH else line
    value = _without_comment(rest)
    kept = rest[len(value) :] or rest[len(rest.rstrip("\r\n")) :]
    return f"{before}{settings[name]}{kept}"


def _logical_lines(text: str) -> list[str]:
    """Lines with their ends, each with those that a backslash at its end joins to it."""
    lines: list[str] = []
    for line in _LINE.findall(text):
        if lines and lines[-1].rstrip("\r\n").endswith("\\"):
            lines[-1] += line
        else:
            lines.append(line)
    return lines


def _without_comment(value: str) -> str:
    return value.partition("#")[0]


def _plain(value: str) -> str:
    return " ".join(re.sub(r"\\\r?\n", " ", value).split())
