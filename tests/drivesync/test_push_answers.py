"""Answers that are lost, and rooms that are full: no twin, the right receipt, and what is smaller goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.errors import RemoteFullError
from drivesync.push import Pusher, push
from drivesync.spooling.receipts import read_receipts
from drivesync.testing import Fault, LostAnswer
from drivesync.testing.trees import find

if TYPE_CHECKING:
    from drivesync.acceptance import Accept
    from drivesync.index import Index
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes, Tree

LAST = "backup/run_last.weights"
PATTERNS = ("backup/*.weights",)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    "call",
    [
        pytest.param("files.create*", id="after the create"),
        pytest.param("files.update*", id="after the update"),
        pytest.param("upload.final", id="after the last byte"),
        pytest.param("files.generateIds", id="after the ids"),
        pytest.param("files.list", id="after the question what is there"),
    ],
)
def test_an_answer_is_lost(
    pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator, call: str, times: int
) -> None:
    for iteration in (100, 200):
        drive_emulator.inject(Fault(LostAnswer(), call, times=times))
        content = tree.save("run_last.weights", iteration)
        push(pusher, tree.root, PATTERNS)
    with drive_emulator.locked() as store:
        root, backup = find(store, "darknet"), find(store, "darknet/backup")
        assert root is not None
        assert backup is not None
        assert [entry.name for entry in store.children(root.id)] == ["backup"]
        (entry,) = store.children(backup.id)
        assert entry.head is not None
        assert len(entry.revisions) == 2
    assert bytes(entry.head.content.data) == content
    receipts = read_receipts(tree.root)
    assert [receipt.iteration for receipt in receipts] == [100, 200]
    assert (receipts[1].file_id, receipts[1].revision_id) == (entry.id, entry.head.id)
    assert receipts[0].revision_id == entry.revisions[0].id


@pytest.fixture
def full(drive_emulator: DriveEmulator, tree: Tree) -> int:
    """So many bytes fit; two older numbered checkpoints could go, and there is trash."""
    size = len(tree.weights(1))
    with drive_emulator.locked() as store:
        store.storage_limit_bytes = store.used_bytes + size - 1
    return size - 1


class TestFull:
    def test_it_says_what_would_free_how_much(
        self, pusher: Pusher, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        size = len(tree.save("run_1000.weights", 1000))
        tree.save("run_2000.weights", 2000)
        tree.save("run_3000.weights", 3000)
        push(pusher, tree.root, PATTERNS)
        with drive_emulator.locked() as store:
            store.storage_limit_bytes = store.used_bytes
        tree.save("run_last.weights", 3100)
        with pytest.raises(RemoteFullError) as caught:
            push(pusher, tree.root, PATTERNS)
        assert caught.value.hint == (
            f"Deleting 2 older numbered checkpoint(s) frees {2 * size} bytes; see keep_numbered."
        )
        assert [entry.path for entry in pusher.spool.pending()] == [LAST]

    def test_what_is_smaller_goes_nevertheless(
        self,
        tree: Tree,
        drive_emulator: DriveEmulator,
        full: int,
        remote: DriveRemote,
        index: Index,
        notes: Notes,
        accept: Accept,
    ) -> None:
        tree.save("run_last.weights", 100)
        (tree.root / "backup" / "tiny_last.weights").write_bytes(tree.weights(100)[: full - 4])
        with pytest.raises(RemoteFullError):
            push(Pusher(tree.root, remote, index, accept, notes), tree.root, PATTERNS)
        assert list(drive_emulator.read_tree("darknet")) == ["backup/tiny_last.weights"]
