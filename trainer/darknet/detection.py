"""PURE: the layers of a cfg that detect, and what they ask of the layer before them (source: darknet's parser)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.darknet.cfg import Layer

NUMBERS_BESIDE_CLASSES = {"yolo": 5, "Gaussian_yolo": 9}
"""What a layer that detects says of each box, beside its classes."""

DEFAULT_CLASSES = 20
"""Where a layer does not say how many there are."""


def needed_filters(layer: Layer) -> int:
    """How many filters the [convolutional] before a layer that detects must have; 0 where that is not known.

    Raises:
        TreeError: an option is no number.
    """
    classes = layer.integer("classes", DEFAULT_CLASSES)
    if layer.kind == "region":
        return (classes + layer.integer("coords", 4) + 1) * layer.integer("num", 1)
    if layer.kind not in NUMBERS_BESIDE_CLASSES:
        return 0
    masks = len(layer.integers("mask")) or layer.integer("num", 1)
    return (classes + NUMBERS_BESIDE_CLASSES[layer.kind]) * masks
