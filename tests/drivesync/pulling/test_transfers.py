"""Many files come side by side, in order, within bounds; whatever fails, nothing locks up."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.disk import look
from drivesync.errors import (
    DamagedError,
    DiskFullError,
    DrivesyncError,
    LocalWriteError,
    NotAllowedError,
    RemoteError,
    TransientError,
    UsedUpError,
)
from drivesync.pulling import assembly, waiting
from drivesync.pulling.fetch import Wanted
from drivesync.pulling.parts import Parts
from drivesync.pulling.transfers import Transfers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.files import LocalFile, RemoteFile
    from tests.drivesync.conftest import Notes, Scripted

LARGE_BYTES = 10_000
"""Comes in five ranges here."""


@pytest.fixture(autouse=True)
def _small_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand bytes are large here."""
    monkeypatch.setattr("drivesync.pulling.fetch.NOTE_EVERY_BYTES", 1000)
    monkeypatch.setattr(assembly, "NOTE_EVERY_BYTES", 1000)
    monkeypatch.setattr(assembly, "_LEAST_RANGE_BYTES", 2000)


class Bench:
    """A tree that files are brought to, and what was heard of them."""

    def __init__(self, remote: Scripted, tree: Path, notes: Notes) -> None:
        self.tree = tree
        self.done: list[str] = []
        self.failed: dict[str, DrivesyncError] = {}
        self.on_done: Callable[[LocalFile], None] = lambda local: self.done.append(local.path)
        self._remote = remote
        self._notes = notes

    def transfers(self) -> Transfers:
        return Transfers(
            self._remote,
            self.tree,
            Parts(self.tree),
            self._notes,
            # Looked up when it is called: a test may change it meanwhile.
            lambda local: self.on_done(local),  # noqa: PLW0108
            lambda path, error: self.failed.update({path: error}),
        )

    def bring(self, *files: RemoteFile) -> None:
        with self.transfers() as running:
            for file in files:
                running.add(Wanted(file, look(self.tree, file.path)))
            running.finish()


@pytest.fixture
def bench(scripted: Scripted, tmp_path: Path, notes: Notes) -> Bench:
    return Bench(scripted, tmp_path / "tree", notes)


def after(act: Callable[[], object]) -> Callable[..., None]:
    """What is there comes, but only after ``act``."""

    def on_read(*_: object) -> None:
        act()

    return on_read


def fail_with(error: Exception, *paths: str) -> Callable[..., None]:
    def on_read(file: RemoteFile, _first: int, _last: int) -> None:
        if not paths or file.path in paths:
            raise error

    return on_read


class TestEverythingComes:
    @pytest.mark.parametrize("workers", [1, 2, 3, 8, 64])
    @pytest.mark.parametrize("reads_ranges", [True, False])
    def test_with_few_workers_and_with_many(
        self,
        bench: Bench,
        scripted: Scripted,
        workers: int,
        reads_ranges: bool,  # noqa: FBT001
    ) -> None:
        chance = random.Random(workers)
        scripted.workers, scripted.reads_ranges = workers, reads_ranges
        sizes = [chance.choice([0, 10, 999, 1001, 3000, LARGE_BYTES, 50_000]) for _ in range(150)]
        files = [scripted.put(f"{at % 7}/{at}", bytes([at]) * size) for at, size in enumerate(sizes)]
        bench.bring(*files)
        assert sorted(bench.done) == sorted(file.path for file in files)
        assert [(bench.tree / file.path).read_bytes()[:1] for file in files] == [
            bytes([at])[:size] for at, size in enumerate(sizes)
        ]
        assert scripted.most_at_once <= workers

    def test_again_and_again_on_one_pair_of_hands(self, bench: Bench, scripted: Scripted) -> None:
        """A wake-up that is lost shows as a time-out."""
        scripted.workers = 2
        files = [scripted.put(str(at), bytes(1001 * (at % 3))) for at in range(6)]
        for _ in range(60):
            bench.bring(*files)
        assert len(bench.done) == 360

    def test_nothing(self, bench: Bench) -> None:
        bench.bring()
        assert bench.done == []

    def test_files_that_are_added_while_others_come(self, bench: Bench, scripted: Scripted) -> None:
        with bench.transfers() as running:
            for at in range(50):
                running.add(Wanted(scripted.put(f"{at}", bytes(at * 50)), None))
                if at % 10 == 0:
                    running.finish()
                    assert len(bench.done) == at + 1
            running.finish()
        assert len(bench.done) == 50


