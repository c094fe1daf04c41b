"""Which objects make must not see."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from trainer.building.record import BuildRecord, State
from trainer.building.stale import find_stale, remove, stamp_objects

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "obj"
    folder.mkdir()
    for name in ("a.o", "b_kernels.o"):
        (folder / name).write_bytes(b"object")
    (folder / "notes.txt").write_text("not an object")
    (tmp_path / "libdarknet.a").write_bytes(b"both objects")
    return tmp_path


@pytest.mark.parametrize(
    ("state", "inputs", "why"),
    [
        pytest.param(None, "", "nobody knows", id="no record: they came through Drive"),
        pytest.param(State.BUILDING, "this", "was killed", id="killed in the middle"),
        pytest.param(
            State.ENDED, "another", "other switches", id="a CPU build turned GPU, another GPU, other sources"
        ),
        pytest.param(State.ENDED, "this", "", id="all as it was"),
    ],
)
def test_objects_stay_only_if_this_machine_knows_them(
    tree: Path, state: State | None, inputs: str, why: str
) -> None:
    record = None if state is None else BuildRecord(state, inputs, stamp_objects(tree, tree / "obj"))
    stale = find_stale(tree, tree / "obj", record, "this")
    assert why in stale.why
    assert [path.name for path in stale.objects] == (["a.o", "b_kernels.o", "libdarknet.a"] if why else [])


def test_one_that_was_written_over_since_goes_alone(tree: Path) -> None:
    record = BuildRecord(State.ENDED, "this", stamp_objects(tree, tree / "obj"))
    os.utime(tree / "obj/a.o", ns=(1, 1))
    stale = find_stale(tree, tree / "obj", record, "this")
    assert stale.objects == (tree / "obj/a.o",)
    remove(stale.objects)
    assert sorted(path.name for path in (tree / "obj").iterdir()) == ["b_kernels.o", "notes.txt"]


def test_clean_takes_all_of_them(tree: Path) -> None:
    record = BuildRecord(State.ENDED, "this", stamp_objects(tree, tree / "obj"))
    assert len(find_stale(tree, tree / "obj", record, "this", clean=True).objects) == 3


def test_no_folder_no_objects(tmp_path: Path) -> None:
    assert find_stale(tmp_path, tmp_path / "obj", None, "this").objects == ()
