from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.preparing.split import choose_tests


def images_of(counts: dict[tuple[int, ...], int]) -> dict[str, frozenset[int]]:
    """So many images with each set of classes; the empty set stands for images that show nothing."""
    return {
        f"{'-'.join(map(str, kinds))}/{number}.jpg": frozenset(kinds)
        for kinds, count in counts.items()
        for number in range(count)
    }


def count_tests(images: dict[str, frozenset[int]], tests: frozenset[str]) -> dict[tuple[int, ...], int]:
    return dict(Counter(tuple(sorted(images[path])) for path in tests))


@pytest.mark.parametrize(
    ("counts", "tested"),
    [
        pytest.param({(0,): 50, (1,): 10}, {(0,): 10, (1,): 2}, id="one class each"),
        pytest.param({(0,): 40, (): 20}, {(0,): 8, (): 4}, id="negatives are shared out, too"),
        pytest.param({(0,): 20, (1,): 1}, {(0,): 4}, id="the only image of a class is trained on"),
        pytest.param({(0,): 100, (0, 1): 10, (1,): 10}, {(0,): 20, (0, 1): 2, (1,): 2}, id="several classes"),
    ],
)
def test_each_class_has_its_share(
    counts: dict[tuple[int, ...], int], tested: dict[tuple[int, ...], int]
) -> None:
    images = images_of(counts)
    found = count_tests(images, choose_tests(images, 0.2, seed=0))
    for kinds, number in counts.items():
        # Where several classes are shown at once, one image more or less makes up for another.
        slack = 1 if any(len(others) > 1 for others in counts) else 0
        assert abs(found.get(kinds, 0) - tested.get(kinds, 0)) <= slack, number


@given(
    st.lists(st.frozensets(st.integers(0, 5), max_size=3), min_size=2, max_size=60),
    st.sampled_from([0.05, 0.2, 0.5, 0.95]),
    st.integers(0, 3),
)
def test_the_order_of_the_images_does_not_matter(
    kinds: list[frozenset[int]], share: float, seed: int
) -> None:
    images = {f"{number}.jpg": own for number, own in enumerate(kinds)}
    shuffled = list(images.items())
    random.Random(1).shuffle(shuffled)
    tests = choose_tests(images, share, seed)
    assert choose_tests(dict(shuffled), share, seed) == tests
    assert tests < images.keys()
    assert tests


@pytest.mark.parametrize(
    ("kinds", "tested"),
    [
        pytest.param([{0}, set()], set(), id="the only one that shows something is trained on"),
        pytest.param([{0}, {1}, {1}], {1}, id="a class with two images can spare one"),
        pytest.param([{0}, {0}, set()], {0}, id="one that shows something is a better test"),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_of_few_images_one_is_tested_with(kinds: list[set[int]], tested: set[int], seed: int) -> None:
    images = {f"{number}.jpg": frozenset(own) for number, own in enumerate(kinds)}
    (test,) = choose_tests(images, 0.2, seed)
    assert images[test] == tested


def test_another_seed_splits_otherwise() -> None:
    images = images_of({(0,): 40})
    assert len({choose_tests(images, 0.2, seed) for seed in range(4)}) == 4


def test_many_images_with_many_classes_take_no_time() -> None:
    """COCO has 80 classes, and three of them in an image."""
    chance = random.Random(0)
    images = {f"{number}.jpg": frozenset(chance.choices(range(80), k=3)) for number in range(20_000)}
    tests = choose_tests(images, 0.2, seed=0)
    for kind in range(80):
        those = [path for path, own in images.items() if kind in own]
        assert sum(path in tests for path in those) / len(those) == pytest.approx(0.2, abs=0.005)


def test_a_single_image_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="one image"):
        choose_tests({"1.jpg": frozenset({0})}, 0.2, seed=0)
