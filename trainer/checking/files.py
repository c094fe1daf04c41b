"""PURE: how a text file is written, whatever it says: line ends, marks and bytes over which a darknet stumbles.

Measured on the three programs in 2026: a carriage return breaks the original darknet alone, a byte order mark all.
"""

from __future__ import annotations

import codecs
import re
from enum import Enum
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.darknet.program import Flavour

if TYPE_CHECKING:
    from collections.abc import Iterator


class TextKind(Enum):
    """What darknet reads a file as."""

    CFG = "cfg"
    DATA = "data"
    LIST = "list"
    NAMES = "names"


CARRIAGE_RETURNS = "carriage-returns"
BYTE_ORDER_MARK = "byte-order-mark"

_ZERO = b"\0"
_ALONE = re.compile(rb"\r(?!\r*(?:\n|\Z))")
"""A carriage return that ends no line."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_EFFECT_OF_MARK = {
    TextKind.CFG: "No darknet can read a cfg that begins so: it ends at once.",
    TextKind.DATA: "darknet loses the first option of the file.",
    TextKind.LIST: "darknet does not find the first image of the list; AlexeyAB's with OpenCV dies of it.",
    TextKind.NAMES: "The first class's name begins with three strange bytes.",
}


def is_utf_16(raw: bytes) -> bool:
    """Whether a file says by its first bytes that it is in UTF-16."""
    return raw.startswith(_UTF_16)


def check_text(path: str, raw: bytes, kind: TextKind, *, flavour: Flavour = Flavour.AX) -> Iterator[Finding]:
    """Find what is wrong with a file as a text, before anybody asks what it says.

    Args:
        path: relative to the tree, for the findings.
        raw: the file's bytes.
        kind: what darknet reads it as.
        flavour: which darknet that is.
    """
    if is_utf_16(raw):
        yield Finding(
            Severity.ERROR,
            "utf-16",
            path,
            1,
            "The file is UTF-16, as old versions of Notepad save what they call Unicode.",
            "darknet ends each line at its first letter.",
            "Save it as UTF-8 without a byte order mark.",
        )
        return
    if raw.startswith(codecs.BOM_UTF8):
        yield Finding(
            Severity.WARNING if kind is TextKind.NAMES else Severity.ERROR,
            BYTE_ORDER_MARK,
            path,
            1,
            "The file begins with a byte order mark.",
            _EFFECT_OF_MARK[kind],
            "Save it as UTF-8 without a byte order mark.",
            mendable=True,
        )
    yield from _check_returns(path, raw, kind, flavour)
    yield from _check_bytes(path, raw)


def _check_returns(path: str, raw: bytes, kind: TextKind, flavour: Flavour) -> Iterator[Finding]:
    count = raw.count(b"\r")
    if not count:
        return
    alone = _ALONE.search(raw)
    if alone:
        # The old Macintosh ended lines so; but it may stand in the midst of an option, too: people have to say.
        severity = Severity.ERROR
        effect = "No darknet ends a line there: it takes two for one."
    elif kind is TextKind.NAMES:
        severity = Severity.WARNING
        effect = "The original darknet takes it for the last letter of each class's name."
    else:
        severity = Severity.ERROR if flavour is Flavour.PJ else Severity.WARNING
        effect = (
            "The original darknet takes it for a part of the value or the path, and finds no such file; "
            "AlexeyAB's and hank-ai's pass over it."
        )
    yield Finding(
        severity,
        CARRIAGE_RETURNS,
        path,
        raw.count(b"\n", 0, raw.index(b"\r")) + 1,
        f"Lines end {'with a carriage return alone' if alone else 'as in Windows'}: {count:,} in this file.",
        effect,
        "Save the file with the line ends of Unix (LF).",
        mendable=alone is None or kind is TextKind.LIST,
    )


def _check_bytes(path: str, raw: bytes) -> Iterator[Finding]:
    zero = raw.find(_ZERO)
    if zero >= 0:
        yield Finding(
            Severity.ERROR,
            "zero-byte",
            path,
            raw.count(b"\n", 0, zero) + 1,
            f"There is a byte 0 in this line, the first of {raw.count(_ZERO):,} in the file.",
            "darknet ends the line there.",
            "Write the line anew; the file may be damaged.",
        )
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        yield Finding(
            Severity.WARNING,
            "not-utf-8",
            path,
            raw.count(b"\n", 0, error.start) + 1,
            "This line is not UTF-8.",
            "darknet takes the bytes as they are; a file that came through Drive has its name in UTF-8, and is not "
            "found by another one.",
            "Save the file as UTF-8 without a byte order mark.",
        )
