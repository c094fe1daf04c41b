"""A tree remembers its remote, and a torn memory is no memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from drivesync.tree import TreeState, read_tree_state, remember_source, remember_target, write_tree_state

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "state", [TreeState("work/darknet", complete=True), TreeState("it's 日本", target="x")]
)
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
            None,
            None,
            "darknet",
            TreeState("darknet", complete=True, target="darknet"),
            id="the default, from now on",
        ),
        pytest.param(
            None,
            "mine",
            "mine",
            TreeState("mine", complete=True, target="mine"),
            id="the given, from now on",
        ),
        pytest.param(
            TreeState("mine"), None, "mine", TreeState("mine", target="mine"), id="where it came from"
        ),
        pytest.param(
            TreeState("git", complete=True, target="darknet"),
            None,
            "darknet",
            TreeState("git", complete=True, target="darknet"),
            id="where it went last",
        ),
        pytest.param(
            TreeState("mine"), "other", "other", TreeState("mine", target="other"), id="the given, to go to"
        ),
        pytest.param(
            TreeState("git", target="darknet"),
            "other",
            "other",
            TreeState("git", target="other"),
            id="the given instead of another",
        ),
        pytest.param(
            TreeState("mine", target="other"),
            "mine",
            "mine",
            TreeState("mine", target="mine"),
            id="back to where it came from",
        ),
    ],
)
def test_remember_target(
    tmp_path: Path, before: TreeState | None, given: str | None, name: str, after: TreeState
) -> None:
    if before is not None:
        write_tree_state(tmp_path, before)
    assert remember_target(tmp_path, given, "darknet") == name
    assert read_tree_state(tmp_path) == after


@pytest.mark.parametrize(
    ("before", "target", "complete", "after"),
    [
        pytest.param(None, "", False, TreeState("mine"), id="a first pull begins"),
        pytest.param(
            TreeState("mine"), "", True, TreeState("mine", complete=True), id="it has come to its end"
        ),
        pytest.param(
            TreeState("mine", complete=True),
            "",
            False,
            TreeState("mine", complete=True),
            id="a second begins",
        ),
        pytest.param(None, "darknet", False, TreeState("mine", target="darknet"), id="nothing can go there"),
        pytest.param(
            TreeState("mine", target="other"),
            "darknet",
            False,
            TreeState("mine", target="other"),
            id="where it goes was said before",
        ),
        pytest.param(
            TreeState("else", complete=True, target="other"),
            "",
            False,
            TreeState("mine", target="other"),
            id="it comes from elsewhere now, and goes where it went",
        ),
        pytest.param(
            TreeState("else", complete=True),
            "",
            False,
            TreeState("mine"),
            id="it comes from elsewhere now, and went nowhere yet",
        ),
    ],
)
def test_remember_source(
    tmp_path: Path,
    before: TreeState | None,
    target: str,
    complete: bool,  # noqa: FBT001
    after: TreeState,
) -> None:
    if before is not None:
        write_tree_state(tmp_path, before)
    remember_source(tmp_path, "mine", target, complete=complete)
    assert read_tree_state(tmp_path) == after


def test_what_is_remembered_already_is_not_written_again(tmp_path: Path) -> None:
    remember_source(tmp_path, "mine", "")
    remember_target(tmp_path, None, "darknet")
    before = (tmp_path / ".drivesync" / "remote.json").stat()
    remember_source(tmp_path, "mine", "")
    remember_target(tmp_path, None, "darknet")
    assert (tmp_path / ".drivesync" / "remote.json").stat().st_ino == before.st_ino


def test_a_tree_that_was_made_here_comes_from_where_it_goes_now(tmp_path: Path) -> None:
    remember_target(tmp_path, "mistyped", "darknet")
    remember_target(tmp_path, "mine", "darknet")
    assert read_tree_state(tmp_path) == TreeState("mine", complete=True, target="mine")
    remember_source(tmp_path, "other", "")
    assert read_tree_state(tmp_path) == TreeState("other", target="mine")


def test_a_memory_of_an_earlier_version(tmp_path: Path) -> None:
    write_tree_state(tmp_path, TreeState("mine"))
    (tmp_path / ".drivesync" / "remote.json").write_bytes(b'{"remote": "mine", "complete": true}')
    assert read_tree_state(tmp_path) == TreeState("mine", complete=True)
