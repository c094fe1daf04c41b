"""How cmake is told the switches; what it makes of that is asked of cmake."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from trainer.building.cmake import cmake_arguments, read_cmake
from trainer.building.switches import Switches

LISTS = """\
CMAKE_MINIMUM_REQUIRED (VERSION 3.18)
PROJECT (Darknet LANGUAGES CXX)
INCLUDE (CheckLanguage)
INCLUDE (CMakeDependentOption)
INCLUDE (CM_dependencies.cmake)
MESSAGE (STATUS "cuda=${DARKNET_USE_CUDA} arch=${DARKNET_CUDA_ARCHITECTURES} type=${CMAKE_BUILD_TYPE}")
MESSAGE (STATUS "cudnn=${cudnn} avx=${ENABLE_SSE_AND_AVX}")
"""

# As hank-ai's fifth version asks, but for the compiler, which is found anyway.
V5 = """\
CMAKE_DEPENDENT_OPTION (DARKNET_TRY_CUDA "CUDA" ON "" ON)
IF (DARKNET_TRY_CUDA)
\tIF (NOT DEFINED DARKNET_CUDA_ARCHITECTURES)
\t#\tSET (DARKNET_CUDA_ARCHITECTURES "86")
\t\tSET (DARKNET_CUDA_ARCHITECTURES "native")
\tENDIF ()
\tSET (DARKNET_USE_CUDA ON)
\tFIND_LIBRARY(cudnn m)
ENDIF ()
CMAKE_DEPENDENT_OPTION (DARKNET_TRY_ROCM "ROCm" ON "" ON)
# FIND_PACKAGE (OpenCV REQUIRED)
CMAKE_DEPENDENT_OPTION (ENABLE_SSE_AND_AVX "AVX" ON "" OFF)
"""

# As its second: CUDA is taken wherever it is, for whatever GPU is there.
V2 = """\
CHECK_LANGUAGE (CUDA)
IF (CMAKE_CUDA_COMPILER)
\tSET (DARKNET_CUDA_ARCHITECTURES "native")
\tSET (DARKNET_USE_CUDA ON)
ENDIF ()
FIND_PACKAGE (OpenCV CONFIG REQUIRED)
CMAKE_DEPENDENT_OPTION (ENABLE_SSE_AND_AVX "AVX" ON "COMPILER_IS_GNU_OR_CLANG;HARDWARE_IS_X86" OFF)
"""

# As the first, which is AlexeyAB's.
V1 = """\
option(ENABLE_OPENCV "Enable OpenCV integration" ON)
option(ENABLE_CUDA "Enable CUDA support" ON)
option(ENABLE_CUDNN "Enable CUDNN" ON)
option(ENABLE_CUDNN_HALF "Enable CUDNN Half precision" ON)
cmake_dependent_option(ENABLE_SSE_AND_AVX_FLAGS "Enable AVX" ON "IS_X86" OFF)
if(ENABLE_OPENCV)
  find_package(OpenCV REQUIRED)
