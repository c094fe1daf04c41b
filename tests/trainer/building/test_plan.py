"""What is planned by what the user says; packages are installed only where that may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trainer.building.plan import Order, plan_build, read_wishes
from trainer.building.project import find_project
from trainer.building.switches import Wishes
from trainer.machine.parts import Machine, OpenCv
from trainer.testing.c_project import MAKEFILE, make_c_project

if TYPE_CHECKING:
    from pathlib import Path

ROOT = Machine(apt=True, memory_bytes=8 << 30)
OLD = MAKEFILE.replace("opencv4", "opencv")


@pytest.mark.parametrize(
    ("extra", "wishes"),
    [
        pytest.param((), Wishes(opencv=True), id="nothing"),
        pytest.param(
            ("GPU=0", "CUDNN_HALF=1"), Wishes(gpu=False, cudnn_half=True, opencv=True), id="switches"
        ),
        pytest.param(("OPENCV=0",), Wishes(opencv=False), id="the last word"),
        pytest.param(("ARCH=-gencode x=y",), Wishes(opencv=True, arch="-gencode x=y"), id="the architecture"),
        pytest.param(("DEBUG=1", "GPU=maybe", "all"), Wishes(opencv=True), id="what is none"),
    ],
)
def test_switches_among_the_words_for_make(extra: tuple[str, ...], wishes: Wishes) -> None:
    assert read_wishes(Wishes(opencv=True), extra) == wishes


@pytest.mark.parametrize(
    ("machine", "makefile", "wishes", "apt", "is_colab", "installs"),
    [
        pytest.param(ROOT, MAKEFILE, Wishes(), None, True, True, id="in Colab nobody has to be asked"),
        pytest.param(ROOT, MAKEFILE, Wishes(), None, False, False, id="elsewhere it is not"),
        pytest.param(ROOT, MAKEFILE, Wishes(), True, False, True, id="but where it was asked for"),
        pytest.param(ROOT, MAKEFILE, Wishes(), False, True, False, id="nor where it was refused"),
        pytest.param(ROOT, MAKEFILE, Wishes(opencv=False), True, True, False, id="nobody wants it"),
        pytest.param(ROOT, OLD, Wishes(), True, True, False, id="what apt has does not do for the original"),
        pytest.param(
            Machine(opencv=OpenCv("4.5.4", "opencv4")),
            MAKEFILE,
            Wishes(),
            True,
            True,
            False,
            id="it is there",
        ),
    ],
)
def test_when_opencv_is_installed(
    tmp_path: Path,
    machine: Machine,
    makefile: str,
    wishes: Wishes,
    *,
    apt: bool | None,
    is_colab: bool,
    installs: bool,
) -> None:
    tree = make_c_project(tmp_path)
    (tree / "Makefile").write_text(makefile)
    project = find_project(tree)
    assert project is not None
    plan = plan_build(Order(tree, wishes, apt), project, machine, {}, is_colab=is_colab)
    assert plan.installs_opencv is installs
    has_opencv = installs or machine.opencv is not None
    assert ("OPENCV=1" in plan.commands.build) is has_opencv
