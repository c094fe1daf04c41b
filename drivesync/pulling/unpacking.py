"""Unpacking: many small files come in few requests, cut out of packs as the bytes arrive.

No pack is ever on the disk, and of each connection at most one member is held. What a pack holds counts for nothing by
itself: each member becomes the file that it stands for by the same steps as one that came alone (``Transfers.take``),
if it has the md5 that the remote tells of that file now. One that has not, and all of a pack that cannot be read, come
alone after all.

A piece is read as soon as all of it is wanted, and at the end of the listing if only a part is. A kill leaves the files
that are in their places; the next pull finds them there, and wants the rest.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from drivesync.errors import DamagedError, DrivesyncError
from drivesync.pulling.pieces import Awaited, Cutter, count_connections
from drivesync.pulling.threads import end_threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from drivesync.pulling.fetch import Wanted
    from drivesync.pulling.manifest import Member, Pack
    from drivesync.pulling.packed import FromPack
    from drivesync.pulling.pieces import Content, Job
    from drivesync.pulling.transfers import Transfers
    from drivesync.remotes.base import Remote


class Unpacking:
    """Brings files out of packs; a context manager, used by one thread.

    Attributes:
        files: so many were what their pack's manifest says.

    Threads: up to MOST_CONNECTIONS, each of which reads a piece at a time; joined in ``__exit__``.

    Args:
        remote: entered.
        transfers: entered; gets what comes, and what does not.
        note: told a line if a pack is not what its manifest says.
    """

    def __init__(self, remote: Remote, transfers: Transfers, note: Callable[[str], None]) -> None:
        self.files = 0
        self._remote = remote
        self._transfers = transfers
        self._note = note
        self._lock = threading.Lock()
        self._work_there = threading.Condition(self._lock)
        self._awaited: dict[str, Awaited[Wanted]] = {}
        self._jobs: deque[Job[Wanted]] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closing = False
        self._is_warned = False

    def __enter__(self) -> Unpacking:
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
                self._jobs.clear()
            self._work_there.notify_all()
        end_threads(self._threads, self._remote, cuts_off=error is not None)

    def add(self, packed: FromPack, wanted: Wanted) -> None:
        """Have ``wanted`` brought from its pack; ``finish`` of the transfers waits for it."""
        self._transfers.announce(1)
        pack = packed.pack
        awaited = self._awaited.get(pack.name)
        if awaited is None:
            awaited = self._awaited[pack.name] = Awaited(pack)
        if (job := awaited.add(packed.member, wanted)) is not None:
            self._begin(pack, [job])

    def add_no_more(self) -> None:
        """Begin what only a part is wanted of."""
        for awaited in self._awaited.values():
            self._begin(awaited.pack, awaited.rest())

    def _begin(self, pack: Pack, jobs: list[Job[Wanted]]) -> None:
        with self._lock:
            self._jobs += jobs
            self._grow(count_connections(pack))
            self._work_there.notify_all()

    def _grow(self, most: int) -> None:
        """Have up to ``most`` threads, as far as there is work for them; the lock is held."""
        while len(self._threads) < most and self._idle < len(self._jobs):
            thread = threading.Thread(target=self._work, name=f"unpack-{len(self._threads)}", daemon=True)
            thread.start()
            self._threads.append(thread)
            self._idle += 1

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._bring(job)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
            self._transfers.fail(error)

    def _next(self) -> Job[Wanted] | None:
        with self._work_there:
            while not self._jobs:
                if self._closing:
                    return None
                self._work_there.wait()
            self._idle -= 1
            return self._jobs.popleft()

    def _bring(self, job: Job[Wanted]) -> None:
        piece = job.piece

        def take(member: Member, content: Content) -> None:
            for one in job.wanted[member]:
                self._take(piece.pack, one, content)

        cutter = Cutter(piece, take)
        try:
            if piece.first <= piece.last:
                self._remote.read(piece.pack.as_file(), cutter, piece.first, piece.last)
            else:
                for member in piece.members:
                    take(member, b"")
        except DrivesyncError as error:
            if self._closing:
                raise
            self._warn(str(error))
        finally:
            with self._lock:
                self._idle += 1
        for member in cutter.missing if piece.first <= piece.last else ():
            for one in job.wanted[member]:
                self._transfers.divert(one)

    def _take(self, pack: Pack, wanted: Wanted, content: Content) -> None:
        try:
            self._transfers.take(wanted, content)
        except DamagedError:
            self._warn(f"{pack.path} does not hold what its manifest says")
            self._transfers.divert(wanted)
        except BaseException:
            # It concerns all others, and they are not to begin.
            with self._lock:
                self._closing = True
                self._jobs.clear()
            raise
        else:
            with self._lock:
                self.files += 1

    def _warn(self, reason: str) -> None:
        with self._lock:
            is_first, self._is_warned = not self._is_warned, True
        if is_first:
            self._note(f"a pack is of no use, its files come one by one: {reason}")
