"""A push begins with what is likely to be there, and ends only if it is: nothing lands where it does not belong."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from drivesync.leasing.leases import Leases
from drivesync.push import Outdone, Pushed, Pusher
from drivesync.spooling.receipts import read_receipts
from drivesync.testing import CorruptUpload, Fault
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.acceptance import Accept
    from drivesync.files import RemoteFile
    from drivesync.index import Index
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes, Tree

LAST = "backup/run_last.weights"


@pytest.fixture
def late(remote: DriveRemote, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Once called: what is there is told only when a write has begun."""
    writing = threading.Event()
    find_now, write = remote.find, remote.write

    def find_late(path: str) -> RemoteFile | None:
        assert writing.wait(20), "no write begins before it is known what is there"
        return find_now(path)

    def write_and_tell(path: str, *arguments: object, **more: object) -> RemoteFile:
        writing.set()
        return write(path, *arguments, **more)  # type: ignore[arg-type]

    def begin() -> None:
        monkeypatch.setattr(remote, "find", find_late)
        monkeypatch.setattr(remote, "write", write_and_tell)

    return begin


def push_last(pusher: Pusher, tree: Tree, iteration: int) -> Pushed | Outdone | None:
    tree.save("run_last.weights", iteration)
    pusher.offer(LAST)
    return pusher.push_next()


def put_aside(drive: DriveEmulator, _tree: Tree) -> None:
    """As ``--fresh`` of another session does."""
    with drive.locked() as store:
        entry = find(store, f"darknet/{LAST}")
        assert entry is not None
        store.update(entry.id, Metadata(name="archived.weights"))


def delete(drive: DriveEmulator, _tree: Tree) -> None:
    with drive.locked() as store:
        entry = find(store, f"darknet/{LAST}")
        assert entry is not None
        store.delete(entry.id)


def throw_away(drive: DriveEmulator, _tree: Tree) -> None:
    with drive.locked() as store:
        entry = find(store, f"darknet/{LAST}")
        assert entry is not None
        store.update(entry.id, Metadata(trashed=True))


def replace_content(drive: DriveEmulator, tree: Tree) -> None:
    drive.put(f"darknet/{LAST}", tree.weights(150))


def nothing(_drive: DriveEmulator, _tree: Tree) -> None:
    pass


@pytest.mark.parametrize("happens", [nothing, put_aside, delete, throw_away, replace_content])
def test_what_happened_to_the_file_meanwhile(
    pusher: Pusher,
    tree: Tree,
    drive_emulator: DriveEmulator,
    late: Callable[[], None],
    happens: Callable[[DriveEmulator, Tree], None],
) -> None:
    with pusher:
        push_last(pusher, tree, 100)
        happens(drive_emulator, tree)
        late()
        assert isinstance(push_last(pusher, tree, 200), Pushed)
    there = drive_emulator.read_tree("darknet")
    assert there.pop(LAST) == tree.weights(200)
    aside = {"backup/archived.weights": tree.weights(100)} if happens is put_aside else {}
    assert there == aside, "what was put aside stays as it was"
    with drive_emulator.locked() as store:
        entry = find(store, f"darknet/{LAST}")
        assert entry is not None
        assert entry.head is not None
        receipt = read_receipts(tree.root)[-1]
        assert (receipt.file_id, receipt.revision_id) == (entry.id, entry.head.id)


def test_something_better_landed_meanwhile(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator, late: Callable[[], None]
) -> None:
    with pusher:
        push_last(pusher, tree, 100)
        drive_emulator.put(f"darknet/{LAST}", tree.weights(300))
        late()
        assert push_last(pusher, tree, 200) == Outdone(
            LAST, "the remote holds iteration 300, and this is iteration 200"
        )
    assert drive_emulator.read_tree("darknet") == {LAST: tree.weights(300)}


def test_damaged_on_its_way_it_is_sent_once_more(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator, late: Callable[[], None]
) -> None:
    with pusher:
        push_last(pusher, tree, 100)
        drive_emulator.inject(Fault(CorruptUpload(), "upload.final"))
        late()
        assert isinstance(push_last(pusher, tree, 200), Pushed)
    assert drive_emulator.read_tree("darknet") == {LAST: tree.weights(200)}


def test_what_was_there_before_the_run_was_ours_is_looked_at_again(
    tree: Tree,
    remote: DriveRemote,
    index: Index,
    accept: Accept,
    notes: Notes,
    drive_emulator: DriveEmulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another session pushes its last while this one claims the run."""
    with Pusher(tree.root, remote, index, accept, notes) as before:
        push_last(before, tree, 100)
    with Leases(remote) as leases, Pusher(tree.root, remote, index, accept, notes, leases=leases) as pusher:
        hold = leases.hold

        def hold_late(run: str) -> object:
            lease = hold(run)
            drive_emulator.put(f"darknet/{LAST}", tree.weights(300))
            return lease

        monkeypatch.setattr(leases, "hold", hold_late)
        assert isinstance(push_last(pusher, tree, 200), Outdone)
    assert drive_emulator.read_tree("darknet")[LAST] == tree.weights(300)
