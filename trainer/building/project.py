"""How a tree is built, by its files, and the command lines that build it.

make is told to put the program into ``TREE/.trainer/new/`` rather than into the tree (``EXEC=``, a variable of every
darknet's Makefile): the one that is there, which may be training, stays until the new one is proven. cmake works in a
folder of its own, ``TREE/.trainer/cmake/``, for there its every object would be in the way of the next configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.errors import NotFoundError
from trainer.building.cmake import cmake_arguments, read_cmake
from trainer.building.makefile import read_makefile
from trainer.config import STATE_FOLDER
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.building.recipe import Recipe
    from trainer.building.switches import Switches
    from trainer.machine.parts import Machine

MAKEFILE = "Makefile"
NEW = f"{STATE_FOLDER}/new"
"""Where a program waits to be proven, its libraries beside it as they are to lie in the tree."""
LIBRARIES = "build"
"""Where in the tree the shared libraries lie that a program brings along."""

_CMAKE_FILE = "CMakeLists.txt"
_CMAKE_FOLDER = f"{STATE_FOLDER}/cmake"
_PROGRAM = re.compile(r"^ *EXEC *[:?]?= *darknet\s*$", re.MULTILINE)
_MAKEFILES_CUDA = Path("/usr/local/cuda")
_HEEDED = ("CC", "CXX", "CUDACXX", "CFLAGS", "CXXFLAGS", "CUDAFLAGS", "LDFLAGS")
"""What cmake takes from the environment; a darknet's Makefile assigns its own."""
_JOB_BYTES = 1_000_000_000
"""What a compiler of C++, or of CUDA, takes at its most."""


class Tool(Enum):
    """What builds."""

    MAKE = "make"
    CMAKE = "cmake"


@dataclass(frozen=True, slots=True)
class Project:
    """How a tree is built.

    Attributes:
        tool: by which program.
        recipe: what its files say.
        objects: where objects lie, relative to the tree.
    """

    tool: Tool
    recipe: Recipe
    objects: str


@dataclass(frozen=True, slots=True)
class Commands:
    """What builds a program, to be run in the tree, one after the other.

    Attributes:
        meaning: all that bears on what comes of it, and nothing that does not.
        count: prints what ``build`` would run; empty where that tells itself how far it is.
        configure: comes first; empty for make.
        build: does it.
    """

    meaning: tuple[str, ...]
    count: tuple[str, ...]
    configure: tuple[str, ...]
    build: tuple[str, ...]


def find_project(tree: Path) -> Project | None:
    """What builds ``tree``; None if there is nothing to build in it.

    AlexeyAB's darknet has both files, of which the Makefile is the one that everybody uses.

    Raises:
        TreeError: a file cannot be read, or the Makefile is not a darknet's.
    """
    makefile, cmake_file = tree / MAKEFILE, tree / _CMAKE_FILE
    if makefile.is_file():
        text = read_text(makefile)
        if _PROGRAM.search(text):
            return Project(Tool.MAKE, read_makefile(text), "obj")
        if not cmake_file.is_file():
            hint = "Put darknet's own Makefile there."
            raise TreeError(f"{makefile} is not a darknet's: it has no line EXEC=darknet", hint=hint)
    if cmake_file.is_file():
        texts = [read_text(path) for path in (cmake_file, *sorted(tree.glob("CM_*.cmake")))]
        return Project(Tool.CMAKE, read_cmake(texts), _CMAKE_FOLDER)
    return None


