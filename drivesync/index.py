"""What each local file was when it last equalled the remote's, in ``TREE/.drivesync/index.sqlite``.

A row means: a file of this size and mtime had this md5, and the remote held the same content. So a file that
still has that size and mtime needs no hashing, and one that has not was changed here.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, make_state_folder
from drivesync.errors import LocalWriteError
from drivesync.files import LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

_SCHEMA = """
CREATE TABLE IF NOT EXISTS synced (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, md5 TEXT NOT NULL
) WITHOUT ROWID
"""


class Index:
    """The index of one tree; a context manager, safe to use from several threads and processes."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None

    def __enter__(self) -> Index:
        """Open the database, making it anew if it is damaged.

        Raises:
            LocalWriteError: it cannot be written.
        """
        path = make_state_folder(self._tree) / "index.sqlite"
        with local_errors(path):
            try:
                self._database = _open_sound(path)
            except sqlite3.Error as error:
                raise _translate(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def read(self) -> dict[str, LocalFile]:
        """All rows, by path."""
        with self._use() as database:
            rows = database.execute("SELECT path, size, mtime_ns, md5 FROM synced").fetchall()
        return {path: LocalFile(path, size, mtime_ns, md5) for path, size, mtime_ns, md5 in rows}

    def find(self, path: str) -> LocalFile | None:
        """The row of ``path``."""
        with self._use() as database:
            row = database.execute(
                "SELECT path, size, mtime_ns, md5 FROM synced WHERE path = ?", (path,)
            ).fetchone()
        return LocalFile(*row) if row else None

    def record(self, *files: LocalFile) -> None:
        """Say that each of ``files`` equals the remote's.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        rows = [(file.path, file.size, file.mtime_ns, file.md5) for file in files]
        with self._use() as database:
            database.executemany("INSERT OR REPLACE INTO synced VALUES (?, ?, ?, ?)", rows)

    @contextmanager
    def _use(self) -> Iterator[sqlite3.Connection]:
        if self._database is None:
            raise RuntimeError("the index is used outside its context")
        try:
            with self._lock, self._database:
                yield self._database
        except sqlite3.Error as error:
            raise _translate(error) from error


def _open_sound(path: Path) -> sqlite3.Connection:
    try:
        return _open(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        # A torn index costs hashing, never a file: local files are compared with the remote's md5 again.
        # SQLite itself throws the log of a database away that is new and empty.
        path.unlink()
        return _open(path)


def _open(path: Path) -> sqlite3.Connection:
    # The lock above serialises the threads.
    database = sqlite3.connect(path, timeout=30, check_same_thread=False)
    try:
        with database:
            # Losing the last rows to a crash of the machine costs hashing only, so no fsync for each.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(_SCHEMA)
        _refuse_torn(database)
    except BaseException:
        database.close()
        raise
    return database


def _refuse_torn(database: sqlite3.Connection) -> None:
    # A page torn in the middle would else be found in the midst of a pull.
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _translate(error: sqlite3.Error) -> LocalWriteError:
    hint = "Is the disk full or read-only?"
    return LocalWriteError(f"cannot use the index in .drivesync: {error}", hint=hint)
