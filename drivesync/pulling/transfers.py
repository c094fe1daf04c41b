"""Transfers: many files at once, the urgent and the large ones first.

Threads: as many readers as the remote says are worth their while, and one more for each large file that is being put
together; they start as there is work for them, and are joined in ``__exit__``. A few readers at most read ranges of
large files, since those use up bandwidth, while small files use up requests: the two go side by side.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from drivesync.errors import (
    DamagedError,
    DiskFullError,
    DrivesyncError,
    LocalWriteError,
    NotFoundError,
    RemoteError,
    TransientError,
    UnfinishedError,
    UsedUpError,
)
from drivesync.pulling.commits import Commits
from drivesync.pulling.fetch import Fetch, Ready, Wanted
from drivesync.pulling.threads import end_threads
from drivesync.pulling.waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from drivesync.files import LocalFile, RemoteFile
    from drivesync.progress import Reporter
    from drivesync.pulling.parts import Parts
    from drivesync.pulling.waiting import Job
    from drivesync.remotes.base import Remote

_RANGES_AT_ONCE = 8
_THREADS_AT_FIRST = 24
_ONE_MORE_AFTER_S = 0.05
_LOOK_EVERY_S = 0.2
_HOPELESS = 8
"""So many files in a row that the remote could not give, after all repeats, mean that it gives none."""

_OF_ONE_FILE = (DamagedError, LocalWriteError, NotFoundError, RemoteError, UnfinishedError)


class Transfers:
    """Fetches what is added; a context manager, used by one thread.

    Args:
        remote: entered.
        tree: where the files go.
        parts: of ``tree``.
        reporter: hears how it goes.
        on_done: called in a worker's thread with each file that is in place.
        on_failed: likewise, with the path and the error of one that cannot be had.
    """

    def __init__(
        self,
        remote: Remote,
        tree: Path,
        parts: Parts,
        reporter: Reporter,
        on_done: Callable[[LocalFile], None],
        on_failed: Callable[[str, DrivesyncError], None],
    ) -> None:
        self._remote = remote
        self._fetch = Fetch(remote, tree, parts, reporter, self._run_ranges)
        self._commits = Commits(self._fetch.sync, self._commit)
        self._on_done = on_done
        self._on_failed = on_failed
        # The thread that uses this takes the lock itself: a condition's ``__enter__`` is Python, in the midst of which
        # a signal may raise, and would leave it locked.
        self._lock = threading.Lock()
        self._work_there = threading.Condition(self._lock)
        self._work_done = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []
        self._waiting = Waiting()
        self._idle = 0
        self._grown_at_s = 0.0
        self._files_busy = self._large_busy = self._ranges_busy = self._readers_busy = self._committing = 0
        self._fruitless = 0
        self._opening: RemoteFile | None = None
        self._wants_room = False
        self._closing = False
        self._fatal: BaseException | None = None

    def __enter__(self) -> Transfers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all threads; after an error what is under way is cut off."""
        with self._lock:
            self._closing = True
            if error is not None:
                self._waiting.drop_files()
            self._work_there.notify_all()
        end_threads(self._threads, self._remote, cuts_off=error is not None)
        # What has come is put in its place, whatever ended the rest.
        self._commits.close()

    def add(self, wanted: Wanted) -> None:
        """Have ``wanted`` fetched; waits where too much is waiting already.

        Raises:
            DrivesyncError: nothing more can be fetched; see ``finish``.
        """
        with self._lock:
            if self._waiting.is_full:
                self._wants_room = True
                self._wait_for(lambda: self._fatal is not None or not self._waiting.is_full)
                self._wants_room = False
            self._raise_fatal()
            self._enqueue(wanted)

    def announce(self, files: int) -> None:
        """So many files come by another way, in packs: each will be given to ``take``, or to ``divert``."""
        with self._lock:
            self._files_busy += files

    def take(self, wanted: Wanted, content: bytes | bytearray | memoryview) -> None:
        """Have a file put in its place that was announced and has come; from any thread.

        Raises:
            DamagedError: that is not its content; it is still to come.
            DrivesyncError: nothing more can be fetched; ``finish`` raises it, too.
        """
        ready: Ready | None = None
        try:
            ready = self._fetch.take(wanted, content)
        except DamagedError:
            raise
        except BaseException as error:
            if _concerns_all(error) or not isinstance(error, DrivesyncError):
                self.fail(error)
                raise
            self._on_failed(wanted.file.path, error)
        with self._lock:
            self._files_busy -= ready is None
            self._committing += ready is not None
            self._end(None)
        if ready is not None:
            self._commits.add(ready)

    def divert(self, wanted: Wanted) -> None:
        """Fetch a file that was announced, and will not come by another way; from any thread, which does not wait."""
        with self._lock:
            self._files_busy -= 1
            if self._fatal is None:
                self._enqueue(wanted)
            self._end(None)

    def fail(self, fatal: BaseException) -> None:
        """Nothing more can be fetched; from any thread."""
        with self._lock:
            self._end(fatal)

    def finish(self) -> None:
        """Return when all that was added has been fetched, or has failed.

        Raises:
            TransientError: the remote cannot be reached after all repeats.
            DiskFullError: there is no room.
            NotAllowedError: the credentials do not do.
        """
        with self._lock:
            self._wait_for(self._is_done)
            self._raise_fatal()

    def _enqueue(self, wanted: Wanted) -> None:
        """Have ``wanted`` fetched in its turn; the lock is held."""
        self._waiting.add(wanted, large=self._fetch.is_large(wanted.file))
        self._wake()

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds, and let signals through; the lock is held."""
        # One that came just before the wait began is heard only when it ends.
        while not self._work_done.wait_for(condition, _LOOK_EVERY_S):
            pass

    def _is_done(self) -> bool:
        return self._fatal is not None or not (self._has_files or self._files_busy)

    @property
    def _has_files(self) -> bool:
        return self._waiting.small or self._waiting.large

    def _raise_fatal(self) -> None:
        if self._fatal is not None:
            raise self._fatal

    def _run_ranges(self, file: RemoteFile, jobs: list[Job]) -> None:
        with self._work_there:
            for job in jobs:
                self._waiting.add_range(file, job)
            self._is_open(file)
            self._wake()

    def _is_open(self, file: RemoteFile) -> None:
        """The ranges of ``file`` are known, so that another may begin, after them; the lock is held."""
        if self._opening is file:
            self._opening = None

    def _wake(self) -> None:
        """Let one more thread look for work, if there is some that may begin; the lock is held."""
        if not self._may_begin():
            return
        if self._idle:
            self._work_there.notify()
        elif len(self._threads) < self._remote.workers + _RANGES_AT_ONCE and self._may_grow():
            thread = threading.Thread(target=self._work, name=f"fetch-{len(self._threads)}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _may_grow(self) -> bool:
        """Whether there may be one more thread: each costs a connection, worth it only while answers are slow."""
        if len(self._threads) < _THREADS_AT_FIRST:
            return True
        now_s = time.monotonic()
        if now_s < self._grown_at_s + _ONE_MORE_AFTER_S or self._remote.slowed_by:
            return False
        self._grown_at_s = now_s
        return True

    def _may_begin(self) -> str:
        """What kind of job may begin now; empty if none. The lock is held."""
        has_reader = self._readers_busy < self._remote.workers
        has_bandwidth = self._ranges_busy < _RANGES_AT_ONCE
        if self._waiting.ranges:
            if has_reader and has_bandwidth:
                return "range"
        elif (
            self._waiting.large and not self._opening and has_bandwidth and self._large_busy < _RANGES_AT_ONCE
        ):
            return "large"
        return "small" if self._waiting.small and has_reader else ""

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            job()

    def _next_job(self) -> Job | None:
        with self._work_there:
            while not (kind := self._may_begin()):
                if self._closing and not (self._large_busy or self._waiting.ranges or self._has_files):
                    return None
                self._idle += 1
                self._work_there.wait()
                self._idle -= 1
            if kind == "range":
                job = self._begin_range(self._waiting.next_range())
            else:
                large = kind == "large"
                job = self._begin_file(self._waiting.next_file(large=large), large=large)
            # Whoever takes a job looks whether there is another, and so no wake-up can be lost.
            self._wake()
            return job

    def _begin_range(self, job: Job) -> Job:
        self._ranges_busy += 1
        self._readers_busy += 1

        def run() -> None:
            fatal: BaseException | None = None
            try:
                job()
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
                # The thread that puts the file together hears of it, too, but waits for the other ranges.
                fatal = error if _concerns_all(error) else None
            with self._work_there:
                self._ranges_busy -= 1
                self._readers_busy -= 1
                self._end(fatal)

        return run

    def _begin_file(self, wanted: Wanted, *, large: bool) -> Job:
        self._files_busy += 1
        self._large_busy += large
        self._readers_busy += not large
        self._opening = wanted.file if large else self._opening
        if self._wants_room:
            self._work_done.notify_all()

        def run() -> None:
            ready: Ready | None = None
            fatal: BaseException | None = None
            try:
                ready = self._bring(wanted)
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
                fatal = error
            with self._work_there:
                self._files_busy -= ready is None
                self._committing += ready is not None
                self._large_busy -= large
                self._readers_busy -= not large
                self._is_open(wanted.file)
                self._end(fatal)
            if ready is not None:
                self._commits.add(ready)

        return run

    def _end(self, fatal: BaseException | None) -> None:
        """A job has come to its end; the lock is held."""
        if fatal is not None:
            self._fatal = self._fatal or fatal
            self._waiting.drop_files()
        # Not for each of thousands of files.
        if not self._has_files and self._files_busy == self._committing:
            self._commits.hurry()
        if self._is_done():
            self._work_done.notify_all()
        if self._closing:
            self._work_there.notify_all()

    def _bring(self, wanted: Wanted) -> Ready | None:
        """Fetch one file, None if it cannot be had; raised is only what concerns all others as well."""
        try:
            ready = self._fetch.bring(wanted)
        except DrivesyncError as error:
            if _concerns_all(error) or (isinstance(error, TransientError) and self._is_hopeless()):
                raise
            self._on_failed(wanted.file.path, error)
            return None
        self._fruitless = 0
        return ready

    def _commit(self, ready: Ready) -> None:
        fatal: BaseException | None = None
        try:
            self._put_in_place(ready)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
            fatal = error
        with self._lock:
            self._files_busy -= 1
            self._committing -= 1
            self._end(fatal)

    def _put_in_place(self, ready: Ready) -> None:
        """Give one file its name; raised is only what concerns all others as well."""
        try:
            local = self._fetch.commit(ready)
        except DrivesyncError as error:
            if _concerns_all(error):
                raise
            self._on_failed(ready.wanted.file.path, error)
        else:
            self._on_done(local)

    def _is_hopeless(self) -> bool:
        """Count one more file that the remote could not give, and say whether it can give any."""
        with self._work_there:
            self._fruitless += 1
            return self._fruitless >= _HOPELESS or self._closing


def _concerns_all(error: BaseException) -> bool:
    return isinstance(error, (DiskFullError, UsedUpError)) or not isinstance(error, _OF_ONE_FILE)
