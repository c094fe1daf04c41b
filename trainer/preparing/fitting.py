"""PURE: from what a label says to boxes that darknet takes: within the image, and as a viewer shows it.

Cameras write an image as their sensor lies, and note in its EXIF block how it is to be turned (orientation 1 to 8).
Whoever draws boxes sees it turned, mostly; where a label says how wide and high the image is, it tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.errors import TreeError
from trainer.preparing.annotations import Box

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trainer.preparing.annotations import Label, Mark

_DIGITS = 6
"""After the point, in a label: a hundredth of a pixel in an image that is 10,000 pixels wide."""

_TOLERANCE = 10.0**-_DIGITS

_Edges = tuple[float, float, float, float]

# From parts of the image as the sensor saw it to parts of it upright: those that exchange width and height.
_TURNS: dict[int, Callable[[float, float], tuple[float, float]]] = {
    5: lambda x, y: (y, x),
    6: lambda x, y: (1 - y, x),
    7: lambda x, y: (1 - y, 1 - x),
    8: lambda x, y: (y, 1 - x),
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """Boxes that darknet takes.

    Attributes:
        boxes: in the label's order.
        clipped: how many of them reached out of the image, and do no more.
        dropped: how many marks had no area within it.
    """

    boxes: tuple[Box, ...]
    clipped: int = 0
    dropped: int = 0


def fit(label: Label, size_px: tuple[int, int], orientation: int, classes: Mapping[str, int]) -> Fitted:
    """Turn marks into boxes.

    Args:
        label: what was said of the image.
        size_px: its width and height upright.
        orientation: by its EXIF block.
        classes: the index of each kind of mark.

    Raises:
        TreeError: the label is of an image of another shape.
        KeyError: ``classes`` lacks a kind.
    """
    frame, turn = _find_frame(label.frame, size_px, orientation)
    boxes: list[Box] = []
    clipped = 0
    for mark in label.marks:
        edges = _scale(mark, frame)
        within = _clip(_turn(edges, turn) if turn else edges)
        box = _to_box(classes[mark.kind], within)
        if box is not None:
            boxes.append(box)
            clipped += any(not -_TOLERANCE <= edge <= 1 + _TOLERANCE for edge in edges)
    return Fitted(tuple(boxes), clipped, len(label.marks) - len(boxes))


def write_label(boxes: tuple[Box, ...]) -> str:
    """The text of a label as darknet reads it; empty for an image that shows nothing."""
    return "".join(
        f"{box.class_index} {box.x:.{_DIGITS}f} {box.y:.{_DIGITS}f} {box.width:.{_DIGITS}f} {box.height:.{_DIGITS}f}\n"
        for box in boxes
    )


def _find_frame(
    frame: tuple[float, float] | None, size_px: tuple[int, int], orientation: int
) -> tuple[tuple[float, float], Callable[[float, float], tuple[float, float]] | None]:
    """In which width and height the edges are to be seen, and how they have to be turned."""
    width, height = size_px
    if frame is None:
        return (width, height), None
    if frame == (1.0, 1.0) or _have_one_shape(frame, (width, height)):
        return frame, None
    if orientation in _TURNS and _have_one_shape(frame, (height, width)):
        return frame, _TURNS[orientation]
    raise TreeError(
        f"the label is of an image of {frame[0]:g} x {frame[1]:g} pixels, this one has {width} x {height}"
    )


def _have_one_shape(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Also where an image was made smaller after it had been labelled, by which sides are rounded to pixels."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other)


def _scale(mark: Mark, frame: tuple[float, float]) -> _Edges:
    width, height = frame
    return mark.left / width, mark.top / height, mark.right / width, mark.bottom / height


def _turn(edges: _Edges, turn: Callable[[float, float], tuple[float, float]]) -> _Edges:
    (one_x, one_y), (other_x, other_y) = turn(*edges[:2]), turn(*edges[2:])
    return min(one_x, other_x), min(one_y, other_y), max(one_x, other_x), max(one_y, other_y)


def _clip(edges: _Edges) -> _Edges:
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in edges)
    return left, top, right, bottom


def _to_box(class_index: int, edges: _Edges) -> Box | None:
    left, top, right, bottom = edges
    if right - left < _TOLERANCE or bottom - top < _TOLERANCE:
        return None
    return Box(class_index, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