class TestOrder:
    def test_what_training_waits_for_then_the_largest(
        self, bench: Bench, scripted: Scripted, wait_for: Callable[[Callable[[], object]], None]
    ) -> None:
        scripted.workers = 1
        go_on = threading.Event()
        scripted.on_read = after(lambda: go_on.wait(20))
        with bench.transfers() as running:
            running.add(Wanted(scripted.put("first", b"x"), None))
            wait_for(lambda: scripted.reads)
            for path, size in (("b", 5), ("c", 9), ("cfg/x", 1), ("a.weights", 2)):
                running.add(Wanted(scripted.put(path, bytes(size)), None))
            go_on.set()
            running.finish()
        assert [path for path, _, _ in scripted.reads] == ["first", "a.weights", "cfg/x", "c", "b"]

    def test_a_large_file_begins_when_the_ranges_of_others_do_not_fill_the_line(
        self, bench: Bench, scripted: Scripted, wait_for: Callable[[Callable[[], object]], None]
    ) -> None:
        scripted.workers = 1
        go_on = threading.Event()
        scripted.on_read = after(lambda: go_on.wait(20))
        with bench.transfers() as running:
            running.add(Wanted(scripted.put("first", b"x"), None))
            wait_for(lambda: scripted.reads)
            running.add(Wanted(scripted.put("b", bytes(5000)), None))
            wait_for(lambda: len(running._waiting._ranges) == 3)
            for path, size in (("c", 5000), ("larger", 9000), ("cfg/x", 3000)):
                running.add(Wanted(scripted.put(path, bytes(size)), None))
            go_on.set()
            running.finish()
        order = list(dict.fromkeys(path for path, _, _ in scripted.reads))
        assert order == ["first", "b", "cfg/x", "larger", "c"]

    def test_large_files_do_not_keep_small_ones_waiting(self, bench: Bench, scripted: Scripted) -> None:
        scripted.workers = 10
        smalls_done = threading.Event()

        def hold_ranges(file: RemoteFile, _first: int, _last: int) -> None:
            if file.size > 1000:
                assert smalls_done.wait(20)

        def on_done(local: LocalFile) -> None:
            bench.done.append(local.path)
            if len(bench.done) == 40:
                smalls_done.set()

        scripted.on_read, bench.on_done = hold_ranges, on_done
        large = [scripted.put(f"large{at}", bytes(LARGE_BYTES)) for at in range(10)]
        bench.bring(*large, *(scripted.put(f"{at}", b"x") for at in range(40)))
        assert sorted(bench.done[40:]) == [file.path for file in large]


