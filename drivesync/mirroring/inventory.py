"""What is here and what is on the remote, side by side, and what of it is to be sent.

It is in tables, since a tree of a hundred thousand files is not to be held in memory: temporary ones of the tree's
database, which go with its connection.
"""

from __future__ import annotations

import json
import threading
from array import array
from typing import TYPE_CHECKING, Any

from drivesync.files import Entry, LocalFile, RemoteFile, RemoteFolder, Skipped
from drivesync.mirroring.upload_plan import Pair, Upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drivesync.database import Database

_KINDS: dict[str, type[Entry]] = {"file": RemoteFile, "folder": RemoteFolder, "skipped": Skipped}
_CHUNK = 500
"""Rows at once: fewer than the variables of one statement, https://www.sqlite.org/limits.html."""

_TABLES = """
CREATE TEMP TABLE here (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, top TEXT NOT NULL
);
CREATE TEMP TABLE there (path TEXT PRIMARY KEY, kind TEXT NOT NULL, said TEXT NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE uploads (
    number INTEGER PRIMARY KEY, here INTEGER NOT NULL, large INTEGER NOT NULL, replaces INTEGER NOT NULL,
    growth_bytes INTEGER NOT NULL
);
CREATE INDEX temp.uploads_by_lane ON uploads (large, number);
"""

_ADD_THERE = """
INSERT INTO there VALUES (?, ?, ?)
ON CONFLICT (path) DO UPDATE SET kind = excluded.kind, said = excluded.said
WHERE there.kind = 'skipped' AND excluded.kind != 'skipped'
"""

_ORDER = """
SELECT here.rowid FROM here JOIN (SELECT top, COUNT(*) AS files FROM here GROUP BY top) USING (top)
ORDER BY top != '', files, top, path
"""

_PAIR = """
SELECT here.rowid, here.path, here.size, here.mtime_ns, there.kind, there.said,
    synced.path, synced.size, synced.mtime_ns, synced.md5, synced.revision_id
FROM here LEFT JOIN there ON there.path = here.path LEFT JOIN synced ON synced.path = here.path
"""


