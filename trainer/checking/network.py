"""PURE: whether a .cfg describes a network that darknet can train, for the classes that the .data file has.

The rules for filters, steps and max_batches are those of AlexeyAB's README ("How to train to detect your custom
objects"); what each darknet does with a wrong value was measured in 2026, or is in its parser and its detector.c.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.schedule import Place, check_schedule
from trainer.darknet.detection import DEFAULT_CLASSES, NUMBERS_BESIDE_CLASSES, needed_filters
from trainer.darknet.program import Flavour
from trainer.darknet.size import weight_count
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.darknet.cfg import Layer, Network


_DETECTING = frozenset({*NUMBERS_BESIDE_CLASSES, "region", "detection"})


def check_network(
    network: Network,
    text: str,
    path: str,
    *,
    classes: int | None,
    images: int | None = None,
    flavour: Flavour = Flavour.AX,
) -> Iterator[Finding]:
    """Find what is wrong with a cfg that could be parsed.

    Args:
        network: what it says.
        text: of the file, for the lines.
        path: relative to the tree, for the findings.
        classes: of the .data file; None where it does not say.
        images: how many there are to train with; None where that is not known.
        flavour: which darknet trains.

    Raises:
        TreeError: an option is no number; the message names file and line of its section.
    """
    place = Place(path, text)
    yield from check_schedule(network, place, classes=classes, images=images, flavour=flavour)
    yield from _check_layers(network, path)
    if flavour is Flavour.PJ:
        yield from _check_groups(network, place)
    detecting = [layer for layer in network.layers if layer.kind in _DETECTING]
    if not detecting:
        yield Finding(
            Severity.ERROR,
            "no-detector",
            path,
            network.layers[-1].line,
            "There is no [yolo] layer, nor any other that detects.",
            "darknet takes the last layer for one all the same, and dies or learns nothing.",
            "Take the cfg of a detector, such as yolov4-tiny-custom.cfg.",
        )
    for before, layer in pairwise((network.net, *network.layers)):
        if layer.kind in _DETECTING:
            yield from _check_classes(layer, place, classes)
            yield from _check_anchors(layer, place)
            yield from _check_filters(before, layer, place)
            if flavour is not Flavour.PJ:  # it knows no such option
                yield from _check_counters(layer, place)


def _check_layers(network: Network, path: str) -> Iterator[Finding]:
    try:
        weight_count(network)
    except TreeError as error:
        yield from_error(error, path, "darknet ends at this layer, or leaves it out.")


def _check_groups(network: Network, place: Place) -> Iterator[Finding]:
    """The original darknet passes over an option that makes a network half of what it would be."""
    grouped = [layer for layer in network.layers if layer.kind == "route" and layer.integer("groups", 1) > 1]
    if grouped:
        yield place.find(
            Severity.WARNING,
            "route-groups",
            grouped[0],
            "groups",
            what=f"{len(grouped)} [route] layers take a part of what they get (groups=), as yolov4-tiny's do.",
            effect="This darknet knows no groups and trains a larger network: no other darknet can load its "
            "weights, nor does it get anything out of pretrained ones.",
            fix="Train with AlexeyAB's darknet or hank-ai's, or take the cfg of another network: yolov3-tiny.cfg, say.",
        )


def from_error(error: TreeError, path: str, effect: str, code: str = "cfg") -> Finding:
    """A finding of what our own parsers refuse; they put ``PATH:LINE:`` before what they say, or ``PATH:``.

    Args:
        error: theirs.
        path: of the file, relative to the tree.
        effect: what darknet does with it.
        code: the finding's.
    """
    said = str(error)
    match = re.match(rf"{re.escape(path)}:(?:([0-9]+):)?\s*", said)
    line = int(match[1]) if match and match[1] else None
    what = said[match.end() :] if match else said
    return Finding(Severity.ERROR, code, path, line, f"{what}.", effect, error.hint or "Mend it.")


def _check_classes(layer: Layer, place: Place, classes: int | None) -> Iterator[Finding]:
    has = layer.integer("classes", DEFAULT_CLASSES)
    if classes is not None and has != classes:
        yield place.find(
            Severity.ERROR,
            "classes-differ",
            layer,
            "classes",
            what=f"[{layer.kind}] has classes={has}, and the .data file classes = {classes}.",
            effect="darknet trains for as many classes as stand here, and passes over labels of others, or dies.",
            fix=f"Set classes={classes} here, and filters= in the [convolutional] before it.",
        )


def _check_anchors(layer: Layer, place: Place) -> Iterator[Finding]:
    if layer.kind not in NUMBERS_BESIDE_CLASSES:
        return
    masks, anchors = layer.integers("mask"), layer.options.get("anchors", "")
    number, pairs = layer.integer("num", 1), len([part for part in anchors.split(",") if part]) / 2
    if pairs != number:
        yield place.find(
            Severity.ERROR if pairs > number else Severity.WARNING,
            "anchors",
            layer,
            "anchors",
            what=f"anchors= holds {pairs:g} pairs, and num={number}.",
            effect="darknet writes beyond the end of its memory for them."
            if pairs > number
            else "darknet takes half a pixel for what is missing.",
            fix=f"Set num={pairs:g}, or write {number} anchors.",
        )
    if wrong := [mask for mask in masks if not 0 <= mask < number]:
        yield place.find(
            Severity.ERROR,
            "mask",
            layer,
            "mask",
            what=f"mask={layer.options['mask']} names anchor {wrong[0]}, and there are {number}, numbered from 0.",
            effect="darknet reads beyond the end of its memory for the anchors.",
            fix="Write the numbers of anchors of which this layer is to find the boxes.",
        )


def _check_filters(before: Layer, layer: Layer, place: Place) -> Iterator[Finding]:
    needed = needed_filters(layer)
    has = before.integer("filters", 1)
    if needed and before.kind == "convolutional" and has != needed:
        classes = layer.integer("classes", DEFAULT_CLASSES)
        yield place.find(
            Severity.ERROR,
            "filters",
            before,
            "filters",
            what=f"filters={has} does not fit the [{layer.kind}] in line {layer.line} with classes={classes}.",
            effect="darknet ends at the start.",
            fix=f"Set filters={needed}"
            + (" ((classes + 5) * the number of masks)." if layer.kind == "yolo" else "."),
        )


def _check_counters(layer: Layer, place: Place) -> Iterator[Finding]:
    counted = len([part for part in layer.options.get("counters_per_class", "").split(",") if part])
    classes = layer.integer("classes", DEFAULT_CLASSES)
    if counted and counted != classes:
        yield place.find(
            Severity.ERROR,
            "counters",
            layer,
            "counters_per_class",
            what=f"counters_per_class= holds {counted} numbers, and there are {classes} classes.",
            effect="darknet ends at the start, some with exit status 0.",
            fix="Write the number of labels of each class, or delete the line: it only makes up for rare classes.",
        )
