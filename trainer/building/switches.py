"""PURE: the switches that darknet is built with, and which of them a machine and a tree allow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from drivesync.errors import SettingsError
from trainer.building.arch import ArchChoice, Version, choose_arch, parse_arch, spell
from trainer.building.recipe import ARCH

if TYPE_CHECKING:
    from collections.abc import Collection

    from trainer.building.recipe import Recipe
    from trainer.machine.parts import Cuda, Machine

HALF_SINCE: Version = (7, 0)
"""The compute capability that brought the tensor cores that CUDNN_HALF computes with."""

_CUDNN_WITHOUT_OLD = 8
"""The cuDNN that took away functions that the original darknet calls."""

_OLD_OPENCV = ("2", "3")
"""Those with the C functions that the original darknet calls."""


@dataclass(frozen=True, slots=True)
class Switches:
    """What darknet is built with.

    Attributes:
        gpu: with CUDA.
        cudnn: with cuDNN; never without ``gpu``.
        cudnn_half: with half precision on tensor cores; never without ``cudnn``.
        opencv, openmp, avx: with these.
        arch: nvcc's options for the GPU architectures; empty without ``gpu``, and where the Makefile's own stay.
    """

    gpu: bool = False
    cudnn: bool = False
    cudnn_half: bool = False
    opencv: bool = False
    openmp: bool = False
    avx: bool = False
    arch: str = ""

    def settings(self, known: Collection[str]) -> dict[str, str]:
        """The variables of a Makefile and their values, those that it knows; ARCH, if any, last."""
        flags = {
            "GPU": self.gpu,
            "CUDNN": self.cudnn,
            "CUDNN_HALF": self.cudnn_half,
            "OPENCV": self.opencv,
            "AVX": self.avx,
            "OPENMP": self.openmp,
        }
        settings = {name: str(int(flag)) for name, flag in flags.items() if name in known}
        return settings | ({ARCH: self.arch} if self.arch and ARCH in known else {})

    def arguments(self, known: Collection[str]) -> tuple[str, ...]:
        """The same for make's command line: ("GPU=1", "CUDNN=1", ...)."""
        return tuple(f"{name}={value}" for name, value in self.settings(known).items())


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for; None leaves it to the machine.

    Attributes:
        arch: compute capabilities, "7.5" or "7.5,8.6", or nvcc's options, in place of those for the GPUs that were
            found; empty leaves it to these.
    """

    gpu: bool | None = None
    cudnn: bool | None = None
    cudnn_half: bool | None = None
    opencv: bool | None = None
    openmp: bool | None = None
    avx: bool | None = None
    arch: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Switches, and why they are what they are.

    Attributes:
        switches: what to build with.
        notes: why something is off that could be on, or may not work; whole sentences.
    """

    switches: Switches
    notes: tuple[str, ...] = ()


