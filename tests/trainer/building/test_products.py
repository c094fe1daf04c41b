"""What was built waits beside the tree until it is proven, and takes the place of the old files at once."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from trainer.building.products import are_unchanged, gather, make_room, put_in_place, sum_up
from trainer.building.project import Project, Tool
from trainer.building.recipe import Recipe
from trainer.testing.workshop import make_libraries

if TYPE_CHECKING:
    from pathlib import Path

MAKE = Project(Tool.MAKE, Recipe(), "obj")
CMAKE = Project(Tool.CMAKE, Recipe(), ".trainer/cmake")
PRODUCTS = ("darknet", "build/libdarknet.so")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """With something new, and something old in its place."""
    make_room(tmp_path)
    new = tmp_path / ".trainer/new"
    (new / "build").mkdir()
    for path in PRODUCTS:
        (new / path).write_bytes(f"new {path}".encode())
        (new / path).chmod(0o755)
    (tmp_path / "darknet").write_bytes(b"old")
    return tmp_path


def test_a_program_of_make_is_there_or_not(tree: Path) -> None:
    assert gather(MAKE, tree) == ("darknet",)
    make_room(tree)
    assert gather(MAKE, tree) == ()


def test_a_program_of_cmake_comes_with_the_libraries_that_were_built_along(tmp_path: Path) -> None:
    built = tmp_path / ".trainer/cmake"
    make_libraries(built / "lib", ["core"])
    for name, needs in (("libdarknet.so", "core"), ("darknet", "darknet")):
        place = built / ("cli" if name == "darknet" else "lib")
        place.mkdir(exist_ok=True)
        (built / "main.c").write_text("int main(void) { return 0; }\n")
        linked = ["-Wl,--no-as-needed", f"-L{built}/lib", f"-l{needs}"]
        kind = ["-shared", "-fPIC", f"-Wl,-soname,{name}"] if name.endswith(".so") else []
        subprocess.run(["cc", *kind, built / "main.c", "-o", place / name, *linked], check=True)
    make_room(tmp_path)
    assert gather(CMAKE, tmp_path) == ("darknet", "build/libdarknet.so", "build/libcore.so")
    assert (tmp_path / ".trainer/new/build/libcore.so").is_file()
    shutil.rmtree(built / "cli")
    assert gather(CMAKE, tmp_path) == ()


def test_all_of_it_takes_its_place(tree: Path) -> None:
    with (tree / "darknet").open("rb") as running:
        put_in_place(tree, PRODUCTS)
        assert running.read() == b"old"
    assert [(tree / path).read_bytes() for path in PRODUCTS] == [b"new darknet", b"new build/libdarknet.so"]
    assert not (tree / ".trainer/new").exists()


def test_what_is_in_the_way_stays(tree: Path) -> None:
    (tree / "darknet").unlink()
    (tree / "darknet").mkdir()
    with pytest.raises(LocalWriteError, match="darknet"):
        put_in_place(tree, PRODUCTS)


def test_whether_it_is_still_what_was_built(tree: Path) -> None:
    put_in_place(tree, PRODUCTS)
    products = sum_up(tree, PRODUCTS)
    assert are_unchanged(tree, products)
    assert not are_unchanged(tree, {})
    assert not are_unchanged(tree, dict.fromkeys(PRODUCTS, "0" * 64))
    (tree / "build/libdarknet.so").unlink()
    assert not are_unchanged(tree, products)
