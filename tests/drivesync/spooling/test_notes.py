"""A note is a secret, is whole or not there, and never costs more than itself."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from drivesync.spooling.notes import FileNote, MemoryNote

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_what_was_left_is_found(tmp_path: Path, kind: str) -> None:
    note = FileNote(tmp_path / "session") if kind == "file" else MemoryNote()
    assert note.read() == ""
    note.write("https://example.org/upload?id=1")
    note.write("https://example.org/upload?id=日本")
    assert note.read() == "https://example.org/upload?id=日本"
    note.write("")
    assert note.read() == ""
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FileNote(tmp_path / "session").write("secret")
    finally:
        os.umask(before)
    assert (tmp_path / "session").stat().st_mode & 0o777 == 0o600


def test_another_process_finds_it(tmp_path: Path) -> None:
    FileNote(tmp_path / "session").write("here")
    assert FileNote(tmp_path / "session").read() == "here"


def test_what_is_no_text_was_never_left(tmp_path: Path) -> None:
    (tmp_path / "session").write_bytes(b"\xff\xfe")
    assert FileNote(tmp_path / "session").read() == ""


def test_without_room_there_is_none_rather_than_the_one_before(small_disk: Path) -> None:
    note = FileNote(small_disk / "session")
    note.write("old")
    fill(small_disk)
    note.write("new" * 5000)
    assert note.read() == ""
    assert [place.name for place in small_disk.iterdir()] == ["filling"]


def test_where_its_entry_has_gone(tmp_path: Path) -> None:
    note = FileNote(tmp_path / "gone" / "session")
    note.write("word")
    note.write("")
    assert note.read() == ""


def fill(disk: Path) -> None:
    with (disk / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
