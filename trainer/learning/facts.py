"""PURE: what of a cfg decides whether a checkpoint fits it, and which iteration that is; what changing it does."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from trainer.darknet.size import weights_size

if TYPE_CHECKING:
    from trainer.darknet.cfg import Layer, Network

_DIGEST_DIGITS = 4

_SHAPE_DEFAULTS = {
    "atoms": "", "batch_normalize": "0", "cbn": "0", "crop_height": "", "crop_width": "",
    "dilation": "1", "filters": "1", "flatten": "0", "from": "", "group_id": "0", "groups": "1", "layers": "",
    "maxpool_depth": "0", "out_channels": "", "output": "1", "pad": "0", "padding": "", "reverse": "0",
    "share_index": "", "size": "", "stride": "1", "stride_x": "", "stride_y": "", "weights_type": "none",
}  # fmt: skip
"""The options that decide what a layer's weights mean, and what they are where they are not written.

Empty for those whose default depends on the layer's kind."""


@dataclass(frozen=True, slots=True)
class CfgFacts:
    """What of a cfg decides whether a checkpoint fits it, and which iteration the checkpoint is.

    Attributes:
        batch: images per iteration, as written.
        subdivisions: as written.
        images_per_iteration: by how much ``seen`` in a weights file grows per iteration.
        learning_rate: as written, before policy and burn-in.
        max_batches: iterations to train; 0 where the cfg does not say.
        width: of the input, in pixels; 0 where the input is no image.
        height: likewise.
        channels: likewise.
        weights_bytes: of a checkpoint, with a header as darknet writes it today.
        layers: four hex digits for each layer, in order, of the options that decide what its weights mean.
    """

    batch: int
    subdivisions: int
    images_per_iteration: int
    learning_rate: float
    max_batches: int
    width: int
    height: int
    channels: int
    weights_bytes: int
    layers: str


def read_facts(network: Network) -> CfgFacts:
    """What of a parsed cfg is kept with each attempt.

    Raises:
        TreeError: the network has layers whose size is not known.
    """
    return CfgFacts(
        batch=network.batch,
        subdivisions=network.subdivisions,
        images_per_iteration=network.images_per_iteration,
        learning_rate=max(-sys.float_info.max, min(network.learning_rate, sys.float_info.max)),
        max_batches=network.max_batches,
        width=network.width,
        height=network.height,
        channels=network.channels,
        weights_bytes=weights_size(network),
        layers="".join(_digest(layer) for layer in network.layers),
    )


def _digest(layer: Layer) -> str:
    defaults = _SHAPE_DEFAULTS | ({"stride": "2"} if layer.kind == "upsample" else {})
    said = [layer.kind, *(layer.options.get(key) or default for key, default in defaults.items())]
    return sha256(json.dumps(said).encode()).hexdigest()[:_DIGEST_DIGITS]


def describe_changes(
    before: CfgFacts, now: CfgFacts, *, seen: int | None = None, network: Network | None = None
) -> list[str]:
    """What a cfg that was changed between sessions does to the training; to be said before it goes on.

    Args:
        before: of the cfg that the last attempt ran with.
        now: of the cfg as it is.
        seen: the images that the newest checkpoint counts; None if there is no checkpoint.
        network: the cfg as it is, so that a layer can be named by its place in the file.

    Returns:
        Sentences without a full stop, the most important first; none where nothing of it has changed.
    """
    said = [
        _describe_layers(before, now, network),
        _describe_batch(before, now, seen),
        _describe_goal(before, now, seen),
        _describe_rate(before, now),
        _describe_input(before, now),
    ]
    return [line for line in said if line]


def _describe_layers(before: CfgFacts, now: CfgFacts, network: Network | None) -> str:
    if (before.layers, before.weights_bytes) == (now.layers, now.weights_bytes):
        return ""
    where = _find_first_difference(before, now, network)
    if before.weights_bytes != now.weights_bytes:
        sizes = f"{before.weights_bytes:,} bytes then, {now.weights_bytes:,} now"
        return f"the network has changed{where}: no checkpoint of before fits it ({sizes})"
    return (
        f"the network has changed{where}, and its checkpoints have the size of those of before: darknet would load "
        "these without a word, though they were trained for another network"
    )


def _find_first_difference(before: CfgFacts, now: CfgFacts, network: Network | None) -> str:
    """Where the first layer stands that differs; empty where it is the input that does."""
    digests = [_split_digests(facts.layers) for facts in (before, now)]
    pairs = enumerate(zip(*digests, strict=False))
    number = next((number for number, (one, other) in pairs if one != other), min(map(len, digests)))
    if number == len(digests[0]) == len(digests[1]):
        return ""
    if number < min(map(len, digests)):
        said = f", first in layer {number}"
    else:
        said = f", from {len(digests[0])} layers to {len(digests[1])}"
    if network is not None and number < len(network.layers):
        layer = network.layers[number]
        said += f" ({layer.source}:{layer.line}: [{layer.kind}])"
    return said


def _split_digests(layers: str) -> list[str]:
    return [layers[place : place + _DIGEST_DIGITS] for place in range(0, len(layers), _DIGEST_DIGITS)]


def _describe_batch(before: CfgFacts, now: CfgFacts, seen: int | None) -> str:
    then_images, images = before.images_per_iteration, now.images_per_iteration
    if then_images == images or min(then_images, images) < 1:
        return ""
    was, is_now = _name_batch(before), _name_batch(now)
    if not seen:
        return f"an iteration was {was} and is {is_now}"
    then, here = seen // then_images, seen // images
    return (
        f"iteration {then:,} counted with {was} is iteration {here:,} with {is_now}: the count goes on there"
    )


def _name_batch(facts: CfgFacts) -> str:
    """The batch; and what darknet makes of it, where that is another number."""
    if facts.images_per_iteration == facts.batch:
        return f"batch {facts.batch}"
    return f"batch {facts.batch} in {facts.subdivisions} subdivisions ({facts.images_per_iteration} images)"


def _describe_goal(before: CfgFacts, now: CfgFacts, seen: int | None) -> str:
    trained = seen // now.images_per_iteration if seen and now.images_per_iteration > 0 else 0
    moved = (before.max_batches, before.images_per_iteration) != (now.max_batches, now.images_per_iteration)
    if moved and 0 < now.max_batches <= trained:
        return (
            f"max_batches is {now.max_batches:,} and {trained:,} iterations are trained: darknet would write its final "
            "weights at once and train nothing"
        )
    if before.max_batches == now.max_batches:
        return ""
    steps = "; look whether steps still suits" if before.max_batches and now.max_batches else ""
    return f"max_batches was {before.max_batches:,} and is {now.max_batches:,}{steps}"


def _describe_rate(before: CfgFacts, now: CfgFacts) -> str:
    if before.learning_rate == now.learning_rate:
        return ""
    return (
        f"learning_rate was {before.learning_rate:g} and is {now.learning_rate:g}, from the next iteration on"
    )


def _describe_input(before: CfgFacts, now: CfgFacts) -> str:
    was, is_now = ((facts.width, facts.height) for facts in (before, now))
    if was == is_now or before.weights_bytes != now.weights_bytes:
        return ""
    return (
        f"the input was {was[0]}x{was[1]} and is {is_now[0]}x{is_now[1]} pixels; checkpoints fit all the same"
    )
