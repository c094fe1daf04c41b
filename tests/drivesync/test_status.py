"""What a tree knows of itself, without asking anybody and without writing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivesync.config import CHECKPOINT_PATTERNS, DEFAULT_REMOTE
from drivesync.files import Verdict
from drivesync.push import push
from drivesync.status import TreeStatus, read_status
from drivesync.tree import TreeState, write_tree_state

if TYPE_CHECKING:
    from pathlib import Path

    from drivesync.acceptance import Accept
    from drivesync.push import Pusher
    from tests.drivesync.conftest import Tree


def read(tree: Tree, accept: Accept) -> TreeStatus:
    return read_status(tree.root, CHECKPOINT_PATTERNS, accept, DEFAULT_REMOTE)


def test_a_tree_that_remembers_nothing(tree: Tree, accept: Accept) -> None:
    assert read(tree, accept) == TreeStatus(
        "darknet", "darknet", complete=True, unpushed=(), pending=(), safe=(), watching=None
    )
    assert not (tree.root / ".drivesync").exists()


def test_it_goes_where_it_came_from_unless_told_otherwise(tree: Tree, accept: Accept) -> None:
    write_tree_state(tree.root, TreeState("work/darknet"))
    status = read(tree, accept)
    assert (status.source, status.target, status.complete) == ("work/darknet", "work/darknet", False)
    write_tree_state(tree.root, TreeState("github:a/b", complete=True, target="darknet"))
    status = read(tree, accept)
    assert (status.source, status.target, status.complete) == ("github:a/b", "darknet", True)


def test_what_is_pushed_is_no_longer_unpushed(tree: Tree, accept: Accept, pusher: Pusher) -> None:
    tree.save("run_last.weights", 100)
    (before,) = read(tree, accept).unpushed
    assert before.verdict == accept(
        tree.root, "backup/run_last.weights", tree.root / "backup/run_last.weights"
    )
    push(pusher, tree.root, CHECKPOINT_PATTERNS)
    status = read(tree, accept)
    assert status.unpushed == ()
    assert status.last is not None
    assert (status.last.path, status.last.iteration) == ("backup/run_last.weights", 100)
    tree.save("run_last.weights", 200, 0.25)
    (after,) = read(tree, accept).unpushed
    assert after.verdict.iteration == 200


def test_what_waits_in_the_spool_is_seen_while_another_one_holds_it(
    tree: Tree, accept: Accept, pusher: Pusher
) -> None:
    tree.save("run_last.weights", 100)
    with pusher:
        pusher.offer("backup/run_last.weights")
        (tree.root / "backup" / "run_last.weights").unlink()
        (pending,) = read(tree, accept).pending
        assert (pending.path, pending.iteration) == ("backup/run_last.weights", 100)
        pusher.push_next()
        assert read(tree, accept).pending == ()


def test_the_judge_is_heard(tree: Tree) -> None:
    tree.save("run_last.weights", 100)

    def refuse(_tree: Path, _path: str, _snapshot: Path) -> Verdict:
        return Verdict(accepted=False, reason="it is torn")

    (unpushed,) = read(tree, refuse).unpushed
    assert unpushed.verdict.reason == "it is torn"
