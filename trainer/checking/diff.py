"""PURE: a unified diff of a text whose lines were mended in their places or dropped, of any length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from trainer.checking.lists import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONTEXT = 3
"""Lines shown around each change."""

_MOST_ROWS = 100
"""Of a diff; all of 50,000 lines may have the wrong ends, and nobody reads that."""

_LINE = re.compile(r"[^\r\n]*(?:\r*\n|\r)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of a diff; ``before`` and ``after`` are the numbers from 0 of the lines that come next in each text."""

    sign: str
    text: str
    before: int
    after: int


def unified_diff(before: bytes, after: bytes) -> str:
    """The hunks; what cannot be seen, a carriage return say, or a space at a line's end, is written as an escape.

    A line is taken to go with the one that says the same but for white space, marks and slashes: that is what mending
    changes in a line. ``difflib`` would find as much, but takes minutes where many lines of a long list are dropped.
    """
    rows = tuple(_pair(_split(before), _split(after)))
    shown = _near_changes(rows)
    # Of two neighbours the number less the rank is the same.
    runs = groupby(enumerate(shown[:_MOST_ROWS]), key=lambda ranked: ranked[1] - ranked[0])
    hunks = [_write_hunk([rows[number] for _, number in run]) for _, run in runs]
    if len(shown) > _MOST_ROWS:
        hunks.append(f"... and {len(shown) - _MOST_ROWS:,} further lines\n")
    return "".join(hunks)


def _split(raw: bytes) -> list[str]:
    """Lines with their ends, of whatever system."""
    return _LINE.findall(raw.decode("utf-8", "surrogateescape"))


def _pair(before: Sequence[str], after: Sequence[str]) -> Iterator[_Row]:
    at = 0
    for number, line in enumerate(before):
        if at < len(after) and _meant(line) == _meant(after[at]):
            if line == after[at]:
                yield _Row(" ", line, number, at)
            else:
                yield _Row("-", line, number, at)
                yield _Row("+", after[at], number + 1, at)
            at += 1
        else:
            yield _Row("-", line, number, at)
    for number in range(at, len(after)):
        yield _Row("+", after[number], len(before), number)


def _meant(line: str) -> str:
    return clean_line(line.rstrip("\r\n"))


def _near_changes(rows: Sequence[_Row]) -> list[int]:
    """The numbers of the rows that are changes or stand near one."""
    shown: list[int] = []
    for number, row in enumerate(rows):
        if row.sign != " ":
            begin = max(number - _CONTEXT, shown[-1] + 1 if shown else 0)
            shown += range(begin, min(number + _CONTEXT + 1, len(rows)))
    return shown


def _write_hunk(rows: Sequence[_Row]) -> str:
    before = sum(row.sign != "+" for row in rows)
    after = sum(row.sign != "-" for row in rows)
    # As diff has it, a part without lines is said to stand behind the line before it.
    head = f"@@ -{rows[0].before + bool(before)},{before} +{rows[0].after + bool(after)},{after} @@\n"
    return head + "".join(f"{row.sign}{_show(row.text)}" for row in rows)


def _show(line: str) -> str:
    body, ended, _ = line.partition("\n")
    inner = body.rstrip(" \t\r\ufeff")
    hidden = body[len(inner) :]
    inner = "".join(letter if letter.isprintable() else _escape(letter) for letter in inner)
    words = inner.lstrip(" ")
    end = "\n" if ended or body.endswith("\r") else "\n\\ No newline at end of file\n"
    lead = inner[: len(inner) - len(words)]
    return "".join(map(_escape, lead)) + words + "".join(map(_escape, hidden)) + end


def _escape(letter: str) -> str:
    return "\\x20" if letter == " " else repr(letter)[1:-1]
