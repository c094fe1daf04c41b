"""On Drive nothing goes backwards: neither in iterations nor, for the best, in its score."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DamagedError
from drivesync.files import Role, Verdict
from drivesync.push import Outdone, Pusher, PushResult, push
from drivesync.spooling.receipts import read_receipts
from drivesync.status import read_status
from drivesync.testing import CorruptDownload, CorruptUpload, ErrorAnswer, Fault
from drivesync.testing.trees import find

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.files import RemoteFile
    from drivesync.index import Index
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes, Tree

LAST, BEST = "backup/run_last.weights", "backup/run_best.weights"


def do_push(pusher: Pusher, tree: Tree) -> PushResult:
    return push(pusher, tree.root, ("backup/*.weights",))


def on_drive(drive: DriveEmulator, path: str) -> bytes:
    return drive.read_tree("darknet")[path]


def properties(drive: DriveEmulator, path: str) -> dict[str, str]:
    with drive.locked() as store:
        entry = find(store, f"darknet/{path}")
        assert entry is not None
        return dict(entry.app_properties)


def downloads(drive: DriveEmulator) -> int:
    return drive.counters()["files.get.media"].requests


def forget_progress(tree: Tree, drive: DriveEmulator, path: str) -> None:
    """Have it as the version before left it, with its receipts and its record."""
    receipts = tree.root / ".drivesync" / "receipts.jsonl"
    said = [json.loads(line) for line in receipts.read_text().splitlines()]
    kept = [{key: value for key, value in receipt.items() if key != "progress"} for receipt in said]
    receipts.write_text("".join(f"{json.dumps(receipt)}\n" for receipt in kept))
    with drive.locked() as store:
        entry = find(store, f"darknet/{path}")
        assert entry is not None
        del entry.app_properties["progress"]


def test_what_is_recorded(pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator) -> None:
    tree.save("run_best.weights", 300, value=71.5)
    do_push(pusher, tree)
    (receipt,) = read_receipts(tree.root)
    said = properties(drive_emulator, BEST)
    assert said == {
        "iteration": "300",
        "progress": f"300@{receipt.md5}",
        "score": "71.5",
        "epoch": "none",
        "md5": receipt.md5,
        "sha256": receipt.sha256,
        "size": str(receipt.size),
        "role": "best",
        "run": "backup/run",
        "holder": "none",
        "at": str(round(receipt.at_s)),
    }


@pytest.mark.parametrize(
    ("name", "first", "second", "lands"),
    [
        pytest.param(
            "run_last.weights", (300, 0.0), (200, 0.0), False, id="last: a lower iteration never lands"
        ),
        pytest.param(
            "run_last.weights", (300, 0.0), (300, 1.0), True, id="last: the same iteration once more"
        ),
        pytest.param("run_last.weights", (300, 0.0), (301, 0.0), True, id="last: a higher one"),
        pytest.param("run_final.weights", (300, 0.0), (200, 0.0), False, id="final: a lower one"),
        pytest.param("run_best.weights", (300, 71.5), (400, 65.0), False, id="a worse best never lands"),
        pytest.param("run_best.weights", (300, 71.5), (200, 71.5), False, id="best: as good, and lower"),
        pytest.param("run_best.weights", (300, 71.5), (200, 72.0), True, id="best: better, and lower"),
        pytest.param("run_best.weights", (300, 71.5), (400, float("nan")), False, id="best: nobody knows"),
    ],
)
def test_it_never_goes_backwards(
    pusher: Pusher,
    tree: Tree,
    drive_emulator: DriveEmulator,
    notes: Notes,
    name: str,
    first: tuple[int, float],
    second: tuple[int, float],
    *,
    lands: bool,
) -> None:
    path = f"backup/{name}"
    before = tree.save(name, *first)
    do_push(pusher, tree)
    after = tree.save(name, *second)
    result = do_push(pusher, tree)
    assert on_drive(drive_emulator, path) == (after if lands else before)
    assert [pushed.receipt.iteration for pushed in result.pushed] == ([second[0]] if lands else [])
    assert [outdone.path for outdone in result.outdone] == ([] if lands else [path])
    assert len(read_receipts(tree.root)) == 1 + lands
    if not lands:
        assert sum(line.startswith(f"not pushed: {path}: the remote") for line in notes.lines) == 1
        assert (tree.root / path).read_bytes() == after, "the local file stays"
        assert pusher.spool.pending() == ()
    result.raise_failure()


@pytest.fixture
def longer(tree: Tree, remote: DriveRemote, index: Index, accept: Accept, notes: Notes) -> Pusher:
    """Of somebody who has made an iteration eight times as long."""

    def judge(tree: Path, path: str, snapshot: Path) -> Verdict:
        said = accept(tree, path, snapshot)
        return said if said.progress is None else replace(said, iteration=said.progress // 8)

    return Pusher(tree.root, remote, index, judge, notes, keep_numbered=2)


class TestLongerIterations:
    """The count goes back, and the training has not."""

    def test_what_is_further_lands_and_what_is_not_does_not(
        self, pusher: Pusher, longer: Pusher, tree: Tree, drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        tree.save("run_last.weights", 300)
        do_push(pusher, tree)
        further = tree.save("run_last.weights", 400)
        (pushed,) = do_push(longer, tree).pushed
        assert pushed.receipt.iteration == 50
        assert on_drive(drive_emulator, LAST) == further
        tree.save("run_last.weights", 350)
        assert do_push(pusher, tree).pushed == ()
        assert on_drive(drive_emulator, LAST) == further
        further_by = "one that was trained for longer, iteration 50 by its own count"
        reason = f"the remote holds {further_by}, and this is iteration 350"
        assert notes.lines[-1] == f"not pushed: {LAST}: {reason}"
        assert downloads(drive_emulator) == 0

    def test_numbered_ones_are_kept_by_how_far_they_are(
        self, pusher: Pusher, longer: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        for iteration in (300, 400):
            tree.save(f"run_{iteration}.weights", iteration)
        do_push(pusher, tree)
        tree.save("run_60.weights", 480)
        do_push(longer, tree)
        assert drive_emulator.read_tree("darknet").keys() >= {
            "backup/run_400.weights",
            "backup/run_60.weights",
        }
        assert "backup/run_300.weights" not in drive_emulator.read_tree("darknet")

    @pytest.mark.parametrize(
        ("name", "images", "lands"),
        [
            pytest.param("run_last.weights", 400, True, id="it is further"),
            pytest.param("run_last.weights", 296, False, id="it is not"),
            pytest.param("run_best.weights", 400, True, id="it is as good, and further"),
            pytest.param("run_best.weights", 296, False, id="it is as good, and not"),
        ],
    )
    def test_what_an_earlier_version_pushed_is_looked_into_once(
        self,
        pusher: Pusher,
        longer: Pusher,
        tree: Tree,
        drive_emulator: DriveEmulator,
        name: str,
        images: int,
        *,
        lands: bool,
    ) -> None:
        path = f"backup/{name}"
        before = tree.save(name, 300)
        do_push(pusher, tree)
        forget_progress(tree, drive_emulator, path)
        contents = [tree.save(name, images)]
        do_push(longer, tree)
        contents.append(tree.save(name, images + 1))
        do_push(longer, tree)
        assert on_drive(drive_emulator, path) == (contents[-1] if lands else before)
        assert downloads(drive_emulator) == 1

    def test_what_nobody_can_judge_any_more_is_as_far_as_its_iteration_says(
        self,
        pusher: Pusher,
        tree: Tree,
        drive_emulator: DriveEmulator,
        remote: DriveRemote,
        index: Index,
        notes: Notes,
    ) -> None:
        before = tree.save("run_last.weights", 300)
        do_push(pusher, tree)
        forget_progress(tree, drive_emulator, LAST)

        def judge(_tree: Path, _path: str, snapshot: Path) -> Verdict:
            fits = snapshot.read_bytes() != before
            return Verdict(
                fits, "" if fits else "it fits no cfg any more", iteration=200, role=Role.LAST, progress=200
            )

        tree.save("run_last.weights", 200)
        assert do_push(Pusher(tree.root, remote, index, judge, notes), tree).pushed == ()
        with drive_emulator.locked() as store:
            entry = find(store, f"darknet/{LAST}")
            assert entry is not None
            entry.app_properties.clear()
        tree.save("run_last.weights", 200, value=0.25)
        assert do_push(Pusher(tree.root, remote, index, judge, notes), tree).pushed == ()
        assert on_drive(drive_emulator, LAST) == before


def test_what_was_outdone_is_not_offered_again_until_it_is_saved_anew(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
) -> None:
    tree.save("run_last.weights", 300)
    do_push(pusher, tree)
    tree.save("run_last.weights", 200)
    with pusher:
        pusher.offer(LAST)
        assert isinstance(pusher.push_next(), Outdone)
        assert pusher.spool.pending() == ()
        pusher.offer(LAST)
        assert pusher.push_next() is None
        content = tree.save("run_last.weights", 301)
        pusher.offer(LAST)
        pusher.push_next()
    assert on_drive(drive_emulator, LAST) == content


@pytest.mark.parametrize(
    ("there", "lands"),
    [
        pytest.param(400, False, id="it is further"),
        pytest.param(200, True, id="it is not"),
        pytest.param(None, True, id="it is no whole checkpoint"),
    ],
)
def test_what_was_uploaded_by_hand_is_looked_into_once(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator, there: int | None, *, lands: bool
) -> None:
    by_hand = b"torn" if there is None else tree.weights(there)
    drive_emulator.put(f"darknet/{LAST}", by_hand)
    contents = [tree.save("run_last.weights", 300)]
    do_push(pusher, tree)
    contents.append(tree.save("run_last.weights", 301))
    do_push(pusher, tree)
    assert on_drive(drive_emulator, LAST) == (contents[-1] if lands else by_hand)
    assert downloads(drive_emulator) == 1
    assert not (tree.root / ".drivesync" / "fetched.tmp").exists()


def test_a_record_does_not_stand_for_what_somebody_put_in_its_place(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
) -> None:
    tree.save("run_last.weights", 900)
    do_push(pusher, tree)
    # Drive keeps the properties when another version is uploaded.
    drive_emulator.put(f"darknet/{LAST}", tree.weights(100))
    content = tree.save("run_last.weights", 200)
    do_push(pusher, tree)
    assert on_drive(drive_emulator, LAST) == content


def test_what_an_earlier_version_pushed_is_known_by_its_receipt(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
) -> None:
    content = tree.save("run_last.weights", 300)
    do_push(pusher, tree)
    with drive_emulator.locked() as store:
        entry = find(store, f"darknet/{LAST}")
        assert entry is not None
        entry.app_properties.clear()
    tree.save("run_last.weights", 200)
    assert do_push(pusher, tree).pushed == ()
    assert on_drive(drive_emulator, LAST) == content
    assert downloads(drive_emulator) == 0


def test_what_cannot_be_looked_into_is_not_replaced(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
) -> None:
    by_hand = tree.weights(400)
    drive_emulator.put(f"darknet/{LAST}", by_hand)
    drive_emulator.inject(Fault(CorruptDownload()))
    tree.save("run_last.weights", 500)
    with pytest.raises(DamagedError, match="came damaged"):
        do_push(pusher, tree)
    assert on_drive(drive_emulator, LAST) == by_hand
    do_push(pusher, tree)
    assert read_receipts(tree.root)[-1].iteration == 500


def test_what_landed_damaged_is_no_obstacle(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator, remote: DriveRemote, index: Index, notes: Notes
) -> None:
    """It has the record of what it was to be, and may even be taken for whole."""
    drive_emulator.inject(Fault(CorruptUpload(flips=3), "upload.final", times=2))
    content = tree.save("run_best.weights", 300, value=71.5)
    with pytest.raises(DamagedError):
        do_push(pusher, tree)

    def refuse_damaged(_tree: Path, _path: str, snapshot: Path) -> Verdict:
        whole = snapshot.read_bytes() == content
        return Verdict(whole, "" if whole else "it is torn", iteration=300, score=71.5)

    do_push(Pusher(tree.root, remote, index, refuse_damaged, notes), tree)
    assert on_drive(drive_emulator, BEST) == content


def test_files_that_are_no_checkpoints_are_replaced_unseen(
    tree: Tree, remote: DriveRemote, index: Index, accept: Accept, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    def judge(tree: Path, path: str, snapshot: Path) -> Verdict:
        if path.endswith(".weights"):
            return accept(tree, path, snapshot)
        return Verdict(accepted=True)

    pusher = Pusher(tree.root, remote, index, judge, notes)
    drive_emulator.put("darknet/backup/metrics.jsonl", b"old")
    (tree.root / "backup" / "metrics.jsonl").write_bytes(b"new")
    push(pusher, tree.root, ("backup/*.jsonl",))
    assert on_drive(drive_emulator, "backup/metrics.jsonl") == b"new"
    assert downloads(drive_emulator) == 0


def test_who_knows_nothing_does_not_replace_what_is_known(
    pusher: Pusher, tree: Tree, remote: DriveRemote, index: Index, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    content = tree.save("run_last.weights", 300)
    do_push(pusher, tree)
    tree.save("run_last.weights", 400)
    ignorant = Pusher(tree.root, remote, index, lambda *_: Verdict(accepted=True), notes)
    assert [outdone.path for outdone in do_push(ignorant, tree).outdone] == [LAST]
    assert on_drive(drive_emulator, LAST) == content


class TestDirect:
    """There is no room for a snapshot: the tree's own file is sent, if it stays as it is."""

    @pytest.fixture
    def full(self, pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> Pusher:
        monkeypatch.setattr(pusher.spool, "_take_snapshot", pusher.spool._take_directly)
        return pusher

    def test_it_is_sent_and_said(
        self, full: Pusher, tree: Tree, drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        content = tree.save("run_last.weights", 300)
        do_push(full, tree)
        assert on_drive(drive_emulator, LAST) == content
        assert "no room on this disk for a copy" in notes.lines[0]
        assert notes.lines[1].startswith(f"safe: {LAST}, iteration 300")

    def test_without_its_place_in_the_index_it_has_its_receipt(
        self, full: Pusher, tree: Tree, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that ends there takes the entry with it: what the index knew would not be offered again."""

        def die(_file: object) -> None:
            raise KeyboardInterrupt

        tree.save("run_last.weights", 300)
        monkeypatch.setattr(index, "record", die)
        with pytest.raises(KeyboardInterrupt):
            do_push(full, tree)
        assert [receipt.iteration for receipt in read_receipts(tree.root)] == [300]

    def test_what_is_saved_meanwhile_never_lands_torn(
        self,
        full: Pusher,
        tree: Tree,
        drive_emulator: DriveEmulator,
        monkeypatch: pytest.MonkeyPatch,
        remote: DriveRemote,
    ) -> None:
        before = tree.save("run_last.weights", 300)
        do_push(full, tree)
        tree.save("run_last.weights", 400)
        write = remote.write

        def write_while_it_is_saved(path: str, *arguments: object, **more: object) -> object:
            (tree.root / path).write_bytes(tree.weights(500)[:-4])
            return write(path, *arguments, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(remote, "write", write_while_it_is_saved)
        result = do_push(full, tree)
        assert result.pushed == ()
        assert len(result.outdone) == 1
        assert on_drive(drive_emulator, LAST) == before
        monkeypatch.undo()
        content = tree.save("run_last.weights", 600)
        do_push(full, tree)
        assert on_drive(drive_emulator, LAST) == content


class TestKeepNumbered:
    @pytest.fixture
    def keeping(self, tree: Tree, remote: DriveRemote, index: Index, accept: Accept, notes: Notes) -> Pusher:
        return Pusher(tree.root, remote, index, accept, notes, keep_numbered=2)

    def names(self, drive: DriveEmulator) -> list[str]:
        return sorted(
            path.removeprefix("backup/run_").partition(".")[0] for path in drive.read_tree("darknet")
        )

    def test_the_newest_stay(
        self, keeping: Pusher, tree: Tree, drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        for iteration in (1000, 2000, 3000, 4000):
            tree.save(f"run_{iteration}.weights", iteration)
            tree.save("run_last.weights", iteration)
            tree.save("run_best.weights", iteration, value=float(iteration))
            do_push(keeping, tree)
        tree.save("run_final.weights", 4000)
        do_push(keeping, tree)
        assert self.names(drive_emulator) == ["3000", "4000", "best", "final", "last"]
        deleted = [line for line in notes.lines if line.startswith("deleted")]
        assert [line.split(":")[1].split(",")[0].strip() for line in deleted] == [
            "backup/run_1000.weights",
            "backup/run_2000.weights",
        ]
        assert len(list((tree.root / "backup").iterdir())) == 7, "here everything stays"
        with drive_emulator.locked() as store:
            assert store.trashed_bytes() == 0

    def test_what_was_deleted_is_nobody_s_concern_any_more(
        self,
        keeping: Pusher,
        tree: Tree,
        drive_emulator: DriveEmulator,
        remote: DriveRemote,
        index: Index,
        accept: Accept,
        notes: Notes,
    ) -> None:
        for iteration in (1000, 2000, 3000):
            tree.save(f"run_{iteration}.weights", iteration)
            do_push(keeping, tree)
        assert [receipt.path for receipt in read_receipts(tree.root) if receipt.deleted] == [
            "backup/run_1000.weights"
        ]
        status = read_status(tree.root, ("backup/*.weights",), accept, "darknet")
        assert [receipt.iteration for receipt in status.safe] == [3000, 2000]
        asked: list[str] = []
        find_now = remote.find

        def note_and_find(path: str) -> RemoteFile | None:
            asked.append(path)
            return find_now(path)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(remote, "find", note_and_find)
            (tree.root / "backup" / "run_1000.weights").unlink()
            tree.save("run_4000.weights", 4000)
            do_push(Pusher(tree.root, remote, index, accept, notes, keep_numbered=2), tree)
        assert "backup/run_1000.weights" not in asked
        assert self.names(drive_emulator) == ["3000", "4000"]

    def test_what_somebody_deleted_is_asked_for_once(
        self, keeping: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        for iteration in (1000, 2000, 3000):
            tree.save(f"run_{iteration}.weights", iteration)
            if iteration == 3000:
                with drive_emulator.locked() as store:
                    entry = find(store, "darknet/backup/run_1000.weights")
                    assert entry is not None
                    store.delete(entry.id)
                (tree.root / "backup" / "run_1000.weights").unlink()
            do_push(keeping, tree)
        assert [receipt.iteration for receipt in read_receipts(tree.root) if receipt.deleted] == [1000]

    def test_what_it_has_no_receipt_of_stays(
        self, keeping: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.put("darknet/backup/run_500.weights", tree.weights(500))
        for iteration in (1000, 2000, 3000):
            tree.save(f"run_{iteration}.weights", iteration)
            do_push(keeping, tree)
        assert self.names(drive_emulator) == ["2000", "3000", "500"]

    def test_what_somebody_put_in_its_place_stays(
        self, keeping: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        for iteration in (1000, 2000):
            tree.save(f"run_{iteration}.weights", iteration)
            do_push(keeping, tree)
        drive_emulator.put("darknet/backup/run_1000.weights", b"another's")
        with keeping:
            tree.save("run_3000.weights", 3000)
            keeping.offer("backup/run_3000.weights")
            keeping.push_next()
        assert self.names(drive_emulator) == ["1000", "2000", "3000"]

    def test_all_at_once_and_again(
        self, keeping: Pusher, tree: Tree, drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        for iteration in (1000, 2000, 3000, 4000):
            tree.save(f"run_{iteration}.weights", iteration)
        for _ in range(2):
            do_push(keeping, tree)
            assert self.names(drive_emulator) == ["3000", "4000"]
        assert not any(line.startswith("safe: backup/run_1000") for line in notes.lines[-4:])

    def test_that_it_cannot_be_deleted_now_is_no_failure(
        self, keeping: Pusher, tree: Tree, drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        for iteration in (1000, 2000, 3000, 4000):
            if iteration == 3000:
                drive_emulator.inject(Fault(ErrorAnswer(403, "forbidden"), "files.delete"))
            tree.save(f"run_{iteration}.weights", iteration)
            do_push(keeping, tree)
        assert self.names(drive_emulator) == ["3000", "4000"]
        assert any("still on the remote" in line for line in notes.lines)
