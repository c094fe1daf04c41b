"""Snapshots outlive everything, are whole or not there, and go when they have done their duty."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DiskFullError, LocalWriteError, UnfinishedError
from drivesync.files import Receipt, Verdict
from drivesync.spool import Entry, Refused, Spool, read_receipts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.acceptance import Accept
    from tests.drivesync.conftest import Tree

LAST = "backup/run_last.weights"


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
    return Receipt(entry.path, entry.size, entry.md5, entry.sha256, "id", "revision", 1.5, entry.iteration)


def spooled(tree: Tree) -> list[str]:
    return sorted(place.name for place in (tree.root / ".drivesync" / "spool").iterdir())


def test_a_snapshot_stays_what_it_was(tree: Tree, spool: Spool, accept: Accept) -> None:
    content = tree.save("run_last.weights", 100)
    entry = take(spool, LAST, accept)
    (tree.root / LAST).write_bytes(b"darknet truncates in place")
    assert spool.snapshot_of(entry).read_bytes() == content
    assert entry.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert (entry.path, entry.size, entry.iteration, entry.pushed) == (LAST, len(content), 100, False)


def test_a_refused_file_leaves_nothing(tree: Tree, spool: Spool) -> None:
    tree.save("run_last.weights", 100)
    refused = spool.take(LAST, lambda *_: Verdict(accepted=False, reason="it is torn"))
    assert refused == Refused(LAST, "it is torn")
    assert spooled(tree) == []


def test_a_file_that_is_gone(tree: Tree, spool: Spool, accept: Accept) -> None:
    assert spool.take(LAST, accept) == Refused(LAST, "it is gone", moved=True)
    assert spooled(tree) == []
    assert tree.root.is_dir()


@pytest.mark.parametrize("change", ["grown", "touched", "replaced", "removed"])
def test_a_file_that_moves_while_it_is_copied_is_no_snapshot(
    tree: Tree, spool: Spool, accept: Accept, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.save("run_last.weights", 100)
    place = tree.root / LAST
    fsync = os.fsync

    def change_meanwhile(descriptor: int) -> None:
        # The copy is on the disk now, and the file has not been looked at again.
        if change == "grown":
            with place.open("ab") as file:
                file.write(b"more")
        elif change == "touched":
            os.utime(place, ns=(1, 1))
        elif change == "replaced":
            place.write_bytes(b"other")
        else:
            place.unlink(missing_ok=True)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", change_meanwhile)
    assert spool.take(LAST, accept) == Refused(LAST, "it is being written to", moved=True)
    assert spooled(tree) == []


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
    assert spool.snapshot_of(best).read_bytes() == content
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
        content = spool.snapshot_of(first).read_bytes()
        tree.save("run_last.weights", 200)
        take(spool, LAST, accept)
        assert spool.snapshot_of(first).read_bytes() == content
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
        old = spool.snapshot_of(take(spool, LAST, accept)).parent
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


def tear_json(place: Path) -> None:
    path = place / "entry.json"
    path.write_bytes(path.read_bytes()[:-20])


def empty_json(place: Path) -> None:
    (place / "entry.json").write_bytes(b"")


def no_json(place: Path) -> None:
    (place / "entry.json").unlink()


def other_json(place: Path) -> None:
    (place / "entry.json").write_text('[{"sequence": 1}]')


def wrong_number(place: Path) -> None:
    record = json.loads((place / "entry.json").read_bytes())
    (place / "entry.json").write_text(json.dumps(record | {"sequence": 99}))


def tear_snapshot(place: Path) -> None:
    os.truncate(place / "run_last.weights", 3)


def no_snapshot(place: Path) -> None:
    (place / "run_last.weights").unlink()


def unfinished(place: Path) -> None:
    place.rename(place.with_name("00000001.tmp"))


@pytest.mark.parametrize(
    "tear",
    [tear_json, empty_json, no_json, other_json, wrong_number, tear_snapshot, no_snapshot, unfinished],
)
def test_a_torn_snapshot_is_swept_away(tree: Tree, accept: Accept, tear: Callable[[Path], None]) -> None:
    with Spool(tree.root) as spool:
        tree.save("run_last.weights", 100)
        take(spool, LAST, accept)
    tear(tree.root / ".drivesync" / "spool" / "00000001")
    with Spool(tree.root) as spool:
        assert spool.entries() == ()
        assert spooled(tree) == []
        take(spool, LAST, accept)
        assert settle_next(spool) == "run_last.weights 100"


def test_what_is_not_ours_in_the_spool_is_left_alone(tree: Tree) -> None:
    stray = tree.root / ".drivesync" / "spool" / ".DS_Store"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"")
    with Spool(tree.root) as spool:
        assert spool.entries() == ()
    assert stray.exists()


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


class TestReceipts:
    def test_one_line_each(self, tree: Tree, spool: Spool, accept: Accept) -> None:
        assert read_receipts(tree.root) == []
        tree.save("run_last.weights", 100)
        entry = take(spool, LAST, accept)
        settle_next(spool)
        assert read_receipts(tree.root) == [receipt_of(entry)]

    def test_a_torn_line_is_passed_over(self, tree: Tree, spool: Spool, accept: Accept) -> None:
        tree.save("run_last.weights", 100)
        take(spool, LAST, accept)
        settle_next(spool)
        path = tree.root / ".drivesync" / "receipts.jsonl"
        with path.open("ab") as file:
            file.write(b'null\n{"path": "x"}\n\xff\xfe\n{"path": "backup/run_l')
        tree.save("run_last.weights", 200)
        take(spool, LAST, accept)
        settle_next(spool)
        assert [receipt.iteration for receipt in read_receipts(tree.root)] == [100, 200]

    def test_without_room_for_it_the_snapshot_stays_pending(
        self, tree: Tree, spool: Spool, accept: Accept
    ) -> None:
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


def test_killed_between_any_two_effects_nothing_is_lost_or_torn(
    tree: Tree, kill_everywhere: Callable[..., list[Path]]
) -> None:
    """Once a snapshot was taken, its content is in the spool or receipted, or a newer one of its name is."""
    tree.save("run_100.weights", 100)
    trees = kill_everywhere("spool", tree.root)
    assert len(trees) > 20
    for done in trees:
        assert sorted(place.name for place in (done / ".drivesync" / "spool").iterdir()) in (
            [],
            *([f"{number:08}"] for number in range(1, 9)),
        )
        last = {receipt.path: receipt for receipt in read_receipts(done)}
        assert last[LAST].md5 == hashlib.md5(b"second", usedforsecurity=False).hexdigest()
        assert last["backup/run_100.weights"].iteration == 100
        with Spool(done) as spool:
            assert spool.pending() == ()
            (best,) = spool.entries()
            assert struct.unpack_from("<iiiQ", spool.snapshot_of(best).read_bytes())[3] == 100
