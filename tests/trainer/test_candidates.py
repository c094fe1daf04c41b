"""Which weights files training may go on from, and which must not stay; of files on a disk."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from trainer.candidates import find_candidates, find_highest, set_aside
from trainer.config import Run, Wishes, resolve_run
from trainer.testing import make_tree
from trainer.testing.stand_in import write_weights

if TYPE_CHECKING:
    from pathlib import Path

LOOKS = 20_000
"""Enough to meet a snapshot that goes between being listed and being opened, each time this was tried."""

COME_AND_GO = """
import os, sys
while True:
    os.mkdir(sys.argv[1])
    os.rmdir(sys.argv[1])
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return resolve_run(Wishes(make_tree(tmp_path / "tree", images=4, negatives=1).root))


def save(run: Run, name: str, iteration: int, harm: str = "") -> Path:
    """A weights file in ``backup``."""
    path = run.tree / run.backup / name
    write_weights(path, run.network, iteration, flavour=run.flavour, harm=harm)
    return path


def take_snapshot(run: Run, iteration: int, place: str = "00000007") -> Path:
    """A file in the spool, as if drivesync had taken it."""
    folder = run.tree / ".drivesync/spool" / place
    folder.mkdir(parents=True)
    write_weights(folder / "remote.backup", run.network, iteration, flavour=run.flavour)
    return folder / "remote.backup"


def paths(run: Run) -> list[Path]:
    return [candidate.path for candidate in find_candidates(run)]


def test_the_spool_may_be_emptied_while_it_is_looked_through(run: Run) -> None:
    """As the pushing thread does when a snapshot is safe."""
    spool = run.tree / ".drivesync/spool"
    spool.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", COME_AND_GO, spool / "00000001"]) as other:
        try:
            for _ in range(LOOKS):
                assert find_candidates(run) == ()
        finally:
            other.kill()


def test_a_snapshot_that_is_no_further_than_the_files_is_no_candidate(run: Run) -> None:
    kept = save(run, "remote.backup", 100)
    take_snapshot(run, 100)
    assert paths(run) == [kept]


def test_a_snapshot_that_is_further_is_one(run: Run) -> None:
    torn, snapshot = save(run, "remote.backup", 100, harm="torn"), take_snapshot(run, 100)
    assert paths(run) == [torn, snapshot]


def test_a_snapshot_that_is_being_taken_is_no_candidate(run: Run) -> None:
    take_snapshot(run, 100, "00000007.tmp")
    assert paths(run) == []


def test_a_run_is_what_its_cfg_is_called(run: Run) -> None:
    save(run, "other_100.weights", 100)
    assert paths(run) == []


@pytest.mark.parametrize(
    ("files", "highest"),
    [
        pytest.param([], 0, id="none"),
        pytest.param(
            [("remote_100.weights", 100, ""), ("remote_last.weights", 300, "")], 300, id="the furthest"
        ),
        pytest.param(
            [("remote_100.weights", 100, ""), ("remote_last.weights", 300, "nan")], 100, id="a whole one"
        ),
        pytest.param([("remote_last.weights", 300, "torn")], 0, id="no whole one"),
    ],
)
def test_the_highest(run: Run, files: list[tuple[str, int, str]], highest: int) -> None:
    for name, iteration, harm in files:
        save(run, name, iteration, harm)
    assert find_highest(find_candidates(run)) == highest


def test_what_is_set_aside_is_out_of_the_way_and_says_why(run: Run) -> None:
    poisoned, whole = save(run, "remote_last.weights", 300, "nan"), save(run, "remote_300.weights", 300)
    content = whole.read_bytes()
    snapshot = take_snapshot(run, 400)
    said: list[str] = []
    set_aside(run, find_candidates(run), said.append)
    assert not poisoned.exists()
    assert whole.with_name("remote_300.weights.rejected").read_bytes() == content
    assert snapshot.exists()
    assert said == [
        "set aside as backup/remote_300.weights.rejected: iteration 300 is from after the trouble began",
        "set aside as backup/remote_last.weights.rejected: it holds numbers that are NaN or infinite",
    ]
    assert paths(run) == [snapshot]


def test_of_a_name_the_newest_is_kept_aside(run: Run) -> None:
    for iteration in (100, 200):
        path = save(run, "remote_last.weights", iteration)
        content = path.read_bytes()
        set_aside(run, find_candidates(run), lambda _line: None)
    assert path.with_name("remote_last.weights.rejected").read_bytes() == content


def test_an_empty_file_is_not_worth_keeping(run: Run) -> None:
    path = save(run, "remote_last.weights", 100, "empty")
    set_aside(run, find_candidates(run), lambda _line: None)
    assert path.exists()
