"""How a tree is built, by its files, and with which command lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivesync.errors import NotFoundError
from trainer.building.arch import Target, gencode
from trainer.building.project import (
    Tool,
    choose_jobs,
    find_project,
    make_commands,
    name_folders,
    require_tools,
)
from trainer.building.switches import Switches
from trainer.errors import TreeError
from trainer.machine.parts import Cuda, Cudnn, Machine, Program
from trainer.testing.c_project import MAKEFILE, make_c_project, make_cmake_project

T4 = Switches(gpu=True, cudnn=True, cudnn_half=True, arch=gencode([Target((7, 5))]))
TOOLS = ["make", "g++", "cmake"]


def machine_with(cuda: Path, *, memory_bytes: int = 0, cores: int = 2) -> Machine:
    toolkit = Cuda((12, 8), cuda / "bin/nvcc", cuda)
    return Machine(cuda=toolkit, cores=cores, memory_bytes=memory_bytes)


@pytest.mark.parametrize(
    ("files", "tool"),
    [
        pytest.param({}, None, id="nothing to build"),
        pytest.param({"Makefile": MAKEFILE}, Tool.MAKE, id="a Makefile"),
        pytest.param({"CMakeLists.txt": "project(Darknet)\n"}, Tool.CMAKE, id="hank-ai's"),
        pytest.param({"Makefile": MAKEFILE, "CMakeLists.txt": ""}, Tool.MAKE, id="AlexeyAB's has both"),
        pytest.param(
            {"Makefile": "all:\n", "CMakeLists.txt": ""}, Tool.CMAKE, id="a Makefile of something else"
        ),
        pytest.param(
            {"Makefile": MAKEFILE.replace("\n", "\r\n")}, Tool.MAKE, id="with the line ends of Windows"
        ),
        pytest.param({"Makefile": MAKEFILE + "# caf\udce9\n"}, Tool.MAKE, id="in Latin-1"),
    ],
)
def test_what_builds_a_tree(tmp_path: Path, files: dict[str, str], tool: Tool | None) -> None:
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    project = find_project(tmp_path)
    assert (project and project.tool) == tool


def test_a_makefile_that_is_not_a_darknets(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("all:\n\techo\n")
    with pytest.raises(TreeError, match="is not a darknet's"):
        find_project(tmp_path)


def test_make_is_told_all_and_the_user_has_the_last_word(tmp_path: Path) -> None:
    project = find_project(make_c_project(tmp_path))
    assert project is not None
    cuda = Path("/usr/local/cuda")
    environ = {"PATH": f"/usr/bin:{cuda}/bin"}
    commands = make_commands(project, T4, machine_with(cuda), environ, jobs=2, extra=("DEBUG=1",))
    words = ("GPU=1", "CUDNN=1", "CUDNN_HALF=1", "OPENCV=0", "AVX=0", "OPENMP=0", f"ARCH={T4.arch}")
    nvcc = () if (cuda / "bin/nvcc").is_file() else (f"NVCC={cuda}/bin/nvcc",)
    asked = (*words, *nvcc, "DEBUG=1", "EXEC=.trainer/new/darknet")
    assert commands.build == ("env", "LC_ALL=C", "MAKEFLAGS=", "make", "-j2", *asked)
    assert commands.count == ("env", "LC_ALL=C", "MAKEFLAGS=", "make", "-n", *asked)
    assert commands.meaning == ("make", *words, *nvcc, "DEBUG=1")
    assert commands.configure == ()


def test_a_cuda_that_lies_elsewhere_is_named_to_the_compilers(tmp_path: Path) -> None:
    project = find_project(make_c_project(tmp_path / "tree"))
    assert project is not None
    cuda = tmp_path / "conda"
    (cuda / "lib").mkdir(parents=True)
    environ = {"PATH": "/usr/bin", "CPATH": "/mine"}
    command = make_commands(project, T4, machine_with(cuda), environ, jobs=1).build
    assert command[3:5] == (f"CPATH={cuda}/include:/mine", f"LIBRARY_PATH={cuda}/lib")
    assert f"NVCC={cuda}/bin/nvcc" in command
    assert not any(
        "CPATH" in word
        for word in make_commands(project, Switches(), machine_with(cuda), environ, jobs=1).build
    )


def test_a_cudnn_in_that_cuda_is_found_by_the_compilers_then(tmp_path: Path) -> None:
    header = tmp_path / "include/cudnn_version.h"
    machine = Machine(
        cuda=Cuda((12, 8), tmp_path / "bin/nvcc", tmp_path), cudnn=Cudnn((9, 8, 0), header, searched=False)
    )
    cudnn = name_folders(machine).cudnn
    assert cudnn is not None
    assert cudnn.searched


def test_cmake_builds_in_a_folder_of_its_own(tmp_path: Path) -> None:
    project = find_project(make_cmake_project(tmp_path))
    assert project is not None
    environ = {"CXXFLAGS": "-g"}
    commands = make_commands(project, Switches(), Machine(), environ, jobs=3, extra=("-DX=1",))
    assert commands.configure[3:8] == ("cmake", "-S", ".", "-B", ".trainer/cmake")
    assert "-DCMAKE_INSTALL_RPATH=$ORIGIN/build" in commands.configure
    assert commands.configure[-1] == "-DX=1"
    assert commands.build[3:] == ("cmake", "--build", ".trainer/cmake", "--parallel", "3")
    assert commands.meaning[:2] == ("cmake", "CXXFLAGS=-g")


@pytest.mark.parametrize(
    ("cores", "memory_bytes", "jobs"),
    [
        pytest.param(2, 13_000_000_000, 2, id="Colab"),
        pytest.param(8, 2_500_000_000, 2, id="little memory"),
        pytest.param(4, 500_000_000, 1, id="hardly any"),
        pytest.param(4, 0, 4, id="nobody knows"),
    ],
)
def test_as_many_compilers_as_there_are_cores_and_memory(cores: int, memory_bytes: int, jobs: int) -> None:
    assert choose_jobs(machine_with(Path("/cuda"), cores=cores, memory_bytes=memory_bytes)) == jobs


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        pytest.param("make", "there is no make", id="make"),
        pytest.param("g++", r"there is no C\+\+ compiler", id="the compiler"),
        pytest.param("cmake", "there is no cmake", id="cmake"),
        pytest.param("nvcc", "there is no nvcc", id="CUDA"),
    ],
)
def test_what_compiles_has_to_be_there(tmp_path: Path, missing: str, said: str) -> None:
    project = find_project(make_cmake_project(tmp_path))
    assert project is not None
    make, compiler, cmake = (
        None if name == missing else Program(name, Path("/usr/bin") / name, "1") for name in TOOLS
    )
    cuda = None if missing == "nvcc" else Cuda((12, 8), Path("/cuda/bin/nvcc"), Path("/cuda"))
    machine = Machine(make=make, compiler=compiler, cmake=cmake, cuda=cuda)
    with pytest.raises(NotFoundError, match=said):
        require_tools(project, T4, machine)
