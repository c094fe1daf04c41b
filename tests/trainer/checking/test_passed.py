from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from trainer.checking.passed import PASSED_FILE, digest_tree, find_passed, note_passed
from trainer.config import Wishes
from trainer.testing.tree import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "darknet", images=2, negatives=0).root


def write(path: str, content: bytes = b"new") -> Callable[[Path], object]:
    def do(tree: Path) -> None:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)

    return do


def touch(path: str) -> Callable[[Path], object]:
    return lambda tree: os.utime(tree / path, ns=(1, 1))


def remove(path: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).unlink()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(touch("data/train/1.txt"), id="a label was saved again"),
        pytest.param(write("data/train/1.txt", b""), id="a label of another size"),
        pytest.param(remove("data/train/1.txt"), id="a label is gone"),
        pytest.param(write("data/train/9.png"), id="another image"),
        pytest.param(touch("cfg/remote.cfg"), id="the cfg"),
        pytest.param(write("yolov4-tiny.conv.29"), id="pretrained weights"),
    ],
)
def test_what_is_changed_is_checked_again(tree: Path, change: Callable[[Path], object]) -> None:
    wishes = Wishes(tree)
    note_passed(tree, digest_tree(wishes), 7.0)
    assert find_passed(tree, digest_tree(wishes)) == 7.0
    change(tree)
    assert find_passed(tree, digest_tree(wishes)) is None


@pytest.mark.parametrize(
    "path",
    [
        "backup/remote_100.weights",
        "obj/gemm.o",
        "build/CMakeCache.txt",
        ".trainer/status.json",
        "chart_remote.png",
        "bad.list",
        "libdarknet.so",
    ],
)
def test_what_a_build_or_a_training_writes_is_no_change(tree: Path, path: str) -> None:
    before = digest_tree(Wishes(tree))
    write(path)(tree)
    assert digest_tree(Wishes(tree)) == before


def test_what_another_darknet_reads_is_checked_again(tree: Path) -> None:
    before = digest_tree(Wishes(tree))
    write("darknet", b"... hours left ...")(tree)
    (tree / "darknet").chmod(0o755)
    assert digest_tree(Wishes(tree)) != before


@pytest.mark.parametrize("wishes", [{"cfg": "cfg/other.cfg"}, {"extra": ("-map",)}, {"weights": "x.conv.29"}])
def test_what_is_asked_for_otherwise_is_checked_again(tree: Path, wishes: dict[str, str]) -> None:
    assert digest_tree(Wishes(tree, **wishes)) != digest_tree(Wishes(tree))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"digest": "d"}',
        b'{"digest": "d", "at_s": "x"}',
        b'{"digest": "d", "at_s": 1e999}',
        b'{"digest": "other", "at_s": 1}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_nobody_wrote_is_no_pass(tree: Path, content: bytes) -> None:
    write(PASSED_FILE, content)(tree)
    assert find_passed(tree, "d") is None
