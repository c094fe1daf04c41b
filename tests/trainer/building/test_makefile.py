"""A darknet's Makefile is read, and its switches are set; what GNU Make makes of it is asked of GNU Make."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.building.makefile import edit_makefile, read_makefile
from trainer.building.recipe import SWITCHES
from trainer.building.switches import Switches

if TYPE_CHECKING:
    from pathlib import Path

AX = """\
GPU=0
CUDNN=0
CUDNN_HALF=0
OPENCV=0
AVX=0
OPENMP=0
LIBSO=0

# set GPU=1 and CUDNN=1 to speed up on a GPU
DEBUG=0

ARCH= -gencode arch=compute_35,code=sm_35 \\
      -gencode arch=compute_50,code=[sm_50,compute_50] \\
\t    -gencode arch=compute_61,code=[sm_61,compute_61]

# Tesla T4
# ARCH= -gencode arch=compute_75,code=[sm_75,compute_75]

NVCC=nvcc
ifeq ($(OPENCV), 1)
LDFLAGS+= `pkg-config --libs opencv4 2> /dev/null || pkg-config --libs opencv`
endif
ifeq ($(GPU), 1)
COMMON+= -DGPU
endif
ifeq ($(CUDNN_HALF), 1)
COMMON+= -DCUDNN_HALF
ARCH+= -gencode arch=compute_70,code=[sm_70,compute_70]
endif

all: darknet

darknet: obj/k.o
\tg++ $(COMMON) obj/k.o -o $@ $(LDFLAGS)

obj/k.o:
\t$(NVCC) $(ARCH) $(COMMON) -c k.cu -o $@
"""

PJ = """\
GPU=0
CUDNN=0
OPENCV=0
OPENMP=0
DEBUG=0

ARCH= -gencode arch=compute_30,code=sm_30

