"""Files come into the tree whole or not at all, and never outside it."""

from __future__ import annotations

import hashlib
import io
import os
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.disk import (
    BLOCK_BYTES,
    check_tree,
    hash_file,
    hash_stream,
    local_errors,
    lock_state,
    look,
    looks_executable,
    stage,
    write_atomically,
)
from drivesync.errors import DiskFullError, LocalWriteError, UnfinishedError
from drivesync.files import LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LATER_S = 1_700_000_000.123


def bring(tree: Path, path: str, content: bytes = b"new") -> LocalFile:
    with stage(tree, "key") as staged:
        staged.write(content)
        return staged.commit(path, LATER_S)


def left_over(tree: Path) -> list[str]:
    return [part.name for part in (tree / ".drivesync" / "partial").iterdir()]


@contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """No process may make a larger file: the system's own way to refuse a write in the middle."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestLook:
    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "it's 日本.txt").write_bytes(b"12345")
        os.utime(tmp_path / "data" / "it's 日本.txt", ns=(0, 1_700_000_000_123_456_789))
        expected = LocalFile("data/it's 日本.txt", 5, 1_700_000_000_123_456_789)
        assert look(tmp_path, "data/it's 日本.txt") == expected

    def test_a_link_is_what_it_leads_to(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"123")
        (tmp_path / "link").symlink_to("target")
        found = look(tmp_path, "link")
        assert found is not None
        assert found.size == 3

    @pytest.mark.parametrize(
        "path",
        [
            "absent",
            "absent/below",
            "file/below",
            "folder",
            "dangling",
            "loop",
            "loop/below",
            "x" * 300,
            "pipe",
        ],
    )
    def test_what_is_no_file(self, tmp_path: Path, path: str) -> None:
        (tmp_path / "file").write_bytes(b"")
        (tmp_path / "folder").mkdir()
        (tmp_path / "dangling").symlink_to("nowhere")
        (tmp_path / "loop").symlink_to("loop")
        os.mkfifo(tmp_path / "pipe")
        assert look(tmp_path, path) is None


class TestHash:
    @given(st.integers(0, 3), st.integers(-1, 1))
    def test_all_that_is_read_is_hashed_and_copied(self, blocks: int, more: int) -> None:
        content = os.urandom(max(0, blocks * BLOCK_BYTES + more))
        copy = io.BytesIO()
        sums = hash_stream(io.BytesIO(content), copy)
        assert copy.getvalue() == content
        assert (sums.size, sums.md5, sums.sha256) == (
            len(content),
            hashlib.md5(content, usedforsecurity=False).hexdigest(),
            hashlib.sha256(content).hexdigest(),
        )

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"content")
        file = look(tmp_path, "a")
        assert file is not None
        assert hash_file(tmp_path, file).md5 == "9a0364b9e99bb480dd25e1f0284c8555"

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        with pytest.raises(LocalWriteError, match=r"cannot read .*gone: No such file"):
            hash_file(tmp_path, LocalFile("gone", 1, 1))


class TestStage:
    def test_a_new_file(self, tmp_path: Path) -> None:
        tree = tmp_path / "not" / "yet" / "there"
        written = bring(tree, "data/obj/1.txt")
        assert (tree / "data" / "obj" / "1.txt").read_bytes() == b"new"
        assert written == LocalFile("data/obj/1.txt", 3, 1_700_000_000_123_000_000)
        assert left_over(tree) == []

    def test_an_old_file_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old content")
        bring(tmp_path, "a")
        assert (tmp_path / "a").read_bytes() == b"new"

    def test_without_commit_nothing_happened(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old")
        with stage(tmp_path, "key") as staged:
            staged.write(b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
        assert left_over(tmp_path) == []

    def test_what_a_killed_process_left_is_overwritten(self, tmp_path: Path) -> None:
        part = tmp_path / ".drivesync" / "partial" / "key.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(b"much longer than what comes now")
        bring(tmp_path, "a")
        assert (tmp_path / "a").read_bytes() == b"new"

    @pytest.mark.parametrize(
        ("content", "executable"),
        [(b"\x7fELF\2", True), (b"#!/bin/sh", True), (b"", False), (b"\x89PNG", False)],
    )
    def test_run_bit(self, tmp_path: Path, content: bytes, executable: bool) -> None:  # noqa: FBT001
        with stage(tmp_path, "key") as staged:
            staged.write(content)
            staged.commit("darknet", LATER_S, executable=looks_executable(content))
        assert os.access(tmp_path / "darknet", os.X_OK) == executable

    def test_a_file_where_a_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_bytes(b"mine")
        with pytest.raises(LocalWriteError, match="a file is where the folder") as caught:
            bring(tmp_path, "data/obj/1.txt")
        assert "Move that file away" in caught.value.hint
        assert (tmp_path / "data").read_bytes() == b"mine"
        assert left_over(tmp_path) == []

    def test_a_folder_where_a_file_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "data" / "mine").mkdir(parents=True)
        with pytest.raises(LocalWriteError, match="a folder is in its place"):
            bring(tmp_path, "data")
        assert (tmp_path / "data" / "mine").is_dir()
        assert left_over(tmp_path) == []

    @pytest.mark.parametrize("path", ["out/a", "out/deep/er/a", "in/up/a"])
    def test_a_link_that_leads_out_is_not_followed(self, tmp_path: Path, path: str) -> None:
        tree, outside = tmp_path / "tree", tmp_path / "outside"
        (tree / "in").mkdir(parents=True)
        outside.mkdir()
        (tree / "out").symlink_to(outside)
        (tree / "in" / "up").symlink_to("../..")
        with pytest.raises(LocalWriteError, match="leads out of"):
            bring(tree, path)
        assert list(outside.iterdir()) == []
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["outside", "tree"]

    def test_a_dangling_link_that_leads_out_makes_nothing(self, tmp_path: Path) -> None:
        tree = tmp_path / "tree"
        tree.mkdir()
        (tree / "out").symlink_to(tmp_path / "outside")
        with pytest.raises(LocalWriteError):
            bring(tree, "out/deep/a")
        assert not (tmp_path / "outside").exists()

    def test_a_link_inside_the_tree_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        bring(tmp_path, "link/a")
        assert (tmp_path / "real" / "a").read_bytes() == b"new"

    def test_a_link_in_the_place_is_replaced_and_what_it_led_to_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "tree").mkdir()
        (tmp_path / "mine").write_bytes(b"mine")
        (tmp_path / "tree" / "a").symlink_to(tmp_path / "mine")
        bring(tmp_path / "tree", "a")
        assert (tmp_path / "mine").read_bytes() == b"mine"
        assert (tmp_path / "tree" / "a").read_bytes() == b"new"

    def test_a_tree_that_is_itself_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "tree").symlink_to("real")
        bring(tmp_path / "tree", "data/a")
        assert (tmp_path / "real" / "data" / "a").read_bytes() == b"new"

    def test_the_disk_is_full(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old")
        (tmp_path / ".drivesync" / "partial").mkdir(parents=True)
        (tmp_path / ".drivesync" / "partial" / "key.part").symlink_to("/dev/full")
        with pytest.raises(DiskFullError, match="No space left on device") as caught:
            bring(tmp_path, "a", b"new" * BLOCK_BYTES)
        assert "Free some space" in caught.value.hint
        assert (tmp_path / "a").read_bytes() == b"old"
        assert left_over(tmp_path) == []

    def test_a_file_is_larger_than_the_system_allows(self, tmp_path: Path) -> None:
        with file_size_limit(1000), pytest.raises(LocalWriteError, match="File too large"):
            bring(tmp_path, "a", bytes(2000))
        assert not (tmp_path / "a").exists()
        assert left_over(tmp_path) == []

    def test_a_file_is_where_the_state_should_be(self, tmp_path: Path) -> None:
        (tmp_path / ".drivesync").write_bytes(b"")
        with pytest.raises(LocalWriteError, match=r"\.drivesync"):
            bring(tmp_path, "a")


class TestWriteAtomically:
    def test_old_or_new(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        write_atomically(path, b"old")
        with file_size_limit(1000), pytest.raises(LocalWriteError, match="File too large"):
            write_atomically(path, bytes(2000))
        assert path.read_bytes() == b"old"
        write_atomically(path, b"new")
        assert path.read_bytes() == b"new"
        assert list(tmp_path.iterdir()) == [path]


class TestLockState:
    def test_one_at_a_time(self, tmp_path: Path) -> None:
        second = lock_state(tmp_path, "push")
        with (
            lock_state(tmp_path, "push"),
            lock_state(tmp_path, "pull"),
            pytest.raises(UnfinishedError, match="another push"),
        ):
            second.__enter__()
        with lock_state(tmp_path, "push"):
            pass

    def test_a_lock_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / ".drivesync" / "pull.lock").mkdir(parents=True)
        with pytest.raises(LocalWriteError, match=r"pull\.lock"):
            lock_state(tmp_path, "pull").__enter__()


def test_check_tree(tmp_path: Path) -> None:
    check_tree(tmp_path)
    check_tree(tmp_path / "absent")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalWriteError, match="is a file, not a folder"):
        check_tree(tmp_path / "file")


def test_an_error_names_the_file_and_the_reason(tmp_path: Path) -> None:
    said = "cannot write some place: Interrupted system call"
    with pytest.raises(LocalWriteError, match=said), local_errors(tmp_path / "unnamed"):
        raise InterruptedError(4, "Interrupted system call", "some place")
