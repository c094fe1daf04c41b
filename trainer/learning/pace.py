"""PURE: how fast a training goes, all included, and how long the rest of it will take.

darknet's own estimate starts over at each resume and knows of no saves and mAP passes. Here the time is cut into short
stretches. What a stretch took beyond a multiple of what is usual is a pause: a mAP pass, a save to a slow disk. Usual
steps are averaged over the last few minutes and pauses over hours, so that one pass in a window of minutes makes no
estimate of a night's training jump. What passes between an attempt's end and the first iteration of the next is
not counted: a restart is no sign of how fast it goes on.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median

_STRETCH_S = 2.0
_STEPS_WINDOW_S = 300.0
_PAUSES_FADE_S = 4 * 3600.0
"""So long ago a pause, and the iterations beside it, count for a third."""
_LEAST_STRETCHES = 5
"""So many tell what is usual; where an iteration takes minutes, the last ones of them do, however old they are."""
_PAUSE_FACTOR = 5.0


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Iterations that followed on each other; ``ended_s`` is by the time that was counted."""

    ended_s: float
    iterations: int
    took_s: float


class Pace:
    """How fast it goes; over all attempts of a session."""

    def __init__(self) -> None:
        self._stretches: deque[_Stretch] = deque()
        self._counted_s = 0.0
        self._paused_s = 0.0
        self._done = 0.0
        self._since: tuple[int, float] | None = None
        self._iteration_s: float | None = None

    @property
    def iteration_s(self) -> float | None:
        """How long an iteration takes, saves and mAP passes included; None until that can be told."""
        return self._iteration_s

    @property
    def per_minute(self) -> float | None:
        """Iterations a minute; None until that can be told."""
        return None if self._iteration_s is None else 60.0 / self._iteration_s

    def left_s(self, iterations: int) -> float | None:
        """How long so many iterations will take; None until that can be told."""
        return None if self._iteration_s is None else max(0, iterations) * self._iteration_s

    def begin(self) -> None:
        """An attempt begins, at whatever iteration: what passes until its first one is not counted."""
        self._since = None

    def count(self, iteration: int, now_s: float) -> None:
        """``iteration`` is done, at ``now_s`` by a clock that is never set back."""
        if self._since is None or iteration < self._since[0]:
            self._since = iteration, now_s
            return
        begin, begin_s = self._since
        took_s = now_s - begin_s
        if iteration == begin or took_s < _STRETCH_S:
            return
        self._since = iteration, now_s
        self._counted_s += took_s
        self._stretches.append(_Stretch(self._counted_s, iteration - begin, took_s))
        while len(self._stretches) > _LEAST_STRETCHES and (
            self._stretches[0].ended_s <= self._counted_s - _STEPS_WINDOW_S
        ):
            self._stretches.popleft()
        self._iteration_s = self._estimate()

    def _estimate(self) -> float:
        usual_s = median(one.took_s / one.iterations for one in self._stretches)

        def pause_s(one: _Stretch) -> float:
            beyond_s = one.took_s - usual_s * one.iterations
            return beyond_s if one.took_s > _PAUSE_FACTOR * usual_s * one.iterations else 0.0

        latest = self._stretches[-1]
        kept = math.exp(-latest.took_s / _PAUSES_FADE_S)
        self._paused_s = self._paused_s * kept + pause_s(latest)
        self._done = self._done * kept + latest.iterations
        steps_s = sum(one.took_s - pause_s(one) for one in self._stretches)
        return steps_s / sum(one.iterations for one in self._stretches) + self._paused_s / self._done
