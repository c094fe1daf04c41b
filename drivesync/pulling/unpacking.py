"""Unpacking: many small files come in few requests, cut out of packs as the bytes arrive.

    Unpacking     hands pieces of packs to a few threads, each with a connection of its own
    Piece         a stretch of a pack, read in one request, and the members that are wanted of it
    Cutter        is given the bytes of a piece in order, and gives each member away as soon as it is whole

No pack is ever on the disk, and of each connection at most one member is held. What a pack holds counts for nothing by
itself: each member becomes the file that it stands for by the same steps as one that came alone (``Transfers.take``),
if it has the md5 that the remote tells of that file now. One that has not, and all of a pack that cannot be read, come
alone after all.

A pack is begun as soon as all of it is wanted, and at the end of the listing if only a part is. A kill leaves the files
that are in their places; the next pull finds them there, and wants the rest.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from drivesync.errors import DamagedError, DrivesyncError
from drivesync.files import RemoteFile
from drivesync.pulling.packed import plan_ranges
from drivesync.pulling.threads import end_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from drivesync.pulling.fetch import Wanted
    from drivesync.pulling.manifest import Member, Pack
    from drivesync.pulling.packed import FromPack
    from drivesync.pulling.transfers import Transfers
    from drivesync.remotes.base import Remote

    Content: TypeAlias = bytes | bytearray | memoryview

CONNECTIONS = 2
"""Pieces that are read at once of packs of the smallest files."""
MOST_CONNECTIONS = 6

_FILES_PER_S = 5_000
"""More than that are not hashed, written and flushed on two cores, however fast they come."""
_BYTES_PER_S = 60_000_000
"""About what one connection to Drive brings."""

_PIECE_BYTES = 16 << 20
"""The least that is worth a request of its own where it could be part of another, and about the most of one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a pack that is read in one request.

    Attributes:
        pack: that it is of.
        first, last: the bytes, both included.
        members: that are wanted of it, by offset.
    """

    pack: Pack
    first: int
    last: int
    members: tuple[Member, ...]


def plan_pieces(pack: Pack, members: Iterable[Member]) -> tuple[Piece, ...]:
    """In which requests ``members``, all of ``pack``, are read; empty ones are in none."""
    wanted = sorted({member for member in members if member.size}, key=lambda member: member.offset)
    pieces: list[Piece] = []
    at = 0
    for _first, last in plan_ranges(pack, wanted):
        while at < len(wanted) and wanted[at].offset <= last:
            begun = at
            end = min(wanted[begun].offset + _PIECE_BYTES, last + 1)
            while at < len(wanted) and (at == begun or wanted[at].offset + wanted[at].size <= end):
                at += 1
            whole = wanted[begun:at]
            pieces.append(Piece(pack, whole[0].offset, whole[-1].offset + whole[-1].size - 1, tuple(whole)))
    return tuple(pieces)


def count_connections(pack: Pack) -> int:
    """So many pieces of ``pack`` are worth reading at once: as many as bring files as fast as they can be written."""
    bytes_per_s = _FILES_PER_S * pack.size // max(len(pack.members), 1)
    return min(max(-(-bytes_per_s // _BYTES_PER_S), CONNECTIONS), MOST_CONNECTIONS)


class Cutter:
    """Cuts members out of a piece; a sink for ``Remote.read``.

    Args:
        piece: whose bytes come.
        take: is given each member and its content, which is another's as soon as this returns.
    """

    def __init__(self, piece: Piece, take: Callable[[Member, Content], None]) -> None:
        self._members = piece.members
        self._take = take
        self._at = piece.first
        self._taken = 0
        self._begun = bytearray()

    @property
    def missing(self) -> Sequence[Member]:
        """The members that have not come."""
        return self._members[self._taken :]

    def write(self, block: bytes) -> None:
        """Take the next bytes of the piece."""
        view = memoryview(block)
        end = self._at + len(block)
        while self._taken < len(self._members):
            member = self._members[self._taken]
            member_end = member.offset + member.size
            if member.offset >= end:
                break
            some = view[max(member.offset - self._at, 0) : member_end - self._at]
            if member_end > end:
                self._begun += some
                break
            content: Content = some
            if self._begun:
                self._begun += some
                content, self._begun = self._begun, bytearray()
            # Whatever becomes of it: it has come.
            self._taken += 1
            self._take(member, content)
        self._at = end


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
        self._waiting: dict[str, dict[Member, list[Wanted]]] = {}
        self._packs: dict[str, Pack] = {}
        self._pieces: deque[tuple[Piece, Mapping[Member, Sequence[Wanted]]]] = deque()
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
                self._pieces.clear()
            self._work_there.notify_all()
        end_threads(self._threads, self._remote, cuts_off=error is not None)

    def add(self, packed: FromPack, wanted: Wanted) -> None:
        """Have ``wanted`` brought from its pack; ``finish`` of the transfers waits for it."""
        self._transfers.announce(1)
        pack = packed.pack
        members = self._waiting.setdefault(pack.name, {})
        members.setdefault(packed.member, []).append(wanted)
        self._packs[pack.name] = pack
        if len(members) == len(pack.members):
            self._begin(pack, self._waiting.pop(pack.name))

    def add_no_more(self) -> None:
        """Begin all packs that only a part is wanted of."""
        for name, members in self._waiting.items():
            self._begin(self._packs[name], members)
        self._waiting.clear()

    def _begin(self, pack: Pack, members: Mapping[Member, Sequence[Wanted]]) -> None:
        pieces = [*plan_pieces(pack, members), *_plan_empty(pack, members)]
        with self._lock:
            self._pieces += [(piece, members) for piece in pieces]
            self._grow(count_connections(pack))
            self._work_there.notify_all()

    def _grow(self, most: int) -> None:
        """Have up to ``most`` threads, as far as there is work for them; the lock is held."""
        while len(self._threads) < most and self._idle < len(self._pieces):
            thread = threading.Thread(target=self._work, name=f"unpack-{len(self._threads)}", daemon=True)
            thread.start()
            self._threads.append(thread)
            self._idle += 1

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._bring(*job)
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
            self._transfers.fail(error)

    def _next(self) -> tuple[Piece, Mapping[Member, Sequence[Wanted]]] | None:
        with self._work_there:
            while not self._pieces:
                if self._closing:
                    return None
                self._work_there.wait()
            self._idle -= 1
            return self._pieces.popleft()

    def _bring(self, piece: Piece, wanted: Mapping[Member, Sequence[Wanted]]) -> None:
        def take(member: Member, content: Content) -> None:
            for one in wanted[member]:
                self._take(piece.pack, one, content)

        cutter = Cutter(piece, take)
        try:
            if piece.first <= piece.last:
                self._remote.read(_as_file(piece.pack), cutter, piece.first, piece.last)
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
            for one in wanted[member]:
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
                self._pieces.clear()
            raise
        else:
            with self._lock:
                self.files += 1

    def _warn(self, reason: str) -> None:
        with self._lock:
            is_first, self._is_warned = not self._is_warned, True
        if is_first:
            self._note(f"a pack is of no use, its files come one by one: {reason}")


def _plan_empty(pack: Pack, members: Iterable[Member]) -> Iterator[Piece]:
    """Empty files need no reading, and are brought all the same."""
    empty = tuple(member for member in members if not member.size)
    if empty:
        yield Piece(pack, 0, -1, empty)


def _as_file(pack: Pack) -> RemoteFile:
    return RemoteFile(pack.path, pack.file_id, pack.size, pack.md5, modified_s=0.0)
