"""PURE: whether the anchors of a layer that detects are sizes of boxes, and which of them serve.

darknet counts the commas of a line for how many numbers there are, and reads each with ``atof`` (source: parser.c).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.wording import quote
from trainer.darknet.cfg import REAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trainer.checking.schedule import Place
    from trainer.darknet.cfg import Layer

_MOST = 100
"""No cfg has as many anchors: to advise to write them would be nonsense."""

_TINY_ANCHORS = "10,14,23,27,37,58,81,82,135,169,344,319"
_TINY_MASKS = frozenset({1, 2, 3, 4, 5})
"""As yolov4-tiny.cfg is published, with an anchor that serves no layer: so its weights were trained."""


def check_anchors(layer: Layer, place: Place) -> Iterator[Finding]:
    """Find what is wrong with the anchors and masks of a [yolo] layer.

    Raises:
        TreeError: num= or mask= is no number; the message names file and line.
    """
    written = layer.options.get("anchors", "")
    number, masks = layer.integer("num", 1), layer.integers("mask")
    if number < 1:
        yield place.find(
            Severity.ERROR, "anchors", layer, "num", what=f"num={number} is not above 0.",
            effect="darknet dies at the start, or goes beyond the end of its memory.",
            fix="Set num= to how many pairs anchors= holds.",
        )  # fmt: skip
        return
    parts = written.split(",") if written else []
    if len(parts) % 2:
        yield place.find(
            Severity.ERROR, "anchors-odd", layer, "anchors",
            what=f"anchors= holds {len(parts)} numbers: the last has no partner.",
            effect="darknet takes them by twos, width and height: from a missing one on, each is another's.",
            fix="Write a width and a height for each anchor, with commas between all of them, and none at the end.",
        )  # fmt: skip
    elif len(parts) != 2 * number:
        yield _wrong_number(layer, place, len(parts) // 2, number)
    # One that num= leaves out though it is written has been told with num=.
    if wrong := [mask for mask in masks if not 0 <= mask < max(number, len(parts) // 2)]:
        yield place.find(
            Severity.ERROR, "mask", layer, "mask",
            what=f"mask={quote(layer.options['mask'])[1:-1]} names anchor {wrong[0]}, and there are {number}, "
            "numbered from 0.",
            effect="darknet reads beyond the end of its memory for the anchors.",
            fix="Write the numbers of anchors of which this layer is to find the boxes.",
        )  # fmt: skip
        return
    used = range(len(parts) // 2) if not masks else sorted(set(masks))
    yield from _check_sizes(layer, place, [part for mask in used for part in parts[2 * mask : 2 * mask + 2]])


def _wrong_number(layer: Layer, place: Place, pairs: int, number: int) -> Finding:
    last = max(layer.integers("mask"), default=0)
    fixes = [
        *([f"set num={pairs}"] if last < pairs else []),
        *([f"write {number} pairs"] if last < number <= _MOST else []),
    ]
    fix = ", or ".join(fixes) or "write a width and a height for each, and in num= how many they are"
    return place.find(
        Severity.ERROR if pairs > number else Severity.WARNING, "anchors", layer, "anchors",
        what=f"anchors= holds {pairs} pairs, and num={number}.",
        effect="darknet writes beyond the end of its memory for them."
        if pairs > number else "darknet takes half a pixel for what is missing.",
        fix=f"{fix[0].upper()}{fix[1:]}.",
    )  # fmt: skip


def _check_sizes(layer: Layer, place: Place, parts: Sequence[str]) -> Iterator[Finding]:
    """Look at the numbers of those anchors that the layer uses."""
    matches = [REAL.match(part) for part in parts]
    sizes = [float(match.group()) if match else math.nan for match in matches]
    wrong = next((part for part, size in zip(parts, sizes, strict=True) if not 0 < size < math.inf), None)
    if wrong is not None:
        yield place.find(
            Severity.ERROR, "anchor-size", layer, "anchors",
            what=f"{quote(wrong)} in anchors= is no number above 0.",
            effect="darknet takes what does not begin as a number for 0, and divides by it: the loss is inf or nan, or "
            "the anchor finds nothing.",
            fix="Write the widths and heights of boxes, in pixels of the network's input.",
        )  # fmt: skip
    elif sizes and max(sizes) < 1:
        yield place.find(
            Severity.WARNING, "anchor-size", layer, "anchors",
            what=f"All anchors are smaller than a pixel: {max(sizes):g} is the largest side.",
            effect="darknet takes them for pixels of the network's input: they are the sizes of no box.",
            fix="Multiply the widths by width= and the heights by height=, if they are parts of the image.",
        )  # fmt: skip


def check_unused(layers: Sequence[Layer], place: Place) -> Iterator[Finding]:
    """Note anchors of which no layer finds the boxes; those of yolov4-tiny as it is published are known.

    Args:
        layers: all that detect; only [yolo] layers whose anchors are the same share them.
        place: where they are.
    """
    sharing: dict[tuple[str, int], list[Layer]] = {}
    for layer in layers:
        key = layer.options.get("anchors", ""), layer.integer("num", 1)
        sharing.setdefault(key, []).append(layer)
    for (anchors, number), users in sharing.items():
        used = {mask for user in users for mask in user.integers("mask") or range(number)}
        known = anchors == _TINY_ANCHORS and used == _TINY_MASKS
        unused = [str(mask) for mask in range(min(number, _MOST)) if mask not in used]
        if anchors and unused and not known:
            yield place.find(
                Severity.NOTE, "anchor-unused", users[-1], "mask",
                what=f"{'Anchors' if len(unused) > 1 else 'Anchor'} {', '.join(unused)} of {number} "
                f"{'are' if len(unused) > 1 else 'is'} in no mask=, counted from 0.",
                effect="No layer finds the boxes that are most like it; another anchor has to do for them.",
                fix="Name each anchor in the mask= of one layer, and set filters= before it.",
            )  # fmt: skip
