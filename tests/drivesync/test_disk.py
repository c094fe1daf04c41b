"""The disk is looked at, hashed and written to; its errors are ours."""

from __future__ import annotations

import hashlib
import io
import os
import resource
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.disk import (
    BLOCK_BYTES,
    check_tree,
    free_bytes,
    hash_file,
    hash_stream,
    is_case_blind,
    is_same,
    local_errors,
    lock_state,
    look,
    looks_executable,
    make_state_folder,
    write_atomically,
)
from drivesync.errors import DiskFullError, LocalWriteError, UnfinishedError
from drivesync.files import LocalFile

if TYPE_CHECKING:
    from collections.abc import Iterator


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

    def test_who_may_read_it(self, tmp_path: Path) -> None:
        before = os.umask(0o022)
        try:
            write_atomically(tmp_path / "open", b"")
            write_atomically(tmp_path / "secret", b"", mode=0o600)
        finally:
            os.umask(before)
        assert (tmp_path / "open").stat().st_mode & 0o777 == 0o644
        assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


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
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(LocalWriteError, match="is a link that leads to nothing"):
        check_tree(tmp_path / "link")


@pytest.mark.parametrize("link", [".drivesync", ".drivesync/partial"])
def test_no_state_is_kept_outside_the_tree(tmp_path: Path, link: str) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    outside.mkdir()
    (tree / link).parent.mkdir(parents=True)
    (tree / link).symlink_to(outside)
    with pytest.raises(LocalWriteError, match="leads out of") as caught:
        make_state_folder(tree, "partial")
    assert "Remove that symbolic link" in caught.value.hint
    assert not list(outside.glob("*/*"))


def test_a_tree_that_is_a_link_keeps_its_state(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    make_state_folder(tmp_path / "link")
    assert (tmp_path / "real" / ".drivesync").is_dir()


@pytest.mark.parametrize(
    ("head", "program"),
    [
        (b"\x7fELF\2\1", True),
        (b"#!/bin/sh", True),
        (b"#!", True),
        (b"#", False),
        (b"", False),
        (b"\x89PNG", False),
    ],
)
def test_looks_executable(head: bytes, program: bool) -> None:  # noqa: FBT001
    assert looks_executable(head) == program


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(None, None, True, id="neither is there"),
        pytest.param(LocalFile("a", 1, 5), None, False, id="one is there"),
        pytest.param(LocalFile("a", 1, 5, "md5"), LocalFile("a", 1, 5), True, id="hashed or not"),
        pytest.param(LocalFile("a", 1, 5), LocalFile("a", 2, 5), False, id="another size"),
        pytest.param(LocalFile("a", 1, 5), LocalFile("a", 1, 6), False, id="another time"),
    ],
)
def test_is_same(one: LocalFile | None, other: LocalFile | None, same: bool) -> None:  # noqa: FBT001
    assert is_same(one, other) == is_same(other, one) == same


class TestIsCaseBlind:
    def test_a_disk_that_tells_names(self, tmp_path: Path) -> None:
        assert not is_case_blind(tmp_path)
        assert list((tmp_path / ".drivesync").iterdir()) == []

    def test_a_disk_that_does_not(self, case_blind_disk: Path) -> None:
        assert is_case_blind(case_blind_disk)
        assert list((case_blind_disk / ".drivesync").iterdir()) == []

    def test_a_disk_that_cannot_be_written_to(self, tmp_path: Path) -> None:
        (tmp_path / ".drivesync").write_bytes(b"")
        with pytest.raises(LocalWriteError, match=r"\.drivesync"):
            is_case_blind(tmp_path)


class TestFreeBytes:
    def test_of_a_tree_that_is_not_there_yet(self, small_disk: Path) -> None:
        assert free_bytes(small_disk / "not" / "yet") == free_bytes(small_disk) == 8 << 20

    def test_what_is_taken_is_not_free(self, small_disk: Path) -> None:
        (small_disk / "a").write_bytes(bytes(3 << 20))
        assert free_bytes(small_disk) == 5 << 20

    def test_of_a_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert free_bytes(Path("darknet")) > 0


def test_a_full_disk_is_its_own_error(small_disk: Path) -> None:
    with pytest.raises(DiskFullError, match="No space left on device") as caught:
        write_atomically(small_disk / "a", bytes(16 << 20))
    assert "Free some space" in caught.value.hint
    assert list(small_disk.iterdir()) == []


def test_an_error_names_the_file_and_the_reason(tmp_path: Path) -> None:
    said = "cannot write some place: Interrupted system call"
    with pytest.raises(LocalWriteError, match=said), local_errors(tmp_path / "unnamed"):
        raise InterruptedError(4, "Interrupted system call", "some place")