def read_text(path: Path) -> str:
    """A file of the project, whatever its encoding and its line ends; ``write_bytes`` of it, encoded likewise, is it.

    Raises:
        TreeError: it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise TreeError(f"{path} cannot be read: {error.strerror}") from error


def choose_jobs(machine: Machine) -> int:
    """How many compilers may run at once: one a core, and no more than there is memory for."""
    if not machine.memory_bytes:
        return machine.cores
    return max(1, min(machine.cores, machine.memory_bytes // _JOB_BYTES))


def make_commands(
    project: Project,
    switches: Switches,
    machine: Machine,
    environ: Mapping[str, str],
    *,
    jobs: int,
    extra: tuple[str, ...] = (),
) -> Commands:
    """The command lines for some switches.

    Args:
        project: of the tree.
        switches: chosen for it.
        machine: names the CUDA compiler.
        environ: the variables that compilers heed come from there, and go on.
        jobs: how many compilers may run at once.
        extra: the user's own words for make or cmake; they come last, and so win.
    """
    around = _environment(switches, machine, environ)
    if project.tool is Tool.CMAKE:
        nvcc = machine.cuda.nvcc if machine.cuda is not None and switches.gpu else None
        words = (*cmake_arguments(switches, project.recipe, nvcc), *extra)
        # Where the program lies in the end its libraries are not yet, nor are they where they are now.
        paths = ("-DCMAKE_BUILD_WITH_INSTALL_RPATH=ON", "-DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON")
        placed = (*paths, f"-DCMAKE_INSTALL_RPATH=$ORIGIN/{LIBRARIES}")
        return Commands(
            meaning=("cmake", *(f"{name}={environ[name]}" for name in _HEEDED if name in environ), *words),
            count=(),
            configure=(*around, "cmake", "-S", ".", "-B", _CMAKE_FOLDER, *placed, *words),
            build=(*around, "cmake", "--build", _CMAKE_FOLDER, "--parallel", str(jobs)),
        )
    words = (*switches.arguments(project.recipe.known), *_nvcc(switches, machine, environ), *extra)
    return Commands(
        meaning=("make", *words),
        count=(*around, "make", "-n", *words, f"EXEC={NEW}/darknet"),
        configure=(),
        build=(*around, "make", f"-j{jobs}", *words, f"EXEC={NEW}/darknet"),
    )


def name_folders(machine: Machine) -> Machine:
    """The machine as compilers see it here, which are told where this CUDA is: a cuDNN in it is found, too."""
    cuda, cudnn = machine.cuda, machine.cudnn
    if cuda is None or cudnn is None or cudnn.header.parent != cuda.root / "include":
        return machine
    return replace(machine, cudnn=replace(cudnn, searched=True))


def require_tools(project: Project, switches: Switches, machine: Machine) -> None:
    """See that what compiles is installed.

    Raises:
        NotFoundError: it is not.
    """
    wanted: dict[str, object] = {"make": machine.make, "C++ compiler": machine.compiler}
    if project.tool is Tool.CMAKE:
        wanted["cmake"] = machine.cmake
    if switches.gpu:
        wanted["nvcc"] = machine.cuda
    missing = [name for name, found in wanted.items() if found is None]
    if missing:
        hint = "Install it with: apt-get install -y build-essential cmake pkg-config"
        raise NotFoundError(
            f"darknet cannot be compiled here: there is no {', no '.join(missing)}", hint=hint
        )


def _environment(switches: Switches, machine: Machine, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Puts a command into a fitting environment: compilers speak English, and look where CUDA is."""
    around = ("env", "LC_ALL=C", "MAKEFLAGS=")
    cuda = machine.cuda
    if cuda is None or not switches.gpu or cuda.root.resolve() == _MAKEFILES_CUDA.resolve():
        return around
    # The Makefile names /usr/local/cuda and no other place; conda's toolkit has no lib64.
    libraries = next(
        (place for place in (cuda.root / "lib64", cuda.root / "lib") if place.is_dir()), cuda.root
    )
    folders = {"CPATH": cuda.root / "include", "LIBRARY_PATH": libraries}
    return (
        *around,
        *(
            f"{name}={folder}{f':{before}' if (before := environ.get(name)) else ''}"
            for name, folder in folders.items()
        ),
    )


def _nvcc(switches: Switches, machine: Machine, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Names nvcc to make where a look at PATH does not find that one."""
    if machine.cuda is None or not switches.gpu:
        return ()
    nvcc = machine.cuda.nvcc
    on_path = next(
        (folder for folder in environ.get("PATH", "").split(":") if (Path(folder) / "nvcc").is_file()), ""
    )
    return () if on_path and Path(on_path) == nvcc.parent else (f"NVCC={nvcc}",)
