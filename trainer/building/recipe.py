"""PURE: what a tree's Makefile, or its CMakeLists.txt, has to say on how darknet may be built."""

from __future__ import annotations

from dataclasses import dataclass

SWITCHES = ("GPU", "CUDNN", "CUDNN_HALF", "OPENCV", "AVX", "OPENMP")
"""What is 1 or 0, named and ordered as in AlexeyAB's Makefile."""

ARCH = "ARCH"
"""What holds nvcc's options for the GPU architectures."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What building goes by.

    Attributes:
        known: which of ``SWITCHES``, ARCH and LIBSO it has.
        values: what a Makefile itself says of these, the last assignment counting, without white space around it.
        opencv4: it can be built with OpenCV 4; the original's sources want OpenCV 2 or 3.
        needs_opencv: it cannot be built without OpenCV.
        options: which options of cmake it has; none where it is a Makefile.
    """

    known: frozenset[str] = frozenset()
    values: tuple[tuple[str, str], ...] = ()
    opencv4: bool = False
    needs_opencv: bool = False
    options: frozenset[str] = frozenset()
