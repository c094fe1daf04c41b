"""Browse: what a remote holds, folder by folder, as it is told."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from drivesync.files import RemoteFile, Skipped
from drivesync.pulling.plan import Chooser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.remotes.base import Remote

    Shown: TypeAlias = "RemoteFile | Skipped"


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a remote, with what lies directly in it.

    Attributes:
        path: empty for the tree's own.
        files: what a pull could bring, and of several files with one name only the newest.
        skipped: all else, with the reason.
    """

    path: str
    files: tuple[RemoteFile, ...]
    skipped: tuple[Skipped, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files)

    @property
    def entries(self) -> tuple[Shown, ...]:
        """Files and what is skipped, by path."""
        return tuple(sorted((*self.files, *self.skipped), key=lambda entry: entry.path))


def browse(remote: Remote, below: str = "") -> Iterator[Folder]:
    """Every folder that holds anything, as soon as all of it is told; several that are told together by path.

    Args:
        remote: entered.
        below: only this file, or what lies in this folder; empty for all.

    Raises:
        NotFoundError: the remote folder does not exist.
    """
    chooser = Chooser()
    entries: list[Shown] = []
    for page in remote.list():
        chosen = chooser.take(page)
        told: tuple[Shown, ...] = (*chosen.files, *chosen.skipped)
        entries += [entry for entry in told if _is_below(entry.path, below.strip("/"))]
        if page.ends:
            yield from _by_folder(entries)
            entries.clear()
    yield from _by_folder(entries)


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _by_folder(entries: list[Shown]) -> Iterator[Folder]:
    for path, group in groupby(sorted(entries, key=_place), key=lambda entry: _place(entry)[0]):
        inside = tuple(group)
        yield Folder(
            path,
            tuple(entry for entry in inside if isinstance(entry, RemoteFile)),
            tuple(entry for entry in inside if isinstance(entry, Skipped)),
        )


def _place(entry: Shown) -> tuple[str, str]:
    folder, _, name = entry.path.rpartition("/")
    return folder, name
