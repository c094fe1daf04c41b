"""What every remote promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.files import Changes, Page, RemoteFile
    from drivesync.remotes.usage import Usage


class Sink(Protocol):
    """Takes the bytes of a download, in order."""

    def write(self, block: bytes) -> None:
        """Append ``block``."""


class Remote(Protocol):
    """A place where one tree is kept; a context manager whose methods may be called from any thread.

    Each method retries by itself what a retry can help, so whoever calls need not. All raise
    TransientError when the retries are used up, NotAllowedError when the credentials do not do, and
    RemoteError otherwise.

    Attributes:
        name: as the user gave it; opens the same place again.
        workers: so many calls of ``read`` at once are worth their while.
        pull_only: ``write`` always fails.
        reads_ranges: ``read`` may begin anywhere without reading what lies before.
        usage: what it has been asked for so far.
    """

    name: str
    workers: int
    pull_only: bool
    reads_ranges: bool
    usage: Usage

    def __enter__(self) -> Remote: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    @property
    def slowed_by(self) -> str:
        """What holds requests back at this moment, in the user's words; empty if nothing does."""

    def cancel(self) -> None:
        """End what other threads are doing here: their calls fail soon, and no later call works."""

    def list(self) -> Iterator[Page]:
        """Every file below the tree's folder; what cannot be a local file as ``Skipped``.

        Pages come as the remote tells them, so that work on the first may begin before the last is known. The
        tree's own folder comes first.

        Raises:
            NotFoundError: there is no such folder.
        """

    def mark(self) -> str:
        """A name for this moment, for ``changes``; empty where this remote cannot tell what has changed since."""

    def changes(self, mark: str, folders: Mapping[str, str]) -> Changes:
        """What is not as it was listed after ``mark`` was taken.

        Args:
            mark: from ``mark``, or from the changes before.
            folders: path by id of all folders that were listed.

        Raises:
            StaleMarkError: that can be told only by a new listing.
        """

    def most_bytes(self) -> int | None:
        """A bound on the size of what ``list`` can bring; None where nobody can tell without listing."""

    def find(self, path: str) -> RemoteFile | None:
        """The file at ``path``, as it is now, md5 included; None if there is none.

        Of several with this path it is the one that ``list`` names first.
        """

    def renew(self, file: RemoteFile) -> RemoteFile | None:
        """``file`` (the very same, by its id) as it is now, md5 included; None if it is gone."""

    def read(self, file: RemoteFile, sink: Sink, first: int = 0, last: int | None = None) -> None:
        """Write bytes ``first`` to ``last`` (included; None: to the end) to ``sink``; resumed where a connection broke.

        Unchecked: the caller compares checksums.

        Raises:
            MovedError: the content is no longer the one that ``file`` describes.
        """

    def write(
        self,
        path: str,
        source: BinaryIO,
        *,
        size: int,
        modified_s: float,
        properties: Mapping[str, str],
        executable: bool,
        replaces: RemoteFile | None,
    ) -> RemoteFile:
        """Put ``size`` bytes of ``source`` (seekable) at ``path``, making folders as needed.

        With ``replaces`` the file keeps its id and its old content is served until the new one is complete.
        Without, exactly one file is made, however often a request had to be repeated. Returned is what the
        remote holds afterwards; the caller compares checksums.
        """
