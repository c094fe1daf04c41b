"""Two builds have one name exactly where the one could take the other's place."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from trainer.building.key import BuildKey, make_key
from trainer.machine.parts import Cuda, Cudnn, Gpu, Gpus, Machine, OpenCv, Program

T4 = Gpu("Tesla T4", (7, 5), 15 << 30, "550.54.15", (12, 4))
L4 = Gpu("NVIDIA L4", (8, 9), 24 << 30, "550.54.15", (12, 4))
COLAB = Machine(
    gpus=Gpus((T4,)),
    cuda=Cuda((12, 8), Path("/usr/local/cuda/bin/nvcc"), Path("/usr/local/cuda")),
    cudnn=Cudnn((9, 8, 0), Path("/usr/include/cudnn_version.h")),
    opencv=OpenCv("4.5.4", "opencv4"),
    compiler=Program("g++", Path("/usr/bin/g++"), "11.4.0"),
    cores=2,
    avx=True,
    glibc="2.35",
)
SOURCE = "ab" * 32
SWITCHES = ("GPU=1", "CUDNN=1", "ARCH=-gencode arch=compute_75,code=[sm_75,compute_75]")
KEY = BuildKey(
    SOURCE, SWITCHES, capability="7.5", cuda="12.8", cudnn="9.8.0", opencv="4.5.4", compiler="g++ 11.4.0",
    glibc="2.35", architecture="x86_64", avx=True,
)  # fmt: skip


def test_a_machine_gives_its_key() -> None:
    assert make_key(SOURCE, SWITCHES, COLAB) == KEY


def test_a_name_is_the_same_on_every_machine_and_in_every_version() -> None:
    """Whoever changes what a key says makes all builds unknown that are kept by now: on purpose, or not at all."""
    assert KEY.name == "e4d99ab0f4bb16f0807c91265ff1a99e"


def test_a_bare_machine_has_one_too() -> None:
    assert make_key(SOURCE, ["GPU=0"], Machine()) == BuildKey(SOURCE, ("GPU=0",), architecture="x86_64")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(COLAB, gpus=Gpus((L4,))), id="another GPU"),
        pytest.param(replace(COLAB, gpus=Gpus((L4, T4))), id="two kinds of GPU"),
        pytest.param(replace(COLAB, gpus=Gpus()), id="no GPU"),
        pytest.param(replace(COLAB, cuda=Cuda((12, 2), Path("/n"), Path("/c"))), id="another CUDA"),
        pytest.param(replace(COLAB, cudnn=Cudnn((9, 8, 1), Path("/h"))), id="another cuDNN"),
        pytest.param(replace(COLAB, opencv=None), id="no OpenCV"),
        pytest.param(replace(COLAB, compiler=Program("g++", Path("/g"), "13.2.0")), id="another compiler"),
        pytest.param(replace(COLAB, glibc="2.39"), id="another C library"),
        pytest.param(replace(COLAB, architecture="aarch64"), id="another processor"),
        pytest.param(replace(COLAB, avx=False), id="an older processor"),
    ],
)
def test_another_machine_has_another_name(other: Machine) -> None:
    assert make_key(SOURCE, SWITCHES, other).name != KEY.name


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(COLAB, cores=96), id="more cores"),
        pytest.param(replace(COLAB, gpus=Gpus((T4, T4))), id="two of one GPU"),
        pytest.param(replace(COLAB, cuda=Cuda((12, 8), Path("/n"), Path("/c"))), id="CUDA elsewhere"),
        pytest.param(replace(COLAB, apt=True), id="another user"),
    ],
)
def test_what_changes_nothing_in_a_program_changes_no_name(other: Machine) -> None:
    assert make_key(SOURCE, SWITCHES, other).name == KEY.name


def test_every_field_is_in_the_name() -> None:
    names = {KEY.name}
    for field in fields(BuildKey):
        other: dict[str, Any] = {field.name: {"arguments": ("GPU=0",), "avx": False}.get(field.name, "other")}
        names.add(replace(KEY, **other).name)
    assert len(names) == len(fields(BuildKey)) + 1


def test_arguments_are_words() -> None:
    assert replace(KEY, arguments=("A=1 B=2",)).name != replace(KEY, arguments=("A=1", "B=2")).name
