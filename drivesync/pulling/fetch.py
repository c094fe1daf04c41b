"""Fetch: brings one file, whole and verified, or says why not.

Small files come in one read and are hashed on their way; for large ones see ``assembly``, and
``mending`` for what becomes of those that came damaged.
"""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from drivesync.disk import BLOCK_BYTES, is_same, look, looks_executable
from drivesync.errors import (
    DamagedError,
    LocalWriteError,
    MovedError,
    NotFoundError,
    UnfinishedError,
)
from drivesync.files import LocalFile
from drivesync.pulling.assembly import (
    HEAD_BYTES,
    NOTE_EVERY_BYTES,
    Assembly,
    Content,
    Count,
    Digest,
    PartSink,
)
from drivesync.pulling.mending import mend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from drivesync.files import RemoteFile
    from drivesync.progress import Reporter
    from drivesync.pulling.part import Part
    from drivesync.pulling.parts import Parts
    from drivesync.remotes.base import Remote

_TRIES = 3
_MOVES = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch, and what was in its place when that was decided."""

    file: RemoteFile
    here: LocalFile | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A file that is here, whole and verified, and not yet in its place.

    Attributes:
        wanted: what it is.
        md5: of its content.
        part: what holds it.
        stack: closed when it is in its place, or cannot be.
    """

    wanted: Wanted
    md5: str
    part: Part
    stack: ExitStack


