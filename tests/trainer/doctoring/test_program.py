"""Which darknet trains here, whether it starts, and whether it uses the GPU."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from trainer.doctoring.lines import Level, Line
from trainer.doctoring.program import judge_program
from trainer.machine.parts import Gpu, Gpus, Machine, Program

GPU = Gpus((Gpu("Tesla T4", (7, 5), 0, "550", (12, 4)),))
BUILDING = Machine(
    compiler=Program("g++", Path("/usr/bin/g++"), "11"), make=Program("make", Path("/usr/bin/make"), "4")
)
WITH_GPU = replace(BUILDING, gpus=GPU)
SOURCE = 'int main(void) { const char *says = " hours left"; return says[0] != 32; }\n'


def compile_c(folder: Path, name: str, source: str, *options: str) -> Path:
    """A program, or with -shared a library."""
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler here")
    target = folder / name
    argv = ["cc", "-x", "c", "-", "-x", "none", *options, "-o", str(target)]
    subprocess.run(argv, input=source, text=True, check=True, capture_output=True)
    return target


def for_gpu(tree: Path, *, complete: bool) -> None:
    """A darknet that is linked with something called libcudart; incomplete is that gone again."""
    name = "libcudart.so.12"
    library = compile_c(
        tree, name, "int cuda(void) { return 0; }\n", "-shared", "-fPIC", f"-Wl,-soname,{name}"
    )
    source = f"int cuda(void);\n{SOURCE.replace('return ', 'return cuda() + ')}"
    compile_c(tree, "darknet", source, str(library), f"-Wl,-rpath,{tree}")
    if not complete:
        library.unlink()


def judge(tree: Path, machine: Machine = BUILDING, given: str | None = None) -> Line:
    return judge_program(tree, given, machine, os.environ)


@pytest.mark.parametrize(
    ("machine", "level", "said"),
    [
        pytest.param(BUILDING, Level.GOOD, "AlexeyAB's darknet, built for the CPU", id="no GPU"),
        pytest.param(WITH_GPU, Level.WARNING, "it will not use the GPU", id="a GPU"),
    ],
)
def test_built_for_the_cpu(tmp_path: Path, machine: Machine, level: Level, said: str) -> None:
    program = compile_c(tmp_path, "darknet", SOURCE)
    line = judge(tmp_path, machine)
    assert line.level is level
    assert line.what.startswith(f"{program}: ")
    assert said in line.what


@pytest.mark.parametrize(
    ("machine", "complete", "level", "said"),
    [
        pytest.param(WITH_GPU, True, Level.GOOD, "built for the GPU", id="a GPU"),
        pytest.param(BUILDING, True, Level.BAD, "no GPU is to be seen", id="no GPU"),
        pytest.param(WITH_GPU, False, Level.BAD, "does not start: libcudart.so.12", id="no library"),
    ],
)
def test_built_for_the_gpu(
    tmp_path: Path, machine: Machine, level: Level, said: str, *, complete: bool
) -> None:
    for_gpu(tmp_path, complete=complete)
    line = judge(tmp_path, machine)
    assert line.level is level
    assert said in line.what
    assert bool(line.remedy) is (level is not Level.GOOD)


def test_one_that_crashes(tmp_path: Path) -> None:
    compile_c(tmp_path, "darknet", "#include <stdlib.h>\nint main(void) { abort(); }\n")
    line = judge(tmp_path)
    assert line.level is Level.BAD
    assert "it ended by signal 6" in line.what


def test_a_script(tmp_path: Path) -> None:
    (tmp_path / "darknet").write_text("#!/bin/sh\n# %f rate, %lf seconds, \n")
    (tmp_path / "darknet").chmod(0o755)
    line = judge(tmp_path, WITH_GPU)
    assert line == Line(Level.GOOD, "darknet", f"{tmp_path}/darknet: the original darknet (2018)")


def test_one_that_lost_its_run_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    (tmp_path / "darknet").write_bytes(b"\x7fELF")
    line = judge(tmp_path)
    assert line.level is Level.WARNING
    assert line.what == f"{tmp_path}/darknet may not be executed"


@pytest.mark.parametrize(
    ("machine", "level"),
    [
        pytest.param(BUILDING, Level.WARNING, id="it can be built"),
        pytest.param(Machine(), Level.BAD, id="it cannot be built"),
    ],
)
def test_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: Machine, level: Level
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    line = judge(tmp_path / "no tree", machine)
    assert (line.level, line.what) == (level, "there is none yet")
    assert "trainer build" in line.remedy


def test_one_that_was_named_and_is_none(tmp_path: Path) -> None:
    line = judge(tmp_path, given="no-such-darknet")
    assert line.level is Level.BAD
    assert "no-such-darknet" in line.what


def test_the_one_of_this_machine(tmp_path: Path) -> None:
    if shutil.which("darknet") is None:
        pytest.skip("there is no darknet here")
    line = judge(tmp_path)
    assert line.level is Level.GOOD
    assert line.what.endswith("the original darknet (2018), built for the CPU")
