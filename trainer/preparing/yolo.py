"""PURE: labels as darknet has them, ``class x y width height`` in each row, and the names that lie beside them."""

from __future__ import annotations

import math
from itertools import repeat
from typing import TYPE_CHECKING

from trainer.checking.findings import Severity
from trainer.checking.labels import check_label
from trainer.darknet.program import Flavour
from trainer.errors import TreeError
from trainer.preparing.annotations import Label, Mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES_FILES = ("classes.txt", "obj.names", "_darknet.labels")
"""What labelImg, darknet's own examples and Roboflow call the list of names that they leave beside the labels."""

_MARK = b"\xef\xbb\xbf"
_COLUMNS = 5
_MENDED = frozenset({"label-bom", "label-box-range", "label-class-range"})
"""What ``check`` finds wrong, and is taken away here, or told with the classes' names."""


def parse_yolo(raw: bytes, path: str) -> Label:
    """Read a label.

    Args:
        raw: its content.
        path: its name, for messages.

    Raises:
        TreeError: a row is not of five numbers; the message names file and line.
    """
    found = check_label(path, raw, classes=1, flavour=Flavour.AX).findings
    fault = next((one for one in found if one.severity is Severity.ERROR and one.code not in _MENDED), None)
    if fault is not None:
        raise TreeError(f"{fault.place}: {fault.what}")
    words = iter(raw.removeprefix(_MARK).decode("ascii").split())
    return Label(tuple(_read_rows(words, path)), (1.0, 1.0))


def _read_rows(words: Iterator[str], path: str) -> Iterator[Mark]:
    for kind, *numbers in zip(*repeat(words, _COLUMNS), strict=True):
        x, y, width, height = map(float, numbers)
        edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        if not all(map(math.isfinite, edges)):
            raise TreeError(f"{path}: a number in it is too large")
        yield Mark(kind.lstrip("+0") or "0", *edges)


def number_kinds(names: Sequence[str]) -> dict[str, int]:
    """The class of each ``Mark.kind`` that a label of this format may have."""
    return {str(index): index for index in range(len(names))}
