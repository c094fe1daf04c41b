"""A file system is flushed in one go, unless it cannot be, or others keep it busy."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

import pytest

from drivesync.pulling import flushing
from drivesync.pulling.flushing import FileSystemFlush, ask_errors

if TYPE_CHECKING:
    from pathlib import Path


class Disk:
    """Takes so many seconds for a flush."""

    def __init__(self, *, takes_s: float = 0.0, can: bool = True) -> None:
        self.takes_s = takes_s
        self.can = can
        self.now_s = 0.0
        self.flushed: list[int] = []

    def flush(self, descriptor: int) -> bool:
        self.flushed.append(descriptor)
        self.now_s += self.takes_s
        return self.can


def flush_of(disk: Disk) -> FileSystemFlush:
    return FileSystemFlush(disk.flush, lambda: disk.now_s)


def test_each_time() -> None:
    disk = Disk(takes_s=0.5)
    flush = flush_of(disk)
    assert flush.run(3)
    assert flush.run(4)
    assert disk.flushed == [3, 4]


def test_a_system_that_cannot_is_asked_once() -> None:
    disk = Disk(can=False)
    flush = flush_of(disk)
    assert not flush.run(3)
    assert not flush.run(3)
    assert disk.flushed == [3]


def test_what_others_write_is_waited_for_once() -> None:
    disk = Disk(takes_s=5)
    flush = flush_of(disk)
    assert flush.run(3)
    assert not flush.run(3)
    assert disk.flushed == [3]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has syncfs")
def test_the_real_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"new")
    descriptor = os.open(tmp_path / "a", os.O_RDONLY)
    try:
        assert FileSystemFlush().run(descriptor)
    finally:
        os.close(descriptor)
    # Of a descriptor that is closed there is nothing to flush.
    assert not FileSystemFlush().run(descriptor)


class TestErrors:
    """What a flush of the file system leaves to be asked of each file."""

    def test_of_a_file_that_is_sound_there_are_none(self, tmp_path: Path) -> None:
        with (tmp_path / "a").open("wb") as file:
            file.write(b"new")
            file.flush()
            ask_errors(file.fileno())

    def test_of_one_that_is_closed(self, tmp_path: Path) -> None:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        os.close(descriptor)
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
            ask_errors(descriptor)

    @pytest.mark.parametrize("failed", [errno.ENOSYS, errno.EINVAL])
    def test_a_system_that_cannot_say_flushes_it(self, monkeypatch: pytest.MonkeyPatch, failed: int) -> None:
        flushed: list[int] = []
        monkeypatch.setattr(flushing, "_find_wait", lambda: lambda _descriptor: failed)
        monkeypatch.setattr(os, "fsync", flushed.append)
        ask_errors(7)
        assert flushed == [7]

    def test_what_the_disk_could_not_take(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(flushing, "_find_wait", lambda: lambda _descriptor: errno.EIO)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            ask_errors(7)


MOUNTS = """\
21 1 {here} / / rw,relatime shared:1 - {kind} /dev/vda rw
22 21 0:20 / /proc rw,nosuid - proc proc rw
torn line
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has mountinfo")
@pytest.mark.parametrize(
    ("kind", "survives"),
    [
        pytest.param("ext4", True, id="ext4"),
        pytest.param("xfs", True, id="XFS"),
        pytest.param("overlay", False, id="a layer, which does not tell the errors below it"),
        pytest.param("fuseblk", False, id="a program on a disk"),
        pytest.param("tmpfs", False, id="memory"),
    ],
)
def test_which_file_systems_need_no_flush_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, *, survives: bool
) -> None:
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(here=f"{os.major(device)}:{os.minor(device)}", kind=kind))
    monkeypatch.setattr(flushing, "_MOUNTS", str(mounts))
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        assert FileSystemFlush().survives(descriptor) is survives
        mounts.unlink()
        assert not FileSystemFlush().survives(descriptor)
    finally:
        os.close(descriptor)
