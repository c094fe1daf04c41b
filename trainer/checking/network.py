"""PURE: whether a .cfg describes a network that darknet can train, for the classes that the .data file has.

The rules for filters, steps and max_batches are those of AlexeyAB's README ("How to train to detect your custom
objects"); what each darknet does with a wrong value was measured in 2026, or is in its parser and its detector.c.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.rows import find_line
from trainer.darknet.detection import DEFAULT_CLASSES, NUMBERS_BESIDE_CLASSES, needed_filters
from trainer.darknet.program import Flavour
from trainer.darknet.rules import (
    BATCH,
    FEWEST_ITERATIONS,
    ITERATIONS_PER_CLASS,
    STEP_SCALES,
    STRIDE_PX,
    advised_max_batches,
    advised_steps,
)
from trainer.darknet.size import weight_count
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.darknet.cfg import Layer, Network


_DETECTING = frozenset({*NUMBERS_BESIDE_CLASSES, "region", "detection"})
_SMALL_SET = 100
"""Images; the advice on how long to train is for no smaller set."""


class _Place:
    """Makes findings of a cfg, each on the line of the option that it is about."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text

    def find(
        self, severity: Severity, code: str, layer: Layer, key: str, *, what: str, effect: str, fix: str
    ) -> Finding:
        line = find_line(self._text, layer.line, key)
        return Finding(severity, code, self._path, line, what, effect, fix)


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
    place = _Place(path, text)
    yield from _check_batch(network, place, flavour)
    yield from _check_input(network, place)
    yield from _check_length(network, place, classes, images)
    yield from _check_steps(network, place)
    yield from _check_rate(network, place)
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


def _check_batch(network: Network, place: _Place, flavour: Flavour) -> Iterator[Finding]:
    batch, subdivisions = network.batch, network.subdivisions
    if batch == 1:
        yield place.find(
            Severity.ERROR if flavour is Flavour.AX else Severity.WARNING,
            "batch",
            network.net,
            "batch",
            what="batch=1 is for detecting, not for training.",
            effect="AlexeyAB's darknet waits for a key; the others learn from one image at a time, mostly nothing.",
            fix=f"Set batch={BATCH}, and subdivisions as the GPU's memory demands.",
        )
    elif batch < subdivisions:
        yield place.find(
            Severity.ERROR,
            "subdivisions",
            network.net,
            "subdivisions",
            what=f"subdivisions={subdivisions} is more than batch={batch}.",
            effect="Less than one image is left for a subdivision, and darknet trains with another batch than "
            "the cfg says, or dies.",
            fix=f"Set subdivisions to a divisor of {batch}.",
        )
    elif batch % subdivisions:
        yield place.find(
            Severity.WARNING,
            "subdivisions",
            network.net,
            "subdivisions",
            what=f"subdivisions={subdivisions} does not divide batch={batch}.",
            effect=f"darknet drops the remainder and trains with batch={batch - batch % subdivisions}.",
            fix=f"Set subdivisions to a divisor of {batch}.",
        )


def _check_input(network: Network, place: _Place) -> Iterator[Finding]:
    resizes = any(layer.kind == "upsample" for layer in network.layers)
    for key, value in (("width", network.width), ("height", network.height)):
        if value % STRIDE_PX == 0 and value > 0:
            continue
        nearest = max(STRIDE_PX, round(value / STRIDE_PX) * STRIDE_PX)
        yield place.find(
            Severity.ERROR if resizes or value < 1 else Severity.WARNING,
            key,
            network.net,
            key,
            what=f"{key}={value} is no multiple of {STRIDE_PX}.",
            effect="Layers that are joined again do not fit one another, and darknet ends or joins nothing."
            if resizes
            else "darknet needs one; other sizes it mostly rounds, and what lies at the edge is lost.",
            fix=f"Set {key}={nearest}.",
        )


