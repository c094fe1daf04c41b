"""Of two trainings of one run the further one goes on, and nothing of the other is lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from drivesync.acceptance import find_accept
from drivesync.config import CHECKPOINT_PATTERNS, Settings
from drivesync.index import Index
from drivesync.progress import Silence
from drivesync.pull import pull
from drivesync.push import Pusher, push
from drivesync.remotes import open_remote
from trainer.config import Run, Wishes, resolve_run
from trainer.forks import settle_fork
from trainer.testing.stand_in import write_weights
from trainer.testing.tree import make_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from drivesync.remotes.base import Remote

LAST = "backup/remote_last.weights"
METRICS = "backup/metrics.jsonl"
THEN_S = 1_790_000_000.0


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    (tmp_path / "remote").mkdir()
    with open_remote(str(tmp_path / "remote"), Settings(), print) as remote:
        yield remote


@pytest.fixture
def run(tmp_path: Path, remote: Remote) -> Run:
    """Trained to 100 here, and pushed; the other machine has pulled it."""
    run = make_run(tmp_path / "here")
    save(run, LAST, 100)
    send(run, remote)
    return run


@pytest.fixture
def other(tmp_path: Path, run: Run, remote: Remote) -> Run:
    other = make_run(tmp_path / "there")
    assert run.name == other.name
    bring(other, remote)
    return other


def make_run(tree: Path) -> Run:
    return resolve_run(Wishes(make_tree(tree, images=2, negatives=0).root))


def save(run: Run, path: str, iteration: int) -> None:
    write_weights(run.tree / path, run.network, iteration)
    os.utime(run.tree / path, (THEN_S + iteration, THEN_S + iteration))


def send(run: Run, remote: Remote) -> None:
    with Index(run.tree) as index:
        push(
            Pusher(run.tree, remote, index, find_accept(), Silence()),
            run.tree,
            (*CHECKPOINT_PATTERNS, METRICS),
        )


def bring(run: Run, remote: Remote) -> list[str]:
    return pull(remote, run.tree, reporter=Silence()).conflicts


def settle(run: Run, remote: Remote) -> tuple[tuple[str, ...], str]:
    """What is to be had from the remote, and what was said."""
    told: list[str] = []
    behind = settle_fork(run, bring(run, remote), remote, find_accept(), told.append)
    return behind, " ".join(told)


def read(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run.tree / run.backup).iterdir() if path.is_file()}


def test_the_remote_is_further(run: Run, other: Run, remote: Remote) -> None:
    save(other, LAST, 300)
    save(other, "backup/remote_200.weights", 200)
    send(other, remote)
    save(run, LAST, 200)
    before = read(run)
    behind, said = settle(run, remote)
    assert behind == (LAST,)
    assert "holds iteration 300, and this machine iteration 200: going on from the further one" in said
    assert "kept as backup/remote_last.weights.rejected" in said
    assert bring(run, remote) == []
    after = read(run)
    assert after["remote_last.weights"] == read(other)["remote_last.weights"]
    assert after["remote_last.weights.rejected"] == before["remote_last.weights"]
    assert settle(run, remote) == ((), "")


def test_what_was_set_aside_before_is_not_written_over(run: Run, other: Run, remote: Remote) -> None:
    kept = []
    for iteration in (300, 500):
        save(other, LAST, iteration)
        send(other, remote)
        save(run, LAST, iteration - 100)
        kept.append((run.tree / LAST).read_bytes())
        assert settle(run, remote)[0] == (LAST,)
        bring(run, remote)
    after = read(run)
    assert [after["remote_last.weights.rejected"], after["remote_last.weights-2.rejected"]] == kept


def test_what_is_here_is_further(run: Run, other: Run, remote: Remote) -> None:
    """A machine with a disk that was kept, which died before its last save was pushed, as much as any other."""
    save(other, LAST, 200)
    send(other, remote)
    save(run, LAST, 300)
    before = read(run)
    behind, said = settle(run, remote)
    assert (behind, read(run)) == ((), before)
    assert "this machine holds iteration 300, and" in said
    assert "iteration 200: going on from what is here" in said


def test_the_further_one_may_be_another_file(run: Run, other: Run, remote: Remote) -> None:
    save(other, LAST, 200)
    save(other, "backup/remote_400.weights", 400)
    send(other, remote)
    save(run, LAST, 300)
    assert settle(run, remote)[0] == (LAST,)


def test_what_was_uploaded_by_hand_is_looked_into(
    run: Run, tmp_path: Path, other: Run, remote: Remote
) -> None:
    save(other, LAST, 300)
    (tmp_path / "remote" / LAST).write_bytes((other.tree / LAST).read_bytes())
    save(run, LAST, 200)
    assert settle(run, remote)[0] == (LAST,)


def test_a_torn_one_on_the_remote_is_not_gone_on_from(run: Run, tmp_path: Path, remote: Remote) -> None:
    (tmp_path / "remote" / LAST).write_bytes(b"torn")
    save(run, LAST, 200)
    behind, said = settle(run, remote)
    assert behind == ()
    assert "iteration 200, and" in said
    assert "none that is whole" in said


def test_a_torn_one_here_gives_way(run: Run, other: Run, remote: Remote) -> None:
    save(other, LAST, 300)
    send(other, remote)
    (run.tree / LAST).write_bytes(b"torn")
    behind, said = settle(run, remote)
    assert behind == (LAST,)
    # As far as the snapshot is of what was pushed.
    assert "this machine iteration 100: going on from the further one" in said


@pytest.mark.parametrize(
    ("at_s", "goes"), [(THEN_S + 400, True), (THEN_S - 400, False)], ids=["newer", "older"]
)
def test_where_only_what_is_told_of_it_differs_the_newer_stays(
    run: Run, other: Run, remote: Remote, *, at_s: float, goes: bool
) -> None:
    for one, when_s in ((other, at_s), (run, THEN_S)):
        (one.tree / METRICS).write_text(f"{when_s}")
        os.utime(one.tree / METRICS, (when_s, when_s))
    send(other, remote)
    assert settle(run, remote)[0] == ((METRICS,) if goes else ())


def test_the_metrics_go_with_their_checkpoints(run: Run, other: Run, remote: Remote) -> None:
    for one, iteration in ((other, 300), (run, 200)):
        save(one, LAST, iteration)
        (one.tree / METRICS).write_text(f"{iteration}")
    send(other, remote)
    assert set(settle(run, remote)[0]) == {LAST, METRICS}


def test_what_is_not_the_runs_is_left_alone(run: Run, remote: Remote, tmp_path: Path) -> None:
    for place in (tmp_path / "remote", run.tree):
        (place / "notes.txt").write_text(str(place))
        (place / "backup/other_last.weights").write_text(str(place))
    assert settle(run, remote) == ((), "")
    assert (run.tree / "notes.txt").read_text() == str(run.tree)
