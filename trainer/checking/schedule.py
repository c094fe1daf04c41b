"""PURE: how the [net] section of a .cfg has a network trained: batch, input, length, steps and learning rate.

The rules are those of AlexeyAB's README ("How to train to detect your custom objects"); what each darknet does with a
wrong value was measured in 2026, or is in its parser and its detector.c.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.rows import find_line
from trainer.checking.wording import quote
from trainer.darknet.cfg import REAL
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.darknet.cfg import Layer, Network

_SMALL_SET = 100
"""Images; the advice on how long to train is for no smaller set."""


_LARGEST_INPUT_PX = 4096
"""No GPU that people have trains a larger input: who has written more has mistyped."""

_USUAL_INPUT_PX = 416


class Place:
    """Makes findings of a cfg, each on the line of the option that it is about.

    Args:
        path: of the cfg, relative to the tree.
        text: of it.
    """

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text

    def find(
        self, severity: Severity, code: str, layer: Layer, key: str, *, what: str, effect: str, fix: str
    ) -> Finding:
        """A finding about ``key`` of ``layer``."""
        line = find_line(self._text, layer.line, key)
        return Finding(severity, code, self._path, line, what, effect, fix)


def check_schedule(
    network: Network, place: Place, *, classes: int | None, images: int | None, flavour: Flavour
) -> Iterator[Finding]:
    """Find what is wrong with it; arguments and errors as ``check_network``."""
    yield from _check_batch(network, place, flavour)
    yield from _check_input(network, place)
    yield from _check_length(network, place, classes, images)
    yield from _check_steps(network, place)
    yield from _check_rate(network, place)


def _check_batch(network: Network, place: Place, flavour: Flavour) -> Iterator[Finding]:
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


def _check_input(network: Network, place: Place) -> Iterator[Finding]:
    resizes = any(layer.kind == "upsample" for layer in network.layers)
    for key, value in (("width", network.width), ("height", network.height)):
        if value % STRIDE_PX == 0 and value > 0:
            continue
        nearest = round(value / STRIDE_PX) * STRIDE_PX
        yield place.find(
            Severity.ERROR if resizes or value < 1 else Severity.WARNING,
            key,
            network.net,
            key,
            what=f"{key}={value} is no multiple of {STRIDE_PX}.",
            effect="Layers that are joined again do not fit one another, and darknet ends or joins nothing."
            if resizes
            else "darknet needs one; other sizes it mostly rounds, and what lies at the edge is lost.",
            fix=f"Set {key}={nearest if STRIDE_PX <= nearest <= _LARGEST_INPUT_PX else _USUAL_INPUT_PX}.",
        )


def _check_length(
    network: Network, place: Place, classes: int | None, images: int | None
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
            f"the number of images), and {_advise_steps(advised)}.",
        )


def _check_steps(network: Network, place: Place) -> Iterator[Finding]:
    net = network.net
    if net.options.get("policy", "constant") != "steps":
        return
    steps, scales = net.integers("steps"), [part for part in net.options.get("scales", "").split(",") if part]
    asked = network.max_batches
    fix = f"Set {_advise_steps(asked)}, and scales={STEP_SCALES}."
    written = f"steps={quote(net.options.get('steps', ''))[1:-1]}"

    def find(severity: Severity, what: str, effect: str, key: str = "steps") -> Finding:
        return place.find(severity, "steps", net, key, what=what, effect=effect, fix=fix)

    if not steps or not scales or len(scales) < len(steps):
        yield find(
            Severity.ERROR,
            f"policy=steps has {len(steps)} steps and {len(scales)} scales.",
            "darknet ends at the start, or reads beyond the end of the line.",
            "scales" if steps else "steps",
        )
        return
    if wrong := [scale for scale in scales[: len(steps)] if not _is_scale(scale)]:
        yield find(
            Severity.ERROR,
            f"{quote(wrong[0])} in scales= is no number above 0.",
            "darknet multiplies the learning rate by it, or by 0: from that step on it learns nothing.",
            "scales",
        )
    if steps[0] < 1 or any(later <= earlier for earlier, later in pairwise(steps)):
        yield find(
            Severity.ERROR,
            f"{written} do not ascend from 1.",
            "darknet lowers the learning rate at other iterations than are meant.",
        )
    elif 0 < asked <= steps[-1]:
        yield find(
            Severity.WARNING,
            f"{written} go beyond max_batches={asked}.",
            "The learning rate is not lowered before the end, and the last of what could be learned is not.",
        )
    elif steps[-1] < asked // 2:
        yield find(
            Severity.WARNING,
            f"{written} all lie in the first half of max_batches={asked}.",
            "Most of the training goes on with a learning rate that was lowered too early.",
        )


def _is_scale(part: str) -> bool:
    match = REAL.match(part)
    return match is not None and 0 < float(match.group()) < math.inf


def _advise_steps(max_batches: int) -> str:
    """What to set steps= to; of so few iterations that they have no two steps, only the rule."""
    first, second = advised_steps(max_batches)
    rule = "80 % and 90 % of max_batches"
    return f"steps={first},{second} ({rule})" if 1 <= first < second else f"steps= to {rule}"


def _check_rate(network: Network, place: Place) -> Iterator[Finding]:
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
