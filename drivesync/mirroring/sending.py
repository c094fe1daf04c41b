"""Sending single files of a tree, each verified, and none as a mixture of two contents.

    TREE/.drivesync/uploads/KEY    how far a file's write is, for a later process to go on there; see ``Remote.write``

KEY names the remote, the path, the content, and what it is to replace. It stays when the file is sent, until all are:
a listing of Drive's may not show yet what was made moments ago, and a push that was killed then, and run again, would
make a twin.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import hash_stream, is_same, local_errors, look, make_state_folder
from drivesync.errors import DamagedError, MovedError, UnfinishedError
from drivesync.files import LocalFile, RemoteFile
from drivesync.spooling.notes import FileNote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

    from drivesync.mirroring.upload_plan import Upload
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote

LARGE_BYTES = 4 << 20
"""A smaller file is read whole before it is sent, and so cannot change meanwhile."""

_FOLDER = "uploads"
_TRIES = 2
_CHANGES = 3


class ReplacedError(MovedError):
    """What was to be replaced on the remote is no longer what was listed there, and was kept."""


class _ChangedError(Exception):
    """The file was written to while it was read or sent."""


class _Sent:
    """Reports how much of a file has been sent, each byte once, and takes it back if that was in vain."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._furthest = 0

    def reach(self, at: int) -> None:
        """All before ``at`` is sent."""
        if at > self._furthest:
            self._reporter.advance(size_bytes=at - self._furthest)
            self._furthest = at

    def take_back_after(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Nothing is sent, if there was an error; for an ``ExitStack``."""
        if error is not None:
            self._reporter.advance(size_bytes=-self._furthest)


class _LargeFile(io.BufferedReader):
    """A file that tells how far it has been read."""

    def __init__(self, raw: io.FileIO, sent: _Sent) -> None:
        super().__init__(raw)
        self._sent = sent

    def read(self, size: int | None = -1, /) -> bytes:
        """See ``io.BufferedReader.read``."""
        block = super().read(size)
        self._sent.reach(self.tell())
        return block


@dataclass(frozen=True, slots=True)
class _Content:
    """What is sent.

    Attributes:
        file: as it was when it was opened, with its md5.
        sha256: lower-case hex.
        executable: its run bit.
        source: its bytes, from the first.
        is_copy: what happens to the file does not matter any more.
    """

    file: LocalFile
    sha256: str
    executable: bool
    source: BinaryIO
    is_copy: bool


@dataclass(slots=True)
class _Target:
    """Where a file goes, and what lies there; None for nothing."""

    path: str
    there: RemoteFile | None


class Sender:
    """Sends single files; safe to use from several threads.

    Args:
        remote: entered.
        tree: where the files are.
        reporter: hears how it goes.
        wait_for_turn: called with the path before each write.

    Raises:
        LocalWriteError: the state folder cannot be made.
    """

    def __init__(
        self, remote: Remote, tree: Path, reporter: Reporter, wait_for_turn: Callable[[str], None]
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._reporter = reporter
        self._wait_for_turn = wait_for_turn
        self._notes = make_state_folder(tree, _FOLDER)

    def send(self, upload: Upload) -> LocalFile:
        """Send one file; returned is what the remote holds now.

        A file that is written to meanwhile is sent again as it is then.

        Raises:
            ReplacedError: what was to be replaced is another content by now, and stays.
            DamagedError: twice, what the remote held afterwards was not what was sent.
            UnfinishedError: it is being written to all the time.
            LocalWriteError: it cannot be read.
            RemoteError: the remote cannot take it.
        """
        target = _Target(upload.here.path, upload.replaces)
        changing = Retrying(
            retry=retry_if_exception_type(_ChangedError), stop=stop_after_attempt(_CHANGES), reraise=True
        )
        try:
            return changing(self._send_verified, target)
        except _ChangedError:
            raise UnfinishedError(
                f"{target.path} is being written to all the time",
                hint="Run the same command again when nothing writes to it.",
            ) from None

    def forget(self) -> None:
        """All is sent: remove what a later process would go on with."""
        with suppress(OSError):
            for left in self._notes.iterdir():
                left.unlink()

    def _send_verified(self, target: _Target) -> LocalFile:
        again = Retrying(
            retry=retry_if_exception_type(DamagedError), stop=stop_after_attempt(_TRIES), reraise=True
        )
        return again(self._send_once, target)

    def _send_once(self, target: _Target) -> LocalFile:
        sent = _Sent(self._reporter)
        with ExitStack() as stack:
            stack.push(sent.take_back_after)
            content = self._open(target.path, stack, sent)
            note = self._note_of(target, content)
            self._wait_for_turn(target.path)
            # What is tried again replaces what this try has made.
            target.there = there = self._write(target, content, note)
            file = content.file
            if not _holds(there, content):
                self._refuse_change(content)
                raise DamagedError(
                    f"{target.path} is not on the remote as it was sent: expected {file.size} bytes with md5 "
                    f"{file.md5}, it has {there.size} bytes with md5 {there.md5}"
                )
            sent.reach(file.size)
        return replace(file, revision_id=there.revision_id)

    def _write(self, target: _Target, content: _Content, note: FileNote) -> RemoteFile:
        file, before = content.file, target.there
        try:
            return self._remote.write(
                target.path,
                content.source,
                size=file.size,
                modified_s=file.mtime_ns / 1e9,
                properties={},
                executable=content.executable,
                replaces=before,
                before_end=lambda: self._check(content, before),
                note=note,
            )
        except MovedError:
            if not content.is_copy:
                # It ended early, maybe.
                self._refuse_change(content)
            raise

    def _open(self, path: str, stack: ExitStack, sent: _Sent) -> _Content:
        """What ``path`` is now.

        Raises:
            _ChangedError: it was written to while it was read.
        """
        place = self._tree / path
        with local_errors(place, "read"):
            raw = stack.enter_context(io.FileIO(place))
            status = os.fstat(raw.fileno())
            is_copy = status.st_size < LARGE_BYTES
            source: BinaryIO = io.BytesIO(raw.read(LARGE_BYTES)) if is_copy else _LargeFile(raw, sent)
            sums = hash_stream(source if is_copy else raw)
            source.seek(0)
        file = LocalFile(path, status.st_size, status.st_mtime_ns, sums.md5)
        content = _Content(file, sums.sha256, bool(status.st_mode & stat.S_IXUSR), source, is_copy)
        if sums.size != file.size:
            raise _ChangedError
        self._refuse_change(content)
        return content

    def _check(self, content: _Content, before: RemoteFile | None) -> None:
        """See that the last byte may go out.

        Raises:
            _ChangedError: the file is no longer what it was when its first byte went out.
            ReplacedError: what lies there is no longer what is to be replaced.
        """
        if not content.is_copy:
            self._refuse_change(content)
        if before is not None:
            now = self._remote.renew(before)
            # After an answer that was lost it is what was sent.
            if now is None or not (_is_same_content(now, before) or _holds(now, content)):
                raise ReplacedError(
                    f"{before.path} was changed on the remote meanwhile, and kept as it is there"
                )

    def _refuse_change(self, content: _Content) -> None:
        if not is_same(look(self._tree, content.file.path), content.file):
            raise _ChangedError

    def _note_of(self, target: _Target, content: _Content) -> FileNote:
        replaced = "" if target.there is None else target.there.id
        named = repr((self._remote.name, target.path, content.file.md5, replaced))
        return FileNote(self._notes / hashlib.sha256(named.encode()).hexdigest()[:32])


def _holds(there: RemoteFile, content: _Content) -> bool:
    same = (there.size, there.md5) == (content.file.size, content.file.md5)
    return same and there.sha256 in {"", content.sha256}


def _is_same_content(one: RemoteFile, other: RemoteFile) -> bool:
    if one.revision_id and other.revision_id:
        return one.revision_id == other.revision_id
    return (one.size, one.md5) == (other.size, other.md5)
