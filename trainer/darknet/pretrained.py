"""PURE: the pretrained weights that are published for a network, by its first layers.

Source: AlexeyAB's README ("How to train (to detect your custom objects)"), which names a file for each cfg. Such a file
holds the first layers, so any cfg that begins with them can be started from it, whatever its classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trainer.darknet.program import Flavour
from trainer.darknet.size import weight_count
from trainer.errors import TreeError

if TYPE_CHECKING:
    from trainer.darknet.cfg import Network


class _Published(NamedTuple):
    name: str
    layers: int
    numbers: int


_FILES = (
    _Published("yolov4-tiny.conv.29", 29, 4_947_424),
    _Published("yolov4.conv.137", 137, 42_509_664),
    _Published("darknet53.conv.74", 74, 40_620_640),
    _Published("yolov3-tiny.conv.11", 11, 1_575_792),
)
"""With how many layers each holds, and how many numbers after its header."""


def find_published(network: Network, flavour: Flavour = Flavour.AX) -> str | None:
    """The name of the file that starts a network.

    Args:
        network: the parsed cfg.
        flavour: of the darknet that reads it: of some cfgs the original makes another network.

    Returns:
        None where none that is known here starts it.
    """
    try:
        return next(
            (
                file.name
                for file in _FILES
                if len(network.layers) > file.layers
                and weight_count(network, cutoff=file.layers, flavour=flavour) == file.numbers
            ),
            None,
        )
    except TreeError:
        return None
