"""PURE: where each darknet looks for the label of an image.

Source: ``replace_image_to_label`` in src/utils.c of AlexeyAB's and in src-lib/utils.cpp of hank-ai's,
``fill_truth_detection`` in src/data.c of the original, which was measured as well (Debian's package, 2026).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.darknet.program import Flavour

if TYPE_CHECKING:
    from collections.abc import Callable

_LABEL = ".txt"

# Each is replaced where it stands first, one after the other, whatever those before have made.
_ALEXEYABS_FOLDERS = (
    ("/images/train2017/", "/labels/train2017/"),
    ("/images/val2017/", "/labels/val2017/"),
    ("/JPEGImages/", "/labels/"),
    ("/images/train2014/", "/labels/train2014/"),
    ("/images/val2014/", "/labels/val2014/"),
)
_ALEXEYABS_ENDINGS = (
    ".jpg", ".JPG", ".jpeg", ".JPEG", ".png", ".PNG", ".bmp", ".BMP", ".ppm", ".PPM", ".tiff", ".TIFF",
)  # fmt: skip
_ORIGINALS_PARTS = (
    ("images", "labels"),
    ("JPEGImages", "labels"),
    ("raw", "labels"),
    (".jpg", _LABEL),
    (".png", _LABEL),
    (".JPG", _LABEL),
    (".JPEG", _LABEL),
)


def label_of(image: str, flavour: Flavour) -> str:
    """The path that this darknet opens for the label of ``image``, a path as a list of images has it.

    It is no label's where the darknet does not know the image's ending: then mostly the image's own.
    """
    return _RULES[flavour](image)


def is_label(path: str) -> bool:
    """Whether a path from ``label_of`` can be that of a label, and not an image's own."""
    return path.endswith(_LABEL)


def parse_image_list(text: str) -> tuple[str, ...]:
    """The paths in a list of images (``train=`` in a .data file), one a line.

    White space around a path and a byte order mark are let pass here; not every darknet lets them pass.
    """
    lines = (line.strip(" \t\r\ufeff") for line in text.split("\n"))
    return tuple(line for line in lines if line)


def _label_of_original(image: str) -> str:
    return _replace_first(image, _ORIGINALS_PARTS)


def _label_of_alexeyab(image: str) -> str:
    label = _replace_first(image, _ALEXEYABS_FOLDERS)
    for ending in _ALEXEYABS_ENDINGS:
        if label.endswith(ending):
            label = label[: -len(ending)] + _LABEL
    return label


def _label_of_hank_ai(image: str) -> str:
    stem, dot, _ending = image.rpartition(".")
    return (stem if dot else image) + _LABEL


def _replace_first(path: str, parts: tuple[tuple[str, str], ...]) -> str:
    for part, replacement in parts:
        path = path.replace(part, replacement, 1)
    return path


_RULES: dict[Flavour, Callable[[str], str]] = {
    Flavour.PJ: _label_of_original,
    Flavour.AX: _label_of_alexeyab,
    Flavour.HK: _label_of_hank_ai,
}
