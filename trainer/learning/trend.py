"""PURE: whether the average loss falls: what it is now, smoothed, and what it was a good way back.

darknet's own average forgets a loss within some twenty iterations, so two values of it tell of the images that they
are of as much as of the network. Here it is smoothed over a quarter of the way that is looked back.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

_SETTLED = 20
"""darknet's average starts over with the first loss of an attempt, and has forgotten it so many iterations later: it
takes over a tenth of each loss (source: ``avg_loss*.9 + loss*.1`` in all three)."""
_LEAST_BACK = 100
_BACK_SHARE = 0.1
_SMOOTHED_SHARE = 0.25
_SAMPLES = 50


@dataclass(frozen=True, slots=True)
class Held:
    """The smoothed loss now, and at ``iteration``, against which it is to be held."""

    now: float
    earlier: float
    iteration: int


class Trend:
    """Remembers the smoothed loss over the last tenth of a run, or the last hundred iterations of a young one."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, float]] = deque()
        self._last: tuple[int, float] | None = None
        self._settled_at = 0

    def begin(self, iteration: int) -> None:
        """Training goes on with ``iteration``: what was seen from there on is trained again."""
        self._settled_at = iteration + _SETTLED if iteration > 1 else iteration
        while self._samples and self._samples[-1][0] >= iteration:
            self._samples.pop()
        self._last = self._samples[-1] if self._samples else None

    def add(self, iteration: int, avg_loss: float) -> None:
        """Take in an average loss, which may be nan."""
        if iteration < self._settled_at or not math.isfinite(avg_loss):
            return
        back = _look_back(iteration)
        smoothed = avg_loss
        if self._last is not None:
            then, loss = self._last
            share = -math.expm1(-max(0, iteration - then) / (_SMOOTHED_SHARE * back))
            smoothed = loss + share * (avg_loss - loss)
        self._last = iteration, smoothed
        if not self._samples or iteration - self._samples[-1][0] >= max(1, back // _SAMPLES):
            self._samples.append(self._last)
        # Twice as far as is looked back: an attempt may begin well before the end of the one before.
        while self._samples[0][0] < iteration - 2 * back:
            self._samples.popleft()

    def tell(self) -> Held | None:
        """How it is; None while there is nothing to hold it against."""
        if self._last is None or self._last[0] < self._settled_at:
            return None
        iteration, now = self._last
        back = iteration - _look_back(iteration)
        at, earlier = next((one for one in reversed(self._samples) if one[0] <= back), self._samples[0])
        return Held(now, earlier, at) if iteration - at >= _LEAST_BACK // 2 else None


def _look_back(iteration: int) -> int:
    return max(_LEAST_BACK, int(_BACK_SHARE * iteration))
