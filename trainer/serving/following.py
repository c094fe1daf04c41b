"""A metrics file, read as it grows: what was there is not read again, unless the file was put in order."""

from __future__ import annotations

import os
import secrets
from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, BinaryIO

from trainer.curves.curve import MAP, Happening, Point, Seam, find_maps, settle, thin
from trainer.curves.lines import parse_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from trainer.curves.curve import MapPoint, Other, Record

POINTS_SHOWN = 4_000
"""Of more points only the extremes are sent: a phone is some 1,200 dots wide, and draws this many in a few ms."""

_COMPARED_BYTES = 256

_FIRST = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Growth:
    """What is to be added to a curve that somebody has.

    Attributes:
        mark: stands for all that was there up to now.
        whole: this is all there is, and what they had is void.
        keep_below: of what they had, what lies at or beyond this iteration was trained again; None keeps all.
        points: sorted by iteration.
        thinned: between the points lie more; see ``Following.between``.
        seams: all of them, in order.
        maps: all that was measured, in order.
    """

    mark: str
    whole: bool
    keep_below: int | None
    points: tuple[Point, ...]
    thinned: bool
    seams: tuple[Seam, ...]
    maps: tuple[MapPoint, ...]


class Following:
    """What a metrics file holds, as of the last ``look``; used by one thread at a time.

    The writer appends; now and then it cuts back what was lost, or puts a file in order in the place of the present
    one. Where what has been read is no longer there, all is read anew, and marks of before are void.

    Args:
        path: of the file; one that is not there is empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()

    def _begin(self) -> None:
        self._file: tuple[int, int] | None = None
        self._read_bytes = 0
        self._last_read = b""
        self._name = secrets.token_hex(4)
        self._places = 0
        self._points: list[tuple[int, Point]] = []
        self._others: list[tuple[int, Other]] = []

    @property
    def mark(self) -> str:
        """Stands for all that has been read; a word of letters, digits and a dash."""
        return f"{self._name}-{self._places}"

    def look(self) -> None:
        """Read what has come. A last line without its end is left for the next time."""
        try:
            with self._path.open("rb") as file:
                content = self._read(file)
        except OSError:
            if self._file is not None:
                self._begin()
            return
        content = content[: content.rfind(b"\n") + 1]
        self._read_bytes += len(content)
        self._last_read = (self._last_read + content)[-_COMPARED_BYTES:]
        self._add(parse_lines(content))

    def _read(self, file: BinaryIO) -> bytes:
        """What lies beyond what was read; all, where this is another file."""
        found = os.fstat(file.fileno())
        identity = found.st_dev, found.st_ino
        if identity == self._file and found.st_size == self._read_bytes:
            return b""
        file.seek(max(0, self._read_bytes - len(self._last_read)))
        # An inode's number is given again, to the file after the next, say: so what came last is compared, too.
        if identity != self._file or file.read(len(self._last_read)) != self._last_read:
            self._begin()
            self._file = identity
            file.seek(0)
        return file.read()

    def _add(self, records: Iterable[Record]) -> None:
        wanted = [record for record in records if _is_shown(record)]
        begin, self._places = self._places, self._places + len(wanted)
        points, others = settle(wanted)
        if (first := _first_trained(points, others)) is not None:
            while self._points and self._points[-1][1].iteration >= first:
                self._points.pop()
        self._points += [(begin + place, point) for place, point in points]
        # The few that are no points settle together: a new seam takes away old ones.
        together = [*self._others, *((begin + place, other) for place, other in others)]
        _, settled = settle(other for _, other in together)
        self._others = [together[place] for place, _ in settled]

    def since(self, mark: str) -> Growth:
        """What has come since ``mark``; all of it, thinned, where that stands for nothing here."""
        name, _, place = mark.partition("-")
        is_ours = name == self._name and place.isdecimal() and len(place) < 16
        begin = int(place) if is_ours else 0
        points = self._points[bisect_right(self._points, begin - 1, key=_FIRST) :]
        others = self._others[bisect_right(self._others, begin - 1, key=_FIRST) :]
        if begin == 0 or len(points) > POINTS_SHOWN:
            return self._growth(whole=True, keep_below=None, points=self._points)
        return self._growth(whole=False, keep_below=_first_trained(points, others), points=points)

    def _growth(self, *, whole: bool, keep_below: int | None, points: list[tuple[int, Point]]) -> Growth:
        shown, _ = thin(points, self._others, POINTS_SHOWN)
        others = [other for _, other in self._others]
        return Growth(
            mark=self.mark,
            whole=whole,
            keep_below=keep_below,
            points=tuple(point for _, point in shown),
            thinned=len(shown) < len(points),
            seams=tuple(other for other in others if isinstance(other, Seam)),
            maps=find_maps(others),
        )

    def between(self, first: int, last: int) -> tuple[tuple[Point, ...], bool]:
        """The points of iterations ``first`` to ``last``, and whether there are more than these."""
        begin = bisect_right(self._points, first - 1, key=lambda item: item[1].iteration)
        end = bisect_right(self._points, last, key=lambda item: item[1].iteration)
        shown, _ = thin(self._points[begin:end], self._others, POINTS_SHOWN)
        return tuple(point for _, point in shown), len(shown) < end - begin


def _is_shown(record: Record) -> bool:
    return isinstance(record, Point | Seam) or (isinstance(record, Happening) and record.name == MAP)


def _first_trained(points: Iterable[tuple[int, Point]], others: Iterable[tuple[int, Other]]) -> int | None:
    """The lowest iteration with which training has gone on; None where it has not."""
    seams = (other.first_iteration for _, other in others if isinstance(other, Seam))
    return min(chain((point.iteration for _, point in points), seams), default=None)
