"""PURE: how fast a run goes, when it will be done, and whether it learns; over all attempts of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainer.learning.pace import Pace
from trainer.learning.trend import Trend

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Measured = tuple[int, float]
    """What was seen, and at which iteration."""


class Outlook:
    """Hears what darknet says, and tells what is to be made of it.

    Args:
        max_batches: the iterations that the run is to have.
    """

    def __init__(self, max_batches: int) -> None:
        self._max_batches = max_batches
        self._pace = Pace()
        self._trend = Trend()
        self._iteration = 0
        self._maps: tuple[Measured | None, Measured | None] = None, None

    def recall(self, losses: Iterable[Measured]) -> None:
        """Take in the average losses of the sessions before, in order."""
        for iteration, avg_loss in losses:
            self._trend.add(iteration, avg_loss)

    def begin(self, iteration: int, maps: Sequence[Measured]) -> None:
        """An attempt begins with ``iteration``; ``maps`` are the mAP of the run before that, in order."""
        self._pace.begin()
        self._trend.begin(iteration)
        self._iteration = iteration - 1
        last = maps[-1] if maps else None
        # Of equals the first.
        self._maps = last, max(maps, key=lambda one: one[1], default=None)

    def hear(self, iteration: int, avg_loss: float, now_s: float) -> None:
        """``iteration`` is done, at ``now_s`` by a clock that is never set back."""
        self._iteration = iteration
        self._pace.count(iteration, now_s)
        self._trend.add(iteration, avg_loss)

    def hear_map(self, value: float) -> None:
        """A mAP pass has ended with ``value``, from 0 to 1."""
        now, best = (self._iteration, value), self._maps[1]
        self._maps = now, now if best is None or value > best[1] else best

    def tell(self) -> dict[str, Any]:
        """The fields of a ``Status`` that follow."""
        (last_at, last), (best_at, best) = (one or (None, None) for one in self._maps)
        held = self._trend.tell()
        return {
            "per_minute": self._pace.per_minute,
            "left_s": self._pace.left_s(self._max_batches - self._iteration),
            "smooth_loss": held.now if held else None,
            "earlier_loss": held.earlier if held else None,
            "earlier_iteration": held.iteration if held else None,
            "map_last": last,
            "map_last_iteration": last_at,
            "map_best": best,
            "map_best_iteration": best_at,
        }
