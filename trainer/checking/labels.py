"""PURE: what is wrong with the label of an image.

A label has a row ``class x y width height`` for each object: the class's number from 0, and the box's centre and size
as parts of the image's. All darknets read it by one ``fscanf("%d %f %f %f %f")`` after the other, for which a line's
end is white space like any other, and stop where one fails (source: ``read_boxes`` in src/data.c).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.wording import quote
from trainer.darknet.program import Flavour

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1 << 20
"""A longer file is no label: it would have more than 20,000 boxes."""

BOM = b"\xef\xbb\xbf"

_ROUNDING = 0.01
"""Of edges, as parts of the image: programs write whole pixels, of small images, too, or two digits after the point."""

_WHOLE = rb"[+-]?[0-9]+"
_NUMBER = rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_ROW = re.compile(rb"\s*(" + _WHOLE + rb")" + (rb"\s+(" + _NUMBER + rb")") * 4 + rb"\s*")
_IS_WHOLE = re.compile(_WHOLE)
_IS_NUMBER = re.compile(_NUMBER)
_COLUMNS = ("x", "y", "width", "height")
_WANTED = "Write the row as `class x y width height`, parted by spaces; the class is a number from 0."
_STOPS = "darknet reads neither this box nor those after it, and says nothing."
_SHIFTS = "darknet goes on reading in the midst of a row: other classes and boxes, and says nothing."

_WRONG_CLASS = {
    Flavour.PJ: "The original darknet learns something else, and says nothing.",
    Flavour.AX: "AlexeyAB's darknet leaves the box out, and writes that to bad_label.list.",
    Flavour.HK: "hank-ai's darknet ends.",
}
_WRONG_BOX = {
    Flavour.PJ: "The original darknet learns it as it stands, and says nothing.",
    Flavour.AX: "AlexeyAB's darknet leaves the box out or makes it smaller, and writes that to bad_label.list.",
    Flavour.HK: "hank-ai's darknet ends.",
}


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What a label holds.

    Attributes:
        rows: lines that are not blank; 0 says that the image shows nothing that is to be found.
        boxes: those of them that darknet will learn from as they are meant.
        findings: what is wrong with it, in the order of its lines; then what is only not as good as it could be.
    """

    rows: int
    boxes: int
    findings: tuple[Finding, ...]


def check_label(path: str, raw: bytes, *, classes: int, flavour: Flavour) -> LabelReport:
    """Read a label as a darknet does.

    Args:
        path: of the label.
        raw: its content, or its first ``MAX_BYTES`` and some more.
        classes: how many there are.
        flavour: the darknet that will read it.
    """
    refused = _refuse_file(path, raw)
    if refused is not None:
        return LabelReport(rows=1, boxes=0, findings=(refused,))
    findings: list[Finding] = []
    lines = raw.removeprefix(BOM).split(b"\n")
    rows, boxes, lost = 0, 0, False
    outside: list[int] = []
    twice: list[int] = []
    seen: set[tuple[bytes, ...]] = set()
    for number, line in enumerate(lines, start=1):
        match = _ROW.fullmatch(line)
        if match is None:
            if line.strip():
                rows += 1
                lost = True
                findings.append(_refuse_row(path, number, line))
            continue
        rows += 1
        row = match.groups()
        wrong = list(_check_row(path, number, row, classes, flavour))
        boxes += not (wrong or lost)
        findings += wrong
        if row in seen:
            twice.append(number)
        elif not wrong and _leaves_image(row):
            outside.append(number)
        seen.add(row)
    findings += _gather(path, outside, twice)
    if rows and raw.startswith(BOM):
        boxes = 0
        findings.insert(0, _begins_with_mark(path))
    return LabelReport(rows, boxes, tuple(findings))


