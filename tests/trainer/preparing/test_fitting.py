from __future__ import annotations

import pytest

from trainer.errors import TreeError
from trainer.preparing.annotations import Box, Label, Mark
from trainer.preparing.fitting import Fitted, fit, write_label

CLASSES = {"cat": 0}
WIDE = (100, 50)


@pytest.mark.parametrize(
    ("edges", "fitted"),
    [
        pytest.param((10, 10, 30, 20), Fitted((Box(0, 0.2, 0.3, 0.2, 0.2),)), id="within"),
        pytest.param((0, 0, 100, 50), Fitted((Box(0, 0.5, 0.5, 1, 1),)), id="all of it"),
        pytest.param((-20, 10, 20, 90), Fitted((Box(0, 0.1, 0.6, 0.2, 0.8),), clipped=1), id="reaching out"),
        pytest.param((10, 10, 10, 20), Fitted((), dropped=1), id="no width"),
        pytest.param((30, 10, 10, 20), Fitted((), dropped=1), id="the wrong way round"),
        pytest.param((110, 10, 130, 20), Fitted((), dropped=1), id="outside"),
        pytest.param((10, 10, 10 + 1e-5, 20), Fitted((), dropped=1), id="nothing, with six digits"),
    ],
)
def test_boxes_within_the_image(edges: tuple[float, float, float, float], fitted: Fitted) -> None:
    found = fit(Label((Mark("cat", *edges),), WIDE), WIDE, 1, CLASSES)
    assert found.clipped == fitted.clipped
    assert found.dropped == fitted.dropped
    assert write_label(found.boxes) == write_label(fitted.boxes)


@pytest.mark.parametrize(
    ("orientation", "box"),
    [
        pytest.param(5, Box(0, 0.1, 0.2, 0.2, 0.4), id="5: transposed"),
        pytest.param(6, Box(0, 0.9, 0.2, 0.2, 0.4), id="6: turned right"),
        pytest.param(7, Box(0, 0.9, 0.8, 0.2, 0.4), id="7: transposed the other way"),
        pytest.param(8, Box(0, 0.1, 0.8, 0.2, 0.4), id="8: turned left"),
    ],
)
def test_a_label_of_an_image_that_lies_on_its_side(orientation: int, box: Box) -> None:
    """The label says that it is of 100 x 50 pixels: it was drawn before anything was turned."""
    label = Label((Mark("cat", 0, 0, 40, 10),), WIDE)
    assert write_label(fit(label, (50, 100), orientation, CLASSES).boxes) == write_label((box,))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_label_of_the_upright_image_stays(orientation: int) -> None:
    label = Label((Mark("cat", 0, 0, 40, 10),), WIDE)
    expected = write_label((Box(0, 0.2, 0.1, 0.4, 0.2),))
    assert write_label(fit(label, WIDE, orientation, CLASSES).boxes) == expected


def test_an_image_that_was_made_smaller_after_it_was_labelled() -> None:
    label = Label((Mark("cat", 0, 0, 1000, 250),), (2000, 1001))
    assert write_label(fit(label, WIDE, 1, CLASSES).boxes) == "0 0.250000 0.124875 0.500000 0.249750\n"


@pytest.mark.parametrize(
    ("frame", "orientation"),
    [pytest.param((50, 100), 1, id="on its side"), pytest.param((100, 100), 6, id="a square")],
)
def test_a_label_of_another_image(frame: tuple[float, float], orientation: int) -> None:
    with pytest.raises(TreeError, match="this one has 100 x 50"):
        fit(Label((), frame), WIDE, orientation, CLASSES)


def test_pixels_where_the_label_does_not_say_how_many_there_are() -> None:
    label = Label((Mark("cat", 0, 0, 50, 50),), None)
    assert fit(label, WIDE, 1, CLASSES).boxes == (Box(0, 0.25, 0.5, 0.5, 1.0),)