class Inventory:
    """The tables of one push; safe to use from several threads.

    Args:
        database: entered, and not used for another inventory.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.use() as connection:
            for statement in _TABLES.split(";"):
                connection.execute(statement)

    def add_here(self, files: Iterable[LocalFile]) -> None:
        """More of what is in the tree."""
        rows = ((file.path, file.size, file.mtime_ns, _top(file.path)) for file in files)
        with self._database.use() as connection:
            connection.executemany("INSERT OR IGNORE INTO here VALUES (?,?,?,?)", rows)

    def add_there(self, entries: Iterable[Entry]) -> None:
        """More of what the remote holds: of several files with one path the first counts."""
        with self._database.use() as connection:
            connection.executemany(_ADD_THERE, map(_to_row, entries))

    def pairs(self) -> Iterator[list[Pair]]:
        """What is here, with what is there, some hundred at a time, in the order in which it is to be sent.

        First what lies in no folder, then folder by folder, the one with the fewest files first: settings and sources
        are there after minutes, so that somebody can begin to build, while images and labels, which lie beside each
        other, take hours at a few files a second.
        """
        with self._database.use() as connection:
            rows = array("q", (row[0] for row in connection.execute(_ORDER)))
        for start in range(0, len(rows), _CHUNK):
            yield self._read(rows[start : start + _CHUNK])

    def find(self, path: str) -> Pair | None:
        """The file of the tree that has this path, with what is there; None if it has none."""
        with self._database.use() as connection:
            row = connection.execute("SELECT rowid FROM here WHERE path = ?", (path,)).fetchone()
        return None if row is None else self._read(row)[0]

    def find_there(self, path: str) -> Entry | None:
        """What the remote has at this path, whatever is here."""
        with self._database.use() as connection:
            row = connection.execute("SELECT kind, said FROM there WHERE path = ?", (path,)).fetchone()
        return None if row is None else _to_entry(*row)

    def find_blocker(self, folder: str) -> str:
        """The path of a file on the remote that is ``folder``, or where a folder above it should be; empty if none."""
        names = folder.split("/")
        paths = ["/".join(names[: end + 1]) for end in range(len(names))]
        marks = ",".join("?" * len(paths))
        query = f"SELECT path FROM there WHERE path IN ({marks}) AND kind = ?"  # noqa: S608 - question marks
        with self._database.use() as connection:
            row = connection.execute(query, (*paths, "file")).fetchone()
        return row[0] if row else ""

    def is_folder(self, path: str) -> bool:
        """Whether the remote has a folder there."""
        with self._database.use() as connection:
            query = "SELECT 1 FROM there WHERE path = ? AND kind = ?"
            return connection.execute(query, (path, "folder")).fetchone() is not None

    def add_uploads(self, uploads: Sequence[Upload], large_bytes: int) -> None:
        """What is to be sent, after what was added before."""
        query = (
            "INSERT INTO uploads (here, large, replaces, growth_bytes) "
            "SELECT rowid, ?, ?, ? FROM here WHERE path = ?"
        )
        rows = []
        for upload in uploads:
            file, replaced = upload.here, upload.replaces
            growth_bytes = file.size - (replaced.size if replaced else 0)
            rows.append((file.size >= large_bytes, replaced is not None, growth_bytes, file.path))
        with self._database.use() as connection:
            connection.executemany(query, rows)

    def growth_bytes(self) -> int:
        """By how much the remote will hold more when all is sent."""
        with self._database.use() as connection:
            (growth_bytes,) = connection.execute(
                "SELECT COALESCE(SUM(growth_bytes), 0) FROM uploads"
            ).fetchone()
        return int(growth_bytes)

    def uploads(self, *, large: bool) -> Iterator[Upload]:
        """What is to be sent, in the order in which it was added: either what is large, or what is not."""
        last = 0
        query = "SELECT number, here, replaces FROM uploads WHERE large = ? AND number > ? ORDER BY number LIMIT ?"
        while True:
            with self._database.use() as connection:
                rows = connection.execute(query, (large, last, _CHUNK)).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            pairs = self._read([row[1] for row in rows])
            for (_number, _here, replaces), pair in zip(rows, pairs, strict=True):
                there = pair.there if replaces else None
                yield Upload(pair.here, there if isinstance(there, RemoteFile) else None)

    def _read(self, rows: Sequence[int]) -> list[Pair]:
        """The pairs of these rows, in their order."""
        marks = ",".join("?" * len(rows))
        query = f"{_PAIR} WHERE here.rowid IN ({marks})"
        with self._database.use() as connection:
            found = {row[0]: _to_pair(row) for row in connection.execute(query, tuple(rows))}
        return [found[row] for row in rows]


class NewFolders:
    """Counts the folders that are made for files on their way; safe to use from several threads."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._lock = threading.Lock()
        self._known: set[str] = set()

    def count_new(self, path: str) -> int:
        """How many folders a file at ``path`` is the first to need."""
        new = 0
        with self._lock:
            folder, is_done = path, False
            while not is_done:
                is_done = "/" not in folder
                folder = folder.rpartition("/")[0]
                if folder in self._known:
                    break
                self._known.add(folder)
                new += not self._inventory.is_folder(folder)
        return new


def _top(path: str) -> str:
    return path.partition("/")[0] if "/" in path else ""


def _to_row(entry: Entry) -> tuple[str, str, str]:
    kind = next(kind for kind, value in _KINDS.items() if isinstance(entry, value))
    # Not by ``asdict``, whose deep copies take thrice as long as all else here.
    said = {name: getattr(entry, name) for name in entry.__slots__}
    return entry.path, kind, json.dumps(said, default=dict)


def _to_entry(kind: str, said: str) -> Entry:
    return _KINDS[kind](**json.loads(said))


def _to_pair(row: tuple[Any, ...]) -> Pair:
    _rowid, path, size, mtime_ns, kind, said, *then = row
    there = None if kind is None else _to_entry(kind, said)
    return Pair(LocalFile(path, size, mtime_ns), there, None if then[0] is None else LocalFile(*then))
