"""PURE: whether pretrained weights are of the network that they are to start.

darknet reads as many numbers as its layers want, one layer after the other, and tells a file that was written for
another network by nothing: it trains from nonsense then.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.darknet.pretrained import find_published
from trainer.darknet.program import Flavour, refuse_weights
from trainer.darknet.size import FLOAT_BYTES, weight_count
from trainer.darknet.weights import HeaderError, parse_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trainer.darknet.cfg import Network
    from trainer.darknet.weights import Header

CLEAR = "-clear"
"""darknet's flag to count from the first iteration, whatever the weights file says."""

_NONSENSE = "darknet reads its numbers into the wrong places without a word, and trains from nonsense."
_CALLED = re.compile(r"\.(?:weights|conv\.[0-9]+)\Z")
_NAMED = 3
_FROM_NOTHING = (
    "darknet starts from random weights: it takes many more images and iterations to learn as much."
)
_OTHERS = (
    "Take the file that was made for this network (yolov4-tiny.conv.29 for yolov4-tiny), or fetch it again."
)


def check_weights(
    head: bytes,
    size_bytes: int,
    network: Network,
    path: str,
    *,
    flavour: Flavour = Flavour.AX,
    clear: bool = False,
) -> Iterator[Finding]:
    """Find what is wrong with pretrained weights.

    Args:
        head: the file's first 20 bytes, or all it has.
        size_bytes: of the whole file.
        network: that it is to start.
        path: relative to the tree, for the findings.
        flavour: which darknet loads it.
        clear: whether darknet is told to count from the first iteration.

    Raises:
        TreeError: the network has layers whose size is not known.
    """
    if refused := refuse_weights(flavour, path):
        yield _wrong("weights-name", path, f"{refused}.", "It trains from random weights, without a word.")
        return
    try:
        header = parse_header(head)
    except HeaderError as error:
        yield _wrong("weights-header", path, f"This is no weights file: {error}.", _NONSENSE)
        return
    numbers, odd = divmod(size_bytes - header.size_bytes, FLOAT_BYTES)
    if odd or not _fits(numbers, network, header.flavour):
        yield _misfit(numbers, network, header, path)
    done = header.seen // network.images_per_iteration
    if done and not clear:
        yield _trained(done, network, path)


def is_pretrained(name: str) -> bool:
    """Whether a file is called as weights are: ``x.weights``, or ``x.conv.N`` for those of the first N layers."""
    return _CALLED.search(name) is not None


def fits(head: bytes, size_bytes: int, network: Network, path: str, flavour: Flavour) -> bool:
    """Whether a file could start the network; arguments and errors as ``check_weights``."""
    return not any(
        finding.severity is Severity.ERROR
        for finding in check_weights(head, size_bytes, network, path, flavour=flavour, clear=True)
    )


def check_absence(
    network: Network, default: str, *, fitting: Sequence[str], others: Sequence[str], flavour: Flavour
) -> Finding | None:
    """What to say where a training starts from no pretrained weights.

    Args:
        network: that is to be trained.
        default: the file that is taken where no other one is named; it is not there.
        fitting: files beside it that could start the network.
        others: those that could not.
        flavour: which darknet trains.

    Returns:
        None where nothing is known that would start the network.
    """
    wanted = find_published(network, flavour)
    if wanted is None and not fitting:
        return None
    name = wanted or default
    if refuse_weights(flavour, name):
        name += ".weights"
    if fitting:
        what = f"{default} is not there, and no other weights are named; {fitting[0]} is there."
        fix = f"Name it: `--weights {fitting[0]}` starts from it."
    else:
        there = (
            f"; {', '.join(others[:_NAMED])} {'are' if len(others) > 1 else 'is'} of another network"
            if others
            else ""
        )
        what = f"There are no pretrained weights for {network.net.source}, which {wanted} is made for{there}."
        named = "" if name == default else f", and name it: --weights {name}"
        fix = f"Put {wanted} into the tree{f' as {name}' if name != wanted else ''}{named}."
    return Finding(Severity.WARNING, "no-weights", name, None, what, _FROM_NOTHING, fix)


def _fits(numbers: int, network: Network, flavour: Flavour) -> bool:
    """Whether so many numbers are those of the whole network, or of its first layers."""
    return any(
        numbers == weight_count(network, cutoff=cutoff, flavour=flavour)
        for cutoff in range(1, len(network.layers) + 1)
    )


def _misfit(numbers: int, network: Network, header: Header, path: str) -> Finding:
    whole = weight_count(network, flavour=header.flavour)
    source = network.net.source
    if other := _other_classes(numbers - whole, network, header.flavour):
        return Finding(
            Severity.WARNING,
            "weights-classes",
            path,
            None,
            f"The weights are those of the network in {source} with {abs(other)} classes "
            f"{'more' if other > 0 else 'less'}.",
            "darknet reads the last layers' numbers into the wrong places, and has to learn them anew.",
            "Cut them off with `darknet partial`, or take the file that ends in .conv.N.",
        )
    if numbers < whole:
        what = f"The weights end in the midst of a layer of {source}: the file is cut off, or of another network."
    else:
        what = (
            f"The weights are {numbers:,} numbers, and {source} has {whole:,}: they are of another network."
        )
    return _wrong("weights-size", path, what, _NONSENSE)


def _other_classes(difference: int, network: Network, flavour: Flavour) -> int:
    """How many classes more make a network so many numbers larger; 0 if none do."""
    wider = []
    for layer, after in zip(network.layers, (*network.layers[1:], None), strict=True):
        if after is not None and after.kind == "yolo" and layer.kind == "convolutional":
            filters = layer.integer("filters", 1) + len(after.integers("mask"))
            wider.append(replace(layer, options={**layer.options, "filters": str(filters)}))
        else:
            wider.append(layer)
    slope = weight_count(replace(network, layers=tuple(wider)), flavour=flavour) - weight_count(
        network, flavour=flavour
    )
    return difference // slope if slope and difference % slope == 0 else 0


def _trained(done: int, network: Network, path: str) -> Finding:
    ends = done >= network.max_batches
    return Finding(
        Severity.ERROR if ends else Severity.WARNING,
        "weights-trained",
        path,
        None,
        f"The weights say that {done:,} iterations of max_batches={network.max_batches:,} are done.",
        "darknet by itself ends at once, with exit status 0, and calls the weights its final ones."
        if ends
        else f"darknet by itself begins at iteration {done + 1:,}, with that one's learning rate.",
        f"`trainer supervise` gives it {CLEAR}, so that it counts from the first; by hand, do likewise.",
    )


def _wrong(code: str, path: str, what: str, effect: str) -> Finding:
    return Finding(Severity.ERROR, code, path, None, what, effect, _OTHERS)
