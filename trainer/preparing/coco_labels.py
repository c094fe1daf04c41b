"""Labels in COCO's format: a file, or some, for all images."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from trainer.errors import TreeError
from trainer.preparing.annotations import Format, Label
from trainer.preparing.coco import parse_coco
from trainer.preparing.folder import find_beside, read_bytes, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from trainer.preparing.coco import CocoFile

_FOLDERS = ("annotations", "Annotations", "labels")
_MAX_BYTES = 2 << 30
"""COCO's own largest file has 0.5 GB."""


class CocoLabels:
    """What COCO files say of a folder's images; see ``source.Labels``.

    Args:
        images: as ``folder.list_images`` gives them.
        files: each with its name, for messages.
    """

    format = Format.COCO

    def __init__(self, images: Sequence[str], files: Sequence[tuple[str, CocoFile]]) -> None:
        ids: dict[str, int] = {}
        for _, file in files:
            for key, name in file.categories:
                ids[name] = min(key, ids.get(name, key))
        self.categories: tuple[str, ...] | None = tuple(sorted(ids, key=lambda name: (ids[name], name)))
        self._found: dict[str, list[tuple[str, Label, str]]] = {}
        find = _Matching(images)
        lost = 0
        for path, file in files:
            for labelled in file.images:
                image = find.find(labelled.file_name)
                lost += image is None
                if image is not None:
                    self._found.setdefault(image, []).append((path, labelled.label, labelled.fault))
        crowds = sum(file.crowds for _, file in files)
        self.notes = tuple(
            note
            for number, note in (
                (lost, f"Of the images that the labels name {lost:,} are not there, or not once only."),
                (crowds, f"Boxes around crowds (iscrowd) are left out: {crowds:,}."),
            )
            if number
        )

    def find(self, image: str) -> Label | None:
        """The label of an image; None if no file names it.

        Raises:
            TreeError: it is of no use.
        """
        found = self._found.get(image)
        if found is None:
            return None
        for path, label, fault in found:
            if fault:
                raise TreeError(f"{path}: {image}: {fault}")
            if label.frame != found[0][1].frame:
                raise TreeError(f"{path}: {image}: another file says that it is of another size")
        # Two files may both have an image, one for each half of the classes, or one and its copy.
        marks = dict.fromkeys(mark for _, label, _ in found for mark in label.marks)
        return Label(tuple(marks), found[0][1].frame)


class _Matching:
    """Which image a COCO file means: by its path, else by the end of it, if only one image ends so."""

    def __init__(self, images: Iterable[str]) -> None:
        self._by_path = set(images)
        self._by_name: dict[str, list[str]] = {}
        for image in images:
            self._by_name.setdefault(PurePosixPath(image).name, []).append(image)

    def find(self, file_name: str) -> str | None:
        path = PurePosixPath(file_name)
        if str(path) in self._by_path:
            return str(path)
        alike = self._by_name.get(path.name, [])
        for length in range(len(path.parts), 0, -1):
            ending = path.parts[-length:]
            among = [image for image in alike if PurePosixPath(image).parts[-length:] == ending]
            if among:
                return among[0] if len(among) == 1 else None
        return None


def read_coco_files(folder: Path, place: Path | None) -> Iterator[tuple[str, CocoFile]]:
    """The COCO files for a folder of images, each with its name.

    Args:
        folder: of the images.
        place: a COCO file, or a folder of them; None looks in ``folder``, and where such files are kept.

    Raises:
        TreeError: a file that ends in .json is none, or the one that ``place`` names is not of COCO's format.
    """
    if place is not None and place.is_file():
        file = parse_coco(read_bytes(str(place), _MAX_BYTES), str(place))
        if file is None:
            raise TreeError(f"{place} is no COCO file: it lacks images, annotations or categories")
        yield str(place), file
        return
    folders = [place] if place else [folder, *find_beside(folder.absolute(), _FOLDERS)]
    seen: set[Path] = set()
    for one in folders:
        for name in sorted(walk(one)) if one.is_dir() else ():
            path = (one / name).resolve()
            if path.suffix.lower() == ".json" and path not in seen:
                seen.add(path)
                file = parse_coco(read_bytes(str(path), _MAX_BYTES), str(path))
                if file is not None:
                    yield str(path), file
