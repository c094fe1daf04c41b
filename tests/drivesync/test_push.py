"""A checkpoint is safe once Drive carries its checksum; until then it is pending, whatever happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.disk import look
from drivesync.errors import (
    DamagedError,
    DiskFullError,
    NotFoundError,
    RemoteError,
    TransientError,
    UnfinishedError,
)
from drivesync.files import Receipt, Verdict
from drivesync.push import Pushed, Pusher, PushResult, find_files, push
from drivesync.spooling.entries import Entry
from drivesync.spooling.outcome import Refused
from drivesync.spooling.receipts import read_receipts
from drivesync.testing import CorruptUpload, ErrorAnswer, Fault, LostAnswer
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find, make_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.index import Index
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Notes, Tree

LAST = "backup/run_last.weights"
PATTERNS = ("backup/*.weights",)
REJECTED = f".drivesync/spool/rejected/{LAST}.rejected"


def on_drive(drive: DriveEmulator) -> dict[str, bytes]:
    return drive.read_tree("darknet")


def uploads(drive: DriveEmulator) -> int:
    return sum(drive.counters()[f"files.{kind}.resumable"].requests for kind in ("create", "update"))


def do_push(pusher: Pusher, tree: Tree) -> PushResult:
    return push(pusher, tree.root, PATTERNS)


class TestPush:
    def test_a_new_file(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        content = tree.save("run_last.weights", 100)
        result = do_push(pusher, tree)
        assert on_drive(drive_emulator) == {LAST: content}
        with drive_emulator.locked() as store:
            entry = find(store, f"darknet/{LAST}")
        assert entry is not None
        assert entry.head is not None
        expected = Receipt(
            path=LAST,
            size=len(content),
            md5=entry.head.content.md5,
            sha256=entry.head.content.sha256,
            file_id=entry.id,
            revision_id=entry.head.id,
            at_s=1234.5,
            iteration=100,
            run="backup/run",
            role="last",
            progress=100,
            remote="darknet",
        )
        assert read_receipts(tree.root) == [expected]
        assert [(pushed.receipt, pushed.uploaded) for pushed in result.pushed] == [(expected, True)]
        assert notes.lines == [f"safe: {LAST}, iteration 100 ({len(content)} bytes, verified on Drive)"]
        assert entry.modified_ms == (tree.root / LAST).stat().st_mtime_ns // 1_000_000

    def test_a_changed_file_keeps_its_id(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        tree.save("run_last.weights", 100)
        do_push(pusher, tree)
        content = tree.save("run_last.weights", 200)
        do_push(pusher, tree)
        first, second = read_receipts(tree.root)
        assert first.file_id == second.file_id
        assert first.revision_id != second.revision_id
        assert on_drive(drive_emulator) == {LAST: content}

    def test_what_is_there_already_is_only_verified(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.put(f"darknet/{LAST}", tree.save("run_last.weights", 100))
        result = do_push(pusher, tree)
        assert [pushed.uploaded for pushed in result.pushed] == [False]
        assert uploads(drive_emulator) == 0
        assert len(read_receipts(tree.root)) == 1

    def test_drive_itself_is_asked_and_not_the_memory(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        content = tree.save("run_last.weights", 100)
        do_push(pusher, tree)
        drive_emulator.put(f"darknet/{LAST}", tree.weights(50))
        do_push(pusher, tree)
        assert on_drive(drive_emulator) == {LAST: content}

    def test_the_further_the_training_the_sooner(self, pusher: Pusher, tree: Tree) -> None:
        with pusher:
            for iteration in (100, 300, 200):
                tree.save(f"run_{iteration}.weights", iteration)
                pusher.offer(f"backup/run_{iteration}.weights")
            order = [pusher.push_next() for _ in range(4)]
        assert [pushed.receipt.iteration for pushed in order if isinstance(pushed, Pushed)] == [300, 200, 100]
        assert order[-1] is None

    def test_an_answer_that_is_lost_makes_no_twin(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.inject(Fault(LostAnswer(), "upload.final", times=2))
        tree.save("run_last.weights", 100)
        do_push(pusher, tree)
        drive_emulator.inject(Fault(LostAnswer(), "upload.final", times=2))
        content = tree.save("run_last.weights", 200)
        do_push(pusher, tree)
        with drive_emulator.locked() as store:
            folder = find(store, "darknet/backup")
            assert folder is not None
            (entry,) = store.children(folder.id)
        assert on_drive(drive_emulator) == {LAST: content}
        assert len(entry.revisions) == 2

    def test_damaged_on_its_way_it_is_sent_again(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.inject(Fault(CorruptUpload(), "upload.final"))
        content = tree.save("run_last.weights", 100)
        result = do_push(pusher, tree)
        assert on_drive(drive_emulator) == {LAST: content}
        assert [pushed.uploaded for pushed in result.pushed] == [True]
        assert len(read_receipts(tree.root)) == 1

    def test_damaged_again_and_again_it_stays_pending(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.inject(Fault(CorruptUpload(), "upload.final", times=2))
        content = tree.save("run_last.weights", 100)
        with pytest.raises(DamagedError, match=f"{LAST} is not on Drive as it was sent"):
            do_push(pusher, tree)
        assert read_receipts(tree.root) == []
        assert [entry.path for entry in pusher.spool.pending()] == [LAST]
        do_push(pusher, tree)
        assert on_drive(drive_emulator) == {LAST: content}

    def test_what_an_earlier_process_left_goes_too(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        content = tree.save("run_100.weights", 100)
        drive_emulator.inject(Fault(ErrorAnswer(503), times=None))
        with pytest.raises(TransientError):
            do_push(pusher, tree)
        (tree.root / "backup" / "run_100.weights").unlink()
        drive_emulator.reset()
        do_push(pusher, tree)
        assert on_drive(drive_emulator) == {"backup/run_100.weights": content}

    def test_a_second_push_of_the_same_tree_waits_for_the_first(self, pusher: Pusher, tree: Tree) -> None:
        with pusher, pytest.raises(UnfinishedError, match="another push"):
            do_push(pusher, tree)

    def test_a_disk_without_room_for_the_receipt(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        receipts = tree.root / ".drivesync" / "receipts.jsonl"
        receipts.symlink_to("/dev/full")
        content = tree.save("run_last.weights", 100)
        with pytest.raises(DiskFullError):
            do_push(pusher, tree)
        receipts.unlink()
        result = do_push(pusher, tree)
        assert [pushed.uploaded for pushed in result.pushed] == [False]
        assert on_drive(drive_emulator) == {LAST: content}
        assert [receipt.iteration for receipt in read_receipts(tree.root)] == [100]

    @pytest.mark.parametrize("gone", ["darknet/backup", "darknet"])
    def test_a_folder_that_was_deleted_on_drive_is_made_anew(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator, gone: str
    ) -> None:
        kept = {f"backup/{name}": tree.save(name, 100) for name in ("run_100.weights", "run_last.weights")}
        do_push(pusher, tree)
        with drive_emulator.locked() as store:
            folder = find(store, gone)
            assert folder is not None
            store.delete(folder.id)
        kept[LAST] = tree.save("run_last.weights", 200)
        result = do_push(pusher, tree)
        assert on_drive(drive_emulator) == kept
        assert [pushed.uploaded for pushed in result.pushed] == [True, True]

    @pytest.mark.parametrize("gone", ["darknet/backup", "darknet"])
    def test_nothing_is_safe_in_a_folder_that_was_thrown_away(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator, gone: str
    ) -> None:
        tree.save("run_last.weights", 100)
        do_push(pusher, tree)
        with drive_emulator.locked() as store:
            folder = find(store, gone)
            assert folder is not None
            store.update(folder.id, Metadata(trashed=True))
        content = tree.save("run_last.weights", 200)
        with pytest.raises(NotFoundError, match="was thrown into Drive's trash"):
            do_push(pusher, tree)
        assert [receipt.iteration for receipt in read_receipts(tree.root)] == [100]
        assert [entry.path for entry in pusher.spool.pending()] == [LAST]
        do_push(pusher, tree)
        assert on_drive(drive_emulator) == {LAST: content}
        assert [receipt.iteration for receipt in read_receipts(tree.root)] == [100, 200]

    def test_nothing_is_safe_beside_a_folder_of_its_name(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        content = tree.save("run_last.weights", 100)
        with drive_emulator.locked() as store:
            folder = make_folders(store, f"darknet/{LAST}")
        numbered = tree.save("run_100.weights", 100)
        with pusher:
            for path in (LAST, "backup/run_100.weights"):
                pusher.offer(path)
            with pytest.raises(RemoteError, match="a folder of the same name is there"):
                pusher.push_next()
            assert isinstance(pusher.push_next(), Pushed), "it keeps no other file waiting"
            with pytest.raises(RemoteError, match="a folder of the same name is there"):
                pusher.push_next()
        assert [receipt.path for receipt in read_receipts(tree.root)] == ["backup/run_100.weights"]
        with drive_emulator.locked() as store:
            store.delete(folder.id)
        do_push(pusher, tree)
        assert on_drive(drive_emulator) == {LAST: content, "backup/run_100.weights": numbered}


class TestRefused:
    @pytest.fixture
    def picky(self, tree: Tree, remote: DriveRemote, index: Index, notes: Notes) -> Pusher:
        def accept(_tree: Path, _path: str, snapshot: Path) -> Verdict:
            whole = snapshot.stat().st_size == len(tree.weights(1))
            return Verdict(whole, "" if whole else "it is torn")

        return Pusher(tree.root, remote, index, accept, notes)

    def test_it_is_never_sent_and_the_others_are(
        self, picky: Pusher, tree: Tree, drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        content = tree.save("run_100.weights", 100)
        (tree.root / LAST).write_bytes(content[:-1])
        result = do_push(picky, tree)
        assert on_drive(drive_emulator) == {"backup/run_100.weights": content}
        assert result.refused == (Refused(LAST, "it is torn", kept=REJECTED),)
        assert f"not pushed: {LAST}: it is torn; a copy is kept as {REJECTED}" in notes.lines
        with pytest.raises(DamagedError, match="it is torn") as caught:
            result.raise_failure()
        assert "What Drive holds" in caught.value.hint

    def test_what_drive_holds_stays(self, picky: Pusher, tree: Tree, drive_emulator: DriveEmulator) -> None:
        content = tree.save("run_last.weights", 100)
        do_push(picky, tree)
        (tree.root / LAST).write_bytes(b"torn")
        do_push(picky, tree)
        assert on_drive(drive_emulator) == {LAST: content}

    def test_it_is_told_once_and_tried_again_when_it_has_changed(
        self, picky: Pusher, tree: Tree, notes: Notes
    ) -> None:
        (tree.root / LAST).write_bytes(b"torn")
        with picky:
            assert picky.offer(LAST) == Refused(LAST, "it is torn", kept=REJECTED)
            assert picky.offer(LAST) == Refused(
                LAST, "it is as it was when it was refused", moved=True, again=True
            )
            assert len(notes.lines) == 1
            tree.save("run_last.weights", 100)
            assert isinstance(picky.offer(LAST), Entry)

    def test_a_name_that_drive_could_not_take(self, picky: Pusher, tree: Tree) -> None:
        name = b"backup/\xff.weights".decode(errors="surrogateescape")
        (tree.root / name).write_bytes(b"")
        with picky:
            assert picky.offer(name) == Refused("backup/\\xff.weights", "its name is not valid Unicode")

    def test_a_file_in_use_is_no_damaged_file(self) -> None:
        in_use = Refused("a", "it is being written to", moved=True)
        with pytest.raises(UnfinishedError, match="being written to"):
            PushResult((), (in_use,)).raise_failure()
        with pytest.raises(DamagedError, match=r"2 file.*torn"):
            PushResult((), (in_use, Refused("b", "it is torn"))).raise_failure()
        PushResult((), ()).raise_failure()


def test_the_index_says_what_drive_holds_and_not_what_is_here_by_now(
    pusher: Pusher, tree: Tree, index: Index
) -> None:
    tree.save("run_last.weights", 100)
    with pusher:
        pusher.offer(LAST)
        then = look(tree.root, LAST)
        tree.save("run_last.weights", 200)
        pusher.push_next()
    known = index.find(LAST)
    assert known is not None
    assert then is not None
    assert (known.size, known.mtime_ns) == (then.size, then.mtime_ns)


def test_find_files(tree: Tree) -> None:
    for name in ("b.weights", "a.weights", "c.txt", "d.backup"):
        (tree.root / "backup" / name).write_bytes(b"")
    (tree.root / "backup" / "folder.weights").mkdir()
    (tree.root / "backup" / "deep").mkdir()
    (tree.root / "backup" / "deep" / "e.weights").write_bytes(b"")
    patterns = ("backup/*.weights", "backup/*.backup", "backup/a*", "absent/*")
    assert find_files(tree.root, patterns) == ["backup/a.weights", "backup/b.weights", "backup/d.backup"]
    (tree.root / ".drivesync").mkdir()
    (tree.root / ".drivesync" / "kept.weights").write_bytes(b"")
    everywhere = ["backup/a.weights", "backup/b.weights", "backup/deep/e.weights"]
    assert find_files(tree.root, ("**/*.weights",)) == everywhere
    assert find_files(tree.root, ("backup/deep/**",)) == ["backup/deep/e.weights"]


def test_killed_anywhere_outside_the_spool_the_command_converges(
    tree: Tree,
    drive_emulator: DriveEmulator,
    kill_everywhere: Callable[..., list[Path]],
    drivesync: Callable[..., Ended],
) -> None:
    """Of what it keeps beside the spool: what the tree is, its index, its locks, its receipts.

    What happens between it and Drive is in test_push_killed.py, the spool in test_spool_killed.py.
    """
    first = tree.save("run_last.weights", 100)
    assert drivesync("push", tree.root, "darknet").status == 0
    for number in range(1, 50):
        drive_emulator.put(f"pushed-{number}/{LAST}", first)
    content = tree.save("run_last.weights", 200)
    trees = kill_everywhere("push", tree.root)
    assert 5 < len(trees) < 50
    for done in trees:
        name = f"pushed-{done.name}"
        assert drive_emulator.read_tree(f"{name}/backup") == {"run_last.weights": content}
        with drive_emulator.locked() as store:
            backup = find(store, f"{name}/backup")
            assert backup is not None
            (entry,) = store.children(backup.id)
        assert entry.head is not None
        receipt = read_receipts(done)[-1]
        assert (receipt.path, receipt.md5) == (LAST, entry.head.content.md5)
        assert [place.suffix for place in (done / ".drivesync" / "spool").iterdir()] == [""]
