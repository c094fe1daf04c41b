"""Anchors against a plain account of k-means, and where there is little to cluster."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import TreeError
from trainer.preparing.anchors import find_anchors

Size = tuple[float, float]


def iou(one: Size, other: Size) -> float:
    overlap = min(one[0], other[0]) * min(one[1], other[1])
    return overlap / (one[0] * one[1] + other[0] * other[1] - overlap)


def best(box: Size, anchors: list[Size]) -> int:
    return max(range(len(anchors)), key=lambda index: iou(box, anchors[index]))


def settle(boxes: list[Size], anchors: list[Size]) -> list[Size]:
    """Darknet's loop: any box goes to the anchor that fits it best, any anchor to the mean of its boxes."""
    for _ in range(1_000):
        groups: list[list[Size]] = [[] for _ in anchors]
        for box in boxes:
            groups[best(box, anchors)].append(box)
        moved = [
            (sum(w for w, _ in group) / len(group), sum(h for _, h in group) / len(group))
            if group
            else anchor
            for group, anchor in zip(groups, anchors, strict=True)
        ]
        if moved == anchors:
            break
        anchors = moved
    return anchors


def mean_iou(boxes: list[Size], anchors: list[Size]) -> float:
    return sum(max(iou(box, anchor) for anchor in anchors) for box in boxes) / len(boxes)


def draw(number: int, seed: int = 0) -> list[Size]:
    rng = random.Random(seed)
    scales = [rng.lognormvariate(4, 0.8) for _ in range(number)]
    return [(scale * rng.lognormvariate(0, 0.3), scale * rng.lognormvariate(0, 0.3)) for scale in scales]


@pytest.mark.parametrize("count", [1, 6, 9])
def test_as_good_as_a_plain_account_of_it(count: int) -> None:
    boxes = draw(400)
    found = find_anchors(boxes, count, seed=0)
    anchors = list(found.sizes)
    assert found.mean_iou == pytest.approx(mean_iou(boxes, anchors))
    # Another round of the plain account moves none of them.
    assert np.allclose(sorted(settle(boxes, anchors)), sorted(anchors))
    plain = settle(boxes, random.Random(0).sample(boxes, count))
    assert found.mean_iou > mean_iou(boxes, plain) - 0.01


def test_groups_that_lie_apart_are_found() -> None:
    rng = random.Random(0)
    centres = [(12, 16), (40, 28), (36, 75), (142, 110), (192, 243), (360, 180)]
    boxes = [
        (w * rng.uniform(0.97, 1.03), h * rng.uniform(0.97, 1.03)) for w, h in centres for _ in range(50)
    ]
    found = find_anchors(boxes, 6, seed=0)
    assert np.allclose(found.sizes, centres, rtol=0.02)
    assert found.mean_iou > 0.95


def test_a_box_that_is_there_more_often_weighs_more() -> None:
    (found,) = find_anchors([(10, 10)] * 3 + [(20, 20)], 1, seed=0).sizes
    assert found == (12.5, 12.5)


def test_the_smallest_comes_first_and_a_seed_finds_the_same() -> None:
    boxes = draw(200)
    found = find_anchors(boxes, 9, seed=7)
    areas = [width * height for width, height in found.sizes]
    assert areas == sorted(areas)
    assert find_anchors(boxes, 9, seed=7) == found
    assert find_anchors(np.array(boxes), 9, seed=7) == found


@pytest.mark.parametrize(
    ("boxes", "sizes"),
    [
        pytest.param([(3, 5)], [(3, 5)] * 3, id="one box"),
        pytest.param([(8, 8), (3, 5), (8, 8)], [(3, 5), (3, 5), (8, 8)], id="two different boxes"),
        pytest.param([(9, 9), (1, 1), (4, 4)], [(1, 1), (4, 4), (9, 9)], id="as many as anchors"),
        pytest.param([(3, 5), (0, 5), (float("nan"), 1)], [(3, 5)] * 3, id="boxes of nothing do not count"),
    ],
)
def test_few_boxes_are_their_own_anchors(boxes: list[Size], sizes: list[Size]) -> None:
    found = find_anchors(boxes, 3, seed=0)
    assert list(found.sizes) == sizes
    assert found.mean_iou == 1


@pytest.mark.parametrize("boxes", [[], [(0.0, 4.0)]])
def test_without_boxes_there_are_no_anchors(boxes: list[Size]) -> None:
    with pytest.raises(TreeError, match="no box"):
        find_anchors(boxes, 6, seed=0)


def test_boxes_that_differ_by_less_than_can_be_computed() -> None:
    boxes = [(100 * (1 + step * 2**-52), 100.0) for step in range(8)]
    found = find_anchors(boxes, 6, seed=0)
    assert np.allclose(found.sizes, 100)  # one that no box goes to stays where it was, too
    assert found.mean_iou == pytest.approx(1)


sides = st.floats(0.5, 2_000)


@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=30), st.integers(1, 9), st.integers(0, 9))
def test_whatever_the_boxes(boxes: list[Size], count: int, seed: int) -> None:
    found = find_anchors(boxes, count, seed)
    assert len(found.sizes) == count
    widths, heights = zip(*boxes, strict=True)
    for width, height in found.sizes:
        assert min(widths) * 0.999 <= width <= max(widths) * 1.001
        assert min(heights) * 0.999 <= height <= max(heights) * 1.001
    assert all(one[0] * one[1] <= other[0] * other[1] for one, other in itertools.pairwise(found.sizes))
    assert 0 < found.mean_iou <= 1 + 1e-9
