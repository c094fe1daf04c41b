"""Puts the files of a tree in their places, each whole or not at all, and over nothing that is not theirs.

A file that is there and holds what it is to hold is done. So a killed ``init`` needs no note of how far it was: the
same command finds what is done, and goes on. Images are copied: a link would lead nowhere in Drive, and on the next
machine.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.disk import BLOCK_BYTES, free_bytes, is_within, local_errors
from drivesync.errors import DiskFullError, LocalWriteError
from trainer.config import STATE_FOLDER
from trainer.preparing.annotations import Picture
from trainer.preparing.headers import redraw
from trainer.preparing.layout import BACKUP, FOLDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from trainer.preparing.layout import Part
    from trainer.preparing.record import Record

_EVERY = 20
_SPARE_BYTES = 64 << 20
"""What is to be left on the disk: the state of other programs, a first checkpoint."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a tree's files is there already.

    Attributes:
        done: paths of those that hold what they are to hold.
        in_the_way: paths of files that hold something else, sorted.
        blocked: paths where nothing can be put, since something that is no file, or no folder, is there.
    """

    done: frozenset[str]
    in_the_way: tuple[str, ...]
    blocked: tuple[str, ...]


def look_at_standing(
    tree: Path, images: Path, parts: Sequence[Part], *, tell: Callable[[int, int], None]
) -> Standing:
    """Compare what is there with what is to be there; nothing is written.

    Args:
        tree: there, or not yet.
        images: the folder that the pictures' paths are relative to.
        parts: the tree's files.
        tell: hears now and then how many of how many have been looked at.

    Raises:
        LocalWriteError: a folder of the tree leads out of it, or a file cannot be read.
    """
    blocked = [folder for folder in (*FOLDERS, STATE_FOLDER) if _is_blocked(tree, folder)]
    done: set[str] = set()
    in_the_way: list[str] = []
    for number, part in enumerate(parts):
        if number % _EVERY == 0:
            tell(number, len(parts))
        place = tree / part.path
        with local_errors(place, "look at"):
            status = _status_of(place)
            if status is None:
                continue
            if not stat.S_ISREG(status.st_mode):
                blocked.append(part.path)
            elif _holds(place, status.st_size, images, part):
                done.add(part.path)
            else:
                in_the_way.append(part.path)
    tell(len(parts), len(parts))
    return Standing(frozenset(done), tuple(sorted(in_the_way)), tuple(blocked))


def place(
    tree: Path,
    images: Path,
    parts: Sequence[Part],
    *,
    done: frozenset[str],
    record: Record,
    tell: Callable[[int, int], None],
) -> None:
    """Write the files that are not done, in their order, over whatever is there.

    Args:
        tree: there.
        images: the folder that the pictures' paths are relative to.
        parts: the tree's files.
        done: paths of those that hold what they are to hold.
        record: hears of each file before it is put in its place.
        tell: hears now and then how many of how many are there.

    Raises:
        DiskFullError: there is no room for all of them; nothing has been written.
        LocalWriteError: the disk cannot take one, or an image cannot be read any more.
    """
    missing = [part for part in parts if part.path not in done]
    _see_that_it_fits(tree, images, missing)
    for folder in FOLDERS:
        with local_errors(tree / folder):
            (tree / folder).mkdir(parents=True, exist_ok=True)
    temporary = tree / STATE_FOLDER / "init.part"
    with local_errors(temporary):
        try:
            for number, part in enumerate(missing, start=len(done)):
                if number % _EVERY == 0:
                    tell(number, len(parts))
                _write(temporary, images, part)
                record.note(part.path, temporary)
                temporary.replace(tree / part.path)
        finally:
            temporary.unlink(missing_ok=True)
    tell(len(parts), len(parts))


def _is_blocked(tree: Path, folder: str) -> bool:
    place = tree
    for name in folder.split("/"):
        place /= name
        if os.path.lexists(place) and not place.is_dir():
            return True
    # The weights may well be kept elsewhere; what is written here stays in the tree.
    if folder != BACKUP and not is_within(place, tree):
        raise LocalWriteError(
            f"cannot write {place}: it leads out of {tree}", hint="Put a folder in that link's place."
        )
    return False


def _status_of(place: Path) -> os.stat_result | None:
    try:
        return place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _holds(place: Path, size: int, images: Path, part: Part) -> bool:
    if isinstance(part.content, Picture) and not part.content.redrawn:
        source = images / part.content.path
        return size == source.stat().st_size and _are_alike(place, source)
    content = _content_of(images, part)
    return size == len(content) and place.read_bytes() == content


def _are_alike(one: Path, other: Path) -> bool:
    with one.open("rb") as file, other.open("rb") as model:
        while block := model.read(BLOCK_BYTES):
            if file.read(len(block)) != block:
                return False
    return True


def _content_of(images: Path, part: Part) -> bytes:
    if isinstance(part.content, Picture):
        return redraw(images / part.content.path, part.content.ending)
    return part.content


def _write(temporary: Path, images: Path, part: Part) -> None:
    if isinstance(part.content, Picture) and not part.content.redrawn:
        shutil.copyfile(images / part.content.path, temporary)
    else:
        temporary.write_bytes(_content_of(images, part))


def _see_that_it_fits(tree: Path, images: Path, parts: Sequence[Part]) -> None:
    needed = 0
    for part in parts:
        with local_errors(images, "look at"):
            if isinstance(part.content, Picture):
                needed += (images / part.content.path).stat().st_size
    free = free_bytes(tree)
    if needed + _SPARE_BYTES > free:
        raise DiskFullError(
            f"the images have {needed / 1e9:.1f} GB, and there are {free / 1e9:.1f} GB free for {tree}",
            hint="Free some space on this disk and run the same command again.",
        )
