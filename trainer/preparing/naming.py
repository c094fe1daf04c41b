"""PURE: names for images that no shell, no disk and none of the darknets takes for something else.

A darknet finds an image's label by replacing parts of its path; the original replaces "raw" and "images" wherever they
stand, in "drawing.jpg" too. Its lists of bad images go through a shell.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 100
_REPLACED = re.compile("JPEGImages|images|raw")
_NAMELESS = "image"


def name_images(paths: Iterable[str]) -> dict[str, str]:
    """A name without ending for each image, unique even where upper and lower case are the same.

    It is the image's own as far as that goes; its folders come before it where another image has it, too, and a number
    behind it where that does not help.

    Args:
        paths: POSIX, of the images; their order does not matter.
    """
    ordered = sorted(set(paths))
    plain = {path: _clean(PurePosixPath(path).stem) for path in ordered}
    often = Counter(name.casefold() for name in plain.values())
    # Who need not step aside keeps its name, whatever others come up with.
    taken = {name for name, times in often.items() if times == 1}
    names: dict[str, str] = {}
    for path, name in plain.items():
        if often[name.casefold()] > 1:
            name = _find_free(_clean("-".join(PurePosixPath(path).with_suffix("").parts)), taken)  # noqa: PLW2901
            taken.add(name.casefold())
        names[path] = name
    return names


def _find_free(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _clean(name: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = re.sub("[^A-Za-z0-9_-]+", "_", ascii_only).strip("_-")[:_LONGEST] or _NAMELESS
    return _REPLACED.sub(lambda match: f"{match[0][0]}-{match[0][1:]}", safe)
