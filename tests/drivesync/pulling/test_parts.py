"""Files come into the tree whole or not at all, never outside it, and large ones are gone on with after a kill."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from drivesync.errors import DamagedError, DrivesyncError, LocalWriteError, MovedError
from drivesync.files import LocalFile, RemoteFile
from drivesync.pulling import flushing
from drivesync.pulling.parts import Parts
from tests.drivesync.pulling.attempts import LARGE, arrived, bring, file_size_limit, leave, left_over, there


class TestCommit:
    @pytest.mark.parametrize("journalled", [True, False])
    @pytest.mark.parametrize("number", [1, 3, 4, 20])
    def test_files_that_are_flushed_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, journalled: bool
    ) -> None:
        flushed: list[int] = []
        asked: list[int] = []
        flush = os.fsync

        def note(descriptor: int) -> None:
            flushed.append(descriptor)
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", note)
        monkeypatch.setattr(flushing, "_is_journalled", lambda _descriptor: journalled)
        monkeypatch.setattr("drivesync.pulling.parts.ask_errors", asked.append)
        parts, files = Parts(tmp_path), [there(str(one)) for one in range(number)]
        with ExitStack() as stack:
            opened = [stack.enter_context(parts.open(file, resumable=False)) for file in files]
            for part in opened:
                part.write_at(0, b"new")
            parts.sync(opened)
            assert not any((tmp_path / file.path).exists() for file in files)
            for file, part in zip(files, opened, strict=True):
                parts.commit(file, part)
            seen_to = asked if journalled and number > 3 else flushed
            assert sorted(seen_to) == sorted(part.descriptor for part in opened)
            assert not (asked and flushed)
        assert all((tmp_path / file.path).read_bytes() == b"new" for file in files)

    @pytest.mark.parametrize("flush", ["os.fsync", "drivesync.pulling.parts.ask_errors"])
    def test_who_cannot_be_flushed_gets_no_name_and_the_others_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: str
    ) -> None:
        journalled = flush != "os.fsync"
        monkeypatch.setattr(flushing, "_is_journalled", lambda _descriptor: journalled)
        parts, files = Parts(tmp_path), [there(str(one)) for one in range(5)]
        with ExitStack() as stack:
            opened = [stack.enter_context(parts.open(file, resumable=False)) for file in files]

            def fail_once(descriptor: int) -> None:
                # A disk tells each of its errors once.
                if descriptor == opened[1].descriptor:
                    monkeypatch.undo()
                    raise OSError(errno.EIO, os.strerror(errno.EIO))

            monkeypatch.setattr(flush, fail_once)
            parts.sync(opened)
            for file, part in zip(files, opened, strict=True):
                with pytest.raises(LocalWriteError) if part is opened[1] else nullcontext():
                    parts.commit(file, part)
        assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["0", "2", "3", "4"]
        assert left_over(tmp_path) == []

    def test_a_new_file(self, tmp_path: Path) -> None:
        tree = tmp_path / "not" / "yet" / "there"
        written = bring(tree, "data/obj/1.txt")
        assert (tree / "data" / "obj" / "1.txt").read_bytes() == b"new"
        assert written == LocalFile("data/obj/1.txt", 3, 1_700_000_000_123_000_000)
        assert left_over(tree) == []

    def test_an_old_file_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old content")
        bring(tmp_path)
        assert (tmp_path / "a").read_bytes() == b"new"

    def test_without_it_nothing_happened(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old")
        with Parts(tmp_path).open(there(), resumable=False) as part:
            part.write_at(0, b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
        assert left_over(tmp_path) == []

    @pytest.mark.parametrize(
        ("umask", "executable", "mode"),
        [
            pytest.param(0o022, False, 0o644, id="no program"),
            pytest.param(0o022, True, 0o755, id="a program"),
            pytest.param(0o077, True, 0o700, id="a program for nobody else"),
        ],
    )
    def test_run_bit(self, tmp_path: Path, umask: int, executable: bool, mode: int) -> None:  # noqa: FBT001
        before = os.umask(umask)
        try:
            bring(tmp_path, executable=executable)
        finally:
            os.umask(before)
        assert (tmp_path / "a").stat().st_mode & 0o777 == mode

    def test_a_file_where_a_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_bytes(b"mine")
        with pytest.raises(LocalWriteError, match=r"a file is where the folder .*data should be") as caught:
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

    def test_a_link_to_a_folder_where_a_file_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "data").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(LocalWriteError, match="a folder is in its place"):
            bring(tmp_path / "tree", "data")
        assert (tmp_path / "tree" / "data").is_symlink()

    def test_a_folder_that_was_refused_once_is_made_when_it_can_be(self, tmp_path: Path) -> None:
        parts = Parts(tmp_path)
        (tmp_path / "data").write_bytes(b"mine")
        file = there("data/a")
        with pytest.raises(LocalWriteError), parts.open(file, resumable=False) as part:
            parts.commit(file, part)
        (tmp_path / "data").unlink()
        for path in ("data/a", "data/b"):
            with parts.open(there(path), resumable=False) as part:
                part.settle(there(path).modified_s, executable=False)
                parts.commit(there(path), part)
        assert sorted(os.listdir(tmp_path / "data")) == ["a", "b"]  # noqa: PTH208 - names alone

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
        with pytest.raises(LocalWriteError, match=r"a file is where the folder .*tree/out should be"):
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
        bring(tmp_path / "tree")
        assert (tmp_path / "mine").read_bytes() == b"mine"
        assert (tmp_path / "tree" / "a").read_bytes() == b"new"

    def test_a_tree_that_is_itself_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "tree").symlink_to("real")
        bring(tmp_path / "tree", "data/a")
        assert (tmp_path / "real" / "data" / "a").read_bytes() == b"new"


class TestOpen:
    def test_what_a_killed_process_left_of_a_small_file_is_overwritten(self, tmp_path: Path) -> None:
        parts = Parts(tmp_path)
        Path(parts._paths(there())[0]).write_bytes(b"much longer than what comes now")
        bring(tmp_path)
        assert (tmp_path / "a").read_bytes() == b"new"

    def test_a_link_in_the_place_of_a_part_is_not_followed(self, tmp_path: Path) -> None:
        parts = Parts(tmp_path / "tree")
        (tmp_path / "mine").write_bytes(b"mine")
        Path(parts._paths(there())[0]).symlink_to(tmp_path / "mine")
        with pytest.raises(LocalWriteError):
            bring(tmp_path / "tree")
        assert (tmp_path / "mine").read_bytes() == b"mine"

    def test_a_file_is_larger_than_the_system_allows(self, tmp_path: Path) -> None:
        with file_size_limit(1000), pytest.raises(LocalWriteError, match="File too large"):
            bring(tmp_path, "a", bytes(2000))
        assert not (tmp_path / "a").exists()
        assert left_over(tmp_path) == []

    def test_a_tree_that_is_deleted_meanwhile(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        tree = Path("tree")
        parts = Parts(tree)
        with parts.open(there(), resumable=False) as part:
            shutil.rmtree(tree)
            with pytest.raises(LocalWriteError, match=r"tree/.*: No such file or directory"):
                parts.commit(there(), part)

    def test_a_file_is_where_the_state_should_be(self, tmp_path: Path) -> None:
        (tmp_path / ".drivesync").write_bytes(b"")
        with pytest.raises(LocalWriteError, match=r"\.drivesync"):
            Parts(tmp_path)


class TestResume:
    @pytest.mark.parametrize("error", [KeyboardInterrupt(), DrivesyncError(""), LocalWriteError("")])
    def test_what_arrived_is_found_again(self, tmp_path: Path, error: BaseException) -> None:
        leave(tmp_path, error, (0, 99), (500, 599))
        assert arrived(tmp_path) == [(0, 99), (500, 599)]
        leave(tmp_path, error, (100, 199))
        assert arrived(tmp_path) == [(0, 99), (500, 599), (100, 199)]
        parts = Parts(tmp_path)
        with parts.open(LARGE, resumable=True) as part:
            assert part.read_at(500, 1000) == bytes([500 % 256]) * 100 + bytes(400)
            part.settle(LARGE.modified_s, executable=False)
            parts.commit(LARGE, part)
        assert (tmp_path / LARGE.path).stat().st_size == 1000
        assert left_over(tmp_path) == []

    @pytest.mark.parametrize("error", [DamagedError(""), MovedError("")])
    def test_what_is_of_no_use_goes_at_once(self, tmp_path: Path, error: BaseException) -> None:
        leave(tmp_path, error, (0, 99))
        assert left_over(tmp_path) == []

    @pytest.mark.parametrize(
        "other",
        [
            replace(LARGE, path="b"),
            replace(LARGE, id="2"),
            replace(LARGE, size=1001),
            replace(LARGE, md5="2"),
            replace(LARGE, revision_id="r2"),
        ],
    )
    def test_another_content_begins_anew(self, tmp_path: Path, other: RemoteFile) -> None:
        leave(tmp_path, KeyboardInterrupt(), (0, 99))
        assert arrived(tmp_path, other) == []
        assert arrived(tmp_path) == [(0, 99)]


def test_what_stopped_pulls_left_is_cleared_but_for_what_is_wanted(tmp_path: Path) -> None:
    other = replace(LARGE, path="b")
    for file in (LARGE, other):
        leave(tmp_path, KeyboardInterrupt(), (0, 99), file=file)
    parts = Parts(tmp_path)
    Path(parts._paths(there("c"))[0]).write_bytes(b"half a file")
    parts.clear(but=[LARGE])
    assert left_over(tmp_path) == [".done", ".part"]
    assert arrived(tmp_path) == [(0, 99)]
    parts.clear()
    assert left_over(tmp_path) == []


def test_killed_before_any_line_the_next_goes_on(tmp_path: Path) -> None:
    program = Path(__file__).with_name("killed_lines.py")
    done = subprocess.run(
        [sys.executable, program, tmp_path], capture_output=True, timeout=60, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    series = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(series) > 60
    assert [step["status"] for step in series] == [-9] * (len(series) - 1) + [0]
    assert {step["between"] for step in series} == {None, "0123456789"}
    assert [
        step for step in series if (step["rerun"], step["after"], step["left"]) != (0, "0123456789", [])
    ] == []
