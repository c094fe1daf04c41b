"""A whole machine at a look: OpenCV, compilers, and what of it this one has."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from trainer.machine.compiler import find_compiler, find_program, has_openmp
from trainer.machine.look import look_at_machine, read_glibc
from trainer.machine.opencv import find_opencv
from trainer.machine.parts import Machine, OpenCv, Program
from trainer.testing.fake_gpu import fake_cudnn, fake_gpu, fake_hanging_program, fake_opencv

if TYPE_CHECKING:
    from pathlib import Path


def say(path: Path, *lines: str, status: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines) + f"exit {status}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("package", "version"), [("opencv4", "4.5.4"), ("opencv4", "4.10.0"), ("opencv", "3.4.1")]
)
def test_opencv(tmp_path: Path, package: str, version: str) -> None:
    fake_opencv(tmp_path, version, package)
    assert find_opencv({"PATH": str(tmp_path)}) == OpenCv(version, package)


def test_no_opencv(tmp_path: Path) -> None:
    assert find_opencv({"PATH": str(tmp_path)}) is None
    fake_opencv(tmp_path, package="")
    assert find_opencv({"PATH": str(tmp_path)}) is None


@pytest.mark.parametrize(
    ("line", "version"),
    [
        pytest.param("g++ (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0", "11.4.0", id="Ubuntu"),
        pytest.param("g++ (GCC) 14.2.1 20250110 (Red Hat 14.2.1-7)", "14.2.1", id="Fedora"),
        pytest.param("g++ 13.2.1", "13.2.1", id="plain"),
        pytest.param("Ubuntu clang version 14.0.0-1ubuntu1.1", "14.0.0", id="clang"),
        pytest.param("who knows", "", id="no version"),
    ],
)
def test_a_compiler(tmp_path: Path, line: str, version: str) -> None:
    path = say(tmp_path / "g++", line, "Copyright 2021")
    assert find_compiler({"PATH": str(tmp_path)}) == Program("g++", path, version)


def test_another_compiler(tmp_path: Path) -> None:
    say(tmp_path / "c++", "clang version 17.0.6")
    found = find_compiler({"PATH": str(tmp_path)})
    assert found is not None
    assert (found.name, found.version) == ("c++", "17.0.6")


def test_openmp(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    assert not has_openmp(None, environ)
    without = say(tmp_path / "g++", "libgomp.spec")
    assert not has_openmp(Program("g++", without, ""), environ)
    say(without, "/usr/lib/gcc/x86_64-linux-gnu/11/libgomp.spec")
    assert has_openmp(Program("g++", without, ""), environ)


@pytest.mark.parametrize(
    ("name", "line", "version"),
    [("make", "GNU Make 4.3", "4.3"), ("cmake", "cmake version 3.31.6", "3.31.6")],
)
def test_programs(tmp_path: Path, name: str, line: str, version: str) -> None:
    path = say(tmp_path / name, line)
    assert find_program(name, {"PATH": str(tmp_path)}) == Program(name, path, version)
    assert find_program("other", {"PATH": str(tmp_path)}) is None


def test_a_whole_machine(tmp_path: Path) -> None:
    folder, root = tmp_path / "bin", tmp_path / "root"
    fake_gpu(folder, "NVIDIA L4", cuda=(12, 8), driver_cuda=(13, 0), count=2)
    fake_cudnn(root / "usr/include", (9, 8, 0))
    fake_opencv(folder)
    say(folder / "g++", "/a/libgomp.spec", "g++ 11.4.0")
    say(folder / "apt-get")
    machine = look_at_machine({"PATH": str(folder)}, root=root)
    assert [gpu.capability for gpu in machine.gpus.found] == [(8, 9), (8, 9)]
    assert machine.gpus.found[0].cuda == (13, 0)
    assert machine.cuda is not None
    assert machine.cuda.version == (12, 8)
    assert machine.cudnn is not None
    assert machine.cudnn.version == (9, 8, 0)
    assert machine.opencv == OpenCv("4.5.4", "opencv4")
    assert machine.compiler is not None
    assert machine.make is machine.cmake is None
    assert machine.openmp
    assert machine.apt is (os.geteuid() == 0)


def test_an_empty_machine(tmp_path: Path) -> None:
    machine = look_at_machine({"PATH": ""}, root=tmp_path)
    assert machine == Machine(cores=machine.cores, glibc=read_glibc(), architecture=platform.machine())


def test_all_programs_hang(tmp_path: Path) -> None:
    for name in ("nvidia-smi", "nvcc", "pkg-config", "g++", "make", "cmake"):
        fake_hanging_program(tmp_path / name)
    began_s = time.monotonic()
    machine = look_at_machine({"PATH": str(tmp_path)}, root=tmp_path, timeout_s=0.2)
    assert time.monotonic() - began_s < 10
    assert "did not answer" in machine.gpus.problem
    assert machine.cuda is None
    assert machine.make is not None
    assert machine.make.version == ""


def test_this_machine() -> None:
    machine = look_at_machine(os.environ)
    assert machine.architecture == platform.machine()
    assert (machine.make is None) is (shutil.which("make") is None)
    assert (machine.cuda is None) or machine.cuda.nvcc.is_file()
    if machine.compiler is not None:
        said = subprocess.run(
            [machine.compiler.path, "--version"], capture_output=True, text=True, check=True
        )
        assert machine.compiler.version in said.stdout
        assert machine.compiler.version
    assert machine.glibc == platform.libc_ver()[1]
