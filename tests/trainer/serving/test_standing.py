"""What is shown of a tree, from before its first training to after its end."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from datetime import timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from trainer.background import RunLock
from trainer.curves.writer import MetricsWriter
from trainer.serving.standing import Standing
from trainer.status import Status, StatusWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UTC = timezone.utc


class FakeClock:
    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "my <tree>"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def training(clock: FakeClock) -> Status:
    now_s = clock()
    return Status("training", os.getpid(), now_s, iteration=700, safe_iteration=600, safe_at_s=now_s - 10)


def write_status(tree: Path, status: Status, clock: Callable[[], float] = time.time) -> None:
    StatusWriter(tree, status, clock).flush()


def test_before_during_and_after(tree: Path, clock: FakeClock, training: Status) -> None:
    standing = Standing(tree, clock)

    def see() -> str:
        standing.look()
        return standing.view(UTC).html

    assert "There is no" in see()
    assert "my &lt;tree&gt;" in see()
    tree.mkdir()
    assert "No training has begun" in see()
    with RunLock(tree):
        write_status(tree, training)
        assert "600" in see()
        assert standing.view(UTC).title == "safe up to iteration 600 · pushed 10 s ago · verified"
    # The file is the same; that nobody writes it any more shows.
    assert "trainer supervise" in see()
    with RunLock(tree):
        write_status(tree, replace(training, safe_iteration=650))
        assert "650" in see()
    shutil.rmtree(tree)
    assert "There is no" in see()


def test_what_cannot_be_read_is_said_until_it_can(tree: Path, training: Status) -> None:
    lock = tree / ".trainer/supervisor.lock"
    write_status(tree, training)
    lock.symlink_to(lock)
    standing = Standing(tree)
    standing.look()
    assert "cannot be read: Too many levels of symbolic links" in standing.view(UTC).html
    lock.unlink()
    with RunLock(tree):
        standing.look()
        assert "600" in standing.view(UTC).html


def test_a_card_is_made_anew_when_its_ages_are_old(tree: Path, clock: FakeClock, training: Status) -> None:
    with RunLock(tree):
        write_status(tree, training)
        standing = Standing(tree, clock)
        standing.look()
        first = standing.view(UTC)
        clock.now_s += 1
        standing.look()
        assert standing.view(UTC) is first
        clock.now_s += 10
        standing.look()
        assert "21 s ago" in standing.view(UTC).title


def test_each_viewer_has_the_time_of_his_day(tree: Path, clock: FakeClock, training: Status) -> None:
    clock.now_s = 1_790_000_000.0  # 14:13:20 UTC
    status = replace(training, max_batches=2000, per_minute=60.0, left_s=3600.0, safe_at_s=clock.now_s)
    with RunLock(tree):
        write_status(tree, status, clock)
        standing = Standing(tree, clock)
        standing.look()
        assert "15:13" in standing.view(UTC).html
        assert "20:43" in standing.view(timezone(timedelta(hours=5, minutes=30))).html


@pytest.mark.parametrize(
    ("run_file", "folder"),
    [
        pytest.param(None, "backup", id="nothing said"),
        pytest.param({"backup": "checkpoints"}, "checkpoints", id="another folder"),
        pytest.param({"backup": 7}, "backup", id="no name"),
        pytest.param(["backup"], "backup", id="not ours"),
    ],
)
def test_the_curve_is_where_the_run_keeps_it(tree: Path, run_file: object, folder: str) -> None:
    standing = Standing(tree)
    standing.look()
    assert standing.curve.since("").points == ()
    if run_file is not None:
        (tree / ".trainer").mkdir(parents=True)
        (tree / ".trainer/run.json").write_text(json.dumps(run_file))
    with MetricsWriter(tree / folder / "metrics.jsonl") as writer:
        writer.progress(iteration=1, loss=2.0, avg_loss=2.0, rate=0.001, seconds=0.1)
    standing.look()
    assert [point.loss for point in standing.curve.since("").points] == [2.0]


def test_a_tree_without_a_status_still_has_its_curve(tree: Path) -> None:
    """As it is pulled to another machine."""
    with MetricsWriter(tree / "backup/metrics.jsonl") as writer:
        writer.progress(iteration=1, loss=2.0, avg_loss=2.0, rate=0.001, seconds=0.1)
    standing = Standing(tree)
    standing.look()
    assert "not running here" in standing.view(UTC).html
    assert "<code>trainer run</code>" in standing.view(UTC).html
    assert len(standing.curve.since("").points) == 1
