"""PURE: a .cfg for one's own classes, made from a template that was written for others.

What is set, and to what, is what AlexeyAB's README tells people to do by hand ("How to train (to detect your custom
objects)" and, for anchors, "How to improve object detection"). All else stays as it is written, comments included.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from trainer.darknet.cfg import parse_cfg
from trainer.darknet.detection import NUMBERS_BESIDE_CLASSES, needed_filters
from trainer.darknet.rules import (
    BATCH,
    STEP_SCALES,
    STRIDE_PX,
    SUBDIVISIONS,
    advised_max_batches,
    advised_steps,
)
from trainer.errors import TreeError
from trainer.preparing.rewriting import Change, rewrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trainer.darknet.cfg import Layer, Network

_TINY = "yolov4-tiny"
_NETWORKS = (
    _TINY,
    "yolov4",
    "yolov4-tiny-3l",
    "yolov4-csp",
    "yolov4x-mish",
    "yolov3-tiny",
    "yolov3",
    "yolov3-spp",
)
"""Those to which the rules apply, the likeliest to be meant first: the tutorial's, then by AlexeyAB's README."""

_ENDINGS = ("-custom.cfg", ".cfg")
_STARTED_BY = {_TINY: (_TINY, "yolov4-tiny-3l"), "darknet53": ("yolov3", "yolov3-spp")}
"""The networks that the first layers of another (``NAME.conv.N``) start, too; those of others start their own."""

_OTHER_DETECTORS = frozenset({"region", "detection"})
_SMALLEST_SIDE_PX = 0.1
"""Of an anchor: darknet divides by it."""


def find_template(names: Iterable[str], *, weights: Iterable[str] = ()) -> str | None:
    """Which of the cfgs in a tree is to be the template.

    One that fits pretrained weights comes before any other, then one that is made to be a template (``-custom``).

    Args:
        names: of the files in the tree's cfg/, without a directory.
        weights: names of pretrained weights in the tree.

    Returns:
        One of the names. None where none is of a known network, or none of those that the weights start although
        ``tiny_cfg_text`` is: that one is to be the template.
    """
    there = set(names)
    started = {network for name in weights for network in _started_by(name)}
    fitting = [network for network in _NETWORKS if network in started]
    if (found := _first_of(fitting, there)) or _TINY in fitting:
        return found
    return _first_of(_NETWORKS, there)


def _started_by(weights: str) -> tuple[str, ...]:
    """The networks that a file of pretrained weights is for, by its name."""
    network = weights.partition(".")[0]
    return _STARTED_BY.get(network, (network,))


def _first_of(networks: Sequence[str], there: set[str]) -> str | None:
    names = (f"{network}{ending}" for ending in _ENDINGS for network in networks)
    return next((name for name in names if name in there), None)


def make_cfg(
    template: str,
    source: str,
    *,
    classes: int,
    images: int,
    width_px: int | None = None,
    height_px: int | None = None,
    batch: int | None = None,
    subdivisions: int | None = None,
    anchors: Sequence[tuple[float, float]] | None = None,
) -> str:
    """Set a template's options by darknet's published rules, and leave the rest as it stands there.

    What stands there already is not written anew: made from what it has made, a cfg stays the same. A byte order mark
    and carriage returns go, for not every darknet can read them.

    Args:
        template: the text of a cfg with [yolo] or [Gaussian_yolo] layers.
        source: its name, for messages.
        classes: how many there are.
        images: how many there are to train with.
        width_px: of the network's input, a multiple of 32; None leaves what the template has. Its anchors stay, too,
            though they are in pixels of the input: so says the README, for training as for detecting at another size.
        height_px: likewise.
        batch: images per iteration; None for 64.
        subdivisions: parts in which a batch goes through the network; None for 16, or for what divides a smaller batch.
        anchors: widths and heights in pixels of the network's input; None leaves those of the template. Where they
            are as many as before, and each served one layer, each layer keeps its share (``mask``) of them, smallest
            area first; else they are shared out anew, evenly, the smaller to the layers that had the smaller.

    Raises:
        TreeError: the template is no cfg, or not of a network to which these rules apply, or an argument does not fit;
            the message names file and line, where one is to blame.
    """
    text = template.removeprefix("\ufeff").replace("\r", "")
    network = parse_cfg(text, source)
    if classes < 1:
        raise TreeError(f"a network for {classes} classes cannot be trained")
    changes = [
        *_input_changes(network.net, "width", network.width, width_px),
        *_input_changes(network.net, "height", network.height, height_px),
        *_batch_changes(network.net, batch, subdivisions),
        *_length_changes(network.net, advised_max_batches(classes, images)),
        *_detector_changes(network, classes, anchors),
    ]
    return rewrite(text, changes)


def _input_changes(net: Layer, key: str, written_px: int, asked_px: int | None) -> Iterator[Change]:
    if asked_px is None:
        if written_px < 1 or written_px % STRIDE_PX:
            raise net.wrong(f"{key}={written_px} is no multiple of {STRIDE_PX}")
        return
    if asked_px < 1 or asked_px % STRIDE_PX:
        raise TreeError(
            f"the network's input cannot have a {key} of {asked_px} pixels",
            hint=f"Take a multiple of {STRIDE_PX}: 416, say.",
        )
    yield Change(net.line, key, str(asked_px))


def _batch_changes(net: Layer, batch: int | None, subdivisions: int | None) -> Iterator[Change]:
    batch = BATCH if batch is None else batch
    if batch < 2:
        raise TreeError(f"darknet cannot be trained with a batch of {batch}", hint=f"Take {BATCH}.")
    if subdivisions is None:
        subdivisions = max(parts for parts in range(1, SUBDIVISIONS + 1) if batch % parts == 0)
    if subdivisions < 1 or batch % subdivisions:
        raise TreeError(
            f"a batch of {batch} images cannot go through the network in {subdivisions} equal parts",
            hint=f"Take a number of subdivisions that divides {batch}.",
        )
    yield Change(net.line, "batch", str(batch))
    yield Change(net.line, "subdivisions", str(subdivisions))


def _length_changes(net: Layer, max_batches: int) -> Iterator[Change]:
    yield Change(net.line, "max_batches", str(max_batches))
    if net.options.get("policy") != "steps":
        return  # then the learning rate follows max_batches by itself, or does not change
    steps = advised_steps(max_batches)
    yield Change(net.line, "steps", ",".join(map(str, steps)))
    if len(_parts(net.options.get("scales", ""))) != len(steps):
        yield Change(net.line, "scales", STEP_SCALES)


def _detector_changes(
    network: Network, classes: int, anchors: Sequence[tuple[float, float]] | None
) -> Iterator[Change]:
    detectors = _find_detectors(network)
    layers = [layer for _, layer in detectors]
    shares = [dict[str, str]()] * len(layers) if anchors is None else _share_out(anchors, layers)
    for (before, layer), share in zip(detectors, shares, strict=True):
        options = {"classes": str(classes), **share}
        for key, value in options.items():
            yield Change(layer.line, key, value)
        if len(_parts(layer.options.get("counters_per_class", ""))) not in {0, classes}:
            yield Change(layer.line, "counters_per_class", None)  # it ends darknet, with exit status 0
        filters = needed_filters(replace(layer, options={**layer.options, **options}))
        yield Change(before.line, "filters", str(filters))


def _find_detectors(network: Network) -> list[tuple[Layer, Layer]]:
    """The layers that detect, in order, each after the convolution before it."""
    found = []
    for before, layer in pairwise((network.net, *network.layers)):
        if layer.kind in _OTHER_DETECTORS:
            raise layer.wrong("detects by other rules than a [yolo] layer, which are not known here")
        if layer.kind in NUMBERS_BESIDE_CLASSES:
            if before.kind != "convolutional":
                raise layer.wrong(
                    f"comes after a [{before.kind}], not after the [convolutional] to set filters in"
                )
            found.append((before, layer))
    if not found:
        raise TreeError(f"{network.net.source}: has no [yolo] layer, so it is no detector's")
    return found


def _share_out(anchors: Sequence[tuple[float, float]], layers: Sequence[Layer]) -> list[dict[str, str]]:
    """The options of each layer that say which boxes it is to find."""
    if not all(math.isfinite(side) and side > 0 for size in anchors for side in size):
        raise TreeError("an anchor's width and height are numbers above 0")
    if len(anchors) < len(layers):
        raise TreeError(f"{len(anchors)} anchors are too few for {len(layers)} layers that detect")
    ascending = sorted(anchors, key=lambda size: (size[0] * size[1], size))
    number = len(ascending)
    written = ",  ".join(f"{_side(width)},{_side(height)}" for width, height in ascending)
    shares = [{"num": str(number), "anchors": written} for _ in layers]
    masks = [layer.integers("mask") or range(number) for layer in layers]
    each_once = sorted(mask for share in masks for mask in share) == list(range(number))
    if not each_once or any(layer.integer("num", 1) != number for layer in layers):
        by_size = sorted(range(len(layers)), key=lambda index: min(layers[index].integers("mask"), default=0))
        for rank, index in enumerate(by_size):
            mine = range(rank * number // len(layers), (rank + 1) * number // len(layers))
            shares[index]["mask"] = ",".join(map(str, mine))
    return shares


def _side(side_px: float) -> str:
    """As darknet writes it, in whole pixels; small ones finer, for there a pixel is much (it reads a real number)."""
    return f"{side_px:.0f}" if side_px >= 10 else f"{max(side_px, _SMALLEST_SIDE_PX):.1f}".removesuffix(".0")


def _parts(written: str) -> list[str]:
    return [part for part in written.split(",") if part]