class TestBounds:
    @pytest.mark.parametrize(
        ("size", "count"),
        [
            pytest.param(80_000, 1, id="one file of eight ranges"),
            pytest.param(1001, 20, id="many files of one range"),
            pytest.param(3000, 20, id="many files of two"),
        ],
    )
    def test_eight_ranges_at_once(self, bench: Bench, scripted: Scripted, size: int, count: int) -> None:
        scripted.workers = 64
        eight = threading.Barrier(8)

        def meet(*_: object) -> None:
            if len(scripted.reads) <= 8:
                eight.wait(20)

        scripted.on_read = meet
        bench.bring(*(scripted.put(f"{at}", bytes(size)) for at in range(count)))
        assert scripted.most_at_once == 8
        assert len(bench.done) == count

    def test_who_adds_too_much_is_held_up(
        self,
        bench: Bench,
        scripted: Scripted,
        monkeypatch: pytest.MonkeyPatch,
        wait_for: Callable[[Callable[[], object]], None],
    ) -> None:
        monkeypatch.setattr(waiting, "_MOST", 5)
        scripted.workers = 2
        go_on = threading.Semaphore(0)
        scripted.on_read = after(lambda: go_on.acquire(timeout=20))
        added: list[int] = []

        def add_all() -> None:
            with bench.transfers() as running:
                for at in range(20):
                    running.add(Wanted(scripted.put(f"{at}", b"x"), None))
                    added.append(at)
                running.finish()

        adding = threading.Thread(target=add_all)
        adding.start()
        wait_for(lambda: len(added) == 7)
        time.sleep(0.05)
        assert len(added) == 7, "two are read, five wait"
        go_on.release(3)
        wait_for(lambda: len(added) == 10)
        go_on.release(20)
        adding.join()
        assert len(bench.done) == 20

    def test_threads_start_as_there_is_work(self, bench: Bench, scripted: Scripted) -> None:
        scripted.workers = 64
        before = threading.active_count()
        with bench.transfers() as running:
            for at in range(30):
                running.add(Wanted(scripted.put(f"{at}", b"x"), None))
                running.finish()
            assert threading.active_count() - before <= 2


