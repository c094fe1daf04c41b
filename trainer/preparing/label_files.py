"""Labels in formats that have a file for each image."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from trainer.preparing.annotations import Format
from trainer.preparing.folder import LABEL_MAX_BYTES, find_beside, list_folder, read_bytes, read_names
from trainer.preparing.voc import parse_voc
from trainer.preparing.yolo import NAMES_FILES, parse_yolo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trainer.preparing.annotations import Label

_IMAGE_FOLDERS = frozenset({"images", "JPEGImages"})
_LABEL_FOLDERS = {Format.YOLO: ("labels",), Format.VOC: ("Annotations", "annotations", "labels")}
_ENDINGS = {Format.YOLO: ".txt", Format.VOC: ".xml"}
_PARSERS: dict[Format, Callable[[bytes, str], Label]] = {Format.YOLO: parse_yolo, Format.VOC: parse_voc}


class LabelFiles:
    """A file for each image, beside it or where the format's users put it; see ``source.Labels``.

    Args:
        kind: YOLO's format or Pascal VOC's.
        folder: of the images.
        place: the folder of the labels; None looks for them.
    """

    def __init__(self, kind: Format, folder: Path, place: Path | None) -> None:
        self.format = kind
        self.notes: tuple[str, ...] = ()
        self._folder = folder.absolute()
        self._place = place.absolute() if place else None
        self._names_in = lru_cache(maxsize=4096)(list_folder)

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The names that a file beside the labels lists; None where there is none, and in Pascal VOC's format."""
        if self.format is not Format.YOLO:
            return None
        folders = (
            [self._place]
            if self._place
            else [self._folder, *find_beside(self._folder, _LABEL_FOLDERS[self.format])]
        )
        places = (
            folder / name for folder in folders for name in NAMES_FILES if name in self._names_in(str(folder))
        )
        first = next(places, None)
        return read_names(first) if first else None

    def has(self, image: str) -> bool:
        """Whether there is a label for an image, of use or not."""
        return self._find_place(image) is not None

    def find(self, image: str) -> Label | None:
        """The label of an image; None if it has none.

        Raises:
            TreeError: it is of no use.
        """
        place = self._find_place(image)
        if place is None:
            return None
        return _PARSERS[self.format](read_bytes(place, LABEL_MAX_BYTES), place)

    def _find_place(self, image: str) -> str | None:
        for folder, name in self._candidates(image):
            if name in self._names_in(folder):
                return f"{folder}/{name}"
        return None

    def _candidates(self, image: str) -> Iterator[tuple[str, str]]:
        """Where the label may be, the likeliest place first."""
        stem = os.path.splitext(image)[0] + _ENDINGS[self.format]  # noqa: PTH122 - for each image, Path takes thrice as long
        below, _, name = stem.rpartition("/")
        if self._place:
            yield f"{self._place}/{below}".rstrip("/"), name
            yield str(self._place), name
            return
        beside = f"{self._folder}/{below}".rstrip("/")
        yield beside, name
        for folder in _LABEL_FOLDERS[self.format]:
            swapped = _swap_last(beside, folder)
            if swapped:
                yield swapped, name
            for root in find_beside(self._folder, (folder,)):
                yield f"{root}/{below}".rstrip("/"), name


def _swap_last(folder: str, name: str) -> str | None:
    """``folder`` with the last part that is called as folders of images are replaced by ``name``."""
    parts = folder.split("/")
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] in _IMAGE_FOLDERS:
            return "/".join([*parts[:index], name, *parts[index + 1 :]])
    return None