def choose_switches(machine: Machine, recipe: Recipe, wishes: Wishes) -> Choice:
    """Choose the switches that a machine and a tree allow.

    What the user did not ask about is on where it can be and does good. OPENMP and AVX do good where a CPU trains; a
    GPU's darknet hardly computes on the CPU, and AlexeyAB's has them off.

    Raises:
        SettingsError: something was asked for that is not to be had here.
    """
    if recipe.needs_opencv and wishes.opencv is False:
        raise SettingsError("OPENCV=0 was asked for, and this darknet cannot be built without OpenCV")
    notes: list[str] = []
    decide = partial(_decide, recipe=recipe, notes=notes)
    arch = _choose_arch(machine, wishes)
    gpu = decide("GPU", _against_gpu(machine, arch), wish=wishes.gpu)
    if gpu and arch:
        notes += [*arch.notes, *_doubts_about_driver(machine)]
    cudnn = decide("CUDNN", _against_cudnn(machine, recipe, gpu=gpu), wish=wishes.cudnn, good=gpu)
    half = decide("CUDNN_HALF", _against_half(arch, cudnn=cudnn), wish=wishes.cudnn_half, good=cudnn)
    opencv = decide(
        "OPENCV", _against_opencv(machine, recipe), wish=True if recipe.needs_opencv else wishes.opencv
    )
    openmp = decide("OPENMP", _against_openmp(machine), wish=wishes.openmp, good=not gpu)
    avx = decide("AVX", _against_avx(machine), wish=wishes.avx, good=not gpu)
    switches = Switches(gpu, cudnn, half, opencv, openmp, avx, arch.options if gpu and arch else "")
    return Choice(switches, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Obstacle:
    """Why a switch is better off.

    Attributes:
        why: half a sentence.
        remedy: a sentence, or empty.
        final: nobody can have it here; False: who asks for it gets it.
    """

    why: str
    remedy: str = ""
    final: bool = True


def _decide(
    name: str,
    obstacle: _Obstacle | None,
    *,
    wish: bool | None,
    recipe: Recipe,
    notes: list[str],
    good: bool = True,
) -> bool:
    """Whether a switch is to be on; why not, where one might ask, goes to ``notes``.

    Args:
        name: the switch's.
        obstacle: what speaks against it.
        wish: what the user asked for.
        recipe: the tree's.
        notes: are added to.
        good: it does good where the user asked for nothing.
    """
    if wish is False or (wish is None and not good):
        return False
    if name not in recipe.known:
        if wish:
            raise SettingsError(f"{name}=1 was asked for, and this darknet has no such switch")
        return False
    if obstacle is None or (wish and not obstacle.final):
        return True
    if wish:
        raise SettingsError(f"{name}=1 is not to be had: {obstacle.why}", hint=obstacle.remedy)
    notes.append(f"{name}=0: {obstacle.why}. {obstacle.remedy}".rstrip())
    return False


def _choose_arch(machine: Machine, wishes: Wishes) -> ArchChoice | None:
    """None where there is nothing to compile with, or nothing to compile for."""
    if machine.cuda is None or wishes.gpu is False:
        return None
    if wishes.arch and (wishes.gpu or machine.gpus.found):
        return parse_arch(wishes.arch, machine.cuda)
    return choose_arch(machine.gpus.found, machine.cuda) if machine.gpus.found else None


def _against_gpu(machine: Machine, arch: ArchChoice | None) -> _Obstacle | None:
    gpus = machine.gpus
    if arch:
        return (
            _Obstacle(arch.problem.rstrip("."), "Take another CUDA, or train on the CPU.")
            if arch.problem
            else None
        )
    if gpus.problem and not gpus.found:
        return _Obstacle(gpus.problem.rstrip("."), gpus.remedy)
    if not gpus.found:
        return _Obstacle(
            "no NVIDIA GPU is to be seen",
            "In Colab choose one: Runtime, Change runtime type; then start anew.",
        )
    return _Obstacle(
        f"here is {gpus.found[0].name}, but no nvcc to compile for it",
        "Install NVIDIA's CUDA toolkit, or put the folder of its nvcc on PATH.",
    )


def _doubts_about_driver(machine: Machine) -> tuple[str, ...]:
    """What is built with one CUDA starts on a driver of the same or a newer one."""
    cuda: Cuda | None = machine.cuda
    versions = {gpu.cuda for gpu in machine.gpus.found if gpu.cuda}
    return tuple(
        f"The driver runs CUDA up to {spell(driver)}, and nvcc is of CUDA {spell(cuda.version)}: what it compiles may "
        f"not start. Update the driver, or install the toolkit of CUDA {spell(driver)}."
        for driver in sorted(versions)
        if cuda and driver < cuda.version
    )


def _against_cudnn(machine: Machine, recipe: Recipe, *, gpu: bool) -> _Obstacle | None:
    cudnn = machine.cudnn
    if not gpu:
        return _Obstacle("cuDNN computes on a GPU, and darknet is built for the CPU")
    if cudnn is None:
        return _Obstacle(
            "cudnn.h is not here, without which a GPU trains more slowly",
            "Install cuDNN's development package, libcudnn9-dev or libcudnn8-dev.",
        )
    if not cudnn.searched:
        return _Obstacle(
            f"the compiler does not look where cuDNN's header is ({cudnn.header})",
            "Install cuDNN's development package, libcudnn9-dev or libcudnn8-dev.",
        )
    # Of the two darknets with a Makefile, the original is the one without this switch.
    if cudnn.version[0] >= _CUDNN_WITHOUT_OLD and "CUDNN_HALF" not in recipe.known:
        return _Obstacle(
            f"here is cuDNN {'.'.join(map(str, cudnn.version))}, and this darknet is written for cuDNN 7",
            "AlexeyAB's darknet can be built with it.",
            final=False,
        )
    return None


def _against_half(arch: ArchChoice | None, *, cudnn: bool) -> _Obstacle | None:
    if not cudnn or arch is None:
        return _Obstacle("it is a way in which cuDNN computes, and darknet is built without cuDNN")
    if arch.oldest is None:
        return _Obstacle("the GPU's compute capability is not known", final=False)
    if arch.oldest < HALF_SINCE:
        since = spell(HALF_SINCE)
        return _Obstacle(
            f"tensor cores came with compute capability {since}; the GPU has {spell(arch.oldest)}"
        )
    return None


def _against_opencv(machine: Machine, recipe: Recipe) -> _Obstacle | None:
    opencv = machine.opencv
    if opencv is None:
        return _Obstacle(
            "OpenCV's development files are not here, without which darknet draws no chart of its loss",
            "Install libopencv-dev: apt-get install libopencv-dev.",
        )
    is_old = opencv.package == "opencv" and opencv.version.startswith(_OLD_OPENCV)
    if not is_old and not recipe.opencv4:
        return _Obstacle(
            f"here is OpenCV {opencv.version}, and this darknet is written for OpenCV 3 and older",
            "AlexeyAB's darknet can be built with it.",
            final=False,
        )
    return None


def _against_openmp(machine: Machine) -> _Obstacle | None:
    return None if machine.openmp else _Obstacle("the compiler lacks OpenMP", "Install g++ and libgomp.")


def _against_avx(machine: Machine) -> _Obstacle | None:
    return None if machine.avx else _Obstacle("the processor lacks AVX2")
