"""What each local file was when it last equalled the remote's.

A row means: a file of this size and mtime had this md5, and a remote held the same content. So a file that
still has that size and mtime needs no hashing, and one that has not was changed here. It names the remote for as long
as that is known to hold the content still: what was proven with one says nothing of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.database import Database
from drivesync.disk import is_same
from drivesync.files import LocalFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

_COLUMNS = "path, size, mtime_ns, md5, revision_id, remote"
_LISTED = (
    "SELECT path, size, md5 FROM listed JOIN listings ON number = listing "
    "WHERE remote = :remote AND complete AND kind = 'file'"
)
_GONE = f"remote = :remote AND (path, size, md5) NOT IN ({_LISTED}) AND (path, size, '') NOT IN ({_LISTED})"
"""Of rows: what the last complete listing does not tell. One without a checksum is believed by its size."""
_VARIABLES = 500
"""In one statement; SQLite takes 999 at least (https://www.sqlite.org/limits.html)."""


class Index:
    """The index of one tree; a context manager, safe to use from several threads and processes.

    Args:
        tree: the local tree.
        leaves_traces: see ``Database``.
    """

    def __init__(self, tree: Path, *, leaves_traces: bool = True) -> None:
        self.database = Database(tree, leaves_traces=leaves_traces)

    def __enter__(self) -> Index:
        """Open the database, making it anew if it is damaged.

        Raises:
            LocalWriteError: it cannot be written.
        """
        self.database.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.database.__exit__(kind, error, traceback)

    def read(self) -> dict[str, LocalFile]:
        """All rows, by path."""
        with self.database.use() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM synced").fetchall()  # noqa: S608 - a constant
        return {row[0]: LocalFile(*row) for row in rows}

    def find(self, path: str) -> LocalFile | None:
        """The row of ``path``."""
        return self.among([path]).get(path)

    def among(self, paths: Sequence[str]) -> dict[str, LocalFile]:
        """The rows of ``paths``, by path."""
        found: dict[str, LocalFile] = {}
        with self.database.use() as connection:
            for start in range(0, len(paths), _VARIABLES):
                some = paths[start : start + _VARIABLES]
                marks = ",".join("?" * len(some))
                query = f"SELECT {_COLUMNS} FROM synced WHERE path IN ({marks})"  # noqa: S608 - question marks
                found.update((row[0], LocalFile(*row)) for row in connection.execute(query, some))
        return found

    def holds(self, remote: str, here: LocalFile | None) -> bool:
        """Whether ``remote``, by its name, is known to hold a file as it is ``here``."""
        known = self.find(here.path) if here is not None else None
        return known is not None and known.remote == remote and is_same(known, here)

    def forget_gone(self, remote: str, *, all_of_it: bool = False) -> list[str]:
        """Forget that ``remote`` holds what its last complete listing does not tell; returned are the paths, sorted.

        Args:
            remote: its name.
            all_of_it: it holds nothing any more, whatever was listed.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        gone = "remote = :remote" if all_of_it else _GONE
        said = {"remote": remote}
        with self.database.use() as connection:
            paths = connection.execute(f"SELECT path FROM synced WHERE {gone} ORDER BY path", said).fetchall()  # noqa: S608
            if paths:
                connection.execute(f"UPDATE synced SET remote = '' WHERE {gone}", said)  # noqa: S608 - constants
        return [path for (path,) in paths]

    def record(self, *files: LocalFile) -> None:
        """Say that each of ``files`` equals the content of a remote, of the one that it names.

        Raises:
            LocalWriteError: the disk cannot take it.
        """
        rows = [
            (file.path, file.size, file.mtime_ns, file.md5, file.revision_id, file.remote) for file in files
        ]
        with self.database.use() as connection:
            query = f"INSERT OR REPLACE INTO synced ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
            connection.executemany(query, rows)
