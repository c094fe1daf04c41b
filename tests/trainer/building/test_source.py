"""The source has another checksum exactly when something else would be compiled."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from trainer.building.source import find_source, hash_source
from trainer.errors import TreeError

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = {
    "Makefile": "GPU=0\n",
    "src/darknet.c": "int main;\n",
    "src/gemm.cu": "kernel\n",
    "src/http_stream.cpp": "stream\n",
    "include/darknet.h": "#pragma once\n",
    "3rdparty/stb/include/stb_image.h": "image\n",
    "CMakeLists.txt": "project(darknet)\n",
    "cfg/CMakeLists.txt": "install\n",
    "src-lib/darknet_version.h.in": "@V@\n",
    "CM_source.cmake": "set\n",
}
OTHERS = {
    "darknet": "\x7fELF",
    "obj/darknet.o": "object",
    "obj/generated.c": "object",
    "src/old.o": "object",
    "libdarknet.so": "\x7fELF",
    "src-lib/darknet_version.h": "v5.1\n",
    "build/CMakeFiles/3.22/CompilerIdC/CMakeCCompilerId.c": "int main;\n",
    "build-debug/CMakeCache.txt": "CMAKE=1\n",
    "build-debug/generated.h": "generated\n",
    "data/train/a.jpg": "image",
    "data/tools/x.c": "no source\n",
    "backup/remote_last.weights": "weights",
    "cfg/remote.cfg": "[net]\n",
    "train.txt": "data/train/a.jpg\n",
    ".git/hooks/x.c": "no source\n",
    ".trainer/attempts.h": "no source\n",
    "yolov4.conv.137": "weights",
}


def lay(tree: Path, files: dict[str, str]) -> None:
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(content)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    lay(tmp_path / "tree", SOURCE)
    return tmp_path / "tree"


def test_only_the_source_counts(tree: Path) -> None:
    before = hash_source(tree)
    lay(tree, OTHERS)
    assert set(find_source(tree)) == SOURCE.keys()
    assert hash_source(tree) == before


def test_another_copy_of_a_tree_is_the_same_source(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path in sorted(SOURCE, reverse=True):
        lay(copy, {path: SOURCE[path]})
        os.utime(copy / path, (1, 1))
        (copy / path).chmod(0o700)
    assert hash_source(copy) == hash_source(tree)


@pytest.mark.parametrize("path", SOURCE)
def test_each_change_is_seen(tree: Path, path: str) -> None:
    before = hash_source(tree)
    (tree / path).write_text(SOURCE[path] + " ")
    changed = hash_source(tree)
    (tree / path).unlink()
    assert len({before, changed, hash_source(tree)}) == 3


def test_a_file_under_another_name_is_another_source(tree: Path) -> None:
    before = hash_source(tree)
    (tree / "src/darknet.c").rename(tree / "src/main.c")
    assert hash_source(tree) != before


def test_a_linked_source_counts_and_a_linked_drive_does_not(tree: Path, tmp_path: Path) -> None:
    before = hash_source(tree)
    shutil.move(tree / "src", tmp_path / "elsewhere")
    (tree / "src").symlink_to(tmp_path / "elsewhere")
    lay(tmp_path / "drive", {"other/x.c": "somebody else's\n"})
    (tree / "drive").symlink_to(tmp_path / "drive")
    assert hash_source(tree) == before
    (tmp_path / "elsewhere/darknet.c").write_text("changed\n")
    assert hash_source(tree) != before


def test_links_that_lead_in_circles_and_nowhere_do_no_harm(tree: Path) -> None:
    before = hash_source(tree)
    (tree / "src/src").symlink_to(tree / "src")
    (tree / "src/include").symlink_to(tree)
    (tree / "src/loop.c").symlink_to(tree / "src/loop.c")
    (tree / "src/gone.c").symlink_to(tree / "gone.c")
    os.mkfifo(tree / "src/pipe.c")
    assert hash_source(tree) == before


def test_names_that_are_no_text_count_too(tree: Path) -> None:
    before = hash_source(tree)
    name = os.fsencode(tree / "src") + b"/\xff.c"
    with open(name, "w") as file:  # noqa: PTH123 - a Path takes no bytes
        file.write("x")
    assert hash_source(tree) != before


def test_a_tree_without_source_has_no_checksum(tmp_path: Path) -> None:
    lay(tmp_path, {"cfg/remote.cfg": "[net]\n", "data/tools/x.c": "no source\n"})
    with pytest.raises(TreeError, match="no source"):
        hash_source(tmp_path)
