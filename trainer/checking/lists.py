"""PURE: what is wrong with the lines of a list of images, before any image is looked at.

The darknets take each line for a path as it stands, blank ones too (source: ``get_paths`` and ``fgetl``; the original
was measured in 2026). What is wrong with a list as a text, its line endings say, is told by ``files``.
"""

from __future__ import annotations

import codecs
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.wording import quote
from trainer.darknet.program import Flavour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_MARK = "\ufeff"
_AROUND = f" \t{_MARK}"
"""What is no part of the path that a line is meant to be; a mark in the midst of a list comes of joining two files."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_SHELL = frozenset(";&|`$<>")
"""What makes a shell do something else than print the word that it stands in."""

_MAX_BYTES = 4000
"""Of a path: darknet puts it, and its label's, into 4096 bytes, and does not look whether it fits."""

_NO_IMAGE = {
    Flavour.PJ: "The original darknet finds no label for such a path, and ends with exit status 0.",
    Flavour.AX: "AlexeyAB's darknet trains on a blank image instead, or dies of it where it was built with OpenCV.",
    Flavour.HK: "hank-ai's darknet ends.",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a list.

    Attributes:
        line: its number, from 1.
        path: of the image, as it is meant: without white space around it, and with forward slashes.
    """

    line: int
    path: str

    @property
    def key(self) -> str:
        """The same for two ways to write one path."""
        return posixpath.normpath(self.path)


def clean_line(line: str) -> str:
    """The path that a line of a list, without its end, is meant to be; empty for a blank line."""
    return line.strip(_AROUND).replace("\\", "/")


def read_list(raw: bytes) -> tuple[Listed, ...]:
    """The images of a list as they are meant, in its order; none of one in UTF-16, which no darknet can read."""
    lines = _split(raw)
    return tuple(Listed(number, path) for number, line in lines if (path := clean_line(line)))


def check_list(path: str, raw: bytes, flavour: Flavour) -> Iterator[Finding]:
    """What is wrong with the lines of one list, in their order.

    Args:
        path: of the list.
        raw: its content.
        flavour: the darknet that will read it.
    """
    first: dict[str, int] = {}
    empty = True
    for number, line in _split(raw):
        listed = Listed(number, clean_line(line))
        if not listed.path:
            yield _blank(path, number, flavour)
            continue
        empty = False
        yield from _check_path(path, listed, line, flavour)
        if listed.key in first:
            yield _repeated(path, listed, first[listed.key])
        else:
            first[listed.key] = number
    if empty and not raw.startswith(_UTF_16):
        yield Finding(
            Severity.ERROR, "list-empty", path, None, "It names no image.",
            "darknet ends at once.", "Write the images' paths into it, one a line.",
        )  # fmt: skip


def check_both(
    train: str, train_images: Sequence[Listed], valid: str, valid_images: Iterable[Listed]
) -> Iterator[Finding]:
    """Images that are both trained on and tested on; the findings are about the lines of ``valid``.

    Args:
        train: the list of training images.
        train_images: what it names.
        valid: the other list.
        valid_images: what it names.
    """
    effect = "darknet knows what it is tested with: its mAP is better than the training."
    if posixpath.normpath(train) == posixpath.normpath(valid):
        yield Finding(
            Severity.WARNING, "valid-is-train", valid, None, "It is the list of training images, too.",
            effect, "Name another list at valid= in the .data file.",
        )  # fmt: skip
        return
    lines = {listed.key: listed.line for listed in reversed(train_images)}
    for listed in valid_images:
        if listed.key in lines:
            yield Finding(
                Severity.WARNING, "image-in-both-lists", valid, listed.line,
                f"{quote(listed.path)} is in {train}, too, line {lines[listed.key]}.",
                effect, "Take it out of one of the two lists.",
            )  # fmt: skip


def drop_blank_lines(text: str) -> str:
    """The list without its blank lines."""
    return _keep(text, lambda line: bool(clean_line(line)))


def drop_repeated_lines(text: str) -> str:
    """The list with each image in it once, where it stood first."""
    seen: set[str] = set()

    def is_new(line: str) -> bool:
        path = clean_line(line)
        if not path:
            return True
        key = Listed(0, path).key
        known = key in seen
        seen.add(key)
        return not known

    return _keep(text, is_new)


def turn_backslashes(text: str) -> str:
    """The list with forward slashes."""
    return text.replace("\\", "/")


def strip_lines(text: str) -> str:
    """The list without white space and byte order marks before and behind the paths."""
    return "\n".join(line.strip(_AROUND) for line in text.split("\n"))


def _keep(text: str, wanted: Callable[[str], bool]) -> str:
    *lines, last = text.split("\n")
    kept = [f"{line}\n" for line in lines if wanted(line)]
    return "".join(kept) + (last if last and wanted(last) else "")


def _split(raw: bytes) -> Iterator[tuple[int, str]]:
    """Numbered lines; what follows the last line's end is none if it is empty.

    Its line ends, and the mark that it begins with, are found wrong by ``files``.
    """
    if raw.startswith(_UTF_16):
        return
    lines = raw.decode("utf-8", "surrogateescape").removeprefix(_MARK).split("\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        # A carriage return in the midst of a line was meant for its end, on an old Macintosh.
        for piece in line.rstrip("\r").split("\r"):
            yield number, piece


def _check_path(path: str, listed: Listed, line: str, flavour: Flavour) -> Iterator[Finding]:
    if line != line.strip(_AROUND):
        yield Finding(
            Severity.ERROR, "list-space", path, listed.line, f"There is white space around {quote(listed.path)}.",
            _NO_IMAGE[flavour], "Delete it.", mendable=True,
        )  # fmt: skip
    if "\\" in line:
        yield Finding(
            Severity.ERROR, "list-backslash", path, listed.line,
            f"{quote(line.strip(_AROUND))} has backslashes, as Windows writes paths.",
            _NO_IMAGE[flavour], "Write forward slashes.", mendable=True,
        )  # fmt: skip
    executed = sorted(_SHELL.intersection(listed.path))
    if executed and flavour is not Flavour.HK:
        yield Finding(
            Severity.ERROR, "list-shell", path, listed.line,
            f"{quote(listed.path)} has {' '.join(executed)} in its name.",
            "darknet has a shell write the name to bad.list where it cannot use the image: a part of it is executed.",
            "Give the image, and its label, a name of letters, digits, - and _.",
        )  # fmt: skip
    size = len(listed.path.encode("utf-8", "surrogateescape"))
    if size > _MAX_BYTES:
        yield Finding(
            Severity.ERROR, "list-long-line", path, listed.line, f"The path is {size} bytes long.",
            "darknet writes it beyond the end of its memory for it, and dies or goes astray.",
            "Move the image to a place with a shorter path.",
        )  # fmt: skip


def _blank(path: str, number: int, flavour: Flavour) -> Finding:
    return Finding(
        Severity.ERROR, "list-blank-line", path, number, "The line is blank, and counts as an image without a name.",
        _NO_IMAGE[flavour], "Delete the line.", mendable=True,
    )  # fmt: skip


def _repeated(path: str, listed: Listed, before: int) -> Finding:
    return Finding(
        Severity.WARNING, "list-duplicate", path, listed.line,
        f"{quote(listed.path)} is in line {before}, too.",
        "darknet takes the image that much more often than others.", "Delete one of the lines.", mendable=True,
    )  # fmt: skip