ifeq ($(OPENCV), 1)
LDFLAGS+= `pkg-config --libs opencv` -lstdc++
endif
"""

T4 = "-gencode arch=compute_75,code=[sm_75,compute_75]"
ON_T4 = Switches(gpu=True, cudnn=True, cudnn_half=True, opencv=False, arch=T4)


def commands(makefile: str, directory: Path, *arguments: str) -> list[str]:
    """What make would run."""
    (directory / "Makefile").write_text(makefile, newline="")
    made = subprocess.run(
        ["make", "-n", *arguments], cwd=directory, capture_output=True, text=True, check=True
    )
    return made.stdout.splitlines()


def test_alexeyabs_knows_every_switch() -> None:
    recipe = read_makefile(AX)
    assert recipe.known == {*SWITCHES, "ARCH", "LIBSO"}
    assert recipe.opencv4
    assert not recipe.needs_opencv


def test_the_original_has_neither_half_precision_nor_avx_and_no_opencv_4() -> None:
    recipe = read_makefile(PJ)
    assert recipe.known == {"GPU", "CUDNN", "OPENCV", "OPENMP", "ARCH"}
    assert not recipe.opencv4


@pytest.mark.parametrize(
    ("text", "values"),
    [
        pytest.param("GPU=1\n", {"GPU": "1"}, id="plain"),
        pytest.param("GPU = 1 # on\n", {"GPU": "1"}, id="white space and a comment"),
        pytest.param("GPU=1\r\nAVX=0\r\n", {"GPU": "1", "AVX": "0"}, id="line ends of Windows"),
        pytest.param("GPU?=0\nGPU:=1\n", {"GPU": "1"}, id="the last counts"),
        pytest.param("ARCH= -a \\\n  -b\nARCH+= -c\n", {"ARCH": "-a -b -c"}, id="joined and added to"),
        pytest.param("export OPENMP=1", {"OPENMP": "1"}, id="exported, with no line end"),
        pytest.param("# GPU=1\n", {}, id="a comment"),
        pytest.param("# one \\\nGPU=1\n", {}, id="a comment goes on behind a backslash"),
        pytest.param("all:\n\tGPU=1 ./x\n", {}, id="a command"),
        pytest.param("MYGPU=1\nGPUS=2\n", {}, id="other names"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_what_the_file_says_is_read(text: str, values: dict[str, str]) -> None:
    assert dict(read_makefile(text).values) == values


def test_a_switch_that_is_only_asked_for_is_known() -> None:
    assert read_makefile("ifeq ($(AVX), 1)\nendif\nX=${LIBSO}\n").known == {"AVX", "LIBSO"}


def test_a_makefile_of_something_else_knows_no_gpu() -> None:
    assert "GPU" not in read_makefile("CC=gcc\nall:\n\t$(CC) a.c\n").known


def test_the_switches_are_set_and_nothing_else() -> None:
    edited = edit_makefile(AX, ON_T4.settings(read_makefile(AX).known))
    changed = [
        (old, new) for old, new in zip(_without_arch(AX), _without_arch(edited), strict=True) if old != new
    ]
    assert changed == [("GPU=0", "GPU=1"), ("CUDNN=0", "CUDNN=1"), ("CUDNN_HALF=0", "CUDNN_HALF=1")]
    assert f"\nARCH= {T4}\n\n# Tesla T4\n" in edited
    assert "\n# ARCH+= -gencode arch=compute_70" in edited


def _without_arch(text: str) -> list[str]:
    return [line for line in text.splitlines() if "gencode" not in line]


@pytest.mark.parametrize(
    "switches",
    [
        pytest.param(ON_T4, id="T4"),
        pytest.param(Switches(openmp=True, avx=True), id="CPU"),
        pytest.param(Switches(gpu=True, opencv=True), id="a GPU with the Makefile's own architectures"),
    ],
)
def test_an_edited_file_builds_what_the_command_line_builds(switches: Switches, tmp_path: Path) -> None:
    known = read_makefile(AX).known
    asked = commands(AX, tmp_path, *switches.arguments(known))
    assert commands(edit_makefile(AX, switches.settings(known)), tmp_path) == asked
    assert any("-DGPU" in command for command in asked) is switches.gpu


def test_the_files_own_extra_architecture_does_not_reach_nvcc(tmp_path: Path) -> None:
    asked = commands(AX, tmp_path, *ON_T4.arguments(read_makefile(AX).known))
    assert asked[0] == f"nvcc {T4} -DGPU -DCUDNN_HALF -c k.cu -o obj/k.o"


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        pytest.param("GPU=0\r\nX=1\r\n", "GPU=1\r\nX=1\r\n", id="line ends of Windows stay"),
        pytest.param("GPU=0", "GPU=1", id="no line end comes"),
        pytest.param("GPU = 0\n", "GPU = 1\n", id="white space before the value stays"),
        pytest.param("GPU=0 \n", "GPU=1\n", id="behind it, it would be part of the value"),
        pytest.param("GPU=0 # slow\n", "GPU=1# slow\n", id="before a comment, too"),
        pytest.param("GPU=\n", "GPU=1\n", id="empty"),
        pytest.param("#GPU=0\n\tGPU=0 ./x\n", "#GPU=0\n\tGPU=0 ./x\n", id="comments and commands stay"),
        pytest.param("GPU=0\nGPU:=0\n", "GPU=1\nGPU:=1\n", id="every assignment"),
        pytest.param("GPU+=0\n", "GPU+=0\n", id="but no addition"),
        pytest.param("NAME=caf\udce9\x0c\n", "NAME=caf\udce9\x0c\n", id="bytes that are no text stay"),
    ],
)
def test_a_line_keeps_its_form(text: str, edited: str) -> None:
    assert edit_makefile(text, {"GPU": "1"}) == edited


def test_make_sees_a_value_before_a_comment(tmp_path: Path) -> None:
    text = "GPU=0   # set me\nifeq ($(GPU), 1)\nX=gpu\nelse\nX=cpu\nendif\nall:\n\techo $(X)\n"
    assert commands(edit_makefile(text, {"GPU": "1"}), tmp_path) == ["echo gpu"]


@settings(max_examples=200)
@given(st.text(st.sampled_from("GPUARCH=+:?01 \t\\#\r\nx"), max_size=60))
def test_editing_twice_is_editing_once(text: str) -> None:
    wanted = {"GPU": "1", "ARCH": T4}
    once = edit_makefile(text, wanted)
    assert edit_makefile(once, wanted) == once
    assert edit_makefile(text, {}) == text
