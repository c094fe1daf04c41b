"""What the remote holds, or is to get, is not copied again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from drivesync.pull import pull
from drivesync.push import Pusher, push
from drivesync.pushing.offering import Unchanged
from drivesync.remotes import open_remote
from drivesync.spooling.entries import Entry
from drivesync.spooling.outcome import Refused
from drivesync.spooling.receipts import read_receipts

if TYPE_CHECKING:
    from drivesync.acceptance import Accept
    from drivesync.config import Settings
    from drivesync.index import Index
    from drivesync.remotes.drive.remote import DriveRemote
    from tests.drivesync.conftest import Notes, Tree

LAST = "backup/run_last.weights"


def test_what_is_on_drive_or_waiting_is_not_copied_again(pusher: Pusher, tree: Tree) -> None:
    tree.save("run_last.weights", 100)
    with pusher:
        assert isinstance(pusher.offer(LAST), Entry)
        assert pusher.offer(LAST) == Unchanged(LAST)
        pusher.push_next()
        assert pusher.offer(LAST) == Unchanged(LAST)
        assert isinstance(pusher.offer(LAST, trust_index=False), Entry)


def test_what_is_not_there(pusher: Pusher, tree: Tree) -> None:
    (tree.root / "backup" / "folder.weights").mkdir()
    with pusher:
        for path in (LAST, "backup/folder.weights"):
            assert pusher.offer(path) == Refused(path, "it is gone", moved=True)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        pytest.param("../outside.txt", "../outside.txt: its name is '..'", id="outside the tree"),
        pytest.param("/etc/passwd", "/etc/passwd: its name is ''", id="absolute"),
        pytest.param("V/\udcff/a.pt", "V/\\xff/a.pt: its name is not valid Unicode", id="no Unicode"),
    ],
)
def test_what_no_remote_can_hold_by_its_name_is_told_once(
    pusher: Pusher, tree: Tree, notes: Notes, path: str, told: str
) -> None:
    (tree.root / "V" / os.fsdecode(b"\xff")).mkdir(parents=True)
    (tree.root / "V" / os.fsdecode(b"\xff") / "a.pt").touch()
    (tree.root.parent / "outside.txt").touch()
    with pusher:
        outcomes = [pusher.offer(path) for _ in range(2)]
        assert [isinstance(outcome, Refused) and outcome.again for outcome in outcomes] == [False, True]
        assert pusher.spool.pending() == ()
    assert [line for line in notes.lines if "not pushed" in line] == [f"not pushed: {told}"]


def test_what_an_earlier_version_took_and_can_never_be_sent_is_put_aside(
    pusher: Pusher, tree: Tree, notes: Notes
) -> None:
    tree.save("run_last.weights", 100)
    (tree.root / "secret.txt").write_bytes(b"secret")
    with pusher:
        taken = pusher.offer("secret.txt")
        assert isinstance(taken, Entry)
        pusher.offer(LAST)
    record = pusher.spool.place_of(taken).with_name("entry.json")
    record.write_text(record.read_text().replace('"secret.txt"', '"../outside/secret.txt"'))
    with pusher:
        assert [entry.path for entry in pusher.spool.pending()] == [LAST]
    kept = tree.root / ".drivesync/spool/rejected/secret.txt.rejected"
    assert kept.read_bytes() == b"secret"
    assert (
        f"not pushed: ../outside/secret.txt: its name is '..'; a copy is kept as {kept.relative_to(tree.root)}"
        in notes.lines
    )


def test_what_another_remote_holds_is_not_known_of_this_one(
    pusher: Pusher, tree: Tree, settings: Settings, index: Index, accept: Accept, notes: Notes
) -> None:
    tree.save("run_last.weights", 100)
    push(pusher, tree.root, [LAST])
    with (
        open_remote("other", settings, notes.note) as other,
        Pusher(tree.root, other, index, accept, notes) as pushing,
    ):
        assert isinstance(pushing.offer(LAST), Entry)
        assert pushing.push_next() is not None
    assert [receipt.remote for receipt in read_receipts(tree.root)] == ["darknet", "other"]
    with pusher:
        assert isinstance(pusher.offer(LAST), Entry), (
            "the proof is the other's by now: it is looked at once more"
        )


def test_what_the_last_pull_did_not_find_there_is_taken_again_unless_it_was_one_too_many(
    tree: Tree, remote: DriveRemote, index: Index, accept: Accept, notes: Notes
) -> None:
    for iteration in (1000, 2000):
        tree.save(f"run_{iteration}.weights", iteration)
    keeping = Pusher(tree.root, remote, index, accept, notes, keep_numbered=1)
    push(keeping, tree.root, ["backup/run_1000.weights"])
    push(keeping, tree.root, ["backup/run_2000.weights"])
    assert [receipt.path for receipt in read_receipts(tree.root) if receipt.deleted] == [
        "backup/run_1000.weights"
    ]
    there = remote.find("backup/run_2000.weights")
    assert there is not None
    remote.delete(there)
    assert pull(remote, tree.root, reporter=notes).gone == [
        "backup/run_1000.weights",
        "backup/run_2000.weights",
    ]
    with keeping:
        assert keeping.offer("backup/run_1000.weights") == Unchanged("backup/run_1000.weights")
        assert isinstance(keeping.offer("backup/run_2000.weights"), Entry)