endif()
"""

T4 = "-gencode arch=compute_75,code=[sm_75,compute_75]"
ON_T4 = Switches(gpu=True, cudnn=True, cudnn_half=True, opencv=True, arch=T4)
ON_CPU = Switches(opencv=True, avx=True)
RELEASE = "-DCMAKE_BUILD_TYPE=Release"


@pytest.mark.parametrize(
    ("text", "switches", "arguments"),
    [
        pytest.param(
            V5,
            ON_T4,
            {
                "-DDARKNET_TRY_CUDA=ON",
                "-DDARKNET_TRY_ROCM=OFF",
                "-DENABLE_SSE_AND_AVX=OFF",
                "-DCMAKE_CUDA_ARCHITECTURES=75",
                "-DDARKNET_CUDA_ARCHITECTURES=75",
            },
            id="the fifth, T4",
        ),
        pytest.param(
            V5,
            ON_CPU,
            {"-DDARKNET_TRY_CUDA=OFF", "-DDARKNET_TRY_ROCM=OFF", "-DENABLE_SSE_AND_AVX=ON"},
            id="the fifth, CPU",
        ),
        pytest.param(
            V5,
            Switches(gpu=True, opencv=True, arch="-arch=native"),
            {
                "-DDARKNET_TRY_CUDA=ON",
                "-DDARKNET_TRY_ROCM=OFF",
                "-DENABLE_SSE_AND_AVX=OFF",
                "-DCMAKE_CUDA_ARCHITECTURES=native",
                "-DDARKNET_CUDA_ARCHITECTURES=native",
                "-Dcudnn=OFF",
            },
            id="the fifth, without cuDNN, for a GPU that does not say what it is",
        ),
        pytest.param(
            V2, ON_T4, {"-DENABLE_SSE_AND_AVX=OFF", "-DCMAKE_CUDA_ARCHITECTURES=75"}, id="the second, T4"
        ),
        pytest.param(
            V2, ON_CPU, {"-DENABLE_SSE_AND_AVX=ON", "-DCMAKE_CUDA_COMPILER=NOTFOUND"}, id="the second, CPU"
        ),
        pytest.param(
            V1,
            ON_T4,
            {
                "-DENABLE_CUDA=ON",
                "-DENABLE_CUDNN=ON",
                "-DENABLE_CUDNN_HALF=ON",
                "-DENABLE_OPENCV=ON",
                "-DENABLE_SSE_AND_AVX_FLAGS=OFF",
                "-DCMAKE_CUDA_ARCHITECTURES=75",
            },
            id="the first, T4",
        ),
    ],
)
def test_cmake_is_told_what_it_knows(text: str, switches: Switches, arguments: set[str]) -> None:
    told = cmake_arguments(switches, read_cmake([LISTS, text]))
    assert told[0] == RELEASE
    assert set(told[1:]) == arguments
    assert len(told) == len(arguments) + 1


def test_ptx_alone_and_two_architectures_are_spelt_as_cmake_does() -> None:
    arch = f"{T4} -gencode arch=compute_120,code=compute_120"
    told = cmake_arguments(Switches(gpu=True, arch=arch), read_cmake([V2]))
    assert "-DCMAKE_CUDA_ARCHITECTURES=75;120-virtual" in told


def test_cmake_is_told_which_nvcc() -> None:
    told = cmake_arguments(ON_T4, read_cmake([V5]), PurePosixPath("/usr/local/cuda/bin/nvcc"))
    assert "-DCMAKE_CUDA_COMPILER=/usr/local/cuda/bin/nvcc" in told


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        pytest.param(V2, True, id="required"),
        pytest.param(V1, False, id="required where it is asked for"),
        pytest.param(V5, False, id="in a comment"),
    ],
)
def test_whether_opencv_is_needed(text: str, needed: bool) -> None:  # noqa: FBT001 - a column of the table
    assert read_cmake([LISTS, text]).needs_opencv is needed


def test_cmake_finds_openmp_by_itself() -> None:
    assert "OPENMP" not in read_cmake([V5]).known


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
@pytest.mark.parametrize(
    ("text", "switches", "said"),
    [
        pytest.param(V5, ON_CPU, "cuda= arch= type=Release", id="CPU"),
        pytest.param(V5, ON_T4, "cuda=ON arch=75 type=Release", id="T4"),
        pytest.param(
            V2.replace("FIND_PACKAGE", "# "), ON_CPU, "cuda= arch= type=Release", id="CPU, an old one"
        ),
    ],
)
def test_cmake_does_as_it_is_told(text: str, switches: Switches, said: str, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(LISTS)
    (tmp_path / "CM_dependencies.cmake").write_text(text)
    told = cmake_arguments(switches, read_cmake([LISTS, text]))
    done = subprocess.run(
        ["cmake", "-S", ".", "-B", "build", *told],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"-- {said}\n" in done.stdout
