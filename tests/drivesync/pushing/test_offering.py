"""What the remote holds, or is to get, is not copied again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.pushing.offering import Unchanged
from drivesync.spooling.entries import Entry
from drivesync.spooling.outcome import Refused

if TYPE_CHECKING:
    from drivesync.push import Pusher
    from tests.drivesync.conftest import Tree

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
