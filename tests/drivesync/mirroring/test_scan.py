"""What is in a tree on disk is told, and what of it is not sent."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.errors import LocalWriteError
from drivesync.files import LocalFile, Skipped
from drivesync.mirroring.scan import scan

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


def look(tree: Path) -> tuple[dict[str, LocalFile], dict[str, str], list[str]]:
    """Files by path, reasons by path, and the paths of what could not be looked at."""
    failed: list[str] = []
    found: dict[str, LocalFile] = {}
    skipped: dict[str, str] = {}
    for seen in scan(tree, lambda path, _error: failed.append(path)):
        if isinstance(seen, Skipped):
            skipped[seen.path] = seen.reason
        else:
            assert seen.path not in found
            found[seen.path] = seen
    return found, skipped, failed


def test_every_file_with_its_size_and_time(top: Path) -> None:
    (top / "data" / "日本語").mkdir(parents=True)
    (top / "empty.txt").touch()
    (top / "data" / "日本語" / "🦊.png").write_bytes(b"12345")
    (top / "nothing in it").mkdir()
    found, skipped, failed = look(top)
    assert found.keys() == {"empty.txt", "data/日本語/🦊.png"}
    file = found["data/日本語/🦊.png"]
    assert (file.size, file.mtime_ns) == (5, (top / file.path).stat().st_mtime_ns)
    assert found["empty.txt"].size == 0
    assert (skipped, failed) == ({}, [])


def test_what_belongs_to_others_is_left_out(top: Path) -> None:
    for folder in (".drivesync", ".git", ".trainer", "sub/.drivesync", "sub/.git"):
        (top / folder).mkdir(parents=True)
        (top / folder / "inside").touch()
    (top / "half.tmp").touch()
    (top / ".drivesync-0123-45.part").touch()
    (top / "sub" / "good").touch()
    found, skipped, _failed = look(top)
    assert found.keys() == {"sub/good"}
    assert skipped.keys() == {
        ".git",
        ".trainer",
        "sub/.drivesync",
        "sub/.git",
        "half.tmp",
        ".drivesync-0123-45.part",
    }


def test_what_is_no_file_is_left_out(top: Path) -> None:
    os.mkfifo(top / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(top / "socket"))
        found, skipped, failed = look(top)
    assert (found, failed) == ({}, [])
    assert skipped == {"pipe": "it is a pipe, not a file", "socket": "it is a socket, not a file"}


def test_a_name_that_is_no_text_is_left_out(top: Path) -> None:
    (top / os.fsdecode(b"a\xff")).touch()
    found, skipped, _failed = look(top)
    assert found == {}
    assert skipped == {"a\\xff": "its name is not valid Unicode"}


class TestLinks:
    def test_those_that_stay_in_the_tree_are_followed(self, top: Path) -> None:
        (top / "real").mkdir()
        (top / "real" / "file").write_bytes(b"123")
        (top / "folder").symlink_to("real")
        (top / "a").symlink_to("real/file")
        (top / "absolute").symlink_to(top / "real" / "file")
        found, skipped, _failed = look(top)
        assert {path: seen.size for path, seen in found.items()} == dict.fromkeys(
            ("real/file", "folder/file", "a", "absolute"), 3
        )
        assert skipped == {}

    @pytest.mark.parametrize(
        ("target", "reason"),
        [
            ("nowhere", "it is a link that leads to nothing"),
            ("file/x", "it is a link that leads to nothing"),
            ("link", "it is a link that leads in a circle"),
            ("..", "it is a link to a place that is not in the tree"),
            ("/etc/hostname", "it is a link to a place that is not in the tree"),
            ("../tree2/file", "it is a link to a place that is not in the tree"),
            (".drivesync/state", "it is a link to a place that is not in the tree"),
            (".", "it is a link to a folder that it is in"),
        ],
    )
    def test_others_are_left_out(self, top: Path, target: str, reason: str) -> None:
        (top / "file").touch()
        (top / ".drivesync").mkdir()
        (top / ".drivesync" / "state").touch()
        (top.parent / "tree2").mkdir()
        (top.parent / "tree2" / "file").touch()
        (top / "link").symlink_to(target)
        found, skipped, _failed = look(top)
        assert found.keys() == {"file"}
        assert skipped == {"link": reason}

    def test_one_that_leads_back_ends_there(self, top: Path) -> None:
        (top / "a" / "b").mkdir(parents=True)
        (top / "a" / "file").touch()
        (top / "a" / "b" / "up").symlink_to("..")
        found, skipped, _failed = look(top)
        assert found.keys() == {"a/file"}
        assert skipped == {"a/b/up": "it is a link to a folder that it is in"}

    def test_a_tree_that_is_named_by_a_link_is_as_any_other(self, top: Path, tmp_path: Path) -> None:
        (top / "file").touch()
        (top / "same").symlink_to("file")
        (tmp_path / "named").symlink_to(top)
        found, _skipped, _failed = look(tmp_path / "named")
        assert found.keys() == {"file", "same"}


def test_a_folder_that_cannot_be_read_is_told_and_the_others_are_looked_through(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (top / "closed").mkdir()
    (top / "file").touch()
    scandir = os.scandir

    # Tests may run as root, who reads everything.
    def refuse(place: str) -> Any:
        if "closed" in place:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), place)
        return scandir(place)

    monkeypatch.setattr("drivesync.mirroring.scan.os.scandir", refuse)
    found, _skipped, failed = look(top)
    assert found.keys() == {"file"}
    assert failed == ["closed"]


def test_a_tree_that_is_not_there_is_an_error(top: Path) -> None:
    with pytest.raises(LocalWriteError, match=r"cannot read .*nowhere"):
        list(scan(top / "nowhere", lambda _path, _error: None))
