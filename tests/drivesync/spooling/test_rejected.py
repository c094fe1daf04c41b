"""What was refused is kept once, with its reason, and is in nobody's way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from drivesync.spooling import rejected
from drivesync.spooling.rejected import clear_rejected, keep_rejected

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LAST = "backup/run_last.weights"
KEPT = f".drivesync/spool/rejected/{LAST}.rejected"


def refuse(tree: Path, path: str, content: bytes, *, at_s: int = 0) -> str:
    snapshot = tree / ".drivesync" / "spool" / "making" / "copy"
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    snapshot.write_bytes(content)
    os.utime(snapshot, (at_s, at_s))
    return keep_rejected(tree, path, snapshot, f"it is {len(content)} bytes long", at_s)


def kept_in(tree: Path) -> dict[str, bytes]:
    folder = tree / ".drivesync" / "spool" / "rejected"
    return {
        place.relative_to(folder).as_posix(): place.read_bytes()
        for place in folder.rglob("*")
        if place.is_file()
    }


def test_it_is_kept_with_its_reason(tmp_path: Path) -> None:
    assert refuse(tmp_path, LAST, b"torn") == KEPT
    assert (tmp_path / KEPT).read_bytes() == b"torn"
    assert (tmp_path / f"{KEPT}.txt").read_text() == (
        f"{LAST}, 4 bytes, refused 1970-01-01T00:00:00+00:00: it is 4 bytes long\n"
    )


def test_the_newest_of_a_name_replaces_the_older_ones(tmp_path: Path) -> None:
    for content in (b"first", b"second", b"3"):
        refuse(tmp_path, LAST, content)
    refuse(tmp_path, "other/run_last.weights", b"x")
    kept = kept_in(tmp_path)
    assert len(kept) == 4
    assert kept[f"{LAST}.rejected"] == b"3"
    assert b"it is 1 bytes long" in kept[f"{LAST}.rejected.txt"]


def test_all_of_them_have_a_bounded_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejected, "_MOST_BYTES", 20)
    for number in range(5):
        assert refuse(tmp_path, f"run_{number}.weights", bytes(8), at_s=number)
    newest = [f"run_{number}.weights.rejected{more}" for number in (3, 4) for more in ("", ".txt")]
    assert sorted(kept_in(tmp_path)) == newest
    assert refuse(tmp_path, LAST, bytes(21), at_s=9) == ""
    assert sorted(kept_in(tmp_path)) == newest


def test_they_go_when_their_room_is_needed(tmp_path: Path) -> None:
    assert not clear_rejected(tmp_path)
    refuse(tmp_path, LAST, b"torn")
    assert clear_rejected(tmp_path)
    assert kept_in(tmp_path) == {}
    assert not clear_rejected(tmp_path)


def test_what_cannot_be_kept_stays_where_it_was(tmp_path: Path) -> None:
    path = f"{'x' * 250}.txt"
    assert refuse(tmp_path, path, b"torn") == ""
    assert (tmp_path / ".drivesync" / "spool" / "making" / "copy").read_bytes() == b"torn"
    assert kept_in(tmp_path) == {}
