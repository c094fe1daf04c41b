"""Which of the remote's files are here."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from drivesync.files import LocalFile, RemoteFile
from drivesync.index import Index
from drivesync.packing import local
from drivesync.packing.local import Copies
from drivesync.packing.pace import FullSpeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"0 0.5 0.5 1 1"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
FILE = RemoteFile("a.txt", "id", len(CONTENT), MD5, 0.0, revision_id="7")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path) as entered:
        yield entered


@pytest.fixture
def copies(tmp_path: Path, index: Index) -> Copies:
    return Copies(tmp_path, index, FullSpeed())


def test_one_that_nobody_knows_is_read_once(
    tmp_path: Path, index: Index, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a.txt"
    place.write_bytes(CONTENT)
    copies.add([FILE])
    assert copies.has(FILE)
    known = index.find("a.txt")
    assert known == LocalFile("a.txt", FILE.size, place.stat().st_mtime_ns, MD5, "7")
    monkeypatch.delattr(local, "hash_file")
    assert copies.has(FILE)
    again = Copies(tmp_path, index, FullSpeed())
    again.add([FILE])
    assert again.has(FILE)


@pytest.mark.parametrize(
    "content", [CONTENT.swapcase()[::-1], CONTENT[1:], None], ids=["other", "shorter", "none"]
)
def test_another_is_none(tmp_path: Path, index: Index, copies: Copies, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    copies.add([FILE])
    assert not copies.has(FILE)
    assert not copies.has(FILE)
    assert index.find("a.txt") is None


def test_one_that_cannot_be_read_is_none(tmp_path: Path, copies: Copies) -> None:
    (tmp_path / "a.txt").write_bytes(CONTENT)
    copies.add([FILE])
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").mkdir()
    assert not copies.has(FILE)
    assert not copies.is_unchanged(FILE)


def test_whether_it_was_touched_is_told_without_reading_it(tmp_path: Path, copies: Copies) -> None:
    (tmp_path / "a.txt").write_bytes(CONTENT)
    copies.add([FILE])
    assert copies.is_unchanged(FILE)
    (tmp_path / "a.txt").write_bytes(CONTENT + b"x")
    assert not copies.is_unchanged(FILE)
