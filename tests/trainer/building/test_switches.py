"""Which switches a machine and a tree allow, and what is said of those that stay off."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from drivesync.errors import SettingsError
from trainer.building.recipe import SWITCHES, Recipe
from trainer.building.switches import Switches, Wishes, choose_switches
from trainer.machine.parts import Cuda, Cudnn, Gpu, Gpus, Machine, OpenCv

AX = Recipe(known=frozenset({*SWITCHES, "ARCH", "LIBSO"}), opencv4=True)
PJ = Recipe(known=frozenset({"GPU", "CUDNN", "OPENCV", "OPENMP", "ARCH"}))
HK = Recipe(known=frozenset({*SWITCHES, "ARCH"} - {"OPENMP"}), opencv4=True, needs_opencv=True)

ROOT = Path("/usr/local/cuda")
CUDNN = Cudnn((9, 8, 0), Path("/usr/include/cudnn_version.h"))
OPENCV = OpenCv("4.5.4", "opencv4")
CPU = Machine(avx=True, openmp=True, apt=True)


def gpus(name: str, capability: tuple[int, int] | None, driver: tuple[int, int] = (13, 0)) -> Gpus:
    return Gpus((Gpu(name, capability, memory_bytes=16 << 30, driver="580.65", cuda=driver),))


def cuda(*version: int) -> Cuda:
    return Cuda((version[0], version[1]), ROOT / "bin" / "nvcc", ROOT)


COLAB = replace(CPU, gpus=gpus("Tesla T4", (7, 5)), cuda=cuda(12, 8), cudnn=CUDNN)


def arguments(machine: Machine, recipe: Recipe = AX, **wishes: bool | str) -> tuple[str, ...]:
    return choose_switches(machine, recipe, Wishes(**wishes)).switches.arguments(recipe.known)  # type: ignore[arg-type]


def notes(machine: Machine, recipe: Recipe = AX) -> str:
    return "\n".join(choose_switches(machine, recipe, Wishes()).notes)


@pytest.mark.parametrize(
    ("name", "capability", "number"),
    [
        pytest.param("Tesla T4", (7, 5), "75", id="T4"),
        pytest.param("NVIDIA L4", (8, 9), "89", id="L4"),
        pytest.param("NVIDIA A100-SXM4-40GB", (8, 0), "80", id="A100"),
        pytest.param("NVIDIA H100 80GB HBM3", (9, 0), "90", id="H100"),
        pytest.param("NVIDIA RTX PRO 6000 Blackwell", (12, 0), "120", id="G4"),
    ],
)
@pytest.mark.parametrize("version", [(12, 8), (13, 0)], ids=["CUDA 12", "CUDA 13"])
def test_a_gpu_of_colab(
    name: str, capability: tuple[int, int], number: str, version: tuple[int, int]
) -> None:
    machine = replace(COLAB, gpus=gpus(name, capability), cuda=cuda(*version), opencv=OPENCV)
    assert arguments(machine) == (
        "GPU=1",
        "CUDNN=1",
        "CUDNN_HALF=1",
        "OPENCV=1",
        "AVX=0",
        "OPENMP=0",
        f"ARCH=-gencode arch=compute_{number},code=[sm_{number},compute_{number}]",
    )
    assert notes(machine) == ""


def test_no_gpu() -> None:
    assert arguments(replace(CPU, opencv=OPENCV)) == (
        "GPU=0",
        "CUDNN=0",
        "CUDNN_HALF=0",
        "OPENCV=1",
        "AVX=1",
        "OPENMP=1",
    )
    assert notes(replace(CPU, opencv=OPENCV)).startswith("GPU=0: no NVIDIA GPU is to be seen. In Colab")


def test_the_original_is_passed_only_what_it_knows() -> None:
    old = replace(COLAB, cudnn=Cudnn((7, 6, 5), CUDNN.header), opencv=OpenCv("3.4.16", "opencv"))
    assert arguments(old, PJ) == (
        "GPU=1",
        "CUDNN=1",
        "OPENCV=1",
        "OPENMP=0",
        "ARCH=-gencode arch=compute_75,code=[sm_75,compute_75]",
    )


def test_all_that_a_machine_lacks_is_off() -> None:
    assert arguments(Machine()) == tuple(f"{name}=0" for name in SWITCHES)


@pytest.mark.parametrize(
    ("machine", "recipe", "off", "said"),
    [
        pytest.param(
            replace(CPU, gpus=Gpus(problem="nvidia-smi: driver failed", remedy="Restart."), cuda=cuda(12, 8)),
            AX,
            "GPU=0",
            "GPU=0: nvidia-smi: driver failed. Restart.",
            id="a GPU that does not work",
        ),
        pytest.param(
            replace(CPU, cuda=cuda(12, 8), cudnn=CUDNN),
            AX,
            "CUDNN=0",
            "no NVIDIA GPU is to be seen",
            id="nvcc alone",
        ),
        pytest.param(replace(COLAB, cuda=None), AX, "GPU=0", "here is Tesla T4, but no nvcc", id="no nvcc"),
        pytest.param(
            replace(COLAB, gpus=gpus("Tesla K80", (3, 7))),
            AX,
            "GPU=0",
            "GPU=0: Tesla K80 has compute capability 3.7, and CUDA 12.8 compiles for 5.0 and newer. "
            "CUDA 11.8 is the last that does.",
            id="a GPU older than CUDA",
        ),
        pytest.param(
            replace(COLAB, cudnn=None), AX, "CUDNN=0", "CUDNN=0: cudnn.h is not here", id="no cuDNN"
        ),
        pytest.param(
            replace(COLAB, cudnn=replace(CUDNN, header=Path("/x/cudnn_version.h"), searched=False)),
            AX,
            "CUDNN=0",
            "/x/cudnn_version.h",
            id="a cuDNN of pip's",
        ),
        pytest.param(
            COLAB,
            PJ,
            "CUDNN=0",
            "here is cuDNN 9.8.0, and this darknet is written for cuDNN 7",
            id="the original, cuDNN 9",
        ),
        pytest.param(
            replace(COLAB, gpus=gpus("Tesla P100", (6, 0))),
            AX,
            "CUDNN_HALF=0",
            "CUDNN_HALF=0: tensor cores came with compute capability 7.0; the GPU has 6.0",
            id="no tensor cores",
        ),
        pytest.param(
            replace(COLAB, gpus=gpus("NVIDIA Graphics Device", None)),
            AX,
            "CUDNN_HALF=0",
            "compute capability is not known",
            id="perhaps no tensor cores",
        ),
        pytest.param(COLAB, AX, "OPENCV=0", "apt-get install libopencv-dev", id="no OpenCV"),
        pytest.param(
            replace(COLAB, opencv=OPENCV),
            PJ,
            "OPENCV=0",
            "here is OpenCV 4.5.4, and this darknet is written for OpenCV 3 and older",
            id="the original, OpenCV 4",
        ),
        pytest.param(
            replace(COLAB, opencv=OpenCv("4.2.0", "opencv")),
            PJ,
            "OPENCV=0",
            "OpenCV 4.2.0",
            id="under its old name, too",
        ),
        pytest.param(replace(CPU, avx=False), AX, "AVX=0", "AVX=0: the processor lacks AVX2.", id="no AVX"),
        pytest.param(
            replace(CPU, openmp=False), AX, "OPENMP=0", "OPENMP=0: the compiler lacks OpenMP", id="no OpenMP"
        ),
    ],
)
def test_what_is_off_is_off_for_a_reason_that_is_said(
    machine: Machine, recipe: Recipe, off: str, said: str
) -> None:
    assert off in arguments(machine, recipe)
    assert said in notes(machine, recipe)


def test_what_is_off_because_the_gpu_is_off_needs_no_reason() -> None:
    said = notes(replace(CPU, opencv=OPENCV))
    assert "CUDNN" not in said


def test_a_driver_older_than_nvcc_is_doubted() -> None:
    machine = replace(COLAB, gpus=gpus("Tesla T4", (7, 5), driver=(12, 2)))
    assert "The driver runs CUDA up to 12.2, and nvcc is of CUDA 12.8" in notes(machine)
    assert arguments(machine)[0] == "GPU=1"
    assert "driver" not in notes(COLAB)


def test_the_oldest_of_several_gpus_decides_on_half_precision() -> None:
    both = Gpus((*COLAB.gpus.found, *gpus("Tesla P100", (6, 0)).found))
    assert "CUDNN_HALF=0" in arguments(replace(COLAB, gpus=both))


@pytest.mark.parametrize(
    ("machine", "recipe", "wishes", "got"),
    [
        pytest.param(COLAB, AX, {"gpu": False}, "GPU=0", id="no GPU, though there is one"),
        pytest.param(COLAB, AX, {"gpu": False}, "OPENMP=1", id="then it is a build for the CPU"),
        pytest.param(COLAB, AX, {"cudnn": False}, "CUDNN_HALF=0", id="no cuDNN, no half precision"),
        pytest.param(COLAB, AX, {"cudnn_half": False}, "CUDNN_HALF=0", id="no half precision"),
        pytest.param(COLAB, AX, {"openmp": True}, "OPENMP=1", id="OpenMP beside a GPU"),
        pytest.param(COLAB, AX, {"avx": True}, "AVX=1", id="AVX beside a GPU"),
        pytest.param(CPU, AX, {"avx": False}, "AVX=0", id="no AVX"),
        pytest.param(
            COLAB, PJ, {"cudnn": True}, "CUDNN=1", id="the original with cuDNN 9, by a user who insists"
        ),
        pytest.param(
            replace(COLAB, opencv=OPENCV),
            PJ,
            {"opencv": True},
            "OPENCV=1",
            id="the original with OpenCV 4, likewise",
        ),
        pytest.param(
            COLAB,
            AX,
            {"arch": "8.6"},
            "ARCH=-gencode arch=compute_86,code=[sm_86,compute_86]",
            id="another GPU",
        ),
        pytest.param(
            replace(CPU, cuda=cuda(12, 8)),
            AX,
            {"gpu": True, "arch": "7.5"},
            "ARCH=-gencode arch=compute_75,code=[sm_75,compute_75]",
            id="for a GPU that is elsewhere",
        ),
        pytest.param(
            replace(CPU, cuda=cuda(12, 8), cudnn=CUDNN),
            AX,
            {"gpu": True, "arch": "6.1"},
            "CUDNN_HALF=0",
            id="for one without tensor cores",
        ),
        pytest.param(CPU, AX, {"arch": "7.5"}, "GPU=0", id="an architecture alone asks for no GPU"),
    ],
)
def test_the_user_gets_what_can_be_had(
    machine: Machine, recipe: Recipe, wishes: dict[str, bool | str], got: str
) -> None:
    assert got in arguments(machine, recipe, **wishes)


@pytest.mark.parametrize(
    ("machine", "recipe", "wishes", "said"),
    [
        pytest.param(CPU, AX, {"gpu": True}, "GPU=1 is not to be had: no NVIDIA GPU", id="no GPU"),
        pytest.param(replace(COLAB, cuda=None), AX, {"gpu": True}, "no nvcc to compile for it", id="no nvcc"),
        pytest.param(
            replace(COLAB, gpus=gpus("Tesla K80", (3, 7))),
            AX,
            {"gpu": True},
            "CUDA 11.8 is the last",
            id="too old a GPU",
        ),
        pytest.param(CPU, AX, {"cudnn": True}, "darknet is built for the CPU", id="cuDNN without a GPU"),
        pytest.param(replace(COLAB, cudnn=None), AX, {"cudnn": True}, "cudnn.h is not here", id="no cuDNN"),
        pytest.param(
            replace(COLAB, cudnn=None),
            AX,
            {"cudnn_half": True},
            "built without cuDNN",
            id="half precision without it",
        ),
        pytest.param(
            COLAB, PJ, {"cudnn_half": True}, "has no such switch", id="a switch that the tree lacks"
        ),
        pytest.param(COLAB, AX, {"opencv": True}, "OPENCV=1 is not to be had", id="no OpenCV"),
        pytest.param(replace(CPU, avx=False), AX, {"avx": True}, "lacks AVX2", id="no AVX"),
        pytest.param(COLAB, AX, {"arch": "3.5"}, "not for 3.5", id="an architecture that this CUDA lacks"),
        pytest.param(COLAB, HK, {}, "OPENCV=1 is not to be had", id="a darknet that needs OpenCV"),
        pytest.param(
            replace(COLAB, opencv=OPENCV),
            HK,
            {"opencv": False},
            "cannot be built without OpenCV",
            id="and is denied it",
        ),
    ],
)
def test_what_is_asked_for_and_not_to_be_had_is_an_error(
    machine: Machine, recipe: Recipe, wishes: dict[str, bool | str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        arguments(machine, recipe, **wishes)


def test_no_machine_gets_switches_that_contradict_each_other() -> None:
    found = [
        Gpus(),
        Gpus(problem="broken"),
        COLAB.gpus,
        gpus("K80", (3, 7)),
        gpus("P100", (6, 0)),
        gpus("?", None),
    ]
    toolkits = [None, cuda(10, 2), cuda(11, 4), cuda(13, 0)]
    for each, toolkit, cudnn, opencv, recipe in product(
        found, toolkits, [None, CUDNN], [None, OPENCV], [AX, PJ]
    ):
        machine = Machine(gpus=each, cuda=toolkit, cudnn=cudnn, opencv=opencv)
        switches = choose_switches(machine, recipe, Wishes()).switches
        assert switches.gpu <= bool(each.found and toolkit)
        assert switches.cudnn_half <= switches.cudnn <= switches.gpu
        assert bool(switches.arch) <= switches.gpu
        assert set(switches.settings(recipe.known)) <= recipe.known


def test_the_files_own_architectures_stay_where_nothing_better_is_known() -> None:
    assert Switches(gpu=True).settings({"GPU", "ARCH"}) == {"GPU": "1"}
    assert Switches(gpu=True, arch="-arch=native").settings({"GPU"}) == {"GPU": "1"}
