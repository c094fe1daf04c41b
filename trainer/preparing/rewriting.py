"""PURE: a .cfg with some of its options changed, and every other line as it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from trainer.checking.rows import find_line

if TYPE_CHECKING:
    from collections.abc import Iterable

_COMMENT = re.compile("[#;]")


class Change(NamedTuple):
    """One option of a section to be changed.

    Attributes:
        section_line: the number of the section's ``[...]`` line, from 1.
        key: of two options of this name the first is meant, for that one counts.
        value: to be; None to have no such option.
    """

    section_line: int
    key: str
    value: str | None


def rewrite(text: str, changes: Iterable[Change]) -> str:
    """Change options of a cfg.

    An option that has its value already is left as it is written, one that is missing comes first in its section, and
    one that is to go becomes a comment. Spaces around ``=`` stay. A comment behind a value stays there, too: darknet
    reads a number as far as it is one. It counts every comma of a line, though, so a comment with commas moves up, to
    a line of its own.

    Args:
        text: of a file that ``parse_cfg`` reads, without carriage returns.
        changes: in any order, none of them twice.
    """
    lines = text.split("\n")
    for change in changes:
        number = find_line(text, change.section_line, change.key)
        missing = number == change.section_line
        line = lines[number - 1]
        if change.value is None:
            lines[number - 1] = line if missing else f"# {line.lstrip()}"
        elif missing:
            lines[number - 1] = f"{line}\n{change.key}={change.value}"
        else:
            lines[number - 1] = _with_value(line, change.value)
    return "\n".join(lines)


def _with_value(line: str, value: str) -> str:
    key, _, behind = line.partition("=")
    written = _COMMENT.split(behind, maxsplit=1)[0]
    comment = behind[len(written) :]
    counted = "," in comment
    if "".join(written.split()) == "".join(value.split()) and not (counted and "," in value):
        return line
    margin = written[: len(written) - len(written.lstrip())]
    if counted:
        return f"{comment.rstrip()}\n{key}={margin}{value}"
    gap = written[len(written.rstrip()) :] if written.strip() else ""
    return f"{key}={margin}{value}{gap}{comment}"