class Fetch:
    """Brings single files; safe to use from several threads.

    Args:
        remote: entered.
        tree: where the files go.
        parts: of ``tree``.
        reporter: hears how it goes.
        run_ranges: runs each of a file's jobs in some other thread, whatever they raise.
    """

    def __init__(
        self,
        remote: Remote,
        tree: Path,
        parts: Parts,
        reporter: Reporter,
        run_ranges: Callable[[RemoteFile, list[Callable[[], None]]], None],
    ) -> None:
        self._remote = remote
        self._tree = tree
        self._parts = parts
        self._reporter = reporter
        self._run_ranges = run_ranges

    def is_large(self, file: RemoteFile) -> bool:
        """Whether ``file`` comes in ranges, for which other threads are needed."""
        # What a kill costs of a smaller one is no more. And only a checksum that was told beforehand can be compared
        # with what came in pieces.
        return file.size > NOTE_EVERY_BYTES and self._remote.reads_ranges and bool(file.md5)

    def bring(self, wanted: Wanted) -> Ready:
        """Fetch a file, again if its bytes are not what the remote's checksum says; it is to be given to ``commit``.

        Raises:
            DamagedError: the bytes were wrong every time.
            UnfinishedError: it is changed on the remote all the time.
            NotFoundError: it was deleted on the remote meanwhile.
        """
        # The policy of repeats costs more than all else of a small file, so it is asked only where it has to be.
        try:
            return self._bring_once(wanted)
        except (DamagedError, MovedError) as error:
            trouble: list[DamagedError | MovedError] = [error]

        def bring_once(wanted: Wanted) -> Ready:
            if trouble:
                raise trouble.pop()
            return self._bring_once(wanted)

        return self._bring_again(wanted, bring_once)

    def take(self, wanted: Wanted, content: bytes | bytearray | memoryview) -> Ready:
        """Write a file whose content has come already, in a pack with others; it is to be given to ``commit``.

        Raises:
            DamagedError: that is not its content; nothing is written.
            LocalWriteError: the disk cannot take it.
        """
        file = wanted.file
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        brought = Content(len(content), md5, bytes(content[:HEAD_BYTES]))
        _refuse_damage(file, brought)
        count = Count(self._reporter)
        with ExitStack() as stack:
            stack.push(count.take_back_after)
            part = stack.enter_context(self._parts.open(file, resumable=False))
            part.write_at(0, content)
            count.add(len(content))
            return _settle(wanted, brought, part, stack)

    def _bring_again(self, wanted: Wanted, bring_once: Callable[[Wanted], Ready]) -> Ready:
        file = wanted.file
        moving = Retrying(
            retry=retry_if_exception_type(MovedError), stop=stop_after_attempt(_MOVES), reraise=True
        )
        try:
            for attempt in moving:
                with attempt:
                    if attempt.retry_state.attempt_number > 1:
                        file = self._look_again(file)
                    return self._bring_content(replace(wanted, file=file), bring_once)
        except MovedError as error:
            raise UnfinishedError(
                f"{file.path} is being changed on the remote all the time",
                hint="Run the same command again when nothing writes to it there.",
            ) from error
        raise AssertionError("tenacity ends with a result or an error")

    def _look_again(self, file: RemoteFile) -> RemoteFile:
        now = self._remote.renew(file)
        if now is None:
            raise NotFoundError(f"{file.path} was deleted on the remote while it was being pulled")
        return replace(now, path=file.path)

    def _refuse_move(self, file: RemoteFile) -> None:
        if _content_of(self._look_again(file)) != _content_of(file):
            raise MovedError(f"{file.path} was changed while it was read")

    def _bring_content(self, wanted: Wanted, bring_once: Callable[[Wanted], Ready]) -> Ready:
        """Fetch what ``wanted`` describes; a checksum that fails three times is an error.

        Raises:
            MovedError: the remote holds another content by now.
        """
        # What came in ranges was fetched again where that could help.
        tries = 1 if self.is_large(wanted.file) else _TRIES
        again = Retrying(
            retry=retry_if_exception_type(DamagedError), stop=stop_after_attempt(tries), reraise=True
        )
        for attempt in again:
            with attempt:
                try:
                    return bring_once(wanted)
                except DamagedError:
                    self._refuse_move(wanted.file)
                    raise
        raise AssertionError("tenacity ends with a result or an error")

    def _bring_once(self, wanted: Wanted) -> Ready:
        file = wanted.file
        count = Count(self._reporter)
        with ExitStack() as stack:
            stack.push(count.take_back_after)
            part = stack.enter_context(self._parts.open(file, resumable=self.is_large(file)))
            if self.is_large(file):
                content = self._read_ranges(file, part, count)
            else:
                content = self._read_whole(file, part, count)
            _refuse_damage(file, content)
            return _settle(wanted, content, part, stack)

    def sync(self, group: Sequence[Ready]) -> None:
        """Flush files that were brought, together; ``commit`` tells how that went."""
        self._parts.sync([ready.part for ready in group])

    def commit(self, ready: Ready) -> LocalFile:
        """Put a file that was brought in its place.

        Raises:
            UnfinishedError: the file was changed here meanwhile, and kept.
            LocalWriteError: the disk cannot take it.
        """
        file = ready.wanted.file
        with ready.stack:
            self._refuse_change(ready.wanted)
            written = self._parts.commit(file, ready.part)
        return LocalFile(file.path, written.st_size, written.st_mtime_ns, ready.md5, file.revision_id)

    def _read_whole(self, file: RemoteFile, part: Part, count: Count) -> Content:
        """One read, from the first byte to the last."""
        digest = Digest()
        self._remote.read(file, PartSink(file, part, (0, file.size - 1), count, digest.update))
        content = digest.content()
        # Where no checksum was told beforehand, what was written is compared with what was read.
        if not file.md5 and _read_back(part).md5 != content.md5:
            raise LocalWriteError(f"cannot write {file.path}: this disk does not give back what it was given")
        return content

    def _read_ranges(self, file: RemoteFile, part: Part, count: Count) -> Content:
        """Fetch what is missing in ``part``, and again what came damaged."""

        def fetch_missing() -> Content:
            return Assembly(self._remote, file, part, count).run(partial(self._run_ranges, file))

        def fetch_again() -> Content:
            self._refuse_move(file)
            count.take_back()
            return fetch_missing()

        return mend(file, part, fetch_missing(), fetch_again)

    def _refuse_change(self, wanted: Wanted) -> None:
        path = wanted.file.path
        if not is_same(look(self._tree, path), wanted.here):
            raise UnfinishedError(
                f"{path} was changed here while it was being pulled, and kept as it is here",
                hint="Run the same command again.",
            )


def _settle(wanted: Wanted, content: Content, part: Part, stack: ExitStack) -> Ready:
    """All of ``content`` is in ``part``; what ``stack`` holds is handed on."""
    file = wanted.file
    run_bit = looks_executable(content.head) if file.executable is None else file.executable
    part.settle(file.modified_s, executable=run_bit)
    return Ready(wanted, content.md5, part, stack.pop_all())


def _refuse_damage(file: RemoteFile, content: Content) -> None:
    expected = file.md5 or content.md5
    if (content.size, content.md5) != (file.size, expected):
        raise DamagedError(
            f"{file.path} came damaged: expected {file.size} bytes with md5 {expected}, "
            f"got {content.size} bytes with md5 {content.md5}",
            hint="Upload the file to Drive again if this goes on.",
        )


def _content_of(file: RemoteFile) -> tuple[int, str, str]:
    return file.size, file.md5, file.revision_id


def _read_back(part: Part) -> Content:
    digest = Digest()
    while block := part.read_at(digest.size, BLOCK_BYTES):
        digest.update(block)
    return digest.content()
