"""An image's header: how large it is, how it has to be turned, and whether each darknet can read it as it is."""

from __future__ import annotations

import io
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from trainer.errors import TreeError

if TYPE_CHECKING:
    from pathlib import Path

_ORIENTATION = 0x0112
_UPRIGHT = 1
_EXCHANGING = frozenset({5, 6, 7, 8})
"""Orientations that exchange width and height."""

_ENDINGS = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png"}
"""What each darknet reads, with the ending by which each finds the label."""

_ODD_MODES = frozenset({"CMYK", "YCbCr", "LAB", "HSV"})
"""Of JPEG files for print, say: darknet takes the four channels for others."""

_PNG_MODES = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})
_QUALITY = 95
"""Of a JPEG file that had to be turned; Pillow's documentation advises against more."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an image without decoding it.

    Attributes:
        size_px: width and height upright.
        orientation: by its EXIF block, from 1 (upright) to 8.
        ending: which it will have: that of its own format, or of the one that it has to be encoded in.
        redrawn: whether it has to be encoded anew.
    """

    size_px: tuple[int, int]
    orientation: int
    ending: str
    redrawn: bool


def read_header(place: Path) -> Header:
    """Look at an image; one that has to be encoded anew is decoded, to see that it can be.

    Raises:
        TreeError: it is no image that can be read.
    """
    with warnings.catch_warnings():
        # What Pillow only warns of (a damaged EXIF block, a hundred million pixels) does not keep darknet from it.
        warnings.simplefilter("ignore")
        try:
            if not place.stat().st_size:
                raise OSError("it is empty")  # noqa: TRY301 - as Pillow says it of other files
            with Image.open(place) as image:
                header = _describe(image)
                if header.redrawn:
                    image.load()
        except Exception as error:
            # Pillow's readers raise anything at hostile files, struct.error say.
            reason = str(error).replace(str(place), place.name) or type(error).__name__
            raise TreeError(f"{place}: it cannot be read as an image ({reason})") from error
    return header


def redraw(place: Path, ending: str) -> bytes:
    """The image turned upright, in the format that ``ending`` names; the same bytes each time.

    Raises:
        TreeError: it cannot be read any more.
    """
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(place) as image:
                upright = ImageOps.exif_transpose(image)
                if ending == ".jpg":
                    _to_mode(upright, "L", "RGB").save(drawn, "JPEG", quality=_QUALITY)
                else:
                    _to_mode(upright, *_PNG_MODES).save(drawn, "PNG")
        except Exception as error:
            raise TreeError(f"{place}: it cannot be read as an image any more ({error})") from error
    return drawn.getvalue()


def _describe(image: Image.Image) -> Header:
    kind = image.format or ""
    orientation = _read_orientation(image)
    width, height = image.size
    turned = orientation in _EXCHANGING
    return Header(
        size_px=(height, width) if turned else (width, height),
        orientation=orientation,
        ending=_ENDINGS.get(kind, ".png"),
        redrawn=kind not in _ENDINGS or orientation != _UPRIGHT or image.mode in _ODD_MODES,
    )


def _read_orientation(image: Image.Image) -> int:
    # Pillow turns TIFF files by itself, and would decode a PNG file to look for a block behind the pixels.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return _UPRIGHT
    with suppress(Exception):  # a damaged block says nothing, and viewers pass over it
        orientation = image.getexif().get(_ORIENTATION)
        if isinstance(orientation, int) and _UPRIGHT < orientation <= max(_EXCHANGING):
            return orientation
    return _UPRIGHT


def _to_mode(image: Image.Image, *modes: str) -> Image.Image:
    return image if image.mode in modes else image.convert("RGB")
