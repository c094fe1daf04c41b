"""Trees in a store by their paths: what tests put there, and what they find there afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.testing.entries import FOLDER_TYPE, Content, Entry
from drivesync.testing.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drivesync.testing.store import Store


def find(store: Store, path: str) -> Entry | None:
    """The first entry at ``path`` below My Drive that is not in the trash; ``""`` is My Drive itself."""
    at = store.get("root")
    for name in _names(path):
        matches = (
            child for child in store.children(at.id) if child.name == name and child.trashed_ms is None
        )
        found = next(matches, None)
        if found is None:
            return None
        at = found
    return at


def make_folders(store: Store, path: str) -> Entry:
    """The folder at ``path``, made with those above it where they are missing."""
    at = store.get("root")
    for name in _names(path):
        matches = (
            child
            for child in store.children(at.id)
            if child.name == name and child.is_folder and child.trashed_ms is None
        )
        at = next(matches, None) or store.create(Metadata(name=name, mime_type=FOLDER_TYPE, parents=(at.id,)))
    return at


def put_file(store: Store, path: str, data: bytes, *, modified_ms: int | None = None) -> Entry:
    """Make the file at ``path``, or give it a new revision; missing folders are made."""
    folder_path, _, name = path.rpartition("/")
    content = Content.of(data)
    existing = find(store, path)
    if existing is not None and not existing.is_folder:
        return store.update(existing.id, Metadata(modified_ms=modified_ms), content)
    folder = make_folders(store, folder_path)
    return store.create(Metadata(name=name, parents=(folder.id,), modified_ms=modified_ms), content)


def read_tree(store: Store, path: str) -> dict[str, bytes]:
    """Every file below ``path`` that is not in the trash: relative path -> content.

    Of files with the same path the last one counts; what has no bytes of its own is left out.
    """
    top = find(store, path)
    return {} if top is None else dict(_walk(store, top, ""))


def seed_tree(store: Store, directory: Path, path: str) -> None:
    """Copy a directory from disk to ``path``, with its empty folders and its files' times."""
    make_folders(store, path)
    for found in sorted(directory.rglob("*")):
        target = "/".join([*_names(path), *found.relative_to(directory).parts])
        if found.is_dir():
            make_folders(store, target)
        elif found.is_file():
            put_file(store, target, found.read_bytes(), modified_ms=found.stat().st_mtime_ns // 1_000_000)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]


def _walk(store: Store, folder: Entry, prefix: str) -> Iterator[tuple[str, bytes]]:
    for child in store.children(folder.id):
        if child.trashed_ms is not None:
            continue
        if child.is_folder:
            yield from _walk(store, child, f"{prefix}{child.name}/")
        elif child.head is not None:
            yield prefix + child.name, bytes(child.head.content.data)
