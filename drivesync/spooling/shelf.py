"""Snapshots on the disk, each in a folder of its own that appears whole and disappears whole.

TREE/.drivesync/spool/
  00000007.tmp/                    being filled, or thrown away; swept away at the next start
  00000007/entry.json              a snapshot that was taken whole and accepted ...
  00000007/remote_last.weights
  00000007/session                 ... of which a part is on the remote, perhaps; a secret
  00000007/pushed                  ... and that the remote holds,
  00000007/dropped                 or is not to get after all
"""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivesync.disk import (
    free_bytes,
    fsync_folder,
    is_same,
    local_errors,
    look,
    make_state_folder,
    write_atomically,
)
from drivesync.files import STATE_FOLDER, Role
from drivesync.spooling.entries import Entry, order_pending

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPOOL = "spool"
_ENTRY = "entry.json"
_SESSION = "session"
_OURS = re.compile(r"\d{8,}(\.tmp)?")
_RECORDED = frozenset(field.name for field in fields(Entry)) - {"pushed", "dropped", "direct"}


class Mark(Enum):
    """What has become of a snapshot; the name of an empty file."""

    PUSHED = "pushed"
    DROPPED = "dropped"


_OWN = frozenset({_ENTRY, _SESSION, *(mark.value for mark in Mark)})


class Shelf:
    """The snapshots of one tree; entries without a snapshot (``Entry.direct``) are none of its business."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._folder = tree / STATE_FOLDER / _SPOOL

    def open(self) -> tuple[Entry, ...]:
        """What an earlier process left; what it did not finish is swept away.

        Raises:
            LocalWriteError: the state folder cannot be written.
        """
        entries: list[Entry] = []
        folder = make_state_folder(self._tree, _SPOOL)
        with local_errors(folder):
            for place in folder.iterdir():
                record = _read_record(place)
                entry = _read_entry(place, record)
                if entry is not None and not (_is_unjudged(record) and self._comes_again(entry)):
                    entries.append(entry)
                elif _OURS.fullmatch(place.name):
                    shutil.rmtree(place)
        return tuple(entries)

    @contextmanager
    def make(self, sequence: int) -> Iterator[Path]:
        """A folder for what is to become a snapshot; it is gone afterwards, unless it was ``put``.

        Raises:
            LocalWriteError: it cannot be made.
        """
        making = make_state_folder(self._tree, _SPOOL) / f"{sequence:08}.tmp"
        try:
            with local_errors(making):
                making.mkdir()
            yield making
        finally:
            shutil.rmtree(making, ignore_errors=True)

    def put(self, making: Path, entry: Entry) -> None:
        """Make the snapshot in ``making``, fsynced under ``name_of``, that of ``entry``.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        _write_record(making, entry)
        with local_errors(making):
            making.replace(self._place(entry))
        fsync_folder(self._folder)

    def amend(self, entry: Entry) -> None:
        """Write down what is known of it now.

        Raises:
            LocalWriteError: the disk cannot take that; what was known before stays.
        """
        _write_record(self._place(entry), entry)

    def free_bytes(self) -> int:
        """Room on the disk that the snapshots lie on.

        Raises:
            LocalWriteError: nobody can say.
        """
        return free_bytes(self._folder)

    def mark(self, entry: Entry, mark: Mark) -> None:
        """Remember what has become of it, durably.

        Raises:
            LocalWriteError: the disk cannot take that.
        """
        place = self._place(entry)
        with local_errors(place):
            (place / mark.value).touch()
        fsync_folder(place)

    def unmark(self, entry: Entry) -> None:
        """Forget what has become of it, and how far it was pushed.

        Raises:
            LocalWriteError: the disk cannot take that.
        """
        place = self._place(entry)
        with local_errors(place):
            for name in (_SESSION, *(mark.value for mark in Mark)):
                (place / name).unlink(missing_ok=True)
        fsync_folder(place)

    def remove(self, entry: Entry) -> None:
        """Throw it away; what cannot be removed now is at the next start."""
        place = self._place(entry)
        # Under its own name a half removed snapshot could come back, without the mark that it was pushed.
        with suppress(OSError):
            place = place.replace(place.with_name(f"{place.name}.tmp"))
        shutil.rmtree(place, ignore_errors=True)

    def snapshot_of(self, entry: Entry) -> Path:
        """Where the snapshot lies."""
        return self._place(entry) / name_of(entry.path)

    def session_of(self, entry: Entry) -> Path:
        """Where a push may note how far it is."""
        return self._place(entry) / _SESSION

    def _place(self, entry: Entry) -> Path:
        return self._folder / f"{entry.sequence:08}"

    def _comes_again(self, entry: Entry) -> bool:
        """Whether it is on the remote, or still in the tree, to be offered again."""
        return entry.pushed or is_same(entry.source, look(self._tree, entry.path))


def name_of(path: str) -> str:
    """What the snapshot of ``path`` is called: as its file, so that whoever looks into the spool knows it."""
    name = Path(path).name
    return f"{name}.snapshot" if name in _OWN else name


def read_pending(tree: Path) -> tuple[Entry, ...]:
    """As ``Spool.pending``, for who only looks: nothing is locked or swept away, and without a snapshot is unknown."""
    places: list[Path] = []
    with suppress(FileNotFoundError, NotADirectoryError):
        places += (tree / STATE_FOLDER / _SPOOL).iterdir()
    return order_pending(filter(None, (_read_entry(place, _read_record(place)) for place in places)))


def _write_record(place: Path, entry: Entry) -> None:
    record = {key: value for key, value in asdict(entry).items() if key in _RECORDED}
    record["role"] = entry.role.value
    write_atomically(place / _ENTRY, json.dumps(record).encode())
    fsync_folder(place)


def _read_record(place: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        record = json.loads((place / _ENTRY).read_bytes())
        return record if isinstance(record, dict) else {}
    return {}


def _read_entry(place: Path, record: dict[str, Any]) -> Entry | None:
    try:
        known = {key: record[key] for key in record.keys() & _RECORDED}
        entry = Entry(**known | {"role": Role(record.get("role", Role.OTHER.value))})
        whole = (place / name_of(entry.path)).stat().st_size == entry.size
    except (OSError, ValueError, TypeError):
        return None
    if not whole or place.name != f"{entry.sequence:08}":
        return None
    marks = {mark: (place / mark.value).exists() for mark in Mark}
    return replace(entry, pushed=marks[Mark.PUSHED], dropped=marks[Mark.DROPPED])


def _is_unjudged(record: dict[str, Any]) -> bool:
    """Whether it was taken before anybody asked for a file's role in its run."""
    return "role" not in record
