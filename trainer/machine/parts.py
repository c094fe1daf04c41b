"""PURE: the parts of a machine, as values. ``look`` fills them in.

A version is a tuple of whole numbers where versions are compared, and the text as its program says it elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Gpu:
    """One NVIDIA GPU.

    Attributes:
        name: as the driver says it, "Tesla T4".
        capability: compute capability, (7, 5); None where neither the driver nor the name tells.
        memory_bytes: all of its memory; 0 where the driver does not say.
        driver: the driver's version, "550.54.15".
        cuda: the highest CUDA version that this driver runs, (12, 4); None where it does not say.
    """

    name: str
    capability: tuple[int, int] | None
    memory_bytes: int
    driver: str
    cuda: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Gpus:
    """The GPUs that a program started here would see.

    Attributes:
        found: in the order of their numbers.
        problem: why there are none although there may be hardware, in one line; empty where there is nothing to say: no
            driver is installed, or all is well.
        remedy: what to do about the problem.
    """

    found: tuple[Gpu, ...] = ()
    problem: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Cuda:
    """A CUDA toolkit to compile with.

    Attributes:
        version: (12, 8).
        nvcc: its compiler, absolute.
        root: what CUDA_HOME would be, the folder that has bin/, include/ and lib64/.
        capabilities: the compute capabilities it compiles for, ascending; empty where it does not say (before 11).
    """

    version: tuple[int, int]
    nvcc: Path
    root: Path
    capabilities: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Cudnn:
    """cuDNN's development files.

    Attributes:
        version: (9, 8, 0).
        header: the file that says so, cudnn_version.h or, before cuDNN 8, cudnn.h; absolute.
        searched: True where the compilers that a darknet Makefile calls look there by themselves; False where somebody
            has to name the folder to them (that of pip's nvidia-cudnn).
    """

    version: tuple[int, int, int]
    header: Path
    searched: bool = True


@dataclass(frozen=True, slots=True)
class OpenCv:
    """OpenCV's development files, as pkg-config finds them.

    Attributes:
        version: "4.5.4".
        package: what pkg-config calls it: "opencv4", or "opencv" (2 and 3).
    """

    version: str
    package: str


@dataclass(frozen=True, slots=True)
class Program:
    """A program that is installed.

    Attributes:
        name: what it was looked for as, "g++".
        path: absolute.
        version: "11.4.0"; empty where it does not say.
    """

    name: str
    path: Path
    version: str


@dataclass(frozen=True, slots=True)
class Machine:
    """All that matters for building darknet here and running it.

    Attributes:
        gpus: what nvidia-smi says.
        cuda: the toolkit; None if there is no nvcc.
        cudnn: None without its header.
        opencv: None without its development files.
        compiler: the C++ compiler that a Makefile finds, g++ or c++; None if there is none.
        make, cmake: None if there is none.
        cores: as many as this process may use: of its affinity and its cgroup's quota, at least 1.
        avx: the processor runs what AVX=1 has the compiler emit, which is AVX and AVX2.
        openmp: the compiler has what -fopenmp needs.
        memory_bytes: what this process may use, by the machine and by its cgroup; 0 where nothing says.
        glibc: "2.35"; empty where the C library is another one.
        architecture: as ``uname -m`` says it, "x86_64".
        apt: packages could be installed with apt-get: it is there, and this is root.
    """

    gpus: Gpus = Gpus()
    cuda: Cuda | None = None
    cudnn: Cudnn | None = None
    opencv: OpenCv | None = None
    compiler: Program | None = None
    make: Program | None = None
    cmake: Program | None = None
    cores: int = 1
    avx: bool = False
    openmp: bool = False
    memory_bytes: int = 0
    glibc: str = ""
    architecture: str = "x86_64"
    apt: bool = False
