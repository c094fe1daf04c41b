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
        option = read_option(number, row)
        if option is not None:
            yield option


def read_option(number: int, row: str) -> Option | None:
    """The option in a row; None if it has no ``=``."""
    key, equals, value = row.partition("=")
    return Option(number, "".join(key.split()), "".join(value.split()), value.strip()) if equals else None


def read_sections(text: str) -> Iterator[tuple[str, tuple[tuple[int, str], ...]]]:
    """The sections of a .cfg: each with its ``[...]`` line, without spaces, and its other rows, as ``read_rows``."""
    head, rows = "", list[tuple[int, str]]()
    for number, row in read_rows(text):
        if row.startswith("["):
            if head:
                yield head, tuple(rows)
            head, rows = "".join(row.split()), []
        else:
            rows.append((number, row))
    if head:
        yield head, tuple(rows)


def find_line(text: str, section_line: int, key: str) -> int:
    """Where a section gives an option, of two the first, for so does darknet; its ``[...]`` line if it does not."""
    return next(
        (option.line for option in read_options(text, section_line) if option.key == key), section_line
    )
