"""One file comes whole and verified, in one read or in ranges, or it is said why not."""

from __future__ import annotations

import os
import random
import re
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from drivesync.disk import look
from drivesync.errors import (
    DamagedError,
    DrivesyncError,
    LocalWriteError,
    MovedError,
    NotFoundError,
    TransientError,
    UnfinishedError,
)
from drivesync.files import LocalFile, RemoteFile
from drivesync.pulling import assembly
from drivesync.pulling.fetch import Fetch, Wanted
from drivesync.pulling.part import Part
from drivesync.pulling.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.drivesync.conftest import Notes, Scripted

RANDOM = random.Random(3)
SMALL = RANDOM.randbytes(700)
LARGE = RANDOM.randbytes(10_000)


@pytest.fixture(autouse=True)
def _small_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand bytes are large here."""
    monkeypatch.setattr("drivesync.pulling.fetch.NOTE_EVERY_BYTES", 1000)
    monkeypatch.setattr(assembly, "NOTE_EVERY_BYTES", 1000)
    monkeypatch.setattr(assembly, "_LEAST_RANGE_BYTES", 2000)
    monkeypatch.setattr(assembly, "BLOCK_BYTES", 512)


def run_in_threads(_file: RemoteFile, jobs: list[Callable[[], None]]) -> None:
    for job in jobs:
        threading.Thread(target=run_quietly, args=(job,)).start()


def run_quietly(job: Callable[[], None]) -> None:
    with suppress(DrivesyncError):
        job()


def run_one_by_one(_file: RemoteFile, jobs: list[Callable[[], None]]) -> None:
    for job in jobs:
        run_quietly(job)


def flip(content: bytes, chance: random.Random) -> bytes:
    """``content`` with another byte somewhere."""
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ chance.randrange(1, 256)]) + content[at + 1 :]


def size_of_reads(scripted: Scripted) -> int:
    return sum(last + 1 - first for _, first, last in scripted.reads)


def after(act: Callable[[], object]) -> Callable[..., None]:
    """What is there comes, but only after ``act``."""

    def on_read(*_: object) -> None:
        act()

    return on_read


class Bench:
    """A tree that files are brought to."""

    def __init__(self, remote: Scripted, tree: Path, notes: Notes) -> None:
        self.tree = tree
        self._fetch = Fetch(remote, tree, Parts(tree), notes, run_in_threads)

    def bring(self, file: RemoteFile, here: LocalFile | None = None) -> LocalFile:
        return self._fetch.commit(self._fetch.bring(Wanted(file, here)))

    @property
    def parts(self) -> list[str]:
        return sorted(part.suffix for part in (self.tree / ".drivesync" / "partial").iterdir())


@pytest.fixture
def bench(scripted: Scripted, tmp_path: Path, notes: Notes) -> Bench:
    return Bench(scripted, tmp_path / "tree", notes)


contents = pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(SMALL, id="small"),
        pytest.param(LARGE, id="large"),
    ],
)


@contents
@pytest.mark.parametrize("block_bytes", [3, 1 << 20])
def test_it_comes(bench: Bench, scripted: Scripted, notes: Notes, content: bytes, block_bytes: int) -> None:
    scripted.block_bytes = block_bytes
    file = scripted.put("data/a", content)
    came = bench.bring(file)
    assert (bench.tree / "data" / "a").read_bytes() == content
    assert came == LocalFile("data/a", len(content), 1_500_000_000, file.md5, file.revision_id)
    assert notes.size_bytes == len(content)
    assert bench.parts == []


@pytest.mark.parametrize(
    ("executable", "head", "program"),
    [
        pytest.param(None, b"\x7fELF", True, id="ELF"),
        pytest.param(None, b"#!/bin/sh", True, id="a script"),
        pytest.param(None, b"plain", False, id="neither"),
        pytest.param(True, b"plain", True, id="a push says that it was"),
        pytest.param(False, b"#!/bin/sh", False, id="a push says that it was not"),
    ],
)
@pytest.mark.parametrize("tail", [SMALL, LARGE], ids=["small", "large"])
def test_run_bit(
    bench: Bench,
    scripted: Scripted,
    executable: bool | None,  # noqa: FBT001
    head: bytes,
    program: bool,  # noqa: FBT001
    tail: bytes,
) -> None:
    scripted.block_bytes = 1
    bench.bring(scripted.put("a", head + tail, executable=executable))
    assert os.access(bench.tree / "a", os.X_OK) == program


class TestRanges:
    def test_they_cover_the_file_and_come_side_by_side(self, bench: Bench, scripted: Scripted) -> None:
        all_there = threading.Barrier(5)
        scripted.on_read = after(lambda: all_there.wait(20))
        bench.bring(scripted.put("a", LARGE))
        spans = [(first, last) for _, first, last in scripted.reads]
        assert sorted(spans) == [(0, 1999), (2000, 3999), (4000, 5999), (6000, 7999), (8000, 9999)]

    def test_whatever_their_order(self, bench: Bench, scripted: Scripted) -> None:
        turn = [threading.Event() for _ in range(6)]
        turn[5].set()

        def wait(_file: RemoteFile, first: int, _last: int) -> None:
            assert turn[first // 2000 + 1].wait(20)
            turn[first // 2000].set()

        scripted.on_read = wait
        bench.bring(scripted.put("a", LARGE))
        assert (bench.tree / "a").read_bytes() == LARGE

    def test_not_where_the_remote_has_to_read_all_of_it(self, bench: Bench, scripted: Scripted) -> None:
        scripted.reads_ranges = False
        bench.bring(scripted.put("a", LARGE))
        assert scripted.reads == [("a", 0, 9999)]

    def test_not_where_there_is_no_checksum_to_compare_the_whole_with(
        self, bench: Bench, scripted: Scripted
    ) -> None:
        file = scripted.put("a", LARGE)
        came = bench.bring(RemoteFile(file.path, file.id, file.size, "", 1.5, revision_id="r"))
        assert came.md5 == file.md5
        assert scripted.reads == [("a", 0, 9999)]

    def test_one_fails_and_only_what_is_missing_comes_the_next_time(
        self, bench: Bench, scripted: Scripted, notes: Notes
    ) -> None:
        scripted.block_bytes = 100
        file = scripted.put("a", LARGE)

        def fail(_file: RemoteFile, first: int, last: int) -> bytes | None:
            return LARGE[first : first + 1500] if first == 4000 else LARGE[first : last + 1]

        scripted.on_read = fail
        with pytest.raises(TransientError, match="fewer bytes came"):
            bench.bring(file)
        assert bench.parts == [".done", ".part"]
        assert notes.size_bytes == 0
        scripted.reads.clear()
        scripted.on_read = lambda *_: None
        bench.bring(file)
        assert scripted.reads == [("a", 5500, 5999)]
        assert (bench.tree / "a").read_bytes() == LARGE
        assert notes.size_bytes == len(LARGE)

    def test_after_an_error_no_further_range_begins(
        self, scripted: Scripted, tmp_path: Path, notes: Notes
    ) -> None:
        def fail(*_: object) -> None:
            raise TransientError("the line is dead")

        scripted.on_read = fail
        fetch = Fetch(scripted, tmp_path, Parts(tmp_path), notes, run_one_by_one)
        with pytest.raises(TransientError, match="the line is dead"):
            fetch.bring(Wanted(scripted.put("a", LARGE), None))
        assert len(scripted.reads) == 1

    def test_all_others_have_ended_when_one_has_failed(self, bench: Bench, scripted: Scripted) -> None:
        go_on = threading.Event()

        def fail(_file: RemoteFile, first: int, _last: int) -> None:
            if first == 0:
                threading.Timer(0.05, go_on.set).start()
                raise LocalWriteError("the disk is broken")
            assert go_on.wait(20)

        scripted.on_read = fail
        with pytest.raises(LocalWriteError, match="the disk is broken"):
            bench.bring(scripted.put("a", LARGE))
        assert scripted._at_once == 0


class TestDamage:
    @contents
    @pytest.mark.parametrize("times", [1, 2])
    def test_it_is_fetched_again(
        self, bench: Bench, scripted: Scripted, notes: Notes, content: bytes, times: int
    ) -> None:
        left = [times]

        def damage(_file: RemoteFile, first: int, last: int) -> bytes | None:
            left[0] -= first == 0
            return bytes(last + 1 - first) if first == 0 and left[0] >= 0 else None

        scripted.on_read = damage
        bench.bring(scripted.put("a", content))
        assert (bench.tree / "a").read_bytes() == content
        assert notes.size_bytes == len(content)
        assert bench.parts == []

    @pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
    def test_three_times_is_an_error_that_names_file_expected_and_got(
        self, bench: Bench, scripted: Scripted, notes: Notes, content: bytes
    ) -> None:
        (bench.tree / "a").write_bytes(b"old")
        scripted.on_read = lambda _file, first, last: bytes(last + 1 - first)
        file = scripted.put("a", content)
        said = (
            r"a came damaged: expected (\d+) bytes with md5 (\w+), got \1 bytes with md5 "
            r"(?P<got>\w+)"
        )
        with pytest.raises(DamagedError, match=said) as caught:
            bench.bring(file, look(bench.tree, "a"))
        found = re.match(said, str(caught.value))
        assert found is not None
        assert found.groups()[:2] == (str(len(content)), file.md5)
        assert found["got"] not in {file.md5, ""}
        assert sum(first == 0 for _, first, _ in scripted.reads) == 3
        assert sum(last + 1 - first for _, first, last in scripted.reads) == 3 * len(content)
        assert (bench.tree / "a").read_bytes() == b"old"
        assert (bench.parts, notes.size_bytes) == ([], 0)

    def test_a_file_that_ends_early(self, bench: Bench, scripted: Scripted) -> None:
        scripted.on_read = lambda *_: SMALL[:-1]
        with pytest.raises(DamagedError, match=r"expected 700 bytes .* got 699 bytes"):
            bench.bring(scripted.put("a", SMALL))

    def test_a_disk_that_does_not_give_back_what_it_was_given(
        self, bench: Bench, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = scripted.put("a", SMALL)
        read_at = Part.read_at
        monkeypatch.setattr(Part, "read_at", lambda *given: read_at(*given)[::-1])
        with pytest.raises(LocalWriteError, match="does not give back"):
            bench.bring(RemoteFile("a", file.id, file.size, "", 1.5))
        assert not (bench.tree / "a").exists()


class TestMending:
    """Of a large file that came damaged only what differs is fetched more than twice."""

    @pytest.fixture
    def damage(self, scripted: Scripted) -> dict[int, int]:
        """How often the range that begins at a byte still comes damaged, each time in another way."""
        left: dict[int, int] = {}

        def on_read(_file: RemoteFile, first: int, last: int) -> bytes | None:
            if not left.get(first):
                return None
            left[first] -= 1
            return flip(LARGE[first : last + 1], RANDOM)

        scripted.on_read = on_read
        return left

    @pytest.mark.parametrize(
        ("damaged", "bytes_more"),
        [
            pytest.param({4000: 1}, 0, id="one range, once"),
            pytest.param({4000: 1, 8000: 1}, 0, id="two ranges, once"),
            pytest.param({4000: 2}, 2000, id="one range, twice"),
            pytest.param({4000: 2, 8000: 1}, 4000, id="two ranges, one of them twice"),
            pytest.param({4000: 5}, 8000, id="one range, five times"),
        ],
    )
    def test_one_more_whole_fetch_and_of_what_differs_some_more(
        self,
        bench: Bench,
        scripted: Scripted,
        notes: Notes,
        damage: dict[int, int],
        damaged: dict[int, int],
        bytes_more: int,
    ) -> None:
        damage.update(damaged)
        bench.bring(scripted.put("a", LARGE))
        assert (bench.tree / "a").read_bytes() == LARGE
        assert size_of_reads(scripted) == 2 * len(LARGE) + bytes_more
        assert notes.size_bytes == len(LARGE)
        assert bench.parts == []

    def test_where_all_comes_damaged_three_fetches_are_enough(
        self, bench: Bench, scripted: Scripted, notes: Notes, damage: dict[int, int]
    ) -> None:
        damage.update(dict.fromkeys(range(0, len(LARGE), 2000), 1000))
        with pytest.raises(DamagedError, match=r"a came damaged: expected 10000 bytes with md5"):
            bench.bring(scripted.put("a", LARGE))
        assert size_of_reads(scripted) == 3 * len(LARGE)
        assert (bench.parts, notes.size_bytes) == ([], 0)

    def test_a_range_that_never_comes_the_same_twice_is_given_up(
        self, bench: Bench, scripted: Scripted, damage: dict[int, int]
    ) -> None:
        damage[4000] = 1000
        with pytest.raises(DamagedError):
            bench.bring(scripted.put("a", LARGE))
        assert size_of_reads(scripted) == 2 * len(LARGE) + 8 * 2000

    def test_cut_off_in_its_midst_it_goes_on_the_next_time(
        self, bench: Bench, scripted: Scripted, notes: Notes, damage: dict[int, int]
    ) -> None:
        file = scripted.put("a", LARGE)
        damage[4000] = 1
        on_read = scripted.on_read

        def fail(file: RemoteFile, first: int, last: int) -> bytes | None:
            if first == 6000 and len(scripted.reads) > 5:
                raise TransientError("the line is dead")
            return on_read(file, first, last)

        scripted.on_read = fail
        with pytest.raises(TransientError, match="the line is dead"):
            bench.bring(file)
        assert bench.parts == [".done", ".part"]
        assert notes.size_bytes == 0
        came = {first for _, first, _ in scripted.reads[5:]} - {6000}
        scripted.reads.clear()
        scripted.on_read = on_read
        bench.bring(file)
        assert (bench.tree / "a").read_bytes() == LARGE
        assert {first for _, first, _ in scripted.reads}.isdisjoint(came)
        assert notes.size_bytes == len(LARGE)

    def test_what_is_noted_as_there_and_is_not(
        self, bench: Bench, scripted: Scripted, notes: Notes, damage: dict[int, int]
    ) -> None:
        file = scripted.put("a", LARGE)
        on_read = scripted.on_read
        scripted.on_read = lambda _file, first, _last: b"" if first == 4000 else None
        with pytest.raises(TransientError):
            bench.bring(file)
        (part,) = (bench.tree / ".drivesync" / "partial").glob("*.part")
        with part.open("r+b") as opened:
            # As a crash of the machine leaves it.
            opened.write(bytes(1500))
        scripted.reads.clear()
        # And the first time that it would help, the line fails it.
        damage[2000] = 1
        scripted.on_read = on_read
        bench.bring(file)
        assert (bench.tree / "a").read_bytes() == LARGE
        assert size_of_reads(scripted) == 2000 + len(LARGE) + 2 * 2000
        assert notes.size_bytes == len(LARGE)

    @pytest.mark.parametrize(
        ("change_at", "wasted_bytes"),
        [
            pytest.param(5, 10_000, id="before it: nothing of it is fetched twice"),
            pytest.param(6, 20_000, id="as it begins"),
        ],
    )
    def test_the_file_changes_on_the_remote(
        self,
        scripted: Scripted,
        tmp_path: Path,
        notes: Notes,
        damage: dict[int, int],
        change_at: int,
        wasted_bytes: int,
    ) -> None:
        now = RANDOM.randbytes(len(LARGE))
        old = scripted.put("a", LARGE)
        damage[0] = 1
        on_read = scripted.on_read

        def change(file: RemoteFile, first: int, last: int) -> bytes | None:
            if len(scripted.reads) == change_at:
                scripted.put("a", now)
            return on_read(file, first, last)

        scripted.on_read = change
        fetch = Fetch(scripted, tmp_path, Parts(tmp_path), notes, run_one_by_one)
        fetch.commit(fetch.bring(Wanted(old, None)))
        assert (tmp_path / "a").read_bytes() == now
        assert size_of_reads(scripted) == wasted_bytes + len(now)
        assert notes.size_bytes == len(now)

    def test_the_file_is_deleted_on_the_remote(self, bench: Bench, scripted: Scripted, notes: Notes) -> None:
        gone = RemoteFile("a", "dropped", len(LARGE), "of what it was", 1.5)
        scripted.on_read = lambda _file, first, last: LARGE[first : last + 1]
        with pytest.raises(NotFoundError, match="a was deleted on the remote while it was being pulled"):
            bench.bring(gone)
        assert size_of_reads(scripted) == len(LARGE)
        assert (bench.parts, notes.size_bytes) == ([], 0)


class TestItMoves:
    @pytest.mark.parametrize(
        ("before", "now"),
        [
            pytest.param(SMALL, bytes(700), id="small, of the same size"),
            pytest.param(SMALL, LARGE, id="it has become large"),
            pytest.param(LARGE, bytes(10_000), id="large, of the same size"),
            pytest.param(LARGE, SMALL, id="it has become small"),
            pytest.param(LARGE, b"", id="it is empty now"),
        ],
    )
    def test_what_is_there_now_comes(
        self, bench: Bench, scripted: Scripted, notes: Notes, before: bytes, now: bytes
    ) -> None:
        old = scripted.put("a", before)

        def change(*_: object) -> None:
            if len(scripted.reads) == 1:
                scripted.put("a", now)

        scripted.on_read = change
        came = bench.bring(old)
        assert (bench.tree / "a").read_bytes() == now
        assert came.revision_id == scripted.renew(old).revision_id  # type: ignore[union-attr]
        assert notes.size_bytes == len(now)
        assert bench.parts == []

    def test_the_remote_sees_it_first(self, bench: Bench, scripted: Scripted) -> None:
        def move(*_: object) -> None:
            if len(scripted.reads) == 1:
                scripted.put("a", b"new")
                raise MovedError("it is 3 bytes long now")

        scripted.on_read = move
        bench.bring(scripted.put("a", SMALL))
        assert (bench.tree / "a").read_bytes() == b"new"

    @pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
    def test_more_than_the_file_is_long_is_never_written(
        self, bench: Bench, scripted: Scripted, content: bytes
    ) -> None:
        largest = [0]

        def send_more(file: RemoteFile, first: int, last: int) -> bytes | None:
            parts = (bench.tree / ".drivesync" / "partial").glob("*.part")
            largest[0] = max(largest[0], *(part.stat().st_size for part in parts))
            return bytes(last + 1 - first + 2000) if file.revision_id == old.revision_id else None

        old = scripted.put("a", content)
        scripted.on_read = send_more
        scripted.put("a", b"new")
        bench.bring(old)
        assert (bench.tree / "a").read_bytes() == b"new"
        assert largest[0] <= len(content)

    def test_it_is_gone(self, bench: Bench, scripted: Scripted) -> None:
        file = scripted.put("a", SMALL)

        def drop(*_: object) -> bytes:
            scripted.drop(file)
            return b"x"

        scripted.on_read = drop
        with pytest.raises(NotFoundError, match="a was deleted on the remote while it was being pulled"):
            bench.bring(file)

    def test_it_moves_all_the_time(self, bench: Bench, scripted: Scripted) -> None:
        scripted.on_read = after(lambda: scripted.put("a", RANDOM.randbytes(700)))
        with pytest.raises(UnfinishedError, match="a is being changed on the remote all the time"):
            bench.bring(scripted.put("a", SMALL))
        assert len(scripted.reads) == 10

    def test_it_is_written_where_it_was_wanted(self, bench: Bench, scripted: Scripted) -> None:
        file = scripted.put("real", SMALL)
        scripted.on_read = after(lambda: scripted.put("real", b"new"))
        bench.bring(RemoteFile("by/shortcut", file.id, file.size, file.md5, 1.5))
        assert (bench.tree / "by" / "shortcut").read_bytes() == b"new"
        assert not (bench.tree / "real").exists()


@pytest.mark.parametrize("before", [b"old", None], ids=["changed", "made"])
def test_what_is_changed_here_meanwhile_is_kept(
    bench: Bench, scripted: Scripted, before: bytes | None
) -> None:
    place = bench.tree / "a"
    if before is not None:
        place.write_bytes(before)
    scripted.on_read = after(lambda: place.write_bytes(b"mine, just now"))
    with pytest.raises(UnfinishedError, match="a was changed here while it was being pulled"):
        bench.bring(scripted.put("a", SMALL), look(bench.tree, "a"))
    assert place.read_bytes() == b"mine, just now"
    assert bench.parts == []
