"""A folder of the drawn images with their labels, in each format in which people have them.

YOLO   DIRECTORY/train-1.png train-1.txt ...
VOC    DIRECTORY/train-1.png train-1.xml ...
COCO   DIRECTORY/train-1.png ... DIRECTORY/all.json
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from trainer.preparing.annotations import Box, Format
from trainer.testing.tree import make_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CLASSES = ("circle", "square")
_FIRST_CATEGORY = 3
"""COCO counts its categories as it likes."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A folder of images; ``boxes`` are by the images' names, and none for an image that shows nothing."""

    folder: Path
    size_px: int
    boxes: Mapping[str, tuple[Box, ...]]


def make_labelled(
    directory: Path, kind: Format, *, images: int = 8, negatives: int = 2, size_px: int = 64
) -> Labelled:
    """Draw images as ``make_tree`` does, its test images among them, and label them.

    Args:
        directory: created where it does not exist.
        kind: how they are labelled.
        images: training images.
        negatives: how many of them show nothing; one test image does, too.
        size_px: their side.
    """
    directory.mkdir(parents=True, exist_ok=True)
    boxes: dict[str, tuple[Box, ...]] = {}
    with TemporaryDirectory() as temporary:
        tree = make_tree(temporary, images=images, negatives=negatives, classes=CLASSES, size_px=size_px)
        for path in (*tree.train, *tree.test):
            image = tree.root / path
            name = f"{image.parent.name}-{image.name}"
            shutil.copyfile(image, directory / name)
            boxes[name] = _read_boxes(image.with_suffix(".txt").read_text())
    if kind is Format.COCO:
        (directory / "all.json").write_text(json.dumps(coco_of(boxes, size_px)))
    else:
        for name, own in boxes.items():
            text = yolo_of(own) if kind is Format.YOLO else voc_of(own, size_px)
            (directory / name).with_suffix(".txt" if kind is Format.YOLO else ".xml").write_text(text)
    return Labelled(directory, size_px, boxes)


def yolo_of(boxes: Sequence[Box]) -> str:
    """A label of darknet's."""
    return "".join(f"{box.class_index} {box.x} {box.y} {box.width} {box.height}\n" for box in boxes)


def voc_of(boxes: Sequence[Box], size_px: int) -> str:
    """A label of Pascal VOC's format, of a square image."""
    objects = "".join(
        f"<object><name>{escape(CLASSES[box.class_index])}</name><bndbox><xmin>{left}</xmin><ymin>{top}</ymin>"
        f"<xmax>{left + width}</xmax><ymax>{top + height}</ymax></bndbox></object>"
        for box in boxes
        for left, top, width, height in [_edges(box, size_px)]
    )
    size = f"<size><width>{size_px}</width><height>{size_px}</height><depth>3</depth></size>"
    return f"<annotation><filename>x.png</filename>{size}{objects}</annotation>"


def coco_of(boxes: Mapping[str, Sequence[Box]], size_px: int) -> dict[str, Any]:
    """What a COCO file says of square images."""
    return {
        "images": [
            {"id": number, "file_name": name, "width": size_px, "height": size_px}
            for number, name in enumerate(boxes)
        ],
        "categories": [
            {"id": index + _FIRST_CATEGORY, "name": name}
            for index, name in reversed(list(enumerate(CLASSES)))
        ],
        "annotations": [
            {
                "image_id": number,
                "category_id": box.class_index + _FIRST_CATEGORY,
                "bbox": _edges(box, size_px),
            }
            for number, own in enumerate(boxes.values())
            for box in own
        ],
    }


def _edges(box: Box, size_px: int) -> list[float]:
    """Left, top, width and height in pixels."""
    parts = (box.x - box.width / 2, box.y - box.height / 2, box.width, box.height)
    return [part * size_px for part in parts]


def _read_boxes(label: str) -> tuple[Box, ...]:
    rows = (line.split() for line in label.splitlines())
    return tuple(Box(int(kind), *map(float, numbers)) for kind, *numbers in rows)
