"""A tree remembers its remote, and a torn memory is no memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from drivesync.tree import TreeState, read_tree_state, remember_remote, write_tree_state

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("state", [TreeState("work/darknet", complete=True), TreeState("it's 日本")])
def test_what_is_written_is_read(tmp_path: Path, state: TreeState) -> None:
    write_tree_state(tmp_path, state)
    assert read_tree_state(tmp_path) == state
    assert [path.name for path in (tmp_path / ".drivesync").iterdir()] == ["remote.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"remote": "darkn', b"[]", b"null", b"\xff\xfe", b'{"remote": "x"}', b'"text"'],
)
def test_a_torn_memory_is_none(tmp_path: Path, content: bytes) -> None:
    write_tree_state(tmp_path, TreeState("darknet"))
    (tmp_path / ".drivesync" / "remote.json").write_bytes(content)
    assert read_tree_state(tmp_path) is None


def test_nothing_remembered(tmp_path: Path) -> None:
    assert read_tree_state(tmp_path) is None
    assert read_tree_state(tmp_path / "absent") is None
    (tmp_path / "file").write_bytes(b"")
    assert read_tree_state(tmp_path / "file") is None


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / ".drivesync" / "remote.json").mkdir(parents=True)
    assert read_tree_state(tmp_path) is None
    with pytest.raises(LocalWriteError, match=r"remote\.json"):
        write_tree_state(tmp_path, TreeState("darknet"))


@pytest.mark.parametrize(
    ("before", "given", "name", "after"),
    [
        pytest.param(
            None, None, "darknet", TreeState("darknet", complete=True), id="the default, from now on"
        ),
        pytest.param(None, "mine", "mine", TreeState("mine", complete=True), id="the given, from now on"),
        pytest.param(TreeState("mine"), None, "mine", TreeState("mine"), id="what it remembers"),
        pytest.param(TreeState("mine"), "other", "other", TreeState("mine"), id="the given, this once"),
    ],
)
def test_remember_remote(
    tmp_path: Path, before: TreeState | None, given: str | None, name: str, after: TreeState
) -> None:
    if before is not None:
        write_tree_state(tmp_path, before)
    assert remember_remote(tmp_path, given, "darknet") == name
    assert read_tree_state(tmp_path) == after
