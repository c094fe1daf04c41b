"""Mends what needs no thought, after showing what it would change, and keeps what was there before."""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING

from drivesync.disk import fsync_folder, is_within, local_errors, write_atomically
from drivesync.errors import LocalWriteError, UnfinishedError
from trainer.checking.diff import unified_diff
from trainer.checking.files import BYTE_ORDER_MARK, CARRIAGE_RETURNS
from trainer.checking.folding import FoldedFinding
from trainer.checking.lists import drop_blank_lines, drop_repeated_lines, strip_lines, turn_backslashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from trainer.checking.findings import Finding

ORIGINAL = ".orig"
"""What the name of a kept original ends with; further ones of the same file end with .orig.2, .orig.3 ..."""

NEW_FOLDER = frozenset({"no-backup-folder"})
NEW_EMPTY_FILE = frozenset({"negative-without-label"})


@dataclass(frozen=True, slots=True)
class Mending:
    """What is to be changed.

    Attributes:
        path: POSIX, relative to the tree.
        before: the file's content; None where there is nothing.
        after: its content then; None for a folder.
    """

    path: str
    before: bytes | None
    after: bytes | None


def _as_text(mended: Callable[[str], str]) -> Callable[[bytes], bytes]:
    def on_bytes(raw: bytes) -> bytes:
        return mended(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    return on_bytes


def _end_lines(raw: bytes) -> bytes:
    # Several before a line's end come of turning ends twice; one within a line ended it on an old Macintosh.
    return re.sub(rb"\r+(?:\n|\Z)", b"\n", raw).replace(b"\r", b"\n")


def _drop_marks(raw: bytes) -> bytes:
    while raw.startswith(codecs.BOM_UTF8):
        raw = raw[len(codecs.BOM_UTF8) :]
    return raw


_MENDED: dict[str, Callable[[bytes], bytes]] = {
    CARRIAGE_RETURNS: _end_lines,
    BYTE_ORDER_MARK: _drop_marks,
    "label-bom": _drop_marks,
    "list-space": _as_text(strip_lines),
    "list-backslash": _as_text(turn_backslashes),
    "list-blank-line": _as_text(drop_blank_lines),
    "list-duplicate": _as_text(drop_repeated_lines),
}
"""By the findings' codes, in the order in which it is done: each leaves to the next what is easier to mend then."""


def plan_mending(tree: Path, findings: Iterable[Finding]) -> tuple[Mending, ...]:
    """What mends those of the findings that can be mended, sorted by path; nothing is written.

    What lies outside of the tree, or cannot be read, is left as it is.
    """
    codes: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        if finding.mendable:
            others = finding.others if isinstance(finding, FoldedFinding) else ()
            for path in (finding.path, *others):
                codes[path].add(finding.code)
    mendings = (_plan(tree, path, codes[path]) for path in sorted(codes))
    return tuple(mending for mending in mendings if mending is not None)


def describe_diff(mending: Mending) -> str:
    """A unified diff of what is changed, or a line that says what is new."""
    if mending.after is None:
        return f"new folder {mending.path}/\n"
    if mending.before is None:
        return f"new empty file {mending.path}\n"
    head = f"--- {mending.path}\n+++ {mending.path}, mended\n"
    return head + unified_diff(mending.before, mending.after)


def mend(tree: Path, mendings: Iterable[Mending]) -> tuple[str, ...]:
    """Change each file, whole or not at all, after putting what was there beside it as NAME.orig.

    An original that is there already is left, and a further one gets a number.

    Returns:
        The paths of the originals kept, relative to the tree.

    Raises:
        UnfinishedError: a file has been changed since the mending was planned.
        LocalWriteError: the disk cannot take it, or a link leads out of the tree.
    """
    kept = (_mend(tree, mending) for mending in mendings)
    return tuple(path for path in kept if path)


def _plan(tree: Path, path: str, codes: set[str]) -> Mending | None:
    place = tree / path
    if not _is_within(place, tree):
        return None
    if codes & NEW_FOLDER:
        return None if os.path.lexists(place) else Mending(path, before=None, after=None)
    if codes & NEW_EMPTY_FILE:
        return None if os.path.lexists(place) else Mending(path, before=None, after=b"")
    try:
        before = place.read_bytes()
    except OSError:
        return None
    after = before
    for code, mended in _MENDED.items():
        if code in codes:
            after = mended(after)
    return Mending(path, before, after) if after != before else None


def _mend(tree: Path, mending: Mending) -> str:
    place = tree / mending.path
    if not _is_within(place, tree):
        raise LocalWriteError(f"cannot write {place}: it leads out of {tree}")
    place = place.resolve()  # a link stays one
    if mending.after is None:
        with local_errors(place):
            place.mkdir(parents=True, exist_ok=True)
        return ""
    with local_errors(place, "read"):
        status = place.stat() if place.exists() else None
        before = None if status is None else place.read_bytes()
    if before != mending.before:
        hint = "Run the same command again."
        raise UnfinishedError(f"{mending.path} has been changed meanwhile", hint=hint)
    original = _keep(place, before, status) if before is not None and status is not None else None
    write_atomically(place, mending.after, mode=stat.S_IMODE(status.st_mode) if status else 0o666)
    fsync_folder(place.parent)
    return original.relative_to(tree.resolve()).as_posix() if original else ""


def _keep(place: Path, content: bytes, status: os.stat_result) -> Path:
    """Write ``content`` beside ``place`` under a name that is still free."""
    names = chain((f"{place.name}{ORIGINAL}",), (f"{place.name}{ORIGINAL}.{number}" for number in count(2)))
    with local_errors(place):
        for name in names:
            original = place.with_name(name)
            with suppress(FileExistsError):
                descriptor = os.open(
                    original, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(status.st_mode)
                )
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                return original
    raise AssertionError("some name is free")


def _is_within(place: Path, tree: Path) -> bool:
    try:
        return is_within(place, tree)
    except (OSError, ValueError, RuntimeError):  # a loop of links, a byte 0 in a path
        return False
