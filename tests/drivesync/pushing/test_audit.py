"""Of two sessions on one run only the one that has its lease pushes, and it puts its own back."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LeaseError
from drivesync.index import Index
from drivesync.leasing.leases import Leases
from drivesync.push import Pushed, Pusher
from drivesync.pushing.standing import Standing, make_record
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.spooling.receipts import read_receipts
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find
from tests.drivesync.conftest import FIRST_WAIT_S, Tree, accept_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes

LAST, BEST, NUMBERED = (f"backup/run_{name}.weights" for name in ("last", "best", "1000"))


class Session:
    """One of several that have the same tree on Drive."""

    def __init__(self, root: Path, settings: Settings, notes: Notes, stack: ExitStack) -> None:
        (root / "backup").mkdir(parents=True)
        self.tree = Tree(root)
        self.remote = stack.enter_context(DriveRemote("darknet", settings, first_wait_s=FIRST_WAIT_S))
        self.leases = stack.enter_context(Leases(self.remote, take_over=True))
        index = stack.enter_context(Index(root))
        self.pusher = stack.enter_context(
            Pusher(root, self.remote, index, accept_all, notes, leases=self.leases)
        )

    def push(self, path: str, iteration: int, value: float = 0.5) -> bytes:
        """Save and push; returned is the content."""
        content = self.tree.save(path.removeprefix("backup/"), iteration, value)
        self.pusher.offer(path)
        assert isinstance(self.pusher.push_next(), Pushed)
        return content


@pytest.fixture
def sessions(tmp_path: Path, settings: Settings, notes: Notes) -> Iterator[Callable[[], Session]]:
    with ExitStack() as stack:
        numbers = iter(range(9))
        yield lambda: Session(tmp_path / f"session-{next(numbers)}", settings, notes, stack)


def on_drive(drive: DriveEmulator) -> dict[str, bytes]:
    return {
        path: data for path, data in drive.read_tree("darknet").items() if not path.startswith(".drivesync/")
    }


def strew(drive: DriveEmulator, path: str, content: bytes, standing: Standing) -> None:
    """Have a session that has lost the run land ``content`` nevertheless."""
    drive.put(f"darknet/{path}", content)
    with drive.locked() as store:
        entry = find(store, f"darknet/{path}")
        assert entry is not None
        assert entry.head is not None
        content_sums = entry.head.content
        said = make_record(standing, md5=content_sums.md5, sha256=content_sums.sha256)
        store.update(entry.id, Metadata(app_properties={**said}))


def test_what_is_recorded_names_the_lease(
    sessions: Callable[[], Session], drive_emulator: DriveEmulator
) -> None:
    session = sessions()
    session.push(LAST, 100)
    with drive_emulator.locked() as store:
        entry = find(store, f"darknet/{LAST}")
        assert entry is not None
        said = dict(entry.app_properties)
    lease = session.leases.held["backup/run"]
    assert (said["epoch"], said["holder"]) == (str(lease.epoch), lease.holder)


def test_the_loser_pushes_nothing_of_the_run_and_keeps_its_files(
    sessions: Callable[[], Session], drive_emulator: DriveEmulator
) -> None:
    first, second = sessions(), sessions()
    first.push(LAST, 100)
    content = second.push(LAST, 200)
    first.tree.save("run_last.weights", 300)
    first.tree.save("other_last.weights", 5)
    first.pusher.offer(LAST)
    with pytest.raises(LeaseError):
        first.pusher.push_next()
    assert on_drive(drive_emulator) == {LAST: content}
    assert set(first.pusher.lost) == {"backup/run"}
    assert [entry.iteration for entry in first.pusher.spool.pending()] == [300]
    assert first.pusher.push_next() is None
    # Others go on.
    first.pusher.offer("backup/other_last.weights")
    assert isinstance(first.pusher.push_next(), Pushed)


def test_the_loss_is_noticed_before_the_last_byte(
    sessions: Callable[[], Session], drive_emulator: DriveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sessions(), sessions()
    before = first.push(LAST, 100)
    write = first.remote.write

    def write_while_it_is_taken(*arguments: object, **more: object) -> object:
        second.leases.hold("backup/run")
        return write(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(first.remote, "write", write_while_it_is_taken)
    first.tree.save("run_last.weights", 200)
    first.pusher.offer(LAST)
    with pytest.raises(LeaseError):
        first.pusher.push_next()
    assert on_drive(drive_emulator) == {LAST: before}


def test_what_lands_as_the_run_is_taken_is_not_called_safe(
    sessions: Callable[[], Session],
    monkeypatch: pytest.MonkeyPatch,
    notes: Notes,
) -> None:
    first, second = sessions(), sessions()
    first.push(LAST, 100)
    write = first.remote.write

    def take_it_afterwards(*arguments: object, **more: object) -> object:
        landed = write(*arguments, **more)  # type: ignore[arg-type]
        second.leases.hold("backup/run")
        return landed

    monkeypatch.setattr(first.remote, "write", take_it_afterwards)
    first.tree.save("run_last.weights", 200)
    first.pusher.offer(LAST)
    with pytest.raises(LeaseError):
        first.pusher.push_next()
    assert [receipt.iteration for receipt in read_receipts(first.tree.root)] == [100]
    assert not any("iteration 200" in line for line in notes.lines)


class TestAudit:
    def test_a_stragglers_gives_way_whatever_its_iteration(
        self, sessions: Callable[[], Session], drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        first, second = sessions(), sessions()
        first.push(LAST, 100)
        content = second.push(LAST, 200)
        strew(drive_emulator, LAST, first.tree.weights(900), Standing(900, epoch=1))
        second.pusher.audit()
        assert any("putting this one's back" in line for line in notes.lines)
        assert isinstance(second.pusher.push_next(), Pushed)
        assert on_drive(drive_emulator) == {LAST: content}
        second.pusher.audit()
        assert second.pusher.push_next() is None

    def test_also_where_a_newer_one_of_ours_comes_first(
        self, sessions: Callable[[], Session], drive_emulator: DriveEmulator
    ) -> None:
        first, second = sessions(), sessions()
        first.push(LAST, 100)
        second.push(LAST, 200)
        strew(drive_emulator, LAST, first.tree.weights(900), Standing(900, epoch=1))
        content = second.push(LAST, 300)
        assert on_drive(drive_emulator) == {LAST: content}

    def test_of_what_is_not_kept_the_trees_own_file_is_put_back(
        self, sessions: Callable[[], Session], drive_emulator: DriveEmulator
    ) -> None:
        first, second = sessions(), sessions()
        first.push(LAST, 100)
        best = second.push(BEST, 200, value=70.0)
        last = second.push(LAST, 300)
        strew(drive_emulator, BEST, first.tree.weights(900, 60.0), Standing(900, 60.0, epoch=1))
        second.pusher.audit()
        assert isinstance(second.pusher.push_next(), Pushed)
        assert on_drive(drive_emulator) == {LAST: last, BEST: best}

    @pytest.mark.parametrize(
        ("path", "standing"),
        [
            pytest.param(BEST, Standing(900, 80.0, epoch=1), id="a straggler's best that is better"),
            pytest.param(LAST, Standing(900), id="what somebody uploaded by hand, and is further"),
        ],
    )
    def test_what_is_better_stays_and_is_looked_at_once(
        self,
        sessions: Callable[[], Session],
        drive_emulator: DriveEmulator,
        path: str,
        standing: Standing,
        notes: Notes,
    ) -> None:
        session = sessions()
        session.leases.hold("backup/run")
        session.push(path, 200, value=70.0)
        theirs = session.tree.weights(900, 80.0)
        strew(drive_emulator, path, theirs, standing)
        for _ in range(2):
            session.pusher.audit()
        assert session.pusher.push_next() is None
        assert on_drive(drive_emulator)[path] == theirs
        assert not any("putting" in line for line in notes.lines)

    def test_what_is_not_written_over_by_design_is_not_looked_at(
        self, sessions: Callable[[], Session], drive_emulator: DriveEmulator
    ) -> None:
        session = sessions()
        session.push(NUMBERED, 1000)
        asked = drive_emulator.counters().total().requests
        session.pusher.audit()
        assert drive_emulator.counters().total().requests == asked

    def test_who_has_lost_the_run_puts_nothing_back(
        self, sessions: Callable[[], Session], drive_emulator: DriveEmulator
    ) -> None:
        first, second = sessions(), sessions()
        first.push(LAST, 300)
        second.push(LAST, 400)
        with pytest.raises(LeaseError):
            first.leases.held["backup/run"].check()
        asked = drive_emulator.counters().total().requests
        first.pusher.audit()
        assert drive_emulator.counters().total().requests == asked

    def test_what_somebody_deleted_is_not_brought_back(
        self, sessions: Callable[[], Session], drive_emulator: DriveEmulator
    ) -> None:
        session = sessions()
        session.push(LAST, 300)
        with drive_emulator.locked() as store:
            entry = find(store, f"darknet/{LAST}")
            assert entry is not None
            store.delete(entry.id)
        session.pusher.audit()
        assert session.pusher.push_next() is None
        assert on_drive(drive_emulator) == {}
