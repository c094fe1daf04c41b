"""PURE: how the machine stands, from GPU to memory: is there what darknet is built with and runs on?"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from trainer.doctoring.lines import bad, good, warning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainer.doctoring.lines import Line
    from trainer.machine.parts import Cuda, Gpu, Machine

_GIB = 1 << 30
_LITTLE_MEMORY_BYTES = 2 * _GIB
"""darknet loads images in several threads, beside what Python and Drive's client take."""

_NO_GPU_REMEDY = (
    "In Colab: Runtime, Change runtime type, pick a GPU. Elsewhere take a machine with an NVIDIA GPU; on a CPU darknet "
    "trains some hundred times more slowly."
)
_NONE_NEEDED = "none, and without a GPU none is needed"


def judge_machine(machine: Machine, has_darknet: Callable[[], bool]) -> Iterator[Line]:
    """A line for each part, two for some.

    Args:
        machine: as it is.
        has_darknet: whether there is a darknet already, so that nothing need be built; asked where that matters.
    """
    yield from _judge_gpus(machine)
    yield _judge_cuda(machine)
    yield _judge_cudnn(machine)
    yield _judge_opencv(machine)
    yield _judge_compiler(machine, has_darknet)
    yield _judge_cores(machine)
    yield _judge_memory(machine)


def _judge_gpus(machine: Machine) -> Iterator[Line]:
    gpus = machine.gpus
    for gpu, number in Counter(gpus.found).items():
        yield good("GPU", f"{f'{number} x ' if number > 1 else ''}{_name_gpu(gpu)}")
    if gpus.problem:
        yield warning("GPU", gpus.problem, gpus.remedy)
    elif not gpus.found:
        yield warning("GPU", "none", _NO_GPU_REMEDY)
    if gpus.found:
        yield _judge_driver(gpus.found[0], machine.cuda)


def _name_gpu(gpu: Gpu) -> str:
    memory = f", {gpu.memory_bytes / _GIB:.1f} GiB" if gpu.memory_bytes else ""
    able = f", compute capability {_dotted(gpu.capability)}" if gpu.capability else ""
    return f"{gpu.name}{memory}{able}"


def _judge_driver(gpu: Gpu, cuda: Cuda | None) -> Line:
    runs = f", which runs CUDA up to {_dotted(gpu.cuda)}" if gpu.cuda else ""
    said = f"{gpu.driver}{runs}"
    # Within one major version a driver runs what newer toolkits have made ("CUDA Compatibility", NVIDIA).
    if gpu.cuda and cuda and cuda.version[0] > gpu.cuda[0]:
        return bad(
            "driver",
            f"{said}, not the {_dotted(cuda.version)} of the toolkit",
            f"Update NVIDIA's driver, or install the toolkit of CUDA {gpu.cuda[0]} and put its bin/ first on PATH.",
        )
    return good("driver", said)


def _judge_cuda(machine: Machine) -> Line:
    cuda, found = machine.cuda, machine.gpus.found
    if cuda is None:
        if not found:
            return good("CUDA", _NONE_NEEDED)
        remedy = "Install NVIDIA's CUDA toolkit; where it is installed, put its bin/ on PATH (/usr/local/cuda/bin)."
        return warning("CUDA", "there is no nvcc, so darknet cannot be built for the GPU here", remedy)
    said = f"{_dotted(cuda.version)}, {cuda.nvcc}"
    for gpu in found:
        if gpu.capability and cuda.capabilities and gpu.capability < cuda.capabilities[0]:
            remedy = f"Install an older toolkit: that of CUDA {cuda.version[0] - 1} may know it."
            return bad("CUDA", f"{said}, which no longer compiles for {gpu.name}", remedy)
        if gpu.capability and cuda.capabilities and gpu.capability not in cuda.capabilities:
            remedy = "Install a newer toolkit. With this one darknet's GPU code is translated at each start."
            return warning("CUDA", f"{said}, which does not know {gpu.name}", remedy)
    return good("CUDA", said)


def _judge_cudnn(machine: Machine) -> Line:
    cudnn = machine.cudnn
    if cudnn is None:
        if not (machine.gpus.found and machine.cuda):
            return good("cuDNN", _NONE_NEEDED if not machine.gpus.found else "none, and without CUDA no use")
        major = machine.cuda.version[0]
        remedy = (
            f"Install it with its headers: apt-get install cudnn9-cuda-{major}, from NVIDIA's repository."
        )
        return warning("cuDNN", "none: without it a GPU trains at about half its speed", remedy)
    said = f"{'.'.join(map(str, cudnn.version))}, {cudnn.header}"
    if not cudnn.searched and machine.gpus.found:
        remedy = (
            f"Name it to them: export CPATH={cudnn.header.parent}, and LIBRARY_PATH for its lib/ beside that."
        )
        return warning("cuDNN", f"{said}, where compilers do not look", remedy)
    return good("cuDNN", said)


def _judge_opencv(machine: Machine) -> Line:
    opencv = machine.opencv
    if opencv is not None:
        return good("OpenCV", f"{opencv.version}, known to pkg-config as {opencv.package}")
    by_itself = (
        "`trainer build` installs them with apt-get, or builds" if machine.apt else "`trainer build` builds"
    )
    remedy = (
        f"{by_itself} without; darknet then reads images more slowly, and draws no chart. By hand: "
        "apt-get install libopencv-dev pkg-config."
    )
    return warning("OpenCV", "pkg-config finds no development files of it", remedy)


def _judge_compiler(machine: Machine, has_darknet: Callable[[], bool]) -> Line:
    found = (machine.compiler, machine.make, machine.cmake)
    said = ", ".join(f"{program.name} {program.version}".rstrip() for program in found if program)
    lacks = [
        name
        for name, program in (("a C++ compiler", machine.compiler), ("make", machine.make))
        if not program
    ]
    if not lacks:
        return good("compiler", said)
    what = f"there is no {' and no '.join(name.removeprefix('a ') for name in lacks)}, so darknet cannot be built here"
    return (warning if has_darknet() else bad)(
        "compiler", what, "Install them: apt-get install build-essential."
    )


def _judge_cores(machine: Machine) -> Line:
    cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    vectors = "with AVX2" if machine.avx else "without AVX2"
    return good("processor", f"{cores} to use, {machine.architecture} {vectors}")


def _judge_memory(machine: Machine) -> Line:
    if not machine.memory_bytes:
        return good("memory", "nothing tells how much there is")
    said = f"{format_size(machine.memory_bytes)} to use"
    if machine.memory_bytes < _LITTLE_MEMORY_BYTES:
        remedy = (
            "Give the machine, or the container, more memory: the kernel kills darknet where it runs out."
        )
        return warning("memory", said, remedy)
    return good("memory", said)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
