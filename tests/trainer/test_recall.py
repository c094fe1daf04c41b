"""What a tree's files tell of its run where no supervisor does."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from drivesync.files import Receipt
from drivesync.spooling.receipts import append_receipt
from drivesync.tree import TreeState, write_tree_state
from trainer.cli import run
from trainer.config import Wishes, resolve_run
from trainer.curves.writer import MetricsWriter
from trainer.darknet.program import Flavour
from trainer.recall import Recollection, recall, recall_status
from trainer.status import AWAY, Status
from trainer.testing import make_tree
from trainer.testing.stand_in import install, write_weights

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One that was pulled, of a run that was at 200 of 600 when its machine was lost."""
    root = tmp_path / "tree"
    make_tree(root, images=1, negatives=0, size_px=32, max_batches=600)
    install(root, Flavour.AX, "")
    network = resolve_run(Wishes(root)).network
    for iteration in (100, 200):
        write_weights(root / f"backup/remote_{iteration}.weights", network, iteration=iteration)
    with MetricsWriter(root / "backup/metrics.jsonl") as metrics:
        for iteration in range(1, 231):
            loss = 20.0 / iteration
            metrics.progress(iteration=iteration, loss=loss, avg_loss=loss, rate=0.001, seconds=0.1)
            if iteration % 100 == 0:
                metrics.event("map", iteration=iteration, value=0.8 - iteration / 1000.0, classes={})
                metrics.event("pushed", iteration=iteration)
    return root


def push(tree: Path, iteration: int, at_s: float, remote: str = "darknet") -> None:
    name = f"backup/remote_{iteration}.weights"
    run_name = "backup/remote"
    append_receipt(
        tree, Receipt(name, 1, "m", "s", "id", "r", at_s, iteration=iteration, run=run_name, remote=remote)
    )


def test_a_tree_that_was_pulled_tells_where_its_run_is(tree: Path) -> None:
    status = recall_status(tree)
    assert status is not None
    assert (status.state, status.run, status.iteration, status.max_batches) == (
        AWAY,
        "backup/remote",
        200,
        600,
    )
    assert status.avg_loss == pytest.approx(20.0 / 230.0)
    assert status.earlier_loss is not None
    assert (status.map_best_iteration, status.map_last_iteration) == (100, 200)
    assert (status.safe_iteration, status.per_minute, status.left_s) == (None, None, None)


def test_what_was_pushed_from_here_to_where_it_goes_is_safe(tree: Path) -> None:
    write_tree_state(tree, TreeState("darknet", complete=True))
    push(tree, 100, 1000.0)
    push(tree, 200, 2000.0, remote="elsewhere")
    told = recall(tree)
    assert (told["safe_iteration"], told["safe_at_s"]) == (100, 1000.0)


def test_all_fields_are_those_of_a_status_also_where_nothing_is_known(tmp_path: Path) -> None:
    assert recall_status(tmp_path) is None
    told = recall(tmp_path)
    assert Status("starting", 1, 2.0, **told).iteration is None
    assert {told[key] for key in ("avg_loss", "map_best", "safe_iteration", "max_batches")} == {None}


def test_the_card_of_a_tree_that_was_pulled_says_what_to_run(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", str(tree)]) == 0
    said = capsys.readouterr().out
    assert "not running here, at iteration 200 of 600" in said
    assert "what to do: Run `trainer run`" in said
    shutil.rmtree(tree / "backup")
    assert run(["status", str(tree)]) == 66


def test_it_is_read_again_where_there_is_something_new(tree: Path) -> None:
    recollection = Recollection()
    first = recollection.look(tree)
    assert recollection.look(tree) is first
    (tree / "backup/remote_200.weights").unlink()
    again = recollection.look(tree)
    assert again is not None
    assert again.iteration == 100
