"""Snapshots outlive everything, are whole or not there, and go when they have done their duty."""

from __future__ import annotations

import json
import shutil
import struct
import threading
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DiskFullError, LocalWriteError, UnfinishedError
from drivesync.files import Receipt, Role, Verdict
from drivesync.spooling.outcome import Refused
from drivesync.spooling.spool import Entry, Spool, read_pending, read_receipts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from drivesync.acceptance import Accept
    from tests.drivesync.conftest import Tree

LAST = "backup/run_last.weights"
BEST = "backup/run_best.weights"


def judge(_tree: Path, path: str, snapshot: Path) -> Verdict:
    """Takes everything for whole, the iteration from the header, and the role from the name."""
    run, _, kind = Path(path).stem.rpartition("_")
    if not run:
        return Verdict(accepted=True)
    seen: int = struct.unpack_from("<iiiQ", snapshot.read_bytes())[3]
    role = Role.NUMBERED if kind.isdigit() else Role(kind)
    return Verdict(
        accepted=True, iteration=seen, run=run, role=role, score=0.5 if role is Role.BEST else None
    )


@pytest.fixture
def accept() -> Accept:
    return judge


@pytest.fixture
def spool(tree: Tree) -> Iterator[Spool]:
    with Spool(tree.root) as opened:
        yield opened


def take(spool: Spool, path: str, accept: Accept) -> Entry:
    outcome = spool.take(path, accept)
    assert isinstance(outcome, Entry)
    return outcome


def settle_next(spool: Spool) -> str:
    """Say that the next one is pushed; returns its path and iteration."""
    with spool.claim() as entry:
        assert entry is not None
        spool.settle(entry, receipt_of(entry))
    return f"{entry.path.removeprefix('backup/')} {entry.iteration}"


def receipt_of(entry: Entry) -> Receipt:
    return Receipt(entry.path, entry.size, "md5", "sha256", "id", "revision", 1.5, entry.iteration)


def content_of(spool: Spool, entry: Entry) -> bytes:
    with spool.open(entry) as file:
        return file.read()


def spooled(tree: Tree) -> list[str]:
    return sorted(place.name for place in (tree.root / ".drivesync" / "spool").iterdir())


def test_a_snapshot_stays_what_it_was(tree: Tree, spool: Spool, accept: Accept) -> None:
    content = tree.save("run_best.weights", 100)
    here = (tree.root / BEST).stat()
    entry = take(spool, BEST, accept)
    (tree.root / BEST).write_bytes(b"darknet truncates in place")
    spool.check(entry)
    assert content_of(spool, entry) == content
    assert entry == Entry(1, BEST, len(content), here.st_mtime_ns, 100, "run", Role.BEST, 0.5)
    assert read_pending(tree.root) == (entry,)


def take_as_earlier(tree: Tree, spool: Spool, name: str, iteration: int) -> Entry:
    """As the version before did, which did not ask for a checkpoint's progress."""
    tree.save(name, iteration)
    entry = take(spool, f"backup/{name}", judge)
    path = tree.root / ".drivesync" / "spool" / f"{entry.sequence:08}" / "entry.json"
    record = json.loads(path.read_bytes())
    del record["progress"]
    path.write_text(json.dumps(record))
    return entry


