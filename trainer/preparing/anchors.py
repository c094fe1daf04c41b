"""PURE: anchors that fit the boxes of a data set.

As darknet's own ``detector calc_anchors`` (source: its ``calc_anchors`` and ``do_kmeans``) it clusters widths and
heights by k-means with the distance 1 - IoU, boxes and anchors laid corner on corner. It begins with other guesses,
spread out by k-means++ and the same for the same seed, where darknet takes any boxes and others each time; and it
begins a few times and keeps the best, for what k-means ends with depends on where it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    _Floats = npt.NDArray[np.float64]

_STARTS = 3
_MOST_ROUNDS = 1_000
"""As in darknet; 100,000 boxes settle within some hundreds."""

_SMALLEST_PX, _LARGEST_PX = 1e-3, 1e6
"""Whatever has a shorter or longer side is the box of nothing."""


@dataclass(frozen=True, slots=True)
class Anchors:
    """Anchors, and how well they fit.

    Attributes:
        sizes: widths and heights in pixels of the network's input, smallest area first.
        mean_iou: of each box with the anchor that fits it best; from 0 to 1.
    """

    sizes: tuple[tuple[float, float], ...]
    mean_iou: float


def find_anchors(boxes: Sequence[tuple[float, float]] | _Floats, count: int, seed: int) -> Anchors:
    """Find the anchors that fit boxes best.

    Args:
        boxes: widths and heights in pixels of the network's input; those with a side of 0, or one that no
            picture has, are passed over.
        count: of anchors. Of fewer different boxes each is an anchor, some of them more than once.
        seed: the same finds the same.

    Raises:
        TreeError: there is no box to fit.
    """
    every = np.asarray(boxes, dtype=np.float64).reshape(-1, 2)
    usable = every[((every >= _SMALLEST_PX) & (every <= _LARGEST_PX)).all(axis=1)]
    if not len(usable):
        raise TreeError("there is no box that anchors could fit", hint="Label some objects first.")
    different, times = np.unique(usable, axis=0, return_counts=True)
    data = _Boxes(np.ascontiguousarray(different.T), times)
    if len(different) <= count:
        anchors = _in_order(different)[np.arange(count) * len(different) // count]
    else:
        rng = np.random.default_rng(seed)
        found = [_settle(data, _spread(data, count, rng)) for _ in range(_STARTS)]
        anchors = _in_order(max(found, key=data.mean_iou))
    pairs = tuple((float(width), float(height)) for width, height in anchors)
    return Anchors(pairs, data.mean_iou(anchors))


class _Boxes:
    """Boxes that differ from one another; anchors are an array with a width and a height in each row.

    Attributes:
        sides: a row of widths and a row of heights.
        times: how often there is each.
    """

    def __init__(self, sides: _Floats, times: npt.NDArray[np.int64]) -> None:
        self.sides = sides
        self.times = times
        self._areas: _Floats = sides[0] * sides[1]

    def ious(self, anchors: _Floats) -> _Floats:
        """A row for each anchor: the overlap of each box with it, as a part of what both cover."""
        ious: _Floats = np.empty((len(anchors), len(self.times)))
        for row, (width, height) in zip(ious, anchors, strict=True):
            overlap = np.minimum(self.sides[0], width) * np.minimum(self.sides[1], height)
            np.divide(overlap, self._areas + width * height - overlap, out=row)
        return ious

    def mean_iou(self, anchors: _Floats) -> float:
        return float(np.average(self.ious(anchors).max(axis=0), weights=self.times))


def _in_order(anchors: _Floats) -> _Floats:
    ordered: _Floats = anchors[np.argsort(anchors[:, 0] * anchors[:, 1], kind="stable")]
    return ordered


def _spread(boxes: _Boxes, count: int, rng: np.random.Generator) -> _Floats:
    """Anchors to begin with: each a box, the likelier the farther it is from those before it (k-means++)."""
    distance: _Floats = np.ones(len(boxes.times))
    chosen: list[int] = []
    while len(chosen) < count:
        likelihood = boxes.times * distance**2
        if not likelihood.any():  # all that is left differs from them by less than can be computed
            likelihood = np.ones(len(boxes.times))
        chosen.append(int(rng.choice(len(likelihood), p=likelihood / likelihood.sum())))
        distance = np.minimum(distance, 1 - boxes.ious(boxes.sides[:, chosen[-1:]].T)[0])
    anchors: _Floats = boxes.sides[:, chosen].T
    return anchors


def _settle(boxes: _Boxes, anchors: _Floats) -> _Floats:
    """Move each anchor to the mean of the boxes that it fits best, until none of them goes over to another."""
    sums_of = boxes.sides * boxes.times
    nearest = np.full(len(boxes.times), -1)
    for _ in range(_MOST_ROUNDS):
        before, nearest = nearest, boxes.ious(anchors).argmax(axis=0)
        if np.array_equal(before, nearest):
            break
        number = np.bincount(nearest, weights=boxes.times, minlength=len(anchors))
        sums = [np.bincount(nearest, weights=side, minlength=len(anchors)) for side in sums_of]
        means = np.stack(sums, axis=1) / np.maximum(number, 1)[:, None]
        anchors = np.where(number[:, None] > 0, means, anchors)
    return anchors
