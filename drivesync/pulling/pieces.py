"""Pieces: in which requests the members of a pack are read, and how they are cut out of the bytes. Pure.

Piece         a stretch of a pack, read in one request, and the members that are wanted of it
Awaited       what is wanted of a pack, which is read piece by piece
Cutter        is given the bytes of a piece in order, and gives each member away as soon as it is whole
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from drivesync.pulling.packed import plan_ranges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from drivesync.pulling.manifest import Member, Pack

    Content: TypeAlias = bytes | bytearray | memoryview

_T = TypeVar("_T")

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
        first, last: the bytes, both included; of empty members none are, and ``last`` is before ``first``.
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


@dataclass(frozen=True, slots=True)
class Job(Generic[_T]):
    """A piece, and what each of its members is wanted for."""

    piece: Piece
    wanted: Mapping[Member, Sequence[_T]]


class Awaited(Generic[_T]):
    """What is wanted of ``pack`` and has not been begun: of each member all that it is wanted for, whatever that is."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self._wanted: dict[Member, list[_T]] = {}
        pieces = plan_pieces(pack, pack.members)
        self._piece_of = {member: piece for piece in pieces for member in piece.members}
        self._lacking = {piece.first: len(piece.members) for piece in pieces}

    def add(self, member: Member, wanted: _T) -> Job[_T] | None:
        """Await ``member``; returned is the piece of which all is awaited now, and its members are no more.

        Whoever comes for a member of a piece that was begun already, as one file by two paths may, is in the ``rest``.
        """
        if (others := self._wanted.get(member)) is not None:
            others.append(wanted)
            return None
        self._wanted[member] = [wanted]
        piece = self._piece_of.get(member)
        if piece is None:  # an empty one, which is in none
            return None
        self._lacking[piece.first] -= 1
        return None if self._lacking[piece.first] else self._begin(piece)

    def rest(self) -> list[Job[_T]]:
        """All that is still awaited, and is no more."""
        pieces = list(plan_pieces(self.pack, self._wanted))
        empty = tuple(member for member in self._wanted if not member.size)
        if empty:
            pieces.append(Piece(self.pack, 0, -1, empty))
        return [self._begin(piece) for piece in pieces]

    def _begin(self, piece: Piece) -> Job[_T]:
        return Job(piece, {member: self._wanted.pop(member) for member in piece.members})


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
