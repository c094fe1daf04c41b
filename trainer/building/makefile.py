"""PURE: the Makefile of a darknet: which variables it knows, and how its switches are set in the file.

Source: the Makefiles of AlexeyAB's and of the original darknet, and GNU Make's manual.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.building.recipe import Recipe

_REFERENCE = re.compile(r"\$[({](\w+)[)}]")
_ASSIGNMENT = re.compile(r"^ *(?:export +|override +)*(\w+) *(?:=|:=|::=|:::=|\?=|\+=)(?!=)", re.MULTILINE)
_OPENCV_4 = re.compile(r"pkg-config[^`\n]*\bopencv4\b")


def read_makefile(text: str) -> Recipe:
    """Read a darknet's Makefile; one of something else has no known variables."""
    raise NotImplementedError


def edit_makefile(text: str, settings: Mapping[str, str]) -> str:
    """Set variables in the file, as the tutorial's ``sed`` was meant to; all else stays, byte for byte.

    Args:
        text: read without translating line ends, and with surrogateescape.
        settings: of ``Switches.settings(known)``.
    """
    raise NotImplementedError
