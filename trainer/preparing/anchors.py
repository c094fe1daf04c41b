"""PURE: anchors that fit the boxes of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Anchors:
    """Widths and heights in pixels of the network's input, smallest area first; ``mean_iou`` is from 0 to 1."""

    sizes: tuple[tuple[float, float], ...]
    mean_iou: float


def find_anchors(boxes: Sequence[tuple[float, float]], count: int, seed: int) -> Anchors:
    """Cluster boxes, widths and heights in pixels of the network's input, by 1 - IoU."""
    raise NotImplementedError
