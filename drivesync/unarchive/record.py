"""What was unpacked: of each archive the content it had, and what each member was when it lay in its place.

Kept in the tree's database. Lost, it costs fetching the archives once more, never a file: what lies in a member's place
is compared with the member then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.files import LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from drivesync.database import Database
    from drivesync.files import RemoteFile

_TABLES = """
CREATE TABLE IF NOT EXISTS unpacked_archives (path TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unpacked_members (
    archive TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, md5 TEXT NOT NULL,
    content TEXT NOT NULL, PRIMARY KEY (archive, path, size, mtime_ns)
) WITHOUT ROWID
"""
_BEFORE = ""
"""In place of a content's name: written by an attempt that did not come to its end."""
_NOW = "?"
"""Likewise: written by the one that is under way."""
_ROWS = 1000
_VARIABLES = 500
"""In one statement; SQLite takes 999 at least (https://www.sqlite.org/limits.html)."""

NOT_OURS_NS = -1
"""The mtime in a row of a member in whose place somebody's own file lies: no file has it."""


class Record:
    """The record of one archive; used by one thread. See ``open_record``.

    A member may have several rows: each is a state in which nobody but us has left it, so that it may be written over.

    Args:
        database: entered.
        archive: its path in the tree.
        content: names the content that it has now.
    """

    def __init__(self, database: Database, archive: str, content: str) -> None:
        self._database = database
        self._archive = archive
        self._content = content

    def is_complete(self) -> bool:
        """Whether this content was unpacked to its end."""
        with self._database.use() as connection:
            query = "SELECT content FROM unpacked_archives WHERE path = ?"
            row = connection.execute(query, (self._archive,)).fetchone()
        return row is not None and row[0] == self._content

    def members(self) -> Iterator[LocalFile]:
        """What was unpacked, sorted by path; may be changed meanwhile."""
        query = (
            "SELECT path, size, mtime_ns, md5 FROM unpacked_members "
            "WHERE archive = ? AND (path, size, mtime_ns) > (?, ?, ?) ORDER BY path, size, mtime_ns LIMIT ?"
        )
        after: tuple[str, int, int] = ("", 0, 0)
        while True:
            with self._database.use() as connection:
                rows = connection.execute(query, (self._archive, *after, _ROWS)).fetchall()
            if not rows:
                return
            yield from (LocalFile(*row) for row in rows)
            after = rows[-1][:3]

    def among(self, paths: Sequence[str]) -> dict[str, tuple[LocalFile, ...]]:
        """Of ``paths`` those that are members, of whichever content, with all states in which each was left."""
        found: dict[str, tuple[LocalFile, ...]] = {}
        with self._database.use() as connection:
            for start in range(0, len(paths), _VARIABLES):
                some = paths[start : start + _VARIABLES]
                query = (
                    "SELECT path, size, mtime_ns, md5 FROM unpacked_members "  # noqa: S608 - question marks
                    f"WHERE archive = ? AND path IN ({','.join('?' * len(some))}) ORDER BY path, size, mtime_ns"
                )
                for row in connection.execute(query, (self._archive, *some)):
                    found[row[0]] = (*found.get(row[0], ()), LocalFile(*row))
        return found

    def find(self, here: LocalFile) -> tuple[bool, bool]:
        """Whether we left ``here`` so, and whether it is known to be what this content has there."""
        with self._database.use() as connection:
            row = connection.execute(
                "SELECT content FROM unpacked_members WHERE archive = ? AND path = ? AND size = ? AND mtime_ns = ?",
                (self._archive, here.path, here.size, here.mtime_ns),
            ).fetchone()
        return row is not None, row is not None and row[0] == self._content

    def begin(self) -> None:
        """An attempt begins; what earlier ones left counts as ours, and for nothing more."""
        with self._database.use() as connection:
            connection.execute("DELETE FROM unpacked_archives WHERE path = ?", (self._archive,))
            connection.execute(
                "UPDATE unpacked_members SET content = ? WHERE archive = ? AND content = ?",
                (_BEFORE, self._archive, _NOW),
            )

    def add(self, members: Iterable[LocalFile]) -> None:
        """These, with their checksums, lie in their places, or are about to."""
        rows = [(self._archive, file.path, file.size, file.mtime_ns, file.md5, _NOW) for file in members]
        with self._database.use() as connection:
            # An archive may hold several of one path.
            connection.executemany(
                "UPDATE unpacked_members SET content = ? WHERE archive = ? AND path = ? AND content = ?",
                [(_BEFORE, row[0], row[1], _NOW) for row in rows],
            )
            connection.executemany("INSERT OR REPLACE INTO unpacked_members VALUES (?, ?, ?, ?, ?, ?)", rows)

    def touch(self, before: LocalFile, now: LocalFile) -> None:
        """A member of this content is still what it was, but for its time."""
        with self._database.use() as connection:
            connection.execute(
                "UPDATE OR REPLACE unpacked_members SET mtime_ns = ? "
                "WHERE archive = ? AND path = ? AND size = ? AND mtime_ns = ?",
                (now.mtime_ns, self._archive, before.path, before.size, before.mtime_ns),
            )

    def complete(self) -> None:
        """All of this content is in its place, and was what the remote says; all other states are forgotten."""
        with self._database.use() as connection:
            connection.execute(
                "DELETE FROM unpacked_members WHERE archive = ? AND content <> ? AND (content <> ? "
                "OR path IN (SELECT path FROM unpacked_members WHERE archive = ? AND content = ?))",
                (self._archive, _NOW, self._content, self._archive, _NOW),
            )
            connection.execute(
                "UPDATE unpacked_members SET content = ? WHERE archive = ? AND content = ?",
                (self._content, self._archive, _NOW),
            )
            connection.execute(
                "INSERT OR REPLACE INTO unpacked_archives VALUES (?, ?)", (self._archive, self._content)
            )


class Records:
    """The records of all archives of a tree; used by one thread.

    Args:
        database: entered.

    Raises:
        LocalWriteError: the disk cannot take it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        _make_tables(database)

    def archives(self) -> list[str]:
        """Paths of all archives of which anything was unpacked, sorted."""
        query = "SELECT path FROM unpacked_archives UNION SELECT archive FROM unpacked_members ORDER BY 1"
        with self._database.use() as connection:
            return [path for (path,) in connection.execute(query)]

    def open(self, archive: str, there: RemoteFile | None) -> Record:
        """The record of one archive.

        Args:
            archive: its path in the tree.
            there: what lies there on the remote; None for nothing, and then nothing counts as unpacked to its end.
        """
        return Record(self._database, archive, _BEFORE if there is None else name_content(there))


def open_record(database: Database, archive: str, content: str) -> Record:
    """The record of one archive, empty if there is none yet; see ``Record``.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    _make_tables(database)
    return Record(database, archive, content)


def name_content(file: RemoteFile) -> str:
    """What a record calls the content of an archive."""
    # A remote that tells a checksum only by reading the file names its content, nevertheless.
    return file.md5 or f"{file.size} {file.revision_id}"


def _make_tables(database: Database) -> None:
    with database.use() as connection:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
