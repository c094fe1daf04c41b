"""PURE: labels of Pascal VOC's format, an XML file for each image, as labelImg, CVAT and others write it.

Edges are taken as they stand there, for the programs that write this format nowadays count them from 0, between the
pixels. (VOC's own images count pixels from 1: half a pixel, which no training sees.) The names in a file may be
anything: it is parsed with document types and entities forbidden.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from trainer.errors import TreeError
from trainer.preparing.annotations import Label, Mark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

_ROOT = "annotation"
_EDGES = ("xmin", "ymin", "xmax", "ymax")


def parse_voc(raw: bytes, path: str) -> Label:
    """Read a label.

    Args:
        raw: its content.
        path: its name, for messages.

    Raises:
        TreeError: it is none, or an object in it has no name or no box.
    """
    try:
        root = fromstring(raw, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise TreeError(f"{path}:{line}: no XML, or not all of it, from column {column + 1} on") from error
    except DefusedXmlException as error:
        raise TreeError(f"{path}: it has a <!DOCTYPE>, which is not read here") from error
    except (ValueError, LookupError) as error:
        raise TreeError(f"{path}: it is in an encoding that is not known here") from error
    if root.tag != _ROOT:
        raise TreeError(f"{path}: it is a <{root.tag[:40]}>, no <{_ROOT}>")
    return Label(tuple(_read_objects(root, path)), _read_frame(root))


def _read_frame(root: Element) -> tuple[float, float] | None:
    """None also where the size is 0, as some programs write it that never opened the image."""
    width, height = (_number(root.findtext(f"size/{side}")) for side in ("width", "height"))
    return (width, height) if width and height and width > 0 and height > 0 else None


def _read_objects(root: Element, path: str) -> Iterator[Mark]:
    for number, found in enumerate(root.iterfind("object"), start=1):
        kind = " ".join((found.findtext("name") or "").split())
        if not kind:
            raise TreeError(f"{path}: object {number} has no <name>")
        left, top, right, bottom = (_number(found.findtext(f"bndbox/{edge}")) for edge in _EDGES)
        if left is None or top is None or right is None or bottom is None:
            raise TreeError(f"{path}: object {number} has no <bndbox> of four numbers")
        yield Mark(kind, left, top, right, bottom)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
