"""A copy is of one piece and judged, or it is none."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DiskFullError, LocalWriteError
from drivesync.files import Verdict
from drivesync.spooling import snapshot
from drivesync.spooling.snapshot import Judged, Seen, judge_in_place, see, take_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 5000
"""More than one block, and no whole number of them."""


def accept(_place: Path) -> Verdict:
    return Verdict(accepted=True, iteration=7)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(CONTENT)
    return made


@pytest.fixture
def block_sharing_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk whose files can share blocks: XFS."""
    image, folder = tmp_path / "disk.img", tmp_path / "block-sharing disk"
    folder.mkdir()
    image.touch()
    os.truncate(image, 320 << 20)
    made = subprocess.run(
        ["sh", "-c", 'mkfs.xfs -q "$0" && mount -o loop "$0" "$1"', image, folder],
        capture_output=True,
        check=False,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"such a disk cannot be made here: {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def never(place: Path) -> Verdict:
    raise AssertionError(f"{place} is judged")


def refuse_to_clone(*_arguments: object) -> int:
    raise OSError(errno.EOPNOTSUPP, "no")


def refuse_to_copy(*_arguments: object) -> int:
    raise OSError(errno.EXDEV, "no")


def copy_a_little(
    source: int, target: int, _count: int, real: Callable[..., int] = os.copy_file_range
) -> int:
    return real(source, target, 1000) if os.lseek(source, 0, os.SEEK_CUR) == 0 else 0


class TestTakeSnapshot:
    def test_what_is_judged_is_the_copy(self, place: Path, tmp_path: Path) -> None:
        target = tmp_path / "copy"
        judged: list[bytes] = []

        def judge(copy: Path) -> Verdict:
            assert copy == target
            judged.append(copy.read_bytes())
            return Verdict(accepted=False, reason="no")

        status = place.stat()
        seen = Seen(len(CONTENT), status.st_mtime_ns, status.st_ino)
        assert take_snapshot(place, target, judge) == Judged(seen, Verdict(accepted=False, reason="no"))
        assert judged == [CONTENT]
        assert target.read_bytes() == CONTENT

    @pytest.mark.parametrize("content", [b"", b"x", CONTENT])
    @pytest.mark.parametrize(
        "in_kernel",
        [
            pytest.param(os.copy_file_range, id="as this system does it"),
            pytest.param(refuse_to_copy, id="through this process"),
            pytest.param(copy_a_little, id="by the kernel, which gives up, and through this process"),
        ],
    )
    def test_however_it_is_copied(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, in_kernel: Callable[..., int]
    ) -> None:
        monkeypatch.setattr(fcntl, "ioctl", refuse_to_clone)
        monkeypatch.setattr(os, "copy_file_range", in_kernel)
        (tmp_path / "file").write_bytes(content)
        assert take_snapshot(tmp_path / "file", tmp_path / "copy", accept)
        assert (tmp_path / "copy").read_bytes() == content

    def test_where_files_can_share_blocks_it_takes_no_room(self, block_sharing_disk: Path) -> None:
        place, target = block_sharing_disk / "file", block_sharing_disk / "copy"
        size = 64 << 20
        place.write_bytes(os.urandom(1 << 20) * 64)
        os.sync()
        before = os.statvfs(block_sharing_disk).f_bavail
        assert take_snapshot(place, target, accept)
        used = (before - os.statvfs(block_sharing_disk).f_bavail) * 4096
        assert used < size // 8
        content = place.read_bytes()
        place.write_bytes(b"darknet truncates in place")
        assert target.read_bytes() == content

    def test_from_one_file_system_to_another(self, place: Path, small_disk: Path) -> None:
        assert take_snapshot(place, small_disk / "copy", accept)
        assert (small_disk / "copy").read_bytes() == CONTENT

    @pytest.mark.parametrize("mode", [0o755, 0o640, 0o444, 0o000])
    def test_the_run_bit_goes_with_it_and_its_owner_may_read_it(
        self, place: Path, tmp_path: Path, mode: int
    ) -> None:
        place.chmod(mode)
        assert take_snapshot(place, tmp_path / "copy", accept)
        assert (tmp_path / "copy").stat().st_mode & 0o777 == mode | 0o600

    @pytest.mark.parametrize("change", ["grown", "shrunk", "touched", "rewritten", "replaced", "removed"])
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_file_that_moves_while_it_is_copied(
        self, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, when: str
    ) -> None:
        """Before its bytes are copied, or after."""
        copy_bytes = snapshot._copy

        def move_and_copy(source: int, target: int, size: int) -> int:
            if when == "after":
                copy_bytes(source, target, size)
            move(place, change)
            return size if when == "after" else copy_bytes(source, target, size)

        monkeypatch.setattr(snapshot, "_copy", move_and_copy)
        assert take_snapshot(place, tmp_path / "copy", never) is None

    def test_a_file_without_end_is_not_followed(self, place: Path, tmp_path: Path) -> None:
        with place.open("rb") as source, (tmp_path / "copy").open("wb") as target:
            assert snapshot._copy(source.fileno(), target.fileno(), 10) > 10
        assert (tmp_path / "copy").stat().st_size < len(CONTENT)

    def test_a_file_that_was_just_saved_and_is_saved_again_in_the_same_tick(
        self, place: Path, tmp_path: Path
    ) -> None:
        """The clock of files stands still for some milliseconds: what is written then must not look the same."""
        place.write_bytes(CONTENT)
        begun_ns = time.time_ns()
        judged = take_snapshot(place, tmp_path / "copy", accept)
        assert judged is not None
        assert time.time_ns() - begun_ns >= 9_000_000
        os.utime(place, ns=(0, 0))
        judged = take_snapshot(place, tmp_path / "other", accept)
        assert judged is not None
        assert judged.seen.mtime_ns == 0

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        assert take_snapshot(tmp_path / "absent", tmp_path / "copy", accept) is None
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("in_kernel", [os.copy_file_range, refuse_to_copy])
    def test_a_full_disk(
        self, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch, in_kernel: Callable[..., int]
    ) -> None:
        monkeypatch.setattr(os, "copy_file_range", in_kernel)
        (tmp_path / "file").write_bytes(bytes(9 << 20))
        with pytest.raises(DiskFullError, match="copy"):
            take_snapshot(tmp_path / "file", small_disk / "copy", accept)

    def test_a_disk_that_finds_out_late_that_it_is_full(
        self, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_descriptor: int) -> None:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(DiskFullError, match="copy: Disk quota exceeded"):
            take_snapshot(place, tmp_path / "copy", accept)

    def test_a_folder_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        with pytest.raises(LocalWriteError, match="folder"):
            take_snapshot(tmp_path / "folder", tmp_path / "copy", accept)


class TestJudgeInPlace:
    def test_the_file_itself_is_judged(self, place: Path) -> None:
        judged = judge_in_place(place, accept)
        assert judged == Judged(seen_at(place), Verdict(accepted=True, iteration=7))

    @pytest.mark.parametrize("change", ["grown", "shrunk", "touched", "rewritten", "replaced", "removed"])
    def test_a_file_that_moves_meanwhile(self, place: Path, change: str) -> None:
        def judge(judged: Path) -> Verdict:
            move(judged, change)
            return Verdict(accepted=True)

        assert judge_in_place(place, judge) is None

    def test_a_file_that_is_gone(self, tmp_path: Path) -> None:
        assert judge_in_place(tmp_path / "absent", accept) is None


class TestSee:
    def test_only_files(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert see(tmp_path / "pipe") is see(tmp_path) is see(tmp_path / "absent") is None


def seen_at(place: Path) -> Seen:
    found = see(place)
    assert found is not None
    return found


def move(place: Path, change: str) -> None:
    status = place.stat()
    if change == "grown":
        with place.open("ab") as file:
            file.write(b"more")
    elif change == "shrunk":
        os.truncate(place, 10)
    elif change == "touched":
        os.utime(place, ns=(1, 1))
    elif change == "rewritten":
        place.write_bytes(CONTENT)
    elif change == "replaced":
        other = place.with_name("other")
        other.write_bytes(CONTENT)
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(place)
    else:
        place.unlink()
