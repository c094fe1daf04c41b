"""What a commit of git's holds, from the words of ``git ls-tree`` and ``git cat-file``. Pure.

Names in a commit are whoever's who made it: git checks them when it writes files, and here no git does that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.files import STATE_FOLDER, Page, RemoteFile, RemoteFolder, Skipped, refuse_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from drivesync.files import Entry

ROOT_ID = "."

_PAGE_ENTRIES = 1000
_FOLDER = "040000"
_PROGRAM = "100755"
_NO_FILES = {
    "120000": "it is a symbolic link",
    "160000": "it is a submodule, another git repository",
}
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: shorter than 1024 bytes, and at least these three lines.
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:.*\n)*oid sha256:[0-9a-f]{64}\nsize \d+\n"
)
_POINTER_BYTES = range(126, 1024)


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A line of ``git ls-tree -r -t -z --long``; ``size`` is in bytes, and 0 for what is no file."""

    mode: str
    id: str
    size: int
    path: bytes


def parse_tree(answer: bytes) -> tuple[TreeEntry, ...]:
    """The lines of ``git ls-tree -r -t -z --long``, in its order."""
    entries = []
    for line in answer.split(b"\0")[:-1]:
        facts, _, path = line.partition(b"\t")
        mode, _kind, id_, size = facts.decode("ascii").split()
        entries.append(TreeEntry(mode, id_, int(size) if size.isdecimal() else 0, path))
    return tuple(entries)


def possible_pointers(entries: Collection[TreeEntry]) -> frozenset[str]:
    """Ids of the blobs that may be Git LFS's pointers, by their size."""
    return frozenset(
        entry.id for entry in entries if entry.mode.startswith("100") and entry.size in _POINTER_BYTES
    )


def parse_blobs(answer: bytes) -> Iterator[tuple[str, bytes]]:
    """Id and content of each blob in an answer of ``git cat-file --batch``."""
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        id_, _kind, size = answer[at:end].decode("ascii").split()
        at = end + 1
        yield id_, answer[at : at + int(size)]
        at += int(size) + 1


def is_pointer(content: bytes) -> bool:
    """Whether a blob stands for another content, which is in Git LFS."""
    return _POINTER.fullmatch(content) is not None


def to_entries(
    entries: Collection[TreeEntry], pointers: Collection[str], modified_s: float
) -> tuple[Entry, ...]:
    """What is to be told of a commit; nothing of what lies in a folder that there can be no local folder for.

    Args:
        entries: of the commit, a folder before what is in it.
        pointers: ids of blobs that are Git LFS's pointers.
        modified_s: Unix time of the commit; git keeps none of its files.
    """
    told: list[Entry] = []
    taken: set[bytes] = set()
    folders = {b""}
    for entry in entries:
        folder, _, name = entry.path.rpartition(b"/")
        if folder not in folders or entry.path == STATE_FOLDER.encode():
            continue
        path = entry.path.decode("utf-8", "backslashreplace")
        if reason := _refuse(entry, name, taken, pointers):
            told.append(Skipped(path, reason))
            continue
        taken.add(entry.path)
        if entry.mode == _FOLDER:
            folders.add(entry.path)
            told.append(RemoteFolder(path, path))
        else:
            told.append(_to_file(entry, path, modified_s))
    return tuple(told)


def _refuse(entry: TreeEntry, name: bytes, taken: Collection[bytes], pointers: Collection[str]) -> str:
    """Why there can be no local file for ``entry``; empty if there can."""
    if reason := refuse_name(name.decode("utf-8", "surrogateescape")):
        return reason
    if name.lower() == b".git":
        return "git keeps its own files under this name"
    if entry.path in taken:
        return "something of the same name is beside it"
    if entry.mode in _NO_FILES:
        return _NO_FILES[entry.mode]
    return (
        "its content is in Git LFS, and only a pointer to it in the repository"
        if entry.id in pointers
        else ""
    )


def _to_file(entry: TreeEntry, path: str, modified_s: float) -> RemoteFile:
    return RemoteFile(
        path=path,
        id=path,
        size=entry.size,
        md5="",
        modified_s=modified_s,
        revision_id=entry.id,
        # What was uploaded on GitHub's web page has no run bit, whatever it is: that says nothing.
        executable=True if entry.mode == _PROGRAM else None,
    )


def to_pages(entries: Collection[Entry]) -> Iterator[Page]:
    """``entries`` by folder."""
    yield Page((RemoteFolder("", ROOT_ID),), ends=False)
    by_folder = sorted(entries, key=lambda entry: entry.path.rpartition("/")[::2])
    folders = [entry.path.rpartition("/")[0] for entry in by_folder]
    for first in range(0, len(by_folder), _PAGE_ENTRIES):
        end = min(first + _PAGE_ENTRIES, len(by_folder))
        yield Page(tuple(by_folder[first:end]), ends=folders[end : end + 1] != folders[end - 1 : end])
    if not by_folder:
        yield Page((), ends=True)
