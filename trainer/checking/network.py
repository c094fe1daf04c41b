"""PURE: whether a .cfg describes a network that darknet can train, for the classes that the .data file has.

The rules for filters, steps and max_batches are those of AlexeyAB's README ("How to train to detect your custom
objects"); what each darknet does with a wrong value was measured in 2026, or is in its parser and its detector.c.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from trainer.checking.anchors import check_anchors, check_unused
from trainer.checking.findings import Finding, Severity
from trainer.checking.schedule import Place, check_schedule
from trainer.darknet.detection import DEFAULT_CLASSES, NUMBERS_BESIDE_CLASSES, needed_filters
from trainer.darknet.program import Flavour
from trainer.darknet.size import weight_count
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.darknet.cfg import Layer, Network


_NO_HINT = "Compare it with the cfg that yours was made from."

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
    yield from _check_detectors(network, place, path, classes, flavour)
    if flavour is Flavour.PJ:
        yield from _check_groups(network, place)


def _check_detectors(
    network: Network, place: Place, path: str, classes: int | None, flavour: Flavour
) -> Iterator[Finding]:
    detecting = [layer for layer in network.layers if layer.kind in _DETECTING]
    found: list[Finding] = []
    for before, layer in pairwise((network.net, *network.layers)):
        if layer.kind in _DETECTING:
            found += _check_classes(layer, place, classes)
            if layer.kind in NUMBERS_BESIDE_CLASSES:
                found += check_anchors(layer, place)
            found += _check_filters(before, layer, place, classes)
            if flavour is not Flavour.PJ:  # it knows no such option
                found += _check_counters(layer, place)
    found += check_unused([layer for layer in detecting if layer.kind in NUMBERS_BESIDE_CLASSES], place)
    # What has been said of a line is not said again in other words.
    told = {finding.line for finding in found}
    layers = [finding for finding in _check_layers(network, path) if finding.line not in told]
    yield from (*layers, *found)
    if not detecting and not layers:
        yield Finding(
            Severity.ERROR,
            "no-detector",
            path,
            network.layers[-1].line,
            "There is no [yolo] layer, nor any other that detects.",
            "darknet takes the last layer for one all the same, and dies or learns nothing.",
            "Take the cfg of a detector, such as yolov4-tiny-custom.cfg.",
        )


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
    return Finding(Severity.ERROR, code, path, line, f"{what}.", effect, error.hint or _NO_HINT)


def _check_classes(layer: Layer, place: Place, classes: int | None) -> Iterator[Finding]:
    has = layer.integer("classes", DEFAULT_CLASSES)
    if classes is None and has < 1:
        yield place.find(
            Severity.ERROR,
            "classes-differ",
            layer,
            "classes",
            what=f"[{layer.kind}] has classes={has}, which is not above 0.",
            effect="darknet dies at the start, or learns nothing.",
            fix="Set the number of classes here, and filters= in the [convolutional] before it.",
        )
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


def _check_filters(before: Layer, layer: Layer, place: Place, meant: int | None) -> Iterator[Finding]:
    """``meant`` is the number of classes by the .data file: where the layer has another, that is what is wrong."""
    own = layer.integer("classes", DEFAULT_CLASSES)
    classes = own if meant is None else meant
    needed = needed_filters(replace(layer, options={**layer.options, "classes": str(classes)}))
    has = before.integer("filters", 1)
    fits = has == needed or (own > 0 and has == needed_filters(layer))
    if needed > 0 and classes > 0 and before.kind == "convolutional" and not fits:
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
