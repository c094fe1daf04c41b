"""AlexeyAB's README: max_batches is classes * 2000, at least the number of images and 6000; steps are 80 % and 90 %."""

from __future__ import annotations

import pytest

from trainer.darknet.rules import advised_max_batches, advised_steps


@pytest.mark.parametrize(
    ("classes", "images", "max_batches", "steps"),
    [
        pytest.param(1, 100, 6_000, (4_800, 5_400), id="never less than 6000"),
        pytest.param(3, 100, 6_000, (4_800, 5_400), id="the README's three classes"),
        pytest.param(4, 100, 8_000, (6_400, 7_200), id="2000 for each class"),
        pytest.param(20, 5_011, 40_000, (32_000, 36_000), id="VOC 2007"),
        pytest.param(2, 9_999, 9_999, (7_999, 8_999), id="more images"),
        pytest.param(80, 118_287, 160_000, (128_000, 144_000), id="COCO 2017"),
    ],
)
def test_how_long_to_train(classes: int, images: int, max_batches: int, steps: tuple[int, int]) -> None:
    assert advised_max_batches(classes, images) == max_batches
    assert advised_steps(max_batches) == steps
