"""Which weights files training may go on from, and which must not stay; of files on a disk."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from trainer.candidates import Candidates, find_candidates, find_highest, set_aside
from trainer.checkpoint import read_checkpoint
from trainer.config import Run, Wishes, resolve_run
from trainer.testing import make_tree
from trainer.testing.stand_in import write_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainer.darknet.cfg import Network
    from trainer.darknet.weights import Checkpoint

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


class Looks:
    """Looks for a run's weights files, long after they were written, and keeps which it has read."""

    def __init__(self, run: Run, *, age_s: float = 60.0) -> None:
        self.read: list[str] = []
        self._age_s = age_s
        self._candidates = Candidates(run, clock=lambda: time.time() + self._age_s, read=self._note)

    def _note(self, path: Path, network: Network) -> Checkpoint:
        self.read.append(path.name)
        return read_checkpoint(path, network)

    def look(self) -> tuple[Checkpoint, ...]:
        """Find them; ``read`` tells of this look alone."""
        self.read = []
        return self._candidates.find()


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


def test_a_snapshot_that_is_further_within_one_iteration_is_one(run: Run) -> None:
    """As those of a smaller batch may be."""
    longer = replace(run, network=replace(run.network, batch=2 * run.network.batch))
    kept, snapshot = save(run, "remote.backup", 100), take_snapshot(run, 101)
    assert [candidate.iteration for candidate in find_candidates(longer)] == [50, 50]
    assert paths(longer) == [kept, snapshot]


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


def test_what_has_not_changed_is_not_read_again(run: Run) -> None:
    save(run, "remote_100.weights", 100)
    save(run, "remote_200.weights", 200, "nan")
    take_snapshot(run, 300)
    looks = Looks(run)
    first = looks.look()
    assert looks.read == ["remote_100.weights", "remote_200.weights", "remote.backup"]
    assert looks.look() == first
    assert looks.read == []
    save(run, "remote_300.weights", 300)
    looks.look()
    assert looks.read == ["remote_300.weights"]


def _write_over(path: Path, new: Path) -> None:
    path.write_bytes(new.read_bytes())


def _put_in_its_place(path: Path, new: Path) -> None:
    new.replace(path)


def _touch(path: Path, _new: Path) -> None:
    path.touch()


def _write_over_and_set_back(path: Path, new: Path) -> None:
    before = path.stat()
    time.sleep(0.02)  # a tick of the kernel's clock
    path.write_bytes(new.read_bytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_write_over, id="written over"),
        pytest.param(_put_in_its_place, id="put in its place"),
        pytest.param(_touch, id="touched"),
        pytest.param(_write_over_and_set_back, id="written over, and its time set back"),
    ],
)
def test_what_has_changed_is_read_again(run: Run, change: Callable[[Path, Path], None]) -> None:
    path, new = save(run, "remote_last.weights", 100), save(run, "other_last.weights", 200)
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    looks = Looks(run)
    looks.look()
    change(path, new)
    (found,) = looks.look()
    assert looks.read == ["remote_last.weights"]
    assert found == read_checkpoint(path, run.network)


def test_what_was_changed_a_moment_ago_is_read_again(run: Run) -> None:
    """It may be written to once more in the same tick of the disk's clock."""
    save(run, "remote_last.weights", 100)
    looks = Looks(run, age_s=0.0)
    looks.look()
    looks.look()
    assert looks.read == ["remote_last.weights"]


def test_what_is_written_to_while_it_is_read_is_read_again(run: Run) -> None:
    path = save(run, "remote_last.weights", 100)
    content = path.read_bytes()

    def read(path: Path, network: Network) -> Checkpoint:
        found = read_checkpoint(path, network)
        with path.open("ab") as file:
            file.write(b"more")
        return found

    candidates = Candidates(run, clock=lambda: time.time() + 60.0, read=read)
    assert candidates.find()[0].verdict.whole
    assert not candidates.find()[0].verdict.whole
    path.write_bytes(content)
    assert candidates.find()[0].verdict.whole


def test_a_snapshot_that_is_no_further_by_its_head_is_not_read(run: Run) -> None:
    save(run, "remote.backup", 100)
    take_snapshot(run, 100)
    looks = Looks(run)
    looks.look()
    assert looks.read == ["remote.backup"]
