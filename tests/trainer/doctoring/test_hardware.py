"""A table of machines, and what a doctor says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trainer.doctoring.hardware import judge_machine
from trainer.doctoring.lines import Level, Line
from trainer.machine.parts import Cuda, Cudnn, Gpu, Gpus, Machine, OpenCv, Program

GIB = 1 << 30
T4 = Gpu("Tesla T4", (7, 5), 15 * GIB, "550.54.15", (12, 4))
V100 = Gpu("Tesla V100-SXM2-16GB", (7, 0), 16 * GIB, "580.65.06", (13, 0))
B200 = Gpu("NVIDIA B200", (10, 0), 180 * GIB, "580.65.06", (13, 0))
CUDA = Cuda(
    (12, 4), Path("/usr/local/cuda/bin/nvcc"), Path("/usr/local/cuda"), ((5, 0), (7, 0), (7, 5), (9, 0))
)
CUDA_13 = replace(CUDA, version=(13, 0), capabilities=((7, 5), (8, 0), (9, 0), (10, 0)))
CUDNN = Cudnn((9, 8, 0), Path("/usr/include/cudnn_version.h"))
COLAB = Machine(
    gpus=Gpus((T4,)),
    cuda=CUDA,
    cudnn=CUDNN,
    opencv=OpenCv("4.5.4", "opencv4"),
    compiler=Program("g++", Path("/usr/bin/g++"), "11.4.0"),
    make=Program("make", Path("/usr/bin/make"), "4.3"),
    cmake=Program("cmake", Path("/usr/bin/cmake"), "3.31.6"),
    cores=2,
    avx=True,
    openmp=True,
    memory_bytes=13 * GIB,
    glibc="2.35",
    apt=True,
)
BARE = Machine()


def judge(machine: Machine, *, has_darknet: bool = True) -> list[Line]:
    return list(judge_machine(machine, lambda: has_darknet))


def test_a_machine_where_all_is_well() -> None:
    lines = judge(COLAB)
    assert {line.level for line in lines} == {Level.GOOD}
    assert [(line.topic, line.what) for line in lines] == [
        ("GPU", "Tesla T4, 15.0 GiB, compute capability 7.5"),
        ("driver", "550.54.15, which runs CUDA up to 12.4"),
        ("CUDA", "12.4, /usr/local/cuda/bin/nvcc"),
        ("cuDNN", "9.8.0, /usr/include/cudnn_version.h"),
        ("OpenCV", "4.5.4, known to pkg-config as opencv4"),
        ("compiler", "g++ 11.4.0, make 4.3, cmake 3.31.6"),
        ("processor", "2 cores to use, x86_64 with AVX2"),
        ("memory", "14.0 GB to use"),
    ]


def test_a_machine_with_nothing() -> None:
    lines = judge(BARE)
    assert {line.topic: line.level for line in lines} == {
        "GPU": Level.WARNING,
        "CUDA": Level.GOOD,
        "cuDNN": Level.GOOD,
        "OpenCV": Level.WARNING,
        "compiler": Level.WARNING,
        "processor": Level.GOOD,
        "memory": Level.GOOD,
    }


@pytest.mark.parametrize(
    ("machine", "topic", "level", "said", "remedy"),
    [
        pytest.param(
            replace(COLAB, gpus=Gpus()), "GPU", Level.WARNING, "none", "Change runtime type", id="no GPU"
        ),
        pytest.param(
            replace(COLAB, gpus=Gpus(problem="it is ill", remedy="Cure it.")),
            "GPU",
            Level.WARNING,
            "it is ill",
            "Cure it.",
            id="a GPU that fails",
        ),
        pytest.param(
            replace(COLAB, gpus=Gpus((T4, T4))), "GPU", Level.GOOD, "2 x Tesla T4", "", id="two of a kind"
        ),
        pytest.param(
            replace(COLAB, gpus=Gpus((replace(T4, capability=None, memory_bytes=0, cuda=None),))),
            "GPU",
            Level.GOOD,
            "Tesla T4",
            "",
            id="a GPU that says little",
        ),
        pytest.param(
            replace(COLAB, cuda=CUDA_13),
            "driver",
            Level.BAD,
            "not the 13.0 of the toolkit",
            "the toolkit of CUDA 12",
            id="a driver too old for the toolkit",
        ),
        pytest.param(
            replace(COLAB, cuda=replace(CUDA, version=(12, 8))),
            "driver",
            Level.GOOD,
            "up to 12.4",
            "",
            id="a toolkit that is newer by its minor version runs",
        ),
        pytest.param(
            replace(COLAB, gpus=Gpus((V100,)), cuda=CUDA_13),
            "CUDA",
            Level.BAD,
            "no longer compiles for Tesla V100",
            "CUDA 12",
            id="a GPU too old for the toolkit",
        ),
        pytest.param(
            replace(COLAB, gpus=Gpus((B200,))),
            "CUDA",
            Level.WARNING,
            "does not know NVIDIA B200",
            "newer toolkit",
            id="a GPU too new for the toolkit",
        ),
        pytest.param(
            replace(COLAB, gpus=Gpus((B200,)), cuda=replace(CUDA, capabilities=())),
            "CUDA",
            Level.GOOD,
            "12.4",
            "",
            id="a toolkit that does not say what it knows",
        ),
        pytest.param(
            replace(COLAB, cuda=None),
            "CUDA",
            Level.WARNING,
            "no nvcc",
            "/usr/local/cuda/bin",
            id="no toolkit",
        ),
        pytest.param(
            replace(COLAB, cudnn=None), "cuDNN", Level.WARNING, "none", "cudnn9-cuda-12", id="no cuDNN"
        ),
        pytest.param(
            replace(COLAB, cudnn=None, cuda=None), "cuDNN", Level.GOOD, "no use", "", id="cuDNN without CUDA"
        ),
        pytest.param(
            replace(COLAB, cudnn=replace(CUDNN, searched=False)),
            "cuDNN",
            Level.WARNING,
            "where compilers do not look",
            "CPATH=/usr/include",
            id="cuDNN elsewhere",
        ),
        pytest.param(
            replace(COLAB, opencv=None), "OpenCV", Level.WARNING, "finds no", "installs them", id="no OpenCV"
        ),
        pytest.param(
            replace(COLAB, opencv=None, apt=False),
            "OpenCV",
            Level.WARNING,
            "finds no",
            "`trainer build` builds without",
            id="no OpenCV, and no apt",
        ),
        pytest.param(
            replace(COLAB, memory_bytes=GIB), "memory", Level.WARNING, "1.1 GB", "more memory", id="memory"
        ),
        pytest.param(
            replace(COLAB, avx=False, cores=1), "processor", Level.GOOD, "1 core to use", "", id="one core"
        ),
    ],
)
def test_machines(machine: Machine, topic: str, level: Level, said: str, remedy: str) -> None:
    (line,) = [line for line in judge(machine) if line.topic == topic]
    assert line.level is level
    assert said in line.what
    assert (remedy in line.remedy) if remedy else not line.remedy


def test_what_is_not_good_has_a_remedy() -> None:
    for machine in (BARE, replace(COLAB, gpus=Gpus()), replace(BARE, gpus=Gpus((V100,)), cuda=CUDA_13)):
        for line in judge(machine, has_darknet=False):
            assert bool(line.remedy) is (line.level is not Level.GOOD), line


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (replace(COLAB, compiler=None), "there is no C++ compiler, so"),
        (replace(COLAB, make=None), "there is no make, so"),
        (BARE, "there is no C++ compiler and no make, so"),
    ],
)
def test_nothing_to_build_with(machine: Machine, said: str) -> None:
    for has_darknet, level in ((True, Level.WARNING), (False, Level.BAD)):
        lines = judge(machine, has_darknet=has_darknet)
        (line,) = [line for line in lines if line.topic == "compiler"]
        assert line.level is level
        assert said in line.what
