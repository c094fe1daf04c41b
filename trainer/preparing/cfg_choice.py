"""The .cfg for a data set: which template, with which anchors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.errors import NotFoundError
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.pretrained import find_published
from trainer.errors import TreeError
from trainer.preparing.anchors import Anchors, find_anchors
from trainer.preparing.template import find_template, make_cfg
from trainer.preparing.yolov4_tiny import tiny_cfg_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trainer.darknet.cfg import Network
    from trainer.preparing.annotations import Picture

BUILT_IN = "yolov4-tiny"
"""The template that is at hand in every tree."""

_DETECTORS = frozenset({"yolo", "Gaussian_yolo"})


@dataclass(frozen=True, slots=True)
class CfgOrder:
    """How the network is to be; None leaves what the template, or darknet's rules, say.

    Attributes:
        template: a .cfg, relative to the tree or to the working directory, or ``BUILT_IN``.
        width_px, height_px: of the network's input.
        batch: images per iteration.
        subdivisions: parts in which a batch goes through the network.
        fits_anchors: whether the anchors are to be found by the boxes.
    """

    template: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    batch: int | None = None
    subdivisions: int | None = None
    fits_anchors: bool = False


@dataclass(frozen=True, slots=True)
class MadeCfg:
    """A .cfg.

    Attributes:
        text: all of it.
        template: what it was made from.
        network: what it says.
        anchors: those found by the boxes; None where the template's were kept.
        weights: the pretrained weights that are published for it; None where none are known.
        weights_there: whether they are in the tree.
    """

    text: str
    template: str
    network: Network
    anchors: Anchors | None
    weights: str | None
    weights_there: bool


def make_network(
    tree: Path, order: CfgOrder, pictures: Sequence[Picture], *, classes: int, seed: int
) -> MadeCfg:
    """Make the .cfg.

    Args:
        tree: whose templates and pretrained weights are looked for; it need not be there yet.
        order: how it is to be.
        pictures: to train with.
        classes: how many there are.
        seed: of the search for anchors.

    Raises:
        NotFoundError: there is no such template.
        TreeError: the template is none, or what is ordered does not fit it.
    """
    source, template = _read_template(tree, order.template)

    def make(anchors: Sequence[tuple[float, float]] | None) -> str:
        return make_cfg(
            template,
            source,
            classes=classes,
            images=len(pictures),
            width_px=order.width_px,
            height_px=order.height_px,
            batch=order.batch,
            subdivisions=order.subdivisions,
            anchors=anchors,
        )

    text = make(None)
    network = parse_cfg(text, source)
    found = None
    if order.fits_anchors:
        found = find_anchors(list(_input_sizes(pictures, network)), _count_anchors(network), seed)
        text = make(found.sizes)
        network = parse_cfg(text, source)
    weights = find_published(network)
    return MadeCfg(text, source, network, found, weights, weights in _names_in(tree))


def _read_template(tree: Path, wanted: str | None) -> tuple[str, str]:
    """The template's name and text."""
    if wanted is None:
        name = find_template(_names_in(tree / "cfg"), weights=_names_in(tree))
        if name is None:
            return BUILT_IN, tiny_cfg_text()
        wanted = f"cfg/{name}"
    place = next((place for place in (tree / wanted, Path(wanted)) if place.is_file()), None)
    if place is None:
        if wanted == BUILT_IN:
            return BUILT_IN, tiny_cfg_text()
        raise NotFoundError(
            f"there is no template {wanted}, neither in {tree} nor here",
            hint=f"Name a .cfg of the tree, cfg/yolov4-tiny-custom.cfg say, or take {BUILT_IN}.",
        )
    try:
        return wanted, place.read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise TreeError(f"{place} cannot be read: {error.strerror}") from error


def _names_in(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(place.name for place in folder.iterdir() if place.is_file())
    except OSError:
        return ()


def _input_sizes(pictures: Iterable[Picture], network: Network) -> Iterable[tuple[float, float]]:
    return (
        (box.width * network.width, box.height * network.height)
        for picture in pictures
        for box in picture.boxes
    )


def _count_anchors(network: Network) -> int:
    return max(layer.integer("num", 1) for layer in network.layers if layer.kind in _DETECTORS)
