"""What waits to be fetched: files, the urgent and the large ones first, and ranges of large ones."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from drivesync.pulling.plan import start_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.files import RemoteFile
    from drivesync.pulling.fetch import Wanted

    Job: TypeAlias = Callable[[], None]
    Rank: TypeAlias = tuple[tuple[bool, int, str], int]

_MOST = 20_000
"""Files that may wait; whoever adds more is held up, so that memory stays bounded."""


class Waiting:
    """Queues; whoever uses them from several threads holds a lock."""

    def __init__(self) -> None:
        self._order = count()
        self._small: list[tuple[Rank, Wanted]] = []
        self._large: list[tuple[Rank, Wanted]] = []
        self._ranges: list[tuple[Rank, Job]] = []

    @property
    def small(self) -> bool:
        """Whether small files wait."""
        return bool(self._small)

    @property
    def large(self) -> bool:
        """Whether large files wait."""
        return bool(self._large)

    @property
    def ranges(self) -> bool:
        """Whether ranges of large files wait."""
        return bool(self._ranges)

    @property
    def is_full(self) -> bool:
        """Whether no more files should come for now."""
        return len(self._small) + len(self._large) >= _MOST

    def add(self, wanted: Wanted, *, large: bool) -> None:
        """One more file."""
        heapq.heappush(self._large if large else self._small, (self._rank(wanted.file), wanted))

    def add_range(self, file: RemoteFile, job: Job) -> None:
        """One more range of ``file``."""
        heapq.heappush(self._ranges, (self._rank(file), job))

    def next_file(self, *, large: bool) -> Wanted:
        """The first file of the kind, which waits no longer."""
        return heapq.heappop(self._large if large else self._small)[1]

    def next_range(self) -> Job:
        """The first range, which waits no longer."""
        return heapq.heappop(self._ranges)[1]

    def drop_files(self) -> None:
        """No file waits any more."""
        self._small.clear()
        self._large.clear()

    def _rank(self, file: RemoteFile) -> Rank:
        # Of equal ones the first comes first, and what they are is never compared.
        return start_order(file), next(self._order)
