"""PURE: how hank-ai's darknet, which has no Makefile, is told its switches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import PurePath

    from trainer.building.recipe import Recipe
    from trainer.building.switches import Switches


def read_cmake(texts: Iterable[str]) -> Recipe:
    """Read the CMake files of a darknet; those of something else have no known switches.

    Args:
        texts: its CMakeLists.txt and the ``CM_*.cmake`` beside it.
    """
    raise NotImplementedError


def cmake_arguments(switches: Switches, recipe: Recipe, nvcc: PurePath | None = None) -> tuple[str, ...]:
    """What cmake's command line needs for these switches: ("-DCMAKE_BUILD_TYPE=Release", ...).

    Args:
        switches: chosen for ``recipe``.
        recipe: of ``read_cmake``.
        nvcc: the CUDA compiler to use; None leaves it to cmake.
    """
    raise NotImplementedError
