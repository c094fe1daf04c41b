"""One image and its label: are they there, can darknet use them. What a worker of ``dataset`` does."""

from __future__ import annotations

import os
import stat
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from trainer.checking.findings import Finding, Severity
from trainer.checking.folding import Folding
from trainer.checking.labels import MAX_BYTES, check_label
from trainer.checking.wording import quote
from trainer.darknet.labels import is_label, label_of
from trainer.darknet.program import Flavour

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_READ_BY_ALL = frozenset({"BMP", "JPEG", "MPO", "PNG", "PPM"})
_READ_WITH_OPENCV = frozenset({"JPEG2000", "TIFF", "WEBP"})
_READ_WITHOUT_OPENCV = frozenset({"GIF", "PSD", "TGA"})
"""By stb_image, which darknet has within it."""

_NO_IMAGE = {
    Flavour.PJ: "The original darknet trains on an empty image in its place.",
    Flavour.AX: "AlexeyAB's darknet trains on a blank image, or dies of it where it was built with OpenCV.",
    Flavour.HK: "hank-ai's darknet ends.",
}
_NO_LABEL = {
    Flavour.PJ: "The original darknet ends, with exit status 0.",
    Flavour.AX: "AlexeyAB's darknet takes it for an image without objects, and writes that to bad.list each time.",
    Flavour.HK: "hank-ai's darknet ends.",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """Which image to look at.

    Attributes:
        line: of the list that names it.
        path: of the image, as darknet takes it with the tree for its working directory.
        negative: whether somebody has declared that it shows nothing.
    """

    line: int
    path: str
    negative: bool


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is the same for all images of a list.

    Attributes:
        tree: absolute.
        source: the list that names the images.
        classes: how many there are.
        flavour: the darknet that will train.
        deep: whether to decode each image, not only read its header.
    """

    tree: str
    source: str
    classes: int
    flavour: Flavour
    deep: bool


@dataclass(slots=True)
class Answer:
    """What was seen of some images.

    Attributes:
        images: how many were asked for.
        usable: those with a box to learn from.
        negatives: those with an empty label.
        unlabelled: those without a label where darknet looks for it.
        findings: folded.
    """

    images: int = 0
    usable: int = 0
    negatives: int = 0
    unlabelled: int = 0
    findings: list[Finding] = field(default_factory=list)


def look_at(inquiry: Inquiry, asks: Sequence[Ask]) -> Answer:
    """Look at each of these images and at its label."""
    answer = Answer(images=len(asks))
    folding = Folding()
    with warnings.catch_warnings():
        # What Pillow only warns of (a damaged EXIF block, a hundred million pixels) does not keep darknet from it.
        warnings.simplefilter("ignore")
        for ask in asks:
            answer.findings += folding.sift(_look_at_image(inquiry, ask, answer))
    answer.findings += folding.rest()
    return answer


def find_in_tree(tree: str, path: str) -> str | None:
    """``path``, as darknet takes it with the tree for its working directory, relative to the tree; None if outside."""
    whole = os.path.normpath(os.path.join(tree, path))  # noqa: PTH118 - for each image, and Path takes thrice as long
    return whole[len(tree) + 1 :] if whole.startswith(f"{tree}/") else None


def _look_at_image(inquiry: Inquiry, ask: Ask, answer: Answer) -> Iterator[Finding]:
    place = f"{inquiry.tree}/{ask.path}" if not ask.path.startswith("/") else ask.path
    size = _size_of(place)
    if size is None:
        yield Finding(
            Severity.ERROR, "image-missing", inquiry.source, ask.line, f"There is no image {quote(ask.path)}.",
            _NO_IMAGE[inquiry.flavour], _fix_missing(ask.path),
        )  # fmt: skip
        return
    if find_in_tree(inquiry.tree, ask.path) is None:
        yield Finding(
            Severity.WARNING, "image-outside-tree", inquiry.source, ask.line,
            f"{quote(ask.path)} lies outside of the tree.",
            "darknet uses it; on the next machine it is not there, for only the tree comes with it.",
            "Move it into the tree.",
        )  # fmt: skip
    yield from _check_image(inquiry, ask, place, size)
    yield from _look_at_label(inquiry, ask, answer)


def _fix_missing(path: str) -> str:
    if path.startswith("/") or path[1:2] == ":":
        return "Write the path as seen from the tree: data/train/1.jpg, say."
    return "Put it there, or delete the line; upper and lower case are different."


def _check_image(inquiry: Inquiry, ask: Ask, place: str, size: int) -> Iterator[Finding]:
    try:
        if not size:
            raise OSError("it is empty")  # noqa: TRY301 - as Pillow says it of other files
        with Image.open(place) as image:
            kind = image.format or ""
            if inquiry.deep:
                image.load()
    except Image.DecompressionBombError:
        yield Finding(
            Severity.WARNING, "image-huge", inquiry.source, ask.line,
            f"{quote(ask.path)} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels.",
            "darknet decodes it whole each time that it comes up, which takes gigabytes.", "Make it smaller.",
        )  # fmt: skip
    except Exception as error:  # noqa: BLE001 - Pillow's readers raise anything at hostile files, struct.error say
        reason = str(error).replace(place, ask.path) or type(error).__name__
        yield Finding(
            Severity.ERROR, "image-unreadable", inquiry.source, ask.line,
            f"{quote(ask.path)} cannot be read: {quote(reason)}.",
            _NO_IMAGE[inquiry.flavour], "Put a good copy in its place, or delete the line.",
        )  # fmt: skip
    else:
        yield from _check_format(inquiry, ask, kind)


def _check_format(inquiry: Inquiry, ask: Ask, kind: str) -> Iterator[Finding]:
    if kind in _READ_BY_ALL or (kind in _READ_WITH_OPENCV and inquiry.flavour is Flavour.HK):
        return
    if kind in _READ_WITH_OPENCV:
        severity, effect = Severity.WARNING, "darknet reads it only where it was built with OpenCV."
    elif kind in _READ_WITHOUT_OPENCV and inquiry.flavour is not Flavour.HK:
        severity, effect = Severity.WARNING, "darknet reads it only where it was built without OpenCV."
    else:
        severity, effect = Severity.ERROR, _NO_IMAGE[inquiry.flavour]
    yield Finding(
        severity, "image-format", inquiry.source, ask.line, f"{quote(ask.path)} is a {kind} file.",
        effect, "Convert it to JPEG or PNG.",
    )  # fmt: skip


def _look_at_label(inquiry: Inquiry, ask: Ask, answer: Answer) -> Iterator[Finding]:
    label = label_of(ask.path, inquiry.flavour)
    if not is_label(label):
        answer.unlabelled += 1
        yield Finding(
            Severity.ERROR, "image-ending", inquiry.source, ask.line,
            f"{quote(ask.path)} has an ending that {inquiry.flavour.value} does not know.",
            f"darknet takes {quote(label)} for its label.", "Convert it to JPEG or PNG, with the ending .jpg or .png.",
        )  # fmt: skip
        return
    place = f"{inquiry.tree}/{label}" if not label.startswith("/") else label
    name = find_in_tree(inquiry.tree, label) or label
    try:
        raw = _read_label(place)
    except OSError as error:
        answer.unlabelled += 1
        yield Finding(
            Severity.ERROR, "label-unreadable", name, None, f"It cannot be read: {error.strerror or error}.",
            _NO_LABEL[inquiry.flavour], "Put a file in its place that can be read.",
        )  # fmt: skip
        return
    if raw is None:
        answer.unlabelled += 1
        yield _no_label(inquiry, ask, label)
        return
    report = check_label(name, raw, classes=inquiry.classes, flavour=inquiry.flavour)
    answer.usable += report.boxes > 0
    answer.negatives += report.rows == 0
    yield from report.findings


def _no_label(inquiry: Inquiry, ask: Ask, label: str) -> Finding:
    severity = Severity.WARNING if inquiry.flavour is Flavour.AX else Severity.ERROR
    effect = _NO_LABEL[inquiry.flavour]
    elsewhere = _find_elsewhere(inquiry, ask.path)
    if elsewhere:
        return Finding(
            Severity.ERROR, "label-elsewhere", inquiry.source, ask.line,
            f"the label of {quote(ask.path)} is {quote(elsewhere)}, where {inquiry.flavour.value} does not look.",
            effect, f"Move it to {quote(label)}.",
        )  # fmt: skip
    name = find_in_tree(inquiry.tree, label)
    if ask.negative:
        return Finding(
            severity, "negative-without-label", name or label, None,
            f"{quote(ask.path)} is declared to show nothing, and has no empty label.",
            effect, "Make an empty file of that name.", mendable=name is not None,
        )  # fmt: skip
    return Finding(
        severity, "label-missing", inquiry.source, ask.line,
        f"{quote(ask.path)} has no label {quote(label)}.", effect,
        "Put it there. If the image shows nothing, name it in negatives.txt beside this list, or make the label empty.",
    )  # fmt: skip


def _find_elsewhere(inquiry: Inquiry, path: str) -> str:
    """The label where another darknet would look for it; empty if there is none either."""
    for flavour in Flavour:
        label = label_of(path, flavour)
        place = label if label.startswith("/") else f"{inquiry.tree}/{label}"
        if is_label(label) and _size_of(place) is not None:
            return label
    return ""


def _size_of(place: str) -> int | None:
    """Bytes of a regular file; None if there is none."""
    try:
        status = os.stat(place)  # noqa: PTH116 - for each image, and Path takes thrice as long
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _read_label(place: str) -> bytes | None:
    """The content of a label, or more than ``MAX_BYTES`` of it; None if there is none.

    Raises:
        OSError: there is something, but it cannot be read.
    """
    try:
        status = os.stat(place)  # noqa: PTH116 - for each image, and Path takes thrice as long
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is no file")
        with open(place, "rb") as file:  # noqa: PTH123 - likewise
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