def _check_length(
    network: Network, place: _Place, classes: int | None, images: int | None
) -> Iterator[Finding]:
    asked = network.max_batches
    if asked < 1:
        yield place.find(
            Severity.ERROR,
            "no-max-batches",
            network.net,
            "max_batches",
            what="max_batches is missing or 0.",
            effect="darknet trains nothing, ends with exit status 0, and calls random weights its final ones.",
            fix=f"Set max_batches to classes * {ITERATIONS_PER_CLASS}, at least {FEWEST_ITERATIONS}.",
        )
        return
    advised = advised_max_batches(classes or 0, images or 0)
    few = (images or 0) > asked * network.batch
    if few or (asked < advised and (images or 0) >= _SMALL_SET):
        yield place.find(
            Severity.WARNING if few else Severity.NOTE,
            "max-batches",
            network.net,
            "max_batches",
            what=f"max_batches={asked} is less than the {advised} that AlexeyAB's README advises.",
            effect="The training ends before darknet has seen each image once."
            if few
            else "The training may end before it has learned what it could.",
            fix=f"Set max_batches={advised} (classes * {ITERATIONS_PER_CLASS}, at least {FEWEST_ITERATIONS} and "
            f"the number of images), and {_steps(advised)}.",
        )


def _check_steps(network: Network, place: _Place) -> Iterator[Finding]:
    net = network.net
    if net.options.get("policy", "constant") != "steps":
        return
    steps, scales = net.integers("steps"), [part for part in net.options.get("scales", "").split(",") if part]
    asked = network.max_batches
    fix = f"Set {_steps(asked)} (80 % and 90 % of max_batches), and scales={STEP_SCALES}."
    if not steps or not scales or len(scales) < len(steps):
        yield place.find(
            Severity.ERROR,
            "steps",
            net,
            "scales" if steps else "steps",
            what=f"policy=steps has {len(steps)} steps and {len(scales)} scales.",
            effect="darknet ends at the start, or reads beyond the end of the line.",
            fix=fix,
        )
    elif any(later <= earlier for earlier, later in pairwise(steps)):
        yield place.find(
            Severity.WARNING,
            "steps",
            net,
            "steps",
            what=f"steps={net.options['steps']} do not ascend.",
            effect="darknet lowers the learning rate at other iterations than are meant.",
            fix=fix,
        )
    elif 0 < asked <= steps[-1]:
        yield place.find(
            Severity.WARNING,
            "steps",
            net,
            "steps",
            what=f"steps={net.options['steps']} go beyond max_batches={asked}.",
            effect="The learning rate is not lowered before the end, and the last of what could be learned is not.",
            fix=fix,
        )
    elif steps[-1] < asked // 2:
        yield place.find(
            Severity.WARNING,
            "steps",
            net,
            "steps",
            what=f"steps={net.options['steps']} all lie in the first half of max_batches={asked}.",
            effect="Most of the training goes on with a learning rate that was lowered too early.",
            fix=fix,
        )


def _steps(max_batches: int) -> str:
    first, second = advised_steps(max_batches)
    return f"steps={first},{second}"


def _check_rate(network: Network, place: _Place) -> Iterator[Finding]:
    if network.learning_rate <= 0:
        yield place.find(
            Severity.ERROR,
            "learning-rate",
            network.net,
            "learning_rate",
            what=f"learning_rate={network.learning_rate:g} is not above 0.",
            effect="darknet runs to the end and learns nothing.",
            fix="Set the one of the cfg that yours was made from: 0.001 or 0.00261, say.",
        )
    burn_in = network.net.integer("burn_in", 0)
    if 0 < network.max_batches <= burn_in:
        yield place.find(
            Severity.WARNING,
            "burn-in",
            network.net,
            "burn_in",
            what=f"burn_in={burn_in} is not below max_batches={network.max_batches}.",
            effect="The learning rate is still rising when the training ends.",
            fix=f"Set burn_in={max(1, network.max_batches // 10)} or less.",
        )


def _check_layers(network: Network, path: str) -> Iterator[Finding]:
    try:
        weight_count(network)
    except TreeError as error:
        yield from_error(error, path, "darknet ends at this layer, or leaves it out.")


def _check_groups(network: Network, place: _Place) -> Iterator[Finding]:
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


def _check_classes(layer: Layer, place: _Place, classes: int | None) -> Iterator[Finding]:
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


def _check_anchors(layer: Layer, place: _Place) -> Iterator[Finding]:
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


def _check_filters(before: Layer, layer: Layer, place: _Place) -> Iterator[Finding]:
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


def _check_counters(layer: Layer, place: _Place) -> Iterator[Finding]:
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
