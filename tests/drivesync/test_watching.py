"""Who watches a tree, and why nothing can be pushed, is known to whoever asks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import UnfinishedError
from drivesync.watching import Watching, hold_watch, note_watching, read_watching, refuse_beside_watch

if TYPE_CHECKING:
    from pathlib import Path

HERE = Watching(os.getpid(), "darknet", ("backup/*.weights",), "Drive is full")


def test_it_is_known_as_long_as_it_lasts(tmp_path: Path) -> None:
    assert read_watching(tmp_path) is None
    with hold_watch(tmp_path):
        assert read_watching(tmp_path) is None, "it has only just begun"
        note_watching(tmp_path, HERE)
        assert read_watching(tmp_path) == HERE
    assert read_watching(tmp_path) is None


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"pid": 1', id="torn"),
        pytest.param(b'{"pid": "many", "target": "", "patterns": [], "trouble": ""}', id="no number"),
        pytest.param(b"[]", id="another thing"),
        pytest.param(b'{"pid": 1, "target": "", "patterns": [], "trouble": ""}', id="of an earlier one"),
    ],
)
def test_what_makes_no_sense_is_nothing(tmp_path: Path, said: bytes) -> None:
    with hold_watch(tmp_path):
        note_watching(tmp_path, HERE)
        (tmp_path / ".drivesync" / "watch.json").write_bytes(said)
        assert read_watching(tmp_path) is None


def test_the_second_is_told_of_the_first(tmp_path: Path) -> None:
    with (
        hold_watch(tmp_path),
        pytest.raises(UnfinishedError, match=rf"another watch \(process {os.getpid()}\)"),
        hold_watch(tmp_path),
    ):
        pytest.fail("both watch")


def test_who_would_push_beside_it_hears_which_watch_is_in_the_way(tmp_path: Path) -> None:
    refuse_beside_watch(tmp_path)
    with (
        hold_watch(tmp_path),
        pytest.raises(UnfinishedError, match=rf"a watch of this tree \(process {os.getpid()}\)") as refused,
    ):
        refuse_beside_watch(tmp_path)
    assert f"drivesync watch --stop {tmp_path}" in refused.value.hint
