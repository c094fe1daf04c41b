"""Nothing of a run lands beside what it has become elsewhere since it was started over."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from drivesync.acceptance import find_accept
from drivesync.config import CHECKPOINT_PATTERNS, Settings
from drivesync.errors import LeaseError
from drivesync.index import Index
from drivesync.leasing.leases import Leases
from drivesync.progress import Silence
from drivesync.pull import pull
from drivesync.push import Pusher, push
from drivesync.remotes import open_remote
from trainer.config import Wishes, resolve_run
from trainer.errors import TreeError
from trainer.fresh import StartingOver
from trainer.starts import Start, read_here
from trainer.testing.stand_in import write_weights
from trainer.testing.tree import make_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drivesync.remotes.base import Remote

RUN = "backup/remote"
THEN_S = 1_790_000_000.0
LATER_S = THEN_S + 3600
ARCHIVE = "backup/archive-20260921-151320"


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    (tmp_path / "remote").mkdir()
    with open_remote(str(tmp_path / "remote"), Settings(), print) as remote:
        yield remote


@pytest.fixture
def tree(tmp_path: Path, remote: Remote) -> Path:
    """One in which a run was trained to 200, and pushed."""
    tree = make_tree(tmp_path / "tree", images=2, negatives=0).root
    start_over(tree, None)
    save(tree, 100, 200)
    send(tree, remote)
    return tree


def save(tree: Path, *iterations: int, at_s: float = THEN_S) -> None:
    for iteration in iterations:
        path = tree / f"backup/remote_{iteration}.weights"
        write_weights(path, resolve_run(Wishes(tree)).network, iteration)
        os.utime(path, (at_s, at_s))


def send(tree: Path, remote: Remote) -> int:
    with Index(tree) as index, Leases(remote) as leases:
        pusher = Pusher(tree, remote, index, find_accept(), Silence(), leases=leases)
        return sum(pushed.uploaded for pushed in push(pusher, tree, CHECKPOINT_PATTERNS).pushed)


def start_over(tree: Path, remote: Remote | None, name: str = "") -> None:
    StartingOver(tree, RUN, remote, Silence(), clock=lambda: LATER_S).catch_up(name, save=lambda: None)


def held(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "remote/backup").glob("*.weights"))


def copy(tree: Path, name: str) -> Path:
    return shutil.copytree(tree, tree.with_name(name), ignore=shutil.ignore_patterns(".drivesync"))


def test_an_old_machine_cannot_push_into_a_run_that_was_started_over(
    tree: Path, tmp_path: Path, remote: Remote
) -> None:
    other = copy(tree, "other")
    start_over(other, remote, "fresh")
    save(other, 50, at_s=LATER_S + 60)
    assert send(other, remote) == 1
    save(tree, 300)
    with pytest.raises(LeaseError, match=f"from before the run was started over .{ARCHIVE} on the remote"):
        send(tree, remote)
    assert held(tmp_path) == ["remote_50.weights"]
    # The way out that the message names.
    start_over(tree, remote)
    save(tree, 60, at_s=LATER_S + 120)
    assert send(tree, remote) == 1
    assert held(tmp_path) == ["remote_50.weights", "remote_60.weights"]


@pytest.mark.parametrize("pulled_after", [False, True])
def test_nor_can_a_tree_that_was_pulled_before_and_never_trained(
    tree: Path, tmp_path: Path, remote: Remote, *, pulled_after: bool
) -> None:
    pulled = make_tree(tmp_path / "pulled", images=2, negatives=0).root
    pull(remote, pulled, reporter=Silence())
    start_over(tree, remote, "fresh")
    save(tree, 50, at_s=LATER_S + 60)
    send(tree, remote)
    if pulled_after:
        pull(remote, pulled, reporter=Silence())
    with pytest.raises(LeaseError, match="started over"):
        send(pulled, remote)
    assert held(tmp_path) == ["remote_50.weights"]


def test_a_tree_that_was_pulled_afterwards_can(tree: Path, tmp_path: Path, remote: Remote) -> None:
    start_over(tree, remote, "fresh")
    save(tree, 50, at_s=LATER_S + 60)
    send(tree, remote)
    pulled = make_tree(tmp_path / "pulled", images=2, negatives=0).root
    pull(remote, pulled, reporter=Silence())
    save(pulled, 60, at_s=LATER_S + 120)
    assert send(pulled, remote) == 1


def test_what_was_started_over_without_the_remote_waits_until_it_is_there(
    tree: Path, tmp_path: Path, remote: Remote
) -> None:
    start_over(tree, None, "fresh")
    save(tree, 50)
    with pytest.raises(LeaseError, match="was started over here without the remote"):
        send(tree, remote)
    assert held(tmp_path) == ["remote_100.weights", "remote_200.weights"]
    start_over(tree, remote)
    assert send(tree, remote) == 1
    assert held(tmp_path) == ["remote_50.weights"]


def test_where_nobody_can_tell_nothing_lands(tree: Path, tmp_path: Path, remote: Remote) -> None:
    (tmp_path / "remote" / f"{RUN}_fresh.json").write_text("[1]")
    save(tree, 300)
    with pytest.raises(TreeError, match=r"remote_fresh\.json on the remote does not say"):
        send(tree, remote)
    assert "remote_300.weights" not in held(tmp_path)


@pytest.mark.parametrize(
    ("archive", "at_s"),
    [
        pytest.param(ARCHIVE, LATER_S, id="ours"),
        pytest.param(f"{ARCHIVE}-2", LATER_S, id="the second of one second"),
        pytest.param("backup/archive-20261399-151320", 0.0, id="no date"),
        pytest.param("backup/old", 0.0, id="of another name"),
    ],
)
def test_a_start_knows_when_it_was(archive: str, at_s: float) -> None:
    assert Start("fresh", archive).at_s == at_s


def test_a_tree_without_a_session_knows_of_none(tmp_path: Path) -> None:
    assert read_here(tmp_path, RUN) is None
