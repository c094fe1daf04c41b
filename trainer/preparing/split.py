"""PURE: which images to test with: of each class the same share, as far as images with several classes allow.

Source of the method: K. Sechidis, G. Tsoumakas, I. Vlahavas, On the Stratification of Multi-Label Data (2011): the
class with the fewest images left is shared out first, each of its images to the side that lacks most. What a side lacks
is measured here by what it is to have, and of all classes of an image: two sides of so different a size come out even.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEGATIVE = frozenset({-1})
"""What all images have in common that show nothing: they are shared out as those of a class are."""

_TRAIN, _TEST = 0, 1


def choose_tests(images: Mapping[str, frozenset[int]], share: float, seed: int) -> frozenset[str]:
    """Choose the images to test with; the same ones for the same images, in whatever order they come.

    Args:
        images: which classes each of them shows.
        share: of the images, above 0 and below 1.
        seed: of what is left to chance.

    Returns:
        At least one, and not all of them.

    Raises:
        ValueError: there are fewer than two images.
    """
    if len(images) < 2:
        raise ValueError("one image cannot be both trained on and tested with")
    chance = random.Random(seed)  # noqa: S311 - a split that can be made again, no secret
    order = sorted(images)
    chance.shuffle(order)
    sharing = _Sharing({path: images[path] or _NEGATIVE for path in order}, share)
    return sharing.share_out()


class _Sharing:
    """One sharing out of images, which it takes in their order.

    Args:
        kinds: the classes of each image.
        share: that is to be tested with.
    """

    def __init__(self, kinds: Mapping[str, frozenset[int]], share: float) -> None:
        self._kinds = kinds
        self._of_kind: dict[int, list[str]] = defaultdict(list)
        for path, own in kinds.items():
            for kind in own:
                self._of_kind[kind].append(path)
        self._left = Counter({kind: len(paths) for kind, paths in self._of_kind.items()})
        parts = (1 - share, share)
        # By side, training first: how many images it is to have, and still lacks, of each kind.
        self._wanted = [{kind: number * part for kind, number in self._left.items()} for part in parts]
        self._lacks = [dict(wanted) for wanted in self._wanted]
        self._side: dict[str, int] = {}

    def share_out(self) -> frozenset[str]:
        """The images to test with."""
        while self._left:
            rarest = min(self._left, key=lambda kind: (self._left[kind], kind))
            for path in self._of_kind[rarest]:
                if path not in self._side:
                    self._put(path, self._find_side(path, rarest))
        # The first image is always trained on: before it both sides lack everything.
        if _TEST not in self._side.values():
            self._side[max(self._kinds, key=self._can_be_spared)] = _TEST
        return frozenset(path for path, side in self._side.items() if side == _TEST)

    def _find_side(self, path: str, rarest: int) -> int:
        """The side that lacks the greater part of what it is to have of the image's kinds, if of the rarest at all."""
        if self._lacks[_TEST][rarest] < 0.5:
            return _TRAIN
        lack = [
            sum(lacks[kind] / wanted[kind] for kind in self._kinds[path])
            for lacks, wanted in zip(self._lacks, self._wanted, strict=True)
        ]
        return _TEST if lack[_TEST] > lack[_TRAIN] else _TRAIN

    def _put(self, path: str, side: int) -> None:
        self._side[path] = side
        for kind in self._kinds[path]:
            self._lacks[side][kind] -= 1
            self._left[kind] -= 1
            if not self._left[kind]:
                del self._left[kind]

    def _can_be_spared(self, path: str) -> tuple[bool, bool, int]:
        """How well the training does without an image: the rarest of its classes has the most images."""
        kinds = self._kinds[path]
        images = min(len(self._of_kind[kind]) for kind in kinds)
        return kinds == _NEGATIVE or images > 1, kinds != _NEGATIVE, images
