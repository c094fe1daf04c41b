"""A file system is flushed in one go, unless it cannot be, or others keep it busy."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from drivesync.pulling.flushing import FileSystemFlush

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
