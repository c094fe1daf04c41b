"""A checkpoint is safe once Drive carries its checksum; until then it is pending, whatever happens."""

from __future__ import annotations

import struct
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.disk import look
from drivesync.errors import (
    DamagedError,
    DiskFullError,
    NotAllowedError,
    NotFoundError,
    RemoteError,
    TransientError,
    UnfinishedError,
)
from drivesync.files import Receipt, Verdict
from drivesync.index import Index
from drivesync.push import BackgroundPusher, Pusher, PushResult, Unchanged, find_files, push
from drivesync.remotes.drive import DriveRemote
from drivesync.spool import Entry, Refused, read_receipts
from drivesync.testing import CorruptUpload, Delay, ErrorAnswer, ExpiredToken, Fault, LostAnswer
from drivesync.testing.trees import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Notes, Tree

LAST = "backup/run_last.weights"
PATTERNS = ("backup/*.weights",)


@pytest.fixture
def index(tree: Tree) -> Iterator[Index]:
    with Index(tree.root) as opened:
        yield opened


@pytest.fixture
def pusher(tree: Tree, remote: DriveRemote, index: Index, accept: Accept, notes: Notes) -> Pusher:
    return Pusher(tree.root, remote, index, accept, notes, clock=lambda: 1234.5)


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
        drive_emulator.put(f"darknet/{LAST}", b"somebody else's")
        do_push(pusher, tree)
        assert on_drive(drive_emulator) == {LAST: content}

    def test_the_further_the_training_the_sooner(self, pusher: Pusher, tree: Tree) -> None:
        with pusher.spool:
            for iteration in (100, 300, 200):
                tree.save(f"run_{iteration}.weights", iteration)
                pusher.offer(f"backup/run_{iteration}.weights")
            order = [pusher.push_next() for _ in range(4)]
        assert [pushed and pushed.receipt.iteration for pushed in order] == [300, 200, 100, None]

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
        with pusher.spool, pytest.raises(UnfinishedError, match="another push"):
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

    def test_the_folder_was_deleted_on_drive(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        tree.save("run_last.weights", 100)
        do_push(pusher, tree)
        with drive_emulator.locked() as store:
            folder = find(store, "darknet/backup")
            assert folder is not None
            store.delete(folder.id)
        with pytest.raises(NotFoundError):
            do_push(pusher, tree)
        do_push(pusher, tree)
        assert list(on_drive(drive_emulator)) == [LAST]


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
        assert result.refused == (Refused(LAST, "it is torn"),)
        assert f"not pushed: {LAST}: it is torn" in notes.lines
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
        with picky.spool:
            assert picky.offer(LAST) == Refused(LAST, "it is torn")
            assert picky.offer(LAST) == Refused(LAST, "it is as it was when it was refused", moved=True)
            assert len(notes.lines) == 1
            tree.save("run_last.weights", 100)
            assert isinstance(picky.offer(LAST), Entry)

    def test_a_name_that_drive_could_not_take(self, picky: Pusher, tree: Tree) -> None:
        name = b"backup/\xff.weights".decode(errors="surrogateescape")
        (tree.root / name).write_bytes(b"")
        with picky.spool:
            assert picky.offer(name) == Refused(name, "its name is not valid Unicode")

    def test_a_file_in_use_is_no_damaged_file(self) -> None:
        in_use = Refused("a", "it is being written to", moved=True)
        with pytest.raises(UnfinishedError, match="being written to"):
            PushResult((), (in_use,)).raise_failure()
        with pytest.raises(DamagedError, match=r"2 file.*torn"):
            PushResult((), (in_use, Refused("b", "it is torn"))).raise_failure()
        PushResult((), ()).raise_failure()


class TestOffer:
    def test_what_is_on_drive_or_waiting_is_not_copied_again(self, pusher: Pusher, tree: Tree) -> None:
        tree.save("run_last.weights", 100)
        with pusher.spool:
            assert isinstance(pusher.offer(LAST), Entry)
            assert pusher.offer(LAST) == Unchanged(LAST)
            pusher.push_next()
            assert pusher.offer(LAST) == Unchanged(LAST)
            assert isinstance(pusher.offer(LAST, trust_index=False), Entry)

    def test_what_is_not_there(self, pusher: Pusher, tree: Tree) -> None:
        (tree.root / "backup" / "folder.weights").mkdir()
        with pusher.spool:
            for path in (LAST, "backup/folder.weights"):
                assert pusher.offer(path) == Refused(path, "it is gone", moved=True)

    def test_the_index_says_what_drive_holds_and_not_what_is_here_by_now(
        self, pusher: Pusher, tree: Tree, index: Index
    ) -> None:
        tree.save("run_last.weights", 100)
        with pusher.spool:
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


class TestBackground:
    @contextmanager
    def at_work(self, pusher: Pusher, notes: Notes) -> Iterator[tuple[BackgroundPusher, list[Receipt]]]:
        safe: list[Receipt] = []
        with BackgroundPusher(pusher, notes, safe.append, first_pause_s=0.01) as background:
            yield background, safe

    def test_what_is_offered_becomes_safe(
        self, pusher: Pusher, tree: Tree, notes: Notes, drive_emulator: DriveEmulator
    ) -> None:
        with self.at_work(pusher, notes) as (background, safe):
            content = tree.save("run_last.weights", 100)
            assert isinstance(background.offer(LAST), Entry)
            assert background.wait_until_safe(20)
            assert (background.pending, background.trouble) == ((), None)
        assert [receipt.iteration for receipt in safe] == [100]
        assert on_drive(drive_emulator) == {LAST: content}

    def test_what_an_earlier_process_left_is_pushed_at_once(
        self, pusher: Pusher, tree: Tree, notes: Notes, drive_emulator: DriveEmulator
    ) -> None:
        content = tree.save("run_last.weights", 100)
        with pusher.spool:
            pusher.offer(LAST)
        with self.at_work(pusher, notes) as (background, _safe):
            assert background.wait_until_safe(20)
        assert on_drive(drive_emulator) == {LAST: content}

    def test_drive_goes_down_and_comes_back(
        self,
        pusher: Pusher,
        tree: Tree,
        notes: Notes,
        drive_emulator: DriveEmulator,
        wait_for: Callable[[Callable[[], object]], None],
    ) -> None:
        with self.at_work(pusher, notes) as (background, safe):
            drive_emulator.__exit__(None, None, None)
            tree.save("run_last.weights", 100)
            background.offer(LAST)
            wait_for(lambda: background.trouble)
            content = tree.save("run_last.weights", 200)
            background.offer(LAST)
            assert not background.wait_until_safe(0.05)
            drive_emulator.__enter__()
            assert background.wait_until_safe(20)
            wait_for(lambda: background.trouble is None)
        assert on_drive(drive_emulator) == {LAST: content}
        assert [receipt.iteration for receipt in safe][-1] == 200
        assert sum(line.startswith("waiting to push") for line in notes.lines) == 1

    def test_an_outage_of_a_thousand_tries(
        self, tree: Tree, index: Index, accept: Accept, notes: Notes, wait_for: Callable[..., None]
    ) -> None:
        tree.save("run_last.weights", 100)
        nobody = Settings("http://127.0.0.1:1", "token", retries=0)
        with DriveRemote("darknet", nobody) as remote:
            pusher = Pusher(tree.root, remote, index, accept, notes)
            with BackgroundPusher(pusher, notes, print, first_pause_s=1e-9) as background:
                background.offer(LAST)
                # It is told at first, and then every tenth time.
                wait_for(lambda: len(notes.lines) > 104)
        assert set(notes.lines) == {
            "waiting to push: looking for darknet: the connection broke (Connection refused)."
        }

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            pytest.param(ExpiredToken(), NotAllowedError, id="the token dies and is made good"),
            pytest.param(
                ErrorAnswer(403, "dailyLimitExceeded"), RemoteError, id="the daily limit is used up"
            ),
        ],
    )
    def test_what_is_mended_goes_on(
        self,
        pusher: Pusher,
        tree: Tree,
        notes: Notes,
        drive_emulator: DriveEmulator,
        wait_for: Callable[[Callable[[], object]], None],
        fault: ExpiredToken | ErrorAnswer,
        kind: type[Exception],
    ) -> None:
        with self.at_work(pusher, notes) as (background, _safe):
            drive_emulator.inject(Fault(fault, times=None))
            content = tree.save("run_last.weights", 100)
            background.offer(LAST)
            wait_for(lambda: isinstance(background.trouble, kind))
            drive_emulator.reset()
            assert background.wait_until_safe(20)
        assert on_drive(drive_emulator) == {LAST: content}

    def test_storage_is_full_and_freed(
        self,
        pusher: Pusher,
        tree: Tree,
        notes: Notes,
        drive_emulator: DriveEmulator,
        wait_for: Callable[[Callable[[], object]], None],
    ) -> None:
        with drive_emulator.locked() as store:
            store.storage_limit_bytes = 10
        with self.at_work(pusher, notes) as (background, _safe):
            content = tree.save("run_last.weights", 100)
            background.offer(LAST)
            wait_for(lambda: background.trouble)
            assert "storageQuotaExceeded" in str(background.trouble)
            assert "free some space" in notes.lines[-1]
            with drive_emulator.locked() as store:
                store.storage_limit_bytes = None
            assert background.wait_until_safe(20)
        assert on_drive(drive_emulator) == {LAST: content}

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(Fault(Delay(60.0), "upload.*"), id="an upload hangs"),
            pytest.param(Fault(Delay(60.0), "files.list"), id="a question hangs"),
            pytest.param(
                Fault(ErrorAnswer(429, "rateLimitExceeded", "", 600), times=None), id="Drive asks to wait"
            ),
        ],
    )
    def test_the_end_is_prompt_and_nothing_is_lost(
        self,
        pusher: Pusher,
        tree: Tree,
        notes: Notes,
        drive_emulator: DriveEmulator,
        wait_for: Callable[[Callable[[], object]], None],
        fault: Fault,
    ) -> None:
        drive_emulator.inject(fault)
        with self.at_work(pusher, notes) as (background, safe):
            tree.save("run_last.weights", 100)
            background.offer(LAST)
            wait_for(lambda: sum(int(str(armed["struck"])) for armed in drive_emulator.app.faults.report()))
            time.sleep(0.05)
            began_s = time.monotonic()
        assert time.monotonic() - began_s < 3
        assert safe == []
        with pusher.spool as spool:
            assert [entry.iteration for entry in spool.pending()] == [100]
        assert not any(line.startswith("waiting to push") for line in notes.lines)

    def test_a_disk_that_is_full_is_told_and_the_rest_goes_on(
        self, pusher: Pusher, tree: Tree, notes: Notes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise DiskFullError("cannot write it: No space left on device", hint="Free some space.")

        with self.at_work(pusher, notes) as (background, _safe):
            tree.save("run_last.weights", 100)
            with monkeypatch.context() as patch:
                patch.setattr(pusher.spool, "take", fail)
                assert isinstance(background.offer(LAST), Refused)
            assert notes.lines == [
                f"not pushed yet: {LAST}: cannot write it: No space left on device. Free some space."
            ]
            assert isinstance(background.offer(LAST), Entry)
            assert background.wait_until_safe(20)

    def test_an_error_in_a_judge_ends_nothing(
        self, tree: Tree, remote: DriveRemote, index: Index, notes: Notes
    ) -> None:
        def judge(_tree: Path, _path: str, snapshot: Path) -> Verdict:
            return Verdict(accepted=True, iteration=struct.unpack("<i", snapshot.read_bytes())[0])

        with self.at_work(Pusher(tree.root, remote, index, judge, notes), notes) as (background, _safe):
            (tree.root / LAST).write_bytes(b"three bytes are no int")
            assert isinstance(background.offer(LAST), Refused)
            assert "an error in the program" in notes.lines[-1]
            (tree.root / LAST).write_bytes(b"four")
            assert isinstance(background.offer(LAST), Entry)
            assert background.wait_until_safe(20)

    def test_an_error_in_who_is_told_ends_nothing(self, pusher: Pusher, tree: Tree, notes: Notes) -> None:
        told: list[int | None] = []

        def tell(receipt: Receipt) -> None:
            told.append(receipt.iteration)
            raise ValueError("no")

        with BackgroundPusher(pusher, notes, tell, first_pause_s=0.01) as background:
            for iteration in (100, 200):
                tree.save("run_last.weights", iteration)
                background.offer(LAST)
                assert background.wait_until_safe(20)
        assert told == [100, 200]


def test_killed_between_any_two_effects_a_rerun_converges(
    tree: Tree,
    drive_emulator: DriveEmulator,
    kill_everywhere: Callable[..., list[Path]],
    drivesync: Callable[..., Ended],
) -> None:
    """On Drive there is one file of each name, and it is the newest; each is receipted; nothing is pending."""
    first = tree.save("run_last.weights", 100)
    assert drivesync("push", tree.root, "darknet").status == 0
    for number in range(1, 100):
        drive_emulator.put(f"pushed-{number}/{LAST}", first)
    expected = {
        "run_last.weights": tree.save("run_last.weights", 200),
        "run_200.weights": tree.save("run_200.weights", 200, value=0.25),
    }
    trees = kill_everywhere("push", tree.root)
    assert 30 < len(trees) < 100
    for done in trees:
        name = f"pushed-{done.name}"
        assert drive_emulator.read_tree(name) == {f"backup/{file}": data for file, data in expected.items()}
        with drive_emulator.locked() as store:
            backup = find(store, f"{name}/backup")
            assert backup is not None
            entries = list(store.children(backup.id))
        heads = {f"backup/{entry.name}": entry.head.content.md5 for entry in entries if entry.head}
        assert len(entries) == len(expected)
        assert {receipt.path: receipt.md5 for receipt in read_receipts(done)} == heads
        assert [place.suffix for place in (done / ".drivesync" / "spool").iterdir()] == [""]
