"""PURE: which earlier average loss the present one is to be held against, to tell whether a network learns."""

from __future__ import annotations

import math
from collections import deque

_SETTLED = 20
"""darknet's average starts over with the first loss of an attempt, and has forgotten it so many iterations later: it
takes over a tenth of each loss (source: ``avg_loss*.9 + loss*.1`` in all three)."""
_LEAST_BACK = 100
_BACK_SHARE = 0.1
_SAMPLES = 50


class Trend:
    """Remembers the average loss over the last tenth of a run, or the last hundred iterations of a young one."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, float]] = deque()
        self._settled_at = 0

    def begin(self, iteration: int) -> None:
        """Training goes on with ``iteration``: what was seen from there on is trained again."""
        self._settled_at = iteration + _SETTLED if iteration > 1 else iteration
        while self._samples and self._samples[-1][0] >= iteration:
            self._samples.pop()

    def add(self, iteration: int, avg_loss: float) -> None:
        """Take in an average loss, which may be nan."""
        if iteration < self._settled_at or not math.isfinite(avg_loss):
            return
        back = _look_back(iteration)
        if not self._samples or iteration - self._samples[-1][0] >= max(1, back // _SAMPLES):
            self._samples.append((iteration, avg_loss))
        # Twice as far as is looked back: an attempt may begin well before the end of the one before.
        while self._samples[0][0] < iteration - 2 * back:
            self._samples.popleft()

    def earlier(self, iteration: int) -> tuple[int, float] | None:
        """An iteration well before this one, and its average loss; None while there is none."""
        if iteration < self._settled_at or not self._samples:
            return None
        back = iteration - _look_back(iteration)
        chosen = next((sample for sample in reversed(self._samples) if sample[0] <= back), self._samples[0])
        return chosen if iteration - chosen[0] >= _LEAST_BACK // 2 else None


def _look_back(iteration: int) -> int:
    return max(_LEAST_BACK, int(_BACK_SHARE * iteration))
