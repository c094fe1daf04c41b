"""The bytes of a file on a remote, by several connections and in order."""

from __future__ import annotations

import os
import tarfile
import threading
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from drivesync.database import Database
from drivesync.errors import DiskFullError, MovedError, TransientError
from drivesync.files import RemoteFile
from drivesync.progress import Silence
from drivesync.pulling.parts import Parts
from drivesync.unarchive import ranges
from drivesync.unarchive.extract import Extraction
from drivesync.unarchive.placing import Unpacked
from drivesync.unarchive.ranges import open_source
from drivesync.unarchive.record import open_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.remotes.base import Sink
    from tests.drivesync.conftest import Scripted

CONTENT = os.urandom(1000)


@pytest.fixture
def file(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> RemoteFile:
    """A file of a hundred ranges."""
    monkeypatch.setattr(ranges, "_RANGE_BYTES", 10)
    return scripted.put("a.tar", CONTENT)


@pytest.mark.parametrize("reads_ranges", [True, False])
def test_all_and_any(scripted: Scripted, file: RemoteFile, tmp_path: Path, *, reads_ranges: bool) -> None:
    scripted.reads_ranges = reads_ranges
    with open_source(scripted, file, tmp_path) as source:
        assert source.read_at(500, 7) == CONTENT[500:507]
        assert source.read_at(1000, 0) == b""
        assert b"".join(source.blocks()) == CONTENT
    assert scripted.most_at_once <= 4
    assert list((tmp_path / ".drivesync").iterdir() if not reads_ranges else []) == []


def test_side_by_side_but_not_too_far_ahead(scripted: Scripted, file: RemoteFile, tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def wait(_file: RemoteFile, first: int, _last: int) -> None:
        if first < 40:
            together.wait(10)

    scripted.on_read = wait
    with open_source(scripted, file, tmp_path) as source:
        blocks = source.blocks()
        assert next(blocks) == CONTENT[:10]
    assert len(scripted.reads) <= 6


@pytest.mark.parametrize("reads_ranges", [True, False])
@pytest.mark.parametrize("came", [b"", CONTENT + b"more"])
def test_not_what_was_asked_for(
    scripted: Scripted, file: RemoteFile, tmp_path: Path, came: bytes, *, reads_ranges: bool
) -> None:
    scripted.reads_ranges = reads_ranges
    scripted.on_read = lambda *_: came
    with pytest.raises(MovedError, match=r"a\.tar"), open_source(scripted, file, tmp_path) as source:
        list(source.blocks())


def test_what_goes_wrong_is_told_where_it_is_waited_for(
    scripted: Scripted, file: RemoteFile, tmp_path: Path
) -> None:
    def fail(_file: RemoteFile, first: int, _last: int) -> None:
        if first == 30:
            raise TransientError("gone")

    scripted.on_read = fail
    with open_source(scripted, file, tmp_path) as source:
        blocks = source.blocks()
        assert [next(blocks) for _ in range(3)] == [CONTENT[:10], CONTENT[10:20], CONTENT[20:30]]
        with pytest.raises(TransientError, match="gone"):
            next(blocks)
    assert not scripted.cancelled.is_set()


def test_a_stop_cuts_off_what_is_under_way(
    scripted: Scripted, file: RemoteFile, tmp_path: Path, interrupt_soon: Callable[[], None]
) -> None:
    begun = threading.Event()

    def wait(*_arguments: object) -> None:
        begun.set()
        assert scripted.cancelled.wait(10)

    def stop(blocks: Iterator[bytes]) -> None:
        interrupt_soon()
        next(blocks)

    scripted.on_read = wait
    with pytest.raises(KeyboardInterrupt), open_source(scripted, file, tmp_path) as source:
        stop(source.blocks())
    assert begun.is_set()
    assert scripted.cancelled.is_set()


def test_no_room_for_a_copy(
    scripted: Scripted, file: RemoteFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.reads_ranges = False
    monkeypatch.setattr(ranges, "free_bytes", lambda _tree: ranges.SPARE_BYTES + 999)
    with pytest.raises(DiskFullError, match=r"brings 1\.0 kB"), open_source(scripted, file, tmp_path):
        pass


def test_memory_stays_bounded(scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tar of 500 MB, of which nothing is kept but a last small file."""
    size = 500 << 20
    large = tarfile.TarInfo("__MACOSX/large")
    large.size = size
    head = large.tobuf()
    file = RemoteFile("a.tar", "id", len(head) + size + 1024 + 512, "", 1.5)
    small = tarfile.TarInfo("small").tobuf()
    zeros = bytes(1 << 20)

    def read(_file: RemoteFile, sink: Sink, first: int, last: int) -> None:
        for at in range(first, last + 1, len(zeros)):
            block = bytearray(zeros[: last + 1 - at])
            for begin, part in ((0, head), (len(head) + size, small)):
                if at <= begin < at + len(block):
                    block[begin - at : begin - at + len(part)] = part
            sink.write(bytes(block[: last + 1 - at]))

    monkeypatch.setattr(scripted, "read", read)
    told = Unpacked(file.path, file.size)
    with Database(tmp_path) as database:
        record = open_record(database, file.path, "1")
        parts = Parts(tmp_path)
        extraction = Extraction(scripted, tmp_path, parts, Silence(), lambda _here: False, theirs=False)
        tracemalloc.start()
        try:
            extraction.run(file, record, told)
            _now, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (told.files, told.junk_files, told.is_done) == (1, 1, True)
    assert peak_bytes < 160 << 20
