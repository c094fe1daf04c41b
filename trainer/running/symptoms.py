"""PURE: what a darknet that still runs shows of an end to come: it is silent, or its loss is no number any more.

Times are seconds of one monotonic clock, and arguments.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from trainer.darknet.output import MapBegun, MeanAveragePrecision, Progress

if TYPE_CHECKING:
    from trainer.darknet.output import Event

UNWATCHED_S = 30.0
"""Who did not look for so long was stopped or suspended, and what it did not hear in that time tells nothing."""


class StallClock:
    """Says when a darknet has been silent for longer than its own pace explains; one to an attempt.

    Bytes count, not lines: AlexeyAB's writes only a counter without a newline during a mAP pass. To be told with each
    look, about once a second and in this order::

        clock.looked(now_s)
        clock.bytes_at(process.last_byte_at)
        if clock.is_stalled(now_s): ...

    Args:
        started_s: when darknet was started.
        floor_s: a silence that is never too long.
        first_s: likewise up to the first iteration's end: weights are loaded, images read, kernels chosen.
        map_s: likewise while a mAP pass goes on.
        factor: how often the longest gap a silence has to last.
    """

    def __init__(
        self,
        started_s: float,
        *,
        floor_s: float = 300.0,
        first_s: float = 1800.0,
        map_s: float = 3600.0,
        factor: float = 5.0,
    ) -> None:
        self._floor_s = floor_s
        self._allowances_s = {"first": max(floor_s, first_s), "map": max(floor_s, map_s)}
        self._factor = factor
        self._heard_s = self._looked_s = started_s
        self._phase: Literal["first", "map", ""] = "first"
        self._excused = False
        self._longest_gap_s = 0.0
        self._pace_s = 0.0

    def looked(self, now_s: float) -> None:
        """Take note that somebody looks. A pause of the looker is taken off the silence that it ends in."""
        unwatched_s = now_s - self._looked_s
        if unwatched_s > UNWATCHED_S:
            self._heard_s += unwatched_s
        self._looked_s = now_s

    def bytes_at(self, at_s: float) -> None:
        """Take note of when the last byte came on either pipe; to be told the same again means nothing."""
        if at_s <= self._heard_s:
            return
        if not self._phase and not self._excused:
            self._longest_gap_s = max(self._longest_gap_s, at_s - self._heard_s)
        self._excused = False
        self._heard_s = at_s

    def hear(self, event: Event) -> None:
        """Take in what darknet says."""
        if isinstance(event, MapBegun):
            self._phase = "map"
        elif isinstance(event, Progress | MeanAveragePrecision):
            # The gap that these words end began in the phase that they end.
            self._excused = bool(self._phase)
            self._phase = ""
        if isinstance(event, Progress):
            self._pace_s = event.seconds if math.isfinite(event.seconds) else 0.0

    @property
    def limit_s(self) -> float:
        """How long a silence may last now.

        What darknet itself says that the last iteration took counts like a gap: of one that is slow from the start
        no gap has been seen yet.
        """
        usual_s = max(self._floor_s, self._factor * max(self._longest_gap_s, self._pace_s))
        return max(usual_s, self._allowances_s[self._phase]) if self._phase else usual_s

    def silent_s(self, now_s: float) -> float:
        """How long nothing has come, but for the time in which nobody looked."""
        return max(0.0, now_s - self._heard_s)

    def is_stalled(self, now_s: float) -> bool:
        """Whether that is too long."""
        return self.silent_s(now_s) > self.limit_s


class Divergence:
    """Notices that the average loss is no finite number for so many ``lines`` in a row; one to an attempt."""

    def __init__(self, lines: int = 3) -> None:
        self._lines = lines
        self._bad: list[int] = []

    def hear(self, event: Event) -> int | None:
        """Take in what darknet says; returns the first iteration of the row, once it is long enough."""
        if isinstance(event, Progress):
            if math.isfinite(event.avg_loss):
                self._bad.clear()
            elif len(self._bad) < self._lines:
                self._bad.append(event.iteration)
        return self._bad[0] if len(self._bad) >= self._lines else None
