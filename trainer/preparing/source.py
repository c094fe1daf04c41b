"""In which format the labels of a folder of images are, and where."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from drivesync.errors import NotFoundError, SettingsError
from trainer.errors import TreeError
from trainer.preparing.annotations import Format
from trainer.preparing.coco_labels import CocoLabels, read_coco_files
from trainer.preparing.label_files import LabelFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainer.preparing.annotations import Label


class Labels(Protocol):
    """The labels of a folder of images."""

    @property
    def format(self) -> Format:
        """How they are written."""

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The classes' names in their order, where something lists them; None where only the labels name them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of them, as sentences."""

    def find(self, image: str) -> Label | None:
        """The label of an image, a path below the folder; None if it has none.

        Raises:
            TreeError: it is of no use.
        """


def find_labels(
    folder: Path, images: Sequence[str], *, place: Path | None = None, wanted: Format | None = None
) -> Labels:
    """Find out in which format the labels are.

    Args:
        folder: of the images.
        images: as ``folder.list_images`` gives them.
        place: the folder of the labels, or a COCO file; None looks beside the images, and where the formats' users
            put labels (``labels/``, ``Annotations/``).
        wanted: the format; None takes the one that there are labels of.

    Raises:
        NotFoundError: there are no labels.
        SettingsError: there are labels of several formats.
        TreeError: a COCO file is damaged.
    """
    if place is not None and not place.exists():
        raise NotFoundError(
            f"there is no {place}", hint="Name the folder of the labels, or a COCO file: --labels PLACE."
        )
    found: list[Labels] = []
    for kind in (Format.YOLO, Format.VOC):
        if wanted in {None, kind} and not (place and place.is_file()):
            labels = LabelFiles(kind, folder, place)
            if any(labels.has(image) for image in images):
                found.append(labels)
    if wanted in {None, Format.COCO}:
        # Where there are other labels, what only ends in .json may be anything.
        with suppress(*((TreeError,) if found else ())):
            files = tuple(read_coco_files(folder, place))
            if files:
                found.append(CocoLabels(images, files))
    if not found:
        looked = place or f"{folder}, and in folders called labels or Annotations"
        hint = (
            "Beside 1.jpg there is 1.txt (YOLO) or 1.xml (Pascal VOC), or a .json (COCO). Or name --labels."
        )
        raise NotFoundError(f"there is no label in {looked}", hint=hint)
    if len(found) > 1:
        formats = " and ".join(labels.format.value for labels in found)
        hint = "Say which ones are good: --format yolo, voc or coco."
        raise SettingsError(
            f"there are labels in the formats {formats} for the images in {folder}", hint=hint
        )
    return found[0]