def judge_by_8(tree: Path, path: str, snapshot: Path) -> Verdict:
    """Counts iterations that are eight times as long."""
    said = judge(tree, path, snapshot)
    seen = said.iteration
    return replace(said, iteration=seen // 8, progress=seen) if seen is not None else said


def test_what_an_earlier_version_took_is_measured_once(tree: Tree) -> None:
    with Spool(tree.root) as spool:
        old = take_as_earlier(tree, spool, "run_900.weights", 900)
        take_as_earlier(tree, spool, "notes.txt", 1)
    asked: list[str] = []

    def note_and_judge(tree: Path, path: str, snapshot: Path) -> Verdict:
        asked.append(path)
        return judge_by_8(tree, path, snapshot)

    for _ in range(2):
        with Spool(tree.root) as spool:
            spool.measure(note_and_judge)
            first, other = spool.entries()
            assert (first.iteration, first.progress) == (900, 900)
            assert other.progress is None
    assert asked == [old.path]
    assert read_pending(tree.root) == (first, other)


def test_what_cannot_be_measured_is_there_all_the_same(tree: Tree) -> None:
    with Spool(tree.root) as spool:
        old = take_as_earlier(tree, spool, "run_900.weights", 900)
        spool.measure(lambda *_: Verdict(accepted=False, reason="it fits no cfg any more"))
        assert spool.pending() == (old,)


def test_the_newest_stays_when_iterations_have_become_longer(tree: Tree) -> None:
    with Spool(tree.root) as spool:
        take_as_earlier(tree, spool, "run_last.weights", 900)
        settle_next(spool)
    with Spool(tree.root) as spool:
        spool.measure(judge_by_8)
        tree.save("run_last.weights", 960)
        newer = take(spool, LAST, judge_by_8)
        assert newer.iteration == 120
        assert settle_next(spool) == "run_last.weights 120"
        assert [entry.sequence for entry in spool.entries()] == [newer.sequence]


def test_a_refused_file_is_kept_once_with_its_reason(tree: Tree, spool: Spool) -> None:
    for number in range(3):
        content = tree.save("run_last.weights", number)
        refused = spool.take(LAST, lambda *_: Verdict(accepted=False, reason="it is torn"))
    kept = f".drivesync/spool/rejected/{LAST}.rejected"
    assert refused == Refused(LAST, "it is torn", kept=kept)
    assert (tree.root / kept).read_bytes() == content
    assert (tree.root / f"{kept}.txt").read_text().endswith("+00:00: it is torn\n")
    assert spooled(tree) == ["rejected"]


def test_a_refused_file_that_cannot_be_kept_is_refused_nevertheless(tree: Tree, spool: Spool) -> None:
    tree.save("run_last.weights", 100)
    (tree.root / ".drivesync" / "spool" / "rejected").write_bytes(b"in the way")
    refused = spool.take(LAST, lambda *_: Verdict(accepted=False, reason="it is torn"))
    assert refused == Refused(LAST, "it is torn")
    assert spooled(tree) == ["rejected"]


def test_a_file_that_is_gone(tree: Tree, spool: Spool, accept: Accept) -> None:
    assert spool.take(LAST, accept) == Refused(LAST, "it is gone", moved=True)
    assert spooled(tree) == []
    assert tree.root.is_dir()


def test_a_file_that_moves_while_it_is_copied_is_no_snapshot(
    tree: Tree, spool: Spool, accept: Accept, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.save("run_last.weights", 100)
    monkeypatch.setattr(
        "drivesync.spooling.snapshot._copy", lambda *_: len(tree.save("run_last.weights", 200))
    )
    assert spool.take(LAST, accept) == Refused(LAST, "it is being written to", moved=True)
    assert spooled(tree) == []


@pytest.mark.parametrize("name", ["entry.json", "pushed", "dropped", "session", "x" * 255, "a b.txt"])
def test_a_file_may_have_any_name(tree: Tree, spool: Spool, name: str) -> None:
    (tree.root / name).write_bytes(b"content")
    entry = take(spool, name, lambda *_: Verdict(accepted=True))
    spool.note_of(entry).write("https://example.org/session")
    assert content_of(spool, entry) == b"content"
    assert read_pending(tree.root) == (entry,)


def test_only_the_newest_of_a_name_waits(tree: Tree, spool: Spool, accept: Accept) -> None:
    for iteration in (100, 200, 300):
        tree.save("run_last.weights", iteration)
        take(spool, LAST, accept)
    assert [entry.iteration for entry in spool.pending()] == [300]
    assert spooled(tree) == ["00000003"]


def test_numbered_ones_are_not_dropped_for_one_another(tree: Tree, spool: Spool, accept: Accept) -> None:
    for iteration in (100, 200, 300):
        tree.save(f"run_{iteration}.weights", iteration)
        take(spool, f"backup/run_{iteration}.weights", accept)
    assert [settle_next(spool) for _ in range(3)] == [
        "run_300.weights 300",
        "run_200.weights 200",
        "run_100.weights 100",
    ]


def test_the_newest_checkpoint_stays_when_it_is_pushed(tree: Tree, spool: Spool, accept: Accept) -> None:
    content = tree.save("run_last.weights", 200)
    best = take(spool, LAST, accept)
    tree.save("run_100.weights", 100)
    take(spool, "backup/run_100.weights", accept)
    settle_next(spool)
    settle_next(spool)
    assert spool.pending() == ()
    assert [entry.path for entry in spool.entries()] == [LAST]
    assert content_of(spool, best) == content
    tree.save("run_last.weights", 300)
    take(spool, LAST, accept)
    assert [entry.iteration for entry in spool.entries()] == [300]


def test_the_best_stays_also_when_a_worse_one_takes_its_name(
    tree: Tree, spool: Spool, accept: Accept
) -> None:
    tree.save("run_last.weights", 300)
    take(spool, LAST, accept)
    settle_next(spool)
    tree.save("run_last.weights", 100)
    take(spool, LAST, accept)
    assert settle_next(spool) == "run_last.weights 100"
    assert [(entry.iteration, entry.pushed) for entry in spool.entries()] == [(300, True)]


def test_what_is_no_checkpoint_goes_when_it_is_pushed(tree: Tree, spool: Spool) -> None:
    tree.save("chart.png", 1)
    take(spool, "backup/chart.png", lambda *_: Verdict(accepted=True))
    settle_next(spool)
    assert (spool.entries(), spooled(tree)) == ((), [])


def test_one_under_way_is_not_replaced(tree: Tree, spool: Spool, accept: Accept) -> None:
    tree.save("run_last.weights", 100)
    take(spool, LAST, accept)
    with spool.claim() as first:
        assert first is not None
        content = content_of(spool, first)
        tree.save("run_last.weights", 200)
        take(spool, LAST, accept)
        assert content_of(spool, first) == content
        assert len(spool.pending()) == 2
    assert [entry.iteration for entry in spool.pending()] == [200]


def test_a_failed_push_leaves_it_pending(tree: Tree, spool: Spool, accept: Accept) -> None:
    tree.save("run_last.weights", 100)
    entry = take(spool, LAST, accept)

    def fail() -> None:
        with spool.claim():
            raise LocalWriteError("no")

    with pytest.raises(LocalWriteError):
        fail()
    assert spool.pending() == (entry,)


def test_everything_is_there_again_for_the_next_process(tree: Tree, accept: Accept) -> None:
    with Spool(tree.root) as first:
        for iteration in (100, 200, 300):
            tree.save(f"run_{iteration}.weights", iteration)
            take(first, f"backup/run_{iteration}.weights", accept)
        settle_next(first)
        expected = first.entries()
    with Spool(tree.root) as second:
        assert second.entries() == expected
        assert [entry.iteration for entry in second.pending()] == [200, 100]
        tree.save("run_400.weights", 400)
        assert take(second, "backup/run_400.weights", accept).sequence == 4


def test_a_snapshot_that_was_to_be_dropped_when_the_process_died_does_not_come_back(
    tree: Tree, accept: Accept
) -> None:
    with Spool(tree.root) as spool:
        tree.save("run_last.weights", 100)
        old = spool.place_of(take(spool, LAST, accept)).parent
        shutil.copytree(old, tree.root / "kept")
        tree.save("run_last.weights", 200)
        take(spool, LAST, accept)
    shutil.copytree(tree.root / "kept", old)
    with Spool(tree.root) as spool:
        assert [entry.iteration for entry in spool.pending()] == [200]
        assert spooled(tree) == ["00000002"]


def test_one_process_at_a_time(tree: Tree, spool: Spool) -> None:
    assert spool.entries() == ()
    with pytest.raises(UnfinishedError, match="another push is at work"):
        Spool(tree.root).__enter__()


def test_a_spool_that_somebody_removed_is_made_anew(tree: Tree, spool: Spool, accept: Accept) -> None:
    tree.save("run_last.weights", 100)
    take(spool, LAST, accept)
    shutil.rmtree(tree.root / ".drivesync" / "spool")
    with spool.claim() as entry:
        assert entry is None
    take(spool, LAST, accept)
    assert settle_next(spool) == "run_last.weights 100"


def test_a_file_where_the_spool_should_be(tree: Tree) -> None:
    (tree.root / ".drivesync").mkdir()
    (tree.root / ".drivesync" / "spool").write_bytes(b"")
    with pytest.raises(LocalWriteError, match="spool"):
        Spool(tree.root).__enter__()
    # The lock went with it.
    (tree.root / ".drivesync" / "spool").unlink()
    with Spool(tree.root):
        pass


def test_without_room_for_its_receipt_it_stays_pending(tree: Tree, spool: Spool, accept: Accept) -> None:
    tree.save("run_last.weights", 100)
    entry = take(spool, LAST, accept)
    receipts = tree.root / ".drivesync" / "receipts.jsonl"
    receipts.symlink_to("/dev/full")
    with pytest.raises(DiskFullError):
        settle_next(spool)
    assert spool.pending() == (entry,)
    receipts.unlink()
    settle_next(spool)
    assert spool.pending() == ()
    assert read_receipts(tree.root) == [receipt_of(entry)]


def test_results_and_numbered_ones_are_never_replaced(tree: Tree, spool: Spool, accept: Accept) -> None:
    for name in ("run_final.weights", "run_100.weights"):
        for value in (0.25, 0.75):
            tree.save(name, 100, value)
            take(spool, f"backup/{name}", accept)
    order = []
    while spool.pending():
        with spool.claim() as entry:
            assert entry is not None
            order.append((Path(entry.path).name, content_of(spool, entry)))
            spool.settle(entry, receipt_of(entry))
    assert order == [
        (name, tree.weights(100, value))
        for name in ("run_final.weights", "run_100.weights")
        for value in (0.25, 0.75)
    ]


def test_only_what_is_wanted_is_claimed(tree: Tree, spool: Spool, accept: Accept) -> None:
    for name, iteration in (("run_last.weights", 100), ("other_last.weights", 200)):
        tree.save(name, iteration)
        take(spool, f"backup/{name}", accept)
    with spool.claim(lambda entry: entry.run != "other") as entry:
        assert entry is not None
        assert entry.path == LAST
    with spool.claim(lambda _entry: False) as entry:
        assert entry is None


class TestDrop:
    def test_it_waits_no_more_in_this_process_or_the_next(self, tree: Tree, accept: Accept) -> None:
        with Spool(tree.root) as spool:
            for name, iteration in (("run_last.weights", 200), ("run_best.weights", 100)):
                tree.save(name, iteration)
                entry = take(spool, f"backup/{name}", accept)
            with spool.claim() as last:
                assert last is not None
                spool.settle(last, receipt_of(last))
            spool.drop(entry)
            assert [left.path for left in spool.entries()] == [LAST]
        with Spool(tree.root) as spool:
            assert spool.pending() == read_pending(tree.root) == ()

    def test_the_newest_checkpoint_of_its_run_stays(self, tree: Tree, accept: Accept) -> None:
        """What is worse than what the remote has may be all there is here."""
        content = tree.save("run_best.weights", 100)
        with Spool(tree.root) as spool:
            spool.drop(take(spool, BEST, accept))
        with Spool(tree.root) as spool:
            assert spool.pending() == ()
            (kept,) = spool.entries()
            assert (kept.dropped, kept.pushed) == (True, False)
            assert content_of(spool, kept) == content
            tree.save("run_best.weights", 200)
            take(spool, BEST, accept)
            assert [entry.iteration for entry in spool.entries()] == [200]

    def test_one_that_is_gone(self, tree: Tree, spool: Spool) -> None:
        tree.save("chart.png", 1)
        entry = take(spool, "backup/chart.png", judge)
        spool.drop(entry)
        spool.drop(entry)
        assert spool.entries() == ()


class TestQueueAgain:
    @pytest.mark.parametrize("how", ["pushed", "dropped"])
    def test_it_waits_again_in_this_process_and_the_next(self, tree: Tree, accept: Accept, how: str) -> None:
        tree.save("run_last.weights", 100)
        with Spool(tree.root) as spool:
            entry = take(spool, LAST, accept)
            spool.note_of(entry).write("https://example.org/session")
            if how == "pushed":
                settle_next(spool)
            else:
                spool.drop(entry)
            (kept,) = spool.entries()
            spool.queue_again(kept)
            assert spool.pending() == (entry,)
            assert spool.note_of(entry).read() == ""
        with Spool(tree.root) as spool:
            assert spool.pending() == (entry,)

    def test_one_that_is_gone(self, tree: Tree, spool: Spool) -> None:
        tree.save("chart.png", 1)
        entry = take(spool, "backup/chart.png", judge)
        settle_next(spool)
        spool.queue_again(entry)
        assert spool.entries() == ()


class TestNote:
    def test_it_goes_with_its_entry(self, tree: Tree, accept: Accept) -> None:
        tree.save("run_last.weights", 100)
        with Spool(tree.root) as spool:
            entry = take(spool, LAST, accept)
            spool.note_of(entry).write("https://example.org/session")
        with Spool(tree.root) as spool:
            assert spool.note_of(entry).read() == "https://example.org/session"
            tree.save("run_last.weights", 200)
            newer = take(spool, LAST, accept)
            assert spool.note_of(entry).read() == spool.note_of(newer).read() == ""


class TestManySaves:
    """The last state is saved again and again while a push of it takes for ever."""

    def test_one_waits_and_the_disk_holds_three_at_most(self, tree: Tree, spool: Spool) -> None:
        held: list[int] = []

        def count(root: Path, path: str, snapshot: Path) -> Verdict:
            held.append(len(list((root / ".drivesync" / "spool").rglob("*.weights"))))
            return judge(root, path, snapshot)

        tree.save("run_last.weights", 1)
        take(spool, LAST, count)
        with spool.claim() as claimed:
            assert claimed is not None
            for iteration in range(2, 40):
                tree.save("run_last.weights", iteration)
                take(spool, LAST, count)
                assert [entry.iteration for entry in spool.pending()] == [iteration, 1]
                assert len(spooled(tree)) == 2
            spool.settle(claimed, receipt_of(claimed))
        assert max(held) == 3
        assert settle_next(spool) == "run_last.weights 39"
        assert spool.pending() == ()
        assert [entry.iteration for entry in spool.entries()] == [39]

    def test_memory_stays_as_it_is(self, tree: Tree, spool: Spool) -> None:
        def save_some(first: int) -> int:
            for iteration in range(first, first + 25):
                tree.save("run_last.weights", iteration)
                take(spool, LAST, judge)
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = save_some(0)
            assert save_some(25) < before + 20_000
        finally:
            tracemalloc.stop()

    def test_the_last_one_arrives_whatever_is_pushed_meanwhile(self, tree: Tree, spool: Spool) -> None:
        settled: list[str] = []
        ends = threading.Event()

        def push() -> None:
            while not ends.is_set() or spool.pending():
                with spool.claim() as entry:
                    if entry is not None:
                        assert content_of(spool, entry) == tree.weights(entry.iteration or 0)
                        spool.settle(entry, receipt_of(entry))
                        settled.append(entry.path)

        pushing = threading.Thread(target=push)
        pushing.start()
        try:
            for iteration in range(25):
                tree.save("run_last.weights", iteration)
                take(spool, LAST, judge)
                assert len(spool.pending()) <= 2
        finally:
            ends.set()
            pushing.join()
        receipts = read_receipts(tree.root)
        iterations = [receipt.iteration or 0 for receipt in receipts]
        assert len(receipts) == len(settled)
        assert iterations == sorted(set(iterations))
        assert iterations[-1] == 24