class TestFailures:
    @pytest.mark.parametrize(
        "error", [RemoteError("abusive"), LocalWriteError("in the way"), TransientError("dead")]
    )
    @pytest.mark.parametrize("size", [10, LARGE_BYTES], ids=["small", "large"])
    def test_of_one_file_leaves_the_others(
        self, bench: Bench, scripted: Scripted, error: DrivesyncError, size: int
    ) -> None:
        files = [scripted.put(f"{at}", bytes(size)) for at in range(12)]
        scripted.on_read = fail_with(error, "7")
        bench.bring(*files)
        assert bench.failed == {"7": error}
        assert len(bench.done) == 11

    def test_a_remote_that_gives_nothing_is_given_up(self, bench: Bench, scripted: Scripted) -> None:
        scripted.workers = 2
        scripted.on_read = fail_with(TransientError("dead"))
        with pytest.raises(TransientError, match="dead"):
            bench.bring(*(scripted.put(f"{at}", b"x") for at in range(100)))
        assert len(scripted.reads) < 12

    def test_one_that_gives_something_now_and_then_is_not(self, bench: Bench, scripted: Scripted) -> None:
        scripted.workers = 1
        scripted.on_read = fail_with(TransientError("dead"), *(f"{at}" for at in range(100) if at % 5))
        # Each is smaller than the one before: they come in this order however fast they are added.
        bench.bring(*(scripted.put(f"{at}", bytes(100 - at)) for at in range(100)))
        assert (len(bench.done), len(bench.failed)) == (20, 80)

    @pytest.mark.parametrize(
        "error",
        [
            NotAllowedError("the token is dead"),
            UsedUpError("no more today"),
            DiskFullError("no room"),
            ZeroDivisionError("a bug"),
        ],
    )
    @pytest.mark.parametrize("size", [10, LARGE_BYTES], ids=["small", "large"])
    def test_what_concerns_all_ends_all_at_once(
        self, bench: Bench, scripted: Scripted, error: Exception, size: int
    ) -> None:
        def fail(file: RemoteFile, first: int, _last: int) -> None:
            if file.path == "cfg/urgent" and first == 0:
                raise error
            # As a connection that hangs until it is cut.
            assert scripted.cancelled.wait(20)

        scripted.on_read = fail
        scripted.workers = 64
        files = [scripted.put("cfg/urgent", bytes(size)), *(scripted.put(f"{at}", b"x") for at in range(3))]
        began_s = time.monotonic()
        with pytest.raises(type(error), match=str(error)):
            bench.bring(*files, *(scripted.put(f"more{at}", b"x") for at in range(10)))
        assert time.monotonic() - began_s < 15
        assert (bench.done, bench.failed) == ([], {})

    def test_what_cannot_be_recorded_ends_all(self, bench: Bench, scripted: Scripted) -> None:
        def on_done(_local: LocalFile) -> None:
            raise LocalWriteError("the index is broken")

        bench.on_done = on_done
        with pytest.raises(LocalWriteError, match="the index is broken"):
            bench.bring(*(scripted.put(f"{at}", b"x") for at in range(50)))
        assert bench.failed == {}

    def test_nothing_more_is_taken_afterwards(self, bench: Bench, scripted: Scripted) -> None:
        scripted.on_read = fail_with(NotAllowedError("the token is dead"))

        def go_on_adding() -> None:
            with bench.transfers() as running:
                for at in range(1_000_000):
                    running.add(Wanted(scripted.put(f"{at}", b"x"), None))

        with pytest.raises(NotAllowedError):
            go_on_adding()

    @pytest.mark.parametrize("size", [10, LARGE_BYTES], ids=["small", "large"])
    def test_an_interrupt_is_prompt_and_says_nothing_of_what_it_cut(
        self,
        bench: Bench,
        scripted: Scripted,
        wait_for: Callable[[Callable[[], object]], None],
        size: int,
    ) -> None:
        scripted.on_read = after(lambda: scripted.cancelled.wait(20))
        files = [scripted.put(f"{at}", bytes(size)) for at in range(20)]

        def interrupt() -> None:
            with bench.transfers() as running:
                for file in files:
                    running.add(Wanted(file, None))
                wait_for(lambda: len(scripted.reads) == 4)
                raise KeyboardInterrupt

        began_s = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            interrupt()
        assert time.monotonic() - began_s < 15
        assert (bench.done, bench.failed) == ([], {})
        assert len(scripted.reads) < 8

    def test_a_signal_that_comes_just_before_the_wait_is_heard(
        self, bench: Bench, scripted: Scripted, interrupt_soon: Callable[[], None]
    ) -> None:
        scripted.on_read = after(lambda: scripted.cancelled.wait(20))
        interrupt_soon()
        began_s = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            bench.bring(scripted.put("a", b"a"))
        assert time.monotonic() - began_s < 15


class TestByAnotherWay:
    def test_what_was_announced_is_waited_for(
        self, bench: Bench, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = scripted.put("a", b"content")
        with bench.transfers() as running:
            running.announce(1)
            wait_for = running._wait_for

            def take_then_wait(condition: Callable[[], bool]) -> None:
                assert not condition()
                taking = threading.Thread(target=running.take, args=(Wanted(file, None), b"content"))
                taking.start()
                wait_for(condition)
                taking.join()

            monkeypatch.setattr(running, "_wait_for", take_then_wait)
            running.finish()
            assert bench.done == ["a"]
        assert (bench.tree / "a").read_bytes() == b"content"
        assert scripted.reads == []

    def test_what_is_not_its_content_is_still_to_come(self, bench: Bench, scripted: Scripted) -> None:
        wanted = Wanted(scripted.put("a", b"content"), None)
        with bench.transfers() as running:
            running.announce(1)
            with pytest.raises(DamagedError):
                running.take(wanted, b"cOntent")
            assert not running._is_done()
            running.divert(wanted)
            running.finish()
        assert (bench.tree / "a").read_bytes() == b"content"
        assert [path for path, _, _ in scripted.reads] == ["a"]

    def test_what_fails_there_ends_all(self, bench: Bench) -> None:
        with bench.transfers() as running:
            running.announce(1)
            running.fail(NotAllowedError("expired"))
            with pytest.raises(NotAllowedError):
                running.finish()
