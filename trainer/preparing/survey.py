"""Looks at all images and labels once: what can be trained on, and what is left out for which reason."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivesync.errors import SettingsError, UsageError
from trainer.errors import TreeError
from trainer.preparing.annotations import Format, Label, Picture
from trainer.preparing.fitting import fit
from trainer.preparing.headers import Header, read_header
from trainer.preparing.yolo import number_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from trainer.preparing.source import Labels

_EVERY = 50
"""Images between two words on how far it is: some milliseconds."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An image that is not trained on, a path below the folder of images, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is to train on.

    Attributes:
        names: of the classes, in their order.
        pictures: sorted by path.
        left_out: images that cannot be read, and those whose label is of no use, sorted by path.
        unlabelled: images that nobody has labelled, sorted; they are among the pictures only where they are declared
            to show nothing.
        clipped: boxes that reached out of their image.
        dropped: boxes without an area.
        turned: images that are turned upright as their EXIF block asks.
    """

    names: tuple[str, ...]
    pictures: tuple[Picture, ...]
    left_out: tuple[LeftOut, ...]
    unlabelled: tuple[str, ...]
    clipped: int
    dropped: int
    turned: int

    @property
    def negatives(self) -> int:
        """How many of the pictures show nothing."""
        return sum(not picture.boxes for picture in self.pictures)


def survey(
    folder: Path,
    images: Sequence[str],
    labels: Labels,
    names: tuple[str, ...] | None,
    *,
    negatives: bool,
    tell: Callable[[int, int], None],
) -> Survey:
    """Look at every image and its label.

    Args:
        folder: of the images.
        images: paths below it, sorted.
        labels: theirs.
        names: of the classes, in their order; None takes those that the labels, or a file beside them, name.
        negatives: whether an image without any label shows nothing, rather than having been forgotten.
        tell: hears now and then how many images of how many have been looked at.

    Raises:
        UsageError: nobody names the classes.
        SettingsError: a label names a class that ``names`` lacks.
    """
    names = names or labels.categories
    if names is None and labels.format is Format.YOLO:
        hint = "Name them in the order of their numbers: --names cat,dog, or a file with one name a line."
        raise UsageError("labels in YOLO's format say only the classes' numbers, not their names", hint=hint)
    looking = _Looking(folder, labels, negatives=negatives)
    for number, image in enumerate(images):
        if number % _EVERY == 0:
            tell(number, len(images))
        looking.look_at(image)
    tell(len(images), len(images))
    return looking.sum_up(names)


class _Looking:
    """One look at all images; what is found grows as it goes on."""

    def __init__(self, folder: Path, labels: Labels, *, negatives: bool) -> None:
        self._folder = folder
        self._labels = labels
        self._negatives = negatives
        self._seen: dict[str, tuple[Header, Label]] = {}
        self._left_out: list[LeftOut] = []
        self._unlabelled: list[str] = []

    def look_at(self, image: str) -> None:
        """Read an image's label and its header."""
        try:
            label = self._find_label(image)
            if label is None:
                self._unlabelled.append(image)
                if not self._negatives:
                    return
                label = Label((), None)
            self._seen[image] = read_header(self._folder / image), label
        except TreeError as error:
            self._left_out.append(LeftOut(image, str(error)))

    def _find_label(self, image: str) -> Label | None:
        """Raises TreeError, which names the image, too, where its label is of no use."""
        try:
            return self._labels.find(image)
        except TreeError as error:
            raise TreeError(f"{self._folder / image}: its label is of no use: {error}") from error

    def sum_up(self, names: tuple[str, ...] | None) -> Survey:
        """Make pictures of what has been seen, now that all classes are known."""
        names = names or self._find_names()
        kinds = number_kinds(names) if self._labels.format is Format.YOLO else _index(names)
        self._refuse_unlisted(kinds, names)
        pictures: list[Picture] = []
        clipped = dropped = turned = 0
        for image, (header, label) in self._seen.items():
            try:
                fitted = fit(label, header.size_px, header.orientation, kinds)
            except TreeError as error:
                self._left_out.append(LeftOut(image, f"{self._folder / image}: {error}"))
                continue
            pictures.append(Picture(image, fitted.boxes, header.ending, header.redrawn))
            clipped += fitted.clipped
            dropped += fitted.dropped
            turned += header.orientation != 1
        left_out = tuple(sorted(self._left_out, key=lambda one: one.path))
        return Survey(names, tuple(pictures), left_out, tuple(self._unlabelled), clipped, dropped, turned)

    def _find_names(self) -> tuple[str, ...]:
        kinds = {mark.kind for _, label in self._seen.values() for mark in label.marks}
        if not kinds:
            why = self._left_out[0].reason if self._left_out else "See whether they are the right ones"
            raise SettingsError("no label that can be used names anything to find", hint=f"{why}.")
        return tuple(sorted(kinds))

    def _refuse_unlisted(self, kinds: Mapping[str, int], names: tuple[str, ...]) -> None:
        places: dict[str, list[str]] = defaultdict(list)
        for image, (_, label) in self._seen.items():
            for kind in {mark.kind for mark in label.marks} - kinds.keys():
                places[kind].append(image)
        if not places:
            return
        said = "; ".join(
            f"{kind!r}, by the {_describe_places(places[kind])}" for kind in sorted(places)[:_SHOWN]
        )
        more = f"; and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
        raise SettingsError(
            f"the labels name classes that are not among the {len(names)} names: {said}{more}",
            hint="Name all classes: --names. Numbers count from 0."
            if self._labels.format is Format.YOLO
            else "Name all classes, as the labels write them: --names.",
        )


def _index(names: Iterable[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


def _describe_places(images: Sequence[str]) -> str:
    more = f" and {len(images) - 1:,} more" if len(images) > 1 else ""
    return f"label of {images[0]}{more}"
