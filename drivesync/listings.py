"""What a remote was last seen to hold, so that a second pull asks only for what has changed since."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from drivesync.files import Changes, Entry, Page, RemoteFile, RemoteFolder, Skipped

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from drivesync.database import Database

_FILE, _FOLDER, _SKIPPED = "file", "folder", "skipped"
_COLUMNS = "path, id, kind, size, md5, modified_s, sha256, revision_id, executable, resource_key, reason"
_ORDER = "ORDER BY folder, modified_s DESC, id DESC"
_PAGE_ROWS = 900
"""Fewer than the variables that a statement of SQLite can always have: https://www.sqlite.org/limits.html."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One listing that was stored; ``mark`` is empty where the remote cannot tell changes."""

    number: int
    mark: str


class Listings:
    """The stored listings of a tree's remotes; safe to use from several threads.

    Args:
        database: entered.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, remote: str) -> Listing | None:
        """The last complete listing of ``remote``."""
        with self._database.use() as connection:
            row = connection.execute(
                "SELECT number, mark FROM listings WHERE remote = ? AND complete ORDER BY number DESC",
                (remote,),
            ).fetchone()
        return Listing(*row) if row else None

    def begin(self, remote: str, mark: str) -> Listing:
        """A new listing, empty; the last complete one stays what ``find`` returns until this one is complete.

        Args:
            remote: its name.
            mark: taken before the listing began.
        """
        with self._database.use() as connection:
            # What a killed pull left.
            connection.execute(
                "DELETE FROM listed WHERE listing NOT IN (SELECT number FROM listings WHERE complete)"
            )
            connection.execute("DELETE FROM listings WHERE NOT complete")
            cursor = connection.execute(
                "INSERT INTO listings (remote, mark, complete) VALUES (?, ?, 0)", (remote, mark)
            )
            return Listing(cursor.lastrowid or 0, mark)

    def add(self, listing: Listing, entries: Iterable[Entry]) -> None:
        """More of what the remote holds."""
        with self._database.use() as connection:
            _insert(connection, listing, entries)

    def complete(self, listing: Listing) -> None:
        """``listing`` is whole, and takes the place of the one before."""
        with self._database.use() as connection:
            (remote,) = connection.execute(
                "SELECT remote FROM listings WHERE number = ?", (listing.number,)
            ).fetchone()
            old = "SELECT number FROM listings WHERE remote = ? AND number != ?"
            connection.execute(f"DELETE FROM listed WHERE listing IN ({old})", (remote, listing.number))  # noqa: S608
            connection.execute(
                "DELETE FROM listings WHERE remote = ? AND number != ?", (remote, listing.number)
            )
            connection.execute("UPDATE listings SET complete = 1 WHERE number = ?", (listing.number,))

    def total_bytes(self, listing: Listing) -> int:
        """The size of all files."""
        with self._database.use() as connection:
            (total,) = connection.execute(
                "SELECT COALESCE(SUM(size), 0) FROM listed WHERE listing = ?", (listing.number,)
            ).fetchone()
        return int(total)

    def folders(self, listing: Listing) -> dict[str, str]:
        """Path by id of all folders."""
        with self._database.use() as connection:
            return dict(
                connection.execute(
                    "SELECT id, path FROM listed WHERE listing = ? AND kind = ?", (listing.number, _FOLDER)
                )
            )

    def apply(self, listing: Listing, changes: Changes) -> None:
        """Bring ``listing`` up to ``changes.mark``."""
        with self._database.use() as connection:
            connection.executemany(
                "DELETE FROM listed WHERE listing = ? AND id = ?",
                ((listing.number, gone) for gone in changes.gone),
            )
            _insert(connection, listing, changes.entries)
            connection.execute(
                "UPDATE listings SET mark = ? WHERE number = ?", (changes.mark, listing.number)
            )

    def pages(self, listing: Listing) -> Iterator[Page]:
        """All of ``listing``, as ``Remote.list`` tells it: folder by folder, in each the newest first."""
        with self._database.use() as connection:
            # Only the order is held, never a query: while one is open, what another process writes keeps this one
            # from writing.
            query = f"SELECT rowid FROM listed WHERE listing = ? {_ORDER}"  # noqa: S608 - a constant
            rows = array("q", (row[0] for row in connection.execute(query, (listing.number,))))
        following = self._read(rows[:_PAGE_ROWS])
        for start in range(0, len(rows), _PAGE_ROWS):
            page, following = following, self._read(rows[start + _PAGE_ROWS : start + 2 * _PAGE_ROWS])
            ends = not following or following[0][0] != page[-1][0]
            yield Page(tuple(_from_row(row[1:]) for row in page), ends)

    def _read(self, rows: array[int]) -> list[tuple[Any, ...]]:
        marks = ",".join("?" * len(rows))
        query = f"SELECT folder, {_COLUMNS} FROM listed WHERE rowid IN ({marks}) {_ORDER}"  # noqa: S608 - constants
        with self._database.use() as connection:
            return connection.execute(query, rows).fetchall()


def _insert(connection: sqlite3.Connection, listing: Listing, entries: Iterable[Entry]) -> None:
    connection.executemany(
        f"INSERT INTO listed (listing, folder, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
        ((listing.number, entry.path.rpartition("/")[0], *_to_row(entry)) for entry in entries),
    )


def _to_row(entry: Entry) -> tuple[Any, ...]:
    if isinstance(entry, RemoteFolder):
        return entry.path, entry.id, _FOLDER, 0, "", 0.0, "", "", None, "", ""
    if isinstance(entry, Skipped):
        return entry.path, entry.id, _SKIPPED, 0, "", 0.0, "", "", None, "", entry.reason
    return (
        entry.path,
        entry.id,
        _FILE,
        entry.size,
        entry.md5,
        entry.modified_s,
        entry.sha256,
        entry.revision_id,
        entry.executable,
        entry.resource_key,
        "",
    )


def _from_row(row: tuple[Any, ...]) -> Entry:
    path, id_, kind, size, md5, modified_s, sha256, revision_id, executable, resource_key, reason = row
    if kind == _FOLDER:
        return RemoteFolder(path, id_)
    if kind == _SKIPPED:
        return Skipped(path, reason, id_)
    run_bit = None if executable is None else bool(executable)
    return RemoteFile(path, id_, size, md5, modified_s, sha256, revision_id, run_bit, resource_key)
