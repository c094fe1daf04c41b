"""CUDA's compiler and cuDNN's header, wherever they lie."""

from __future__ import annotations

import os
import platform
import shutil
from typing import TYPE_CHECKING

import pytest

from trainer.machine.cuda import find_cuda, find_cudnn
from trainer.machine.parts import Cuda, Cudnn
from trainer.testing.fake_gpu import fake_cudnn, fake_hanging_program, fake_nvcc

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("version", "knows", "knows_not"),
    [
        pytest.param((11, 0), (8, 0), (8, 6), id="11.0"),
        pytest.param((11, 8), (9, 0), (10, 0), id="11.8"),
        pytest.param((12, 8), (5, 0), (3, 7), id="12.8"),
        pytest.param((13, 0), (12, 0), (7, 0), id="13.0"),
    ],
)
def test_a_toolkit_on_path(
    tmp_path: Path, version: tuple[int, int], knows: tuple[int, int], knows_not: tuple[int, int]
) -> None:
    nvcc = fake_nvcc(tmp_path / "toolkit/bin", version)
    cuda = find_cuda({"PATH": str(nvcc.parent)}, root=tmp_path / "root")
    assert cuda is not None
    assert (cuda.version, cuda.nvcc, cuda.root) == (version, nvcc, tmp_path / "toolkit")
    assert knows in cuda.capabilities
    assert knows_not not in cuda.capabilities
    assert list(cuda.capabilities) == sorted(cuda.capabilities)


def test_a_toolkit_that_does_not_list_what_it_knows(tmp_path: Path) -> None:
    nvcc = fake_nvcc(tmp_path / "bin", (10, 2))
    assert find_cuda({"PATH": str(tmp_path / "bin")}, root=tmp_path / "root") == Cuda((10, 2), nvcc, tmp_path)


@pytest.mark.parametrize("variable", ["CUDA_HOME", "CUDA_PATH"])
def test_a_toolkit_that_a_variable_names(tmp_path: Path, variable: str) -> None:
    fake_nvcc(tmp_path / "mine/bin", (12, 1))
    fake_nvcc(tmp_path / "root/usr/local/cuda/bin", (11, 8))
    environ = {"PATH": "", variable: str(tmp_path / "mine")}
    cuda = find_cuda(environ, root=tmp_path / "root")
    assert cuda is not None
    assert (cuda.version, cuda.root) == ((12, 1), tmp_path / "mine")


def test_the_tutorials_place(tmp_path: Path) -> None:
    local = tmp_path / "root/usr/local"
    fake_nvcc(local / "cuda-12.8/bin", (12, 8))
    (local / "cuda").symlink_to("cuda-12.8")
    cuda = find_cuda({"PATH": ""}, root=tmp_path / "root")
    assert cuda is not None
    assert cuda.nvcc == local / "cuda/bin/nvcc"
    assert cuda.root == local / "cuda"


def test_the_newest_where_none_is_chosen(tmp_path: Path) -> None:
    for version in ((11, 8), (12, 10), (12, 9)):
        fake_nvcc(tmp_path / f"root/usr/local/cuda-{version[0]}.{version[1]}/bin", version)
    cuda = find_cuda({"PATH": ""}, root=tmp_path / "root")
    assert cuda is not None
    assert cuda.version == (12, 10)


def test_a_link_and_a_script_lead_to_the_toolkit(tmp_path: Path) -> None:
    nvcc = fake_nvcc(tmp_path / "toolkit/bin")
    (tmp_path / "toolkit/include").mkdir()
    for name in ("link", "script"):
        (tmp_path / name).mkdir()
    (tmp_path / "link/nvcc").symlink_to(nvcc)
    (tmp_path / "script/nvcc").write_text(f'#!/bin/sh\nexec {nvcc} "$@"\n')
    (tmp_path / "script/nvcc").chmod(0o755)
    for name in ("link", "script"):
        cuda = find_cuda({"PATH": str(tmp_path / name)}, root=tmp_path / "root")
        assert cuda is not None
        assert cuda.root == tmp_path / "toolkit", name
        assert cuda.nvcc == tmp_path / name / "nvcc"


def test_one_that_does_not_work_is_passed_over(tmp_path: Path) -> None:
    fake_hanging_program(tmp_path / "bin/nvcc")
    fake_nvcc(tmp_path / "root/usr/local/cuda/bin", (12, 8))
    cuda = find_cuda({"PATH": str(tmp_path / "bin")}, root=tmp_path / "root", timeout_s=0.5)
    assert cuda is not None
    assert cuda.root == tmp_path / "root/usr/local/cuda"


def test_there_is_none(tmp_path: Path) -> None:
    assert find_cuda({"PATH": ""}, root=tmp_path) is None


@pytest.mark.parametrize(
    ("place", "version", "searched"),
    [
        pytest.param("toolkit/include", (9, 8, 0), False, id="in a toolkit of one's own"),
        pytest.param("root/usr/local/cuda/include", (9, 13, 1), True, id="in the toolkit"),
        pytest.param("root/usr/include", (8, 9, 7), True, id="a package"),
        pytest.param("root/usr/include/x86_64-linux-gnu", (9, 8, 0), True, id="another package"),
        pytest.param("root/usr/local/cudnn/include", (7, 6, 5), True, id="where darknet's Makefile looks"),
    ],
)
def test_cudnn(tmp_path: Path, place: str, version: tuple[int, int, int], *, searched: bool) -> None:
    header = fake_cudnn(tmp_path / place, version)
    toolkit = tmp_path / "toolkit"
    cuda = Cuda((12, 8), toolkit / "bin/nvcc", toolkit)
    assert find_cudnn(cuda, "x86_64", root=tmp_path / "root") == Cudnn(version, header, searched=searched)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("#define CUDNN_MAJOR 9\n", id="torn"),
        pytest.param("#define CUDNN_MAJOR nine\n", id="no number"),
    ],
)
def test_a_header_that_says_nothing(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "usr/include"
    folder.mkdir(parents=True)
    (folder / "cudnn_version.h").write_text(content)
    assert find_cudnn(None, "x86_64", root=tmp_path) is None


def test_a_link_to_a_header_that_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "usr/include"
    folder.mkdir(parents=True)
    (folder / "cudnn_version.h").symlink_to("cudnn_version_v9.h")
    assert find_cudnn(None, "x86_64", root=tmp_path) is None


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="there is no nvcc here")
def test_the_real_one() -> None:
    cuda = find_cuda(os.environ)
    assert cuda is not None
    assert cuda.version >= (11, 0)
    assert cuda.nvcc.is_file()
    assert (cuda.root / "bin/nvcc").is_file()
    assert (7, 5) in cuda.capabilities
    cudnn = find_cudnn(cuda, platform.machine())
    assert cudnn is None or cudnn.version >= (8, 0, 0)
