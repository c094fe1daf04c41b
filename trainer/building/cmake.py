"""PURE: how a darknet that is built by cmake, which is hank-ai's, is told its switches.

Source: the CM_dependencies.cmake of its versions 2 to 5, and the CMakeLists.txt of the first, which is AlexeyAB's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trainer.building.arch import read_gencode
from trainer.building.recipe import ARCH, SWITCHES, Recipe

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import PurePath

    from trainer.building.switches import Switches

# What may be set from outside: an option, a variable that is only set where nobody has set it, and the result of a
# search, which is not searched for again. cmake's commands are case-insensitive, its variables are not.
_SETTABLE = re.compile(
    r"(?i:\b(?:cmake_dependent_)?option\s*\(|\bfind_library\s*\(|\bnot\s+defined\s)\s*(\w+)"
)
_COMMENT = re.compile(r"#.*")
_OPENCV_REQUIRED = re.compile(r"(?i:find_package\s*\(\s*opencv\b[^)]*\brequired\b)")

_TRY_CUDA = "DARKNET_TRY_CUDA"
_OLD_CUDA = "ENABLE_CUDA"
_ARCHITECTURES = "DARKNET_CUDA_ARCHITECTURES"
_OLD_OPENCV = "ENABLE_OPENCV"


def read_cmake(texts: Iterable[str]) -> Recipe:
    """Read the CMake files of a darknet.

    Args:
        texts: its CMakeLists.txt and the ``CM_*.cmake`` beside it.
    """
    text = "\n".join(_COMMENT.sub("", each) for each in texts)
    options = frozenset(_SETTABLE.findall(text))
    return Recipe(
        known=frozenset({*SWITCHES, ARCH} - {"OPENMP"}),
        opencv4=True,
        needs_opencv=_OLD_OPENCV not in options and bool(_OPENCV_REQUIRED.search(text)),
        options=options,
    )


def cmake_arguments(switches: Switches, recipe: Recipe, nvcc: PurePath | None = None) -> tuple[str, ...]:
    """What cmake's command line needs for these switches: ("-DCMAKE_BUILD_TYPE=Release", ...).

    Half precision cannot be told apart from cuDNN: hank-ai's has both or none.

    Args:
        switches: chosen for ``recipe``.
        recipe: of ``read_cmake``.
        nvcc: the CUDA compiler to use; None leaves it to cmake.
    """
    values = {
        _TRY_CUDA: switches.gpu,
        _OLD_CUDA: switches.gpu,
        "DARKNET_TRY_ROCM": False,
        "ENABLE_CUDNN": switches.cudnn,
        "ENABLE_CUDNN_HALF": switches.cudnn_half,
        _OLD_OPENCV: switches.opencv,
        "ENABLE_SSE_AND_AVX": switches.avx,
        "ENABLE_SSE_AND_AVX_FLAGS": switches.avx,
    }
    arguments = ["-DCMAKE_BUILD_TYPE=Release"]
    arguments += [
        f"-D{name}={'ON' if on else 'OFF'}" for name, on in values.items() if name in recipe.options
    ]
    if not switches.gpu:
        # Versions before 5 take CUDA wherever they find it; this says that it was looked for in vain.
        return (*arguments, *(() if _TRY_CUDA in recipe.options else ("-DCMAKE_CUDA_COMPILER=NOTFOUND",)))
    arguments += [f"-DCMAKE_CUDA_COMPILER={nvcc}"] if nvcc else []
    architectures = _architectures(switches.arch)
    arguments.append(f"-DCMAKE_CUDA_ARCHITECTURES={architectures}")
    arguments += [f"-D{_ARCHITECTURES}={architectures}"] if _ARCHITECTURES in recipe.options else []
    if not switches.cudnn:
        arguments += [f"-D{name}=OFF" for name in ("cudnn", "CUDNN") if name in recipe.options]
    return tuple(arguments)


def _architectures(arch: str) -> str:
    """As CUDA_ARCHITECTURES has it: a number alone is machine code and PTX."""
    words = [
        f"{target.capability[0]}{target.capability[1]}{'' if target.exact else '-virtual'}"
        for target in read_gencode(arch)
    ]
    return ";".join(words) or "native"
