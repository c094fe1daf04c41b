"""PURE: the lines of a .cfg or .data file as darknet takes them, numbered: a finding names the line to mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Option(NamedTuple):
    """``key=value`` without any space; ``line`` counts from 1, ``written`` is the value as it stands there."""

    line: int
    key: str
    value: str
    written: str


def read_rows(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are neither empty nor comments, as they stand there, with their numbers from 1."""
    for number, line in enumerate(text.split("\n"), start=1):
        row = line.strip()
        if row and row[0] not in "#;":
            yield number, row


def read_options(text: str, section_line: int = 0) -> Iterator[Option]:
    """The options of a .data file, or of one section of a .cfg.

    Args:
        text: of the file.
        section_line: the number of the section's ``[...]`` line; 0 for what stands before the first one.
    """
    for number, row in read_rows(text):
        if number <= section_line:
            continue
        if row.startswith("["):
            return
        key, equals, value = row.partition("=")
        if equals:
            yield Option(number, "".join(key.split()), "".join(value.split()), value.strip())


def find_line(text: str, section_line: int, key: str) -> int:
    """Where a section gives an option, of two the first, for so does darknet; its ``[...]`` line if it does not."""
    return next(
        (option.line for option in read_options(text, section_line) if option.key == key), section_line
    )
