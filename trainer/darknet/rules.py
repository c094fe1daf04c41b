"""PURE: what darknet's authors advise for training on one's own objects.

Source: AlexeyAB's README, "How to train (to detect your custom objects)". How many filters a layer that detects asks
for is in ``detection``.
"""

from __future__ import annotations

STRIDE_PX = 32
"""Width and height of the network's input are multiples of it."""

BATCH = 64
SUBDIVISIONS = 16
STEP_SCALES = ".1,.1"
"""By what the learning rate is multiplied at each of ``advised_steps``, in every cfg that the README names."""

ITERATIONS_PER_CLASS = 2_000
FEWEST_ITERATIONS = 6_000


def advised_max_batches(classes: int, images: int) -> int:
    """How many iterations to train for so many classes, with so many training images."""
    return max(classes * ITERATIONS_PER_CLASS, images, FEWEST_ITERATIONS)


def advised_steps(max_batches: int) -> tuple[int, int]:
    """The iterations at which the learning rate is lowered: 80 % and 90 % of all."""
    return max_batches * 8 // 10, max_batches * 9 // 10