def _refuse_file(path: str, raw: bytes) -> Finding | None:
    if len(raw) > MAX_BYTES:
        what = f"It is longer than {MAX_BYTES:,} bytes."
    elif b"\0" in raw:
        what = "It is no text, or one in UTF-16, as some programs of Windows write it."
    else:
        return None
    return Finding(Severity.ERROR, "label-no-text", path, None, what, _STOPS, _WANTED)


def _begins_with_mark(path: str) -> Finding:
    return Finding(
        Severity.ERROR, "label-bom", path, 1, "It begins with a byte order mark.",
        "darknet reads no box of it: the image counts as one without objects.", "Save it as UTF-8 without BOM.",
        mendable=True,
    )  # fmt: skip


def _refuse_row(path: str, number: int, line: bytes) -> Finding:
    """Say what is wrong with a row that is not of five numbers."""
    words = line.split()
    effect = _STOPS
    if b"," in line:
        code, what = "label-comma", f"{quote(line)} has commas."
    elif not _IS_WHOLE.fullmatch(words[0]):
        if _IS_NUMBER.fullmatch(words[0]):
            code, what, effect = (
                "label-class-fraction",
                f"The class is {quote(words[0])}, no whole number.",
                _SHIFTS,
            )
        else:
            code, what = "label-class-text", f"The class is {quote(words[0])}, no number."
    elif bad := next((word for word in words if not _IS_NUMBER.fullmatch(word)), None):
        code, what = "label-number", f"{quote(bad)} is no number."
    else:
        code, what, effect = "label-columns", f"{len(words)} numbers instead of 5.", _SHIFTS
    return Finding(Severity.ERROR, code, path, number, what, effect, _WANTED)


def _check_row(
    path: str, number: int, row: tuple[bytes, ...], classes: int, flavour: Flavour
) -> Iterator[Finding]:
    kind, *box = row
    # So long a number is out of range in any case, and Python would refuse to read it.
    if len(kind) > 18 or not 0 <= int(kind) < classes:
        yield Finding(
            Severity.ERROR, "label-class-range", path, number,
            f"The class is {kind[:20].decode()}, and there are {classes}, counted from 0.",
            _WRONG_CLASS[flavour], f"Use a class from 0 to {classes - 1}, or set classes and names right.",
        )  # fmt: skip
    wrong = [
        f"{name} is {value[:20].decode()}"
        for name, value in zip(_COLUMNS, box, strict=True)
        if not 0 < float(value) <= 1
    ]
    if wrong:
        yield Finding(
            Severity.ERROR, "label-box-range", path, number,
            f"{', '.join(wrong)}: not above 0 and at most 1.",
            _WRONG_BOX[flavour], "Give the box's centre and size as parts of the image's width and height.",
        )  # fmt: skip


def _leaves_image(row: tuple[bytes, ...]) -> bool:
    """Whether the box reaches out of the image, by more than comes of rounding."""
    _, x, y, width, height = row
    # The edge that is nearer to the image's own leaves it first.
    across = float(width) / 2 - min(float(x), 1 - float(x))
    down = float(height) / 2 - min(float(y), 1 - float(y))
    return max(across, down) > _ROUNDING


def _gather(path: str, outside: list[int], twice: list[int]) -> Iterator[Finding]:
    """One finding for all boxes of a label that are wrong in one way, on the line of the first."""
    if outside:
        yield Finding(
            Severity.WARNING, "label-box-outside", path, outside[0],
            f"{_count(outside)} out of the image.",
            "darknet cuts off what is outside, and learns the rest.",
            "See whether x and y are the box's centre, not its corner.",
        )  # fmt: skip
    if twice:
        yield Finding(
            Severity.WARNING, "label-box-twice", path, twice[0],
            f"{'The box stands' if len(twice) == 1 else f'This box and {len(twice) - 1:,} more stand'} before, too.",
            "darknet counts it as two objects, in its mAP, too.", "Delete the row.",
        )  # fmt: skip


def _count(lines: list[int]) -> str:
    return "The box reaches" if len(lines) == 1 else f"This box and {len(lines) - 1:,} more reach"
