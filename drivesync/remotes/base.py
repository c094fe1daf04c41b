"""What every remote promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.files import Changes, LeaseRecord, Page, RemoteFile, Room
    from drivesync.remotes.usage import Usage


class Sink(Protocol):
    """Takes the bytes of a download, in order."""

    def write(self, block: bytes) -> None:
        """Append ``block``."""


class Note(Protocol):
    """Where a write leaves word of how far it is, for a later process; a secret, so only its owner may read it."""

    def read(self) -> str:
        """What was left; empty if nothing was."""

    def write(self, text: str) -> None:
        """Leave ``text``, durably, in place of what was left before."""


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
        proves: what ``write`` returns is so for good. False for a mounted folder, which may be synced later.
        usage: what it has been asked for so far.
    """

    name: str
    workers: int
    pull_only: bool
    reads_ranges: bool
    proves: bool
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
        before_end: Callable[[], None] = lambda: None,
        note: Note | None = None,
    ) -> RemoteFile:
        """Put ``size`` bytes of ``source`` (seekable) at ``path``, making folders as needed.

        With ``replaces`` the file keeps its id and its old content is served until the new one is complete.
        Without, exactly one file is made, however often a request had to be repeated. Returned is what the
        remote holds afterwards; the caller compares checksums.

        Args:
            path: of the file in the tree.
            source: from its start.
            size: in bytes.
            modified_s: Unix time that the file is to have.
            properties: kept with the file; others that it has stay.
            executable: its run bit.
            replaces: what lies there, from ``find``.
            before_end: called once the rest is sent, before the last byte goes out; what it raises leaves the old
                content as it is. Called again if the last bytes have to be sent again.
            note: what an earlier process left when it was cut short in the same write; this one goes on there.

        Raises:
            RemoteFullError: there is no room.
        """

    def delete(self, file: RemoteFile) -> None:
        """Remove ``file`` for good, its room included; that it is gone already is no error."""

    def move(self, file: RemoteFile, path: str) -> RemoteFile:
        """Give ``file`` another path in the tree, making folders as needed; its id and content stay."""

    def room(self) -> Room | None:
        """What fits; None where nobody can tell."""

    def now_s(self) -> float:
        """Unix time by the remote's clock, which all sessions share."""

    def find_lease(self, run: str) -> LeaseRecord | None:
        """The newest record of ``run``'s lease; None if nobody has ever had it."""

    def claim_lease(self, run: str, after: LeaseRecord | None, holder: str, who: str) -> LeaseRecord | None:
        """Take the turn after ``after`` (None: the first); None if another session was faster.

        Of any number of sessions that claim the same turn exactly one gets it, whenever they do. A claim that is
        repeated by the same ``holder``, since an answer was lost, is answered as the first.
        """

    def renew_lease(self, record: LeaseRecord, *, release: bool = False) -> LeaseRecord:
        """Say that the session is still there, or with ``release`` that it is done; returned is the new record.

        Raises:
            NotFoundError: the record is gone, so that the turn has ended long ago.
        """

    def next_lease(self, record: LeaseRecord) -> LeaseRecord | None:
        """The record that ended ``record``'s turn; None while it lasts.

        Raises:
            NotFoundError: ``record`` itself is gone.
        """


@runtime_checkable
class PackingRemote(Remote, Protocol):
    """A remote beside whose trees packs are kept: where each file that is read costs, whatever its size."""

    def files_in(self, path: str) -> tuple[RemoteFile, ...]:
        """The files that lie in the folder at ``path`` itself, in any order; none where there is no such folder.

        Unlike ``list`` it looks into drivesync's own folder, too, and tells all files of one name.
        """
