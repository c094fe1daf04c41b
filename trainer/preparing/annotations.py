"""PURE: what is known of images and of what is to be found in them, whatever format said so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Format(Enum):
    """How labels are written; the value is how a format is called in messages."""

    YOLO = "YOLO"
    VOC = "Pascal VOC"
    COCO = "COCO"


@dataclass(frozen=True, slots=True)
class Mark:
    """One object as a label has it, before anybody has asked what it says.

    Attributes:
        kind: the name of its class; in YOLO's format the number of it.
        left, top, right, bottom: its edges, in the unit of ``Label.frame``; finite, and nothing else is certain.
    """

    kind: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody has said of one image.

    Attributes:
        marks: in the order in which they stand there; none says that the image shows nothing.
        frame: width and height of the image in the unit of the marks' edges: 1, 1 where these are parts of it, else
            pixels; None where they are pixels, and the label does not say how many there are.
    """

    marks: tuple[Mark, ...]
    frame: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Box:
    """Where one object is, as a label of darknet's says it.

    Attributes:
        class_index: counted from 0.
        x, y: of the centre, as parts of the image's width and height: above 0, below 1.
        width, height: likewise, above 0 and at most 1.
    """

    class_index: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """One image that can be trained on.

    Attributes:
        path: POSIX, relative to the folder of images.
        boxes: in the label's order, of the image as a viewer shows it, turned as its EXIF block asks; none says that it
            shows nothing that is to be found.
        ending: which it will have in the tree, one that each darknet knows: ".jpg" or ".png".
        redrawn: whether it has to be encoded anew: it is turned, or of a format that not each darknet reads.
    """

    path: str
    boxes: tuple[Box, ...]
    ending: str
    redrawn: bool = False

    @property
    def classes(self) -> frozenset[int]:
        """Which are to be found in it."""
        return frozenset(box.class_index for box in self.boxes)
