"""PURE: labels of COCO's format, one JSON file for many images.

Source: https://cocodataset.org/#format-data; ``bbox`` is left, top, width and height in pixels, counted from 0.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainer.errors import TreeError
from trainer.preparing.annotations import Label, Mark

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image of a COCO file.

    Attributes:
        file_name: as the file has it, with forward slashes; most have no folder.
        label: what is to be found in it.
        fault: why the label is of no use; empty if it is.
    """

    file_name: str
    label: Label
    fault: str = ""


@dataclass(frozen=True, slots=True)
class CocoFile:
    """What a COCO file says.

    Attributes:
        categories: their ids and names, by id.
        images: in the file's order.
        crowds: how many boxes were left out since they are around a crowd, not around one object (``iscrowd``).
    """

    categories: tuple[tuple[int, str], ...]
    images: tuple[LabelledImage, ...]
    crowds: int


def parse_coco(raw: bytes, path: str) -> CocoFile | None:
    """Read a COCO file; None for JSON that is something else.

    Args:
        raw: its content.
        path: its name, for messages.

    Raises:
        TreeError: it is no JSON, or a category or an image in it is not what it has to be.
    """
    try:
        said = json.loads(raw)
    except json.JSONDecodeError as error:
        raise TreeError(
            f"{path}:{error.lineno}: no JSON, or not all of it, from column {error.colno} on"
        ) from error
    except UnicodeDecodeError as error:
        raise TreeError(f"{path}: no JSON: it is not in UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise TreeError(
            f"{path}: no JSON that is read here: a number is too long, or too much lies within another"
        ) from error
    if not isinstance(said, dict) or not all(isinstance(said.get(key), list) for key in _KEYS):
        return None
    names = _read_categories(said["categories"], path)
    found = _gather(said["annotations"])
    crowds = 0
    images: list[LabelledImage] = []
    for number, image in enumerate(said["images"]):
        match image:
            case {"id": int() | str() as key, "file_name": str() as file_name} if file_name:
                own = found.get(key, [])
            case _:
                raise TreeError(f"{path}: images[{number}] has no id or no file_name")
        alone = [one for one in own if not one.get("iscrowd")]
        crowds += len(own) - len(alone)
        images.append(_read_image(file_name.replace("\\", "/"), image, alone, names))
    return CocoFile(tuple(sorted(names.items())), tuple(images), crowds)


def _read_categories(categories: list[Any], path: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for number, category in enumerate(categories):
        match category:
            case {"id": int() as key, "name": str() as name} if name.strip():
                names[key] = " ".join(name.split())
            case _:
                raise TreeError(f"{path}: categories[{number}] has no whole number for its id, or no name")
    return names


def _gather(annotations: list[Any]) -> dict[int | str, list[dict[str, Any]]]:
    """The annotations of each image; those of no image are of no use to anybody."""
    found: dict[int | str, list[dict[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        match annotation:
            case {"image_id": int() | str() as key}:
                found[key].append(annotation)
    return found


def _read_image(
    file_name: str, image: dict[str, Any], annotations: list[dict[str, Any]], names: dict[int, str]
) -> LabelledImage:
    frame = _numbers([image.get("width"), image.get("height")])
    width, height = frame or (0.0, 0.0)
    known = (width, height) if width > 0 and height > 0 else None
    try:
        return LabelledImage(file_name, Label(tuple(_read_marks(annotations, names)), known))
    except TreeError as error:
        return LabelledImage(file_name, Label((), known), str(error))


def _read_marks(annotations: list[dict[str, Any]], names: dict[int, str]) -> Iterator[Mark]:
    for annotation in annotations:
        category = annotation.get("category_id")
        if not isinstance(category, int) or category not in names:
            raise TreeError(f"annotation {_id(annotation)} is of a category that there is not")
        box = annotation.get("bbox")
        numbers = _numbers(box) if isinstance(box, list) and len(box) == 4 else None
        if numbers is None:
            raise TreeError(f"annotation {_id(annotation)} has no bbox of four numbers")
        left, top, width, height = numbers
        yield Mark(names[category], left, top, left + width, top + height)


def _id(annotation: dict[str, Any]) -> str:
    return str(annotation.get("id", "without an id"))[:40]


def _numbers(values: list[Any]) -> list[float] | None:
    """None if one of them is no number, or more than any image has pixels."""
    if not all(isinstance(value, int | float) and abs(value) < 1e9 for value in values):
        return None
    return [float(value) for value in values]
