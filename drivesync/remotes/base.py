"""What every remote promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType
    from typing import BinaryIO

    from drivesync.files import RemoteFile, Skipped


class Sink(Protocol):
    """Takes the bytes of a download, in order."""

    def write(self, block: bytes) -> None:
        """Append ``block``."""


class Remote(Protocol):
    """A place where one tree is kept; a context manager whose methods may be called from any thread.

    Each method retries by itself what a retry can help, so whoever calls need not. All raise
    TransientError when the retries are used up, NotAllowedError when the credentials do not do, and
    RemoteError otherwise.
    """

    name: str
    """As the user gave it."""

    def __enter__(self) -> Remote: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def cancel(self) -> None:
        """End what other threads are doing here: their calls fail soon, and no later call works."""

    def list(self) -> Iterator[RemoteFile | Skipped]:
        """Every file below the tree's folder, in any order; what cannot be a local file as ``Skipped``.

        Raises:
            NotFoundError: there is no such folder.
        """

    def find(self, path: str) -> RemoteFile | None:
        """The file at ``path``, as it is now; None if there is none.

        Of several with this path it is the one that ``list`` and ``plan.resolve_names`` would choose.
        """

    def read(self, file: RemoteFile, sink: Sink) -> None:
        """Write the content of ``file`` to ``sink``, unchecked; resumed where a connection broke."""

    def write(
        self,
        path: str,
        source: BinaryIO,
        *,
        size: int,
        modified_s: float,
        properties: Mapping[str, str],
        replaces: RemoteFile | None,
    ) -> RemoteFile:
        """Put ``size`` bytes of ``source`` (seekable) at ``path``, making folders as needed.

        With ``replaces`` the file keeps its id and its old content is served until the new one is complete.
        Without, exactly one file is made, however often a request had to be repeated. Returned is what the
        remote holds afterwards; the caller compares checksums.
        """
