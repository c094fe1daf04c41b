"""The SQLite file in which a tree keeps what it knows of itself and of its remote."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, make_state_folder
from drivesync.errors import LocalWriteError
from drivesync.files import STATE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

_NAME = "index.sqlite"
_NAMELESS = ""
"""A file among the temporary ones that goes with its connection; in memory, a large tree would be too large."""
_VERSION = 3
"""Of the tables. Another one's are thrown away, which costs hashing and a listing, never a file."""
_WITHOUT_REMOTE = 2
"""That one's have all but a column."""

_TABLES = """
CREATE TABLE IF NOT EXISTS synced (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, md5 TEXT NOT NULL,
    revision_id TEXT NOT NULL, remote TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listings (
    number INTEGER PRIMARY KEY, remote TEXT NOT NULL, mark TEXT NOT NULL, complete INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS listed (
    listing INTEGER NOT NULL, folder TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
    size INTEGER NOT NULL, md5 TEXT NOT NULL, modified_s REAL NOT NULL, sha256 TEXT NOT NULL,
    revision_id TEXT NOT NULL, executable INTEGER, resource_key TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS listed_by_folder ON listed (listing, folder, modified_s DESC, id DESC);
CREATE INDEX IF NOT EXISTS listed_by_id ON listed (listing, id);
"""


class Database:
    """``TREE/.drivesync/index.sqlite``; a context manager, safe to use from several threads and processes.

    Args:
        tree: the local tree.
        leaves_traces: False for a copy of what is there, if anything is: what is written goes with it, and whoever
            uses the file at the same time does not notice.
    """

    def __init__(self, tree: Path, *, leaves_traces: bool = True) -> None:
        self._tree = tree
        self._leaves_traces = leaves_traces
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def __enter__(self) -> Database:
        """Open the database, making it anew if it is damaged.

        Raises:
            LocalWriteError: it cannot be written.
        """
        if not self._leaves_traces:
            self._connection = _open_copy(self._tree / STATE_FOLDER / _NAME)
            return self
        path = make_state_folder(self._tree) / _NAME
        with local_errors(path):
            try:
                self._connection = _open_sound(path)
            except sqlite3.Error as error:
                raise self._translate(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one use at a time; what is written within is written whole or not at all.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        if self._connection is None:
            raise RuntimeError("the database is used outside its context")
        try:
            with self._lock, self._connection:
                yield self._connection
        except sqlite3.Error as error:
            raise self._translate(error) from error

    def _translate(self, error: sqlite3.Error) -> LocalWriteError:
        hint = "Is the disk full or read-only?"
        return LocalWriteError(
            f"cannot use the index {self._tree / STATE_FOLDER / _NAME}: {error}", hint=hint
        )


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


def _open_copy(path: Path) -> sqlite3.Connection:
    try:
        # Where there is no file, this makes none.
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as kept:
            return _open(_NAMELESS, kept)
    except sqlite3.Error:
        # It is not there, or torn, or of a disk that cannot be written to: to know nothing costs hashing and a listing.
        return _open(_NAMELESS)


def _open(path: Path | str, copied: sqlite3.Connection | None = None) -> sqlite3.Connection:
    # The lock above serialises the threads.
    connection = sqlite3.connect(path, timeout=30, check_same_thread=False)
    try:
        if copied is not None:
            copied.backup(connection)
        # Losing the last rows to a crash of the machine costs hashing only, so no fsync for each.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if _version(connection) != _VERSION:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                _make_tables(connection)
        _refuse_torn(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _make_tables(connection: sqlite3.Connection) -> None:
    version = _version(connection)
    # Another process may have been faster.
    if version == _VERSION:
        return
    if version == _WITHOUT_REMOTE:
        connection.execute("ALTER TABLE synced ADD COLUMN remote TEXT NOT NULL DEFAULT ''")
    else:
        for table in ("synced", "listings", "listed"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_VERSION}")


def _refuse_torn(connection: sqlite3.Connection) -> None:
    # A page torn in the middle would else be found in the midst of a pull.
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
