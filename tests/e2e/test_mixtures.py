"""Whatever lies in ``backup`` and in the spool, whole or ruined: training goes on from the furthest good file."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.candidates import ASIDE, find_candidates
from trainer.config import Run, Wishes, resolve_run
from trainer.darknet.program import Flavour
from trainer.deciding.choice import choose_checkpoint
from trainer.testing import make_tree
from trainer.testing.supervised import supervise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FURTHEST = 110
MAX_BATCHES = 115
HEADER_BYTES = 20
TAKES_ALL = frozenset(Flavour) - {Flavour.HK}

NAMES = (
    "remote.backup",
    *(f"remote_{word}.weights" for word in ("last", "best", "final", "100", "7", "90", "000")),
)
NOT_TO_RESUME_FROM = (
    "remote_ema.weights",
    "remote_last.weights.rejected",
    "remote_last.weights.part",
    "remote2_last.weights",
    "other_100.weights",
)


def set_number(number: str) -> Callable[[bytes, int], bytes]:
    def harm(good: bytes, at: int) -> bytes:
        place = max(HEADER_BYTES, at // 4 * 4)
        return good[:place] + struct.pack("<f", float(number)) + good[place + 4 :]

    return harm


def set_seen(good: bytes, seen: int) -> bytes:
    return good[:12] + struct.pack("<Q", seen) + good[HEADER_BYTES:]


HARMS: dict[str, Callable[[bytes, int], bytes]] = {
    "torn": lambda good, at: good[:at],
    "empty": lambda _good, _at: b"",
    "longer": lambda good, at: good + bytes(1 + at),
    "zeros": lambda good, _at: bytes(len(good)),
    "never trained": lambda good, _at: set_seen(good, 0),
    "wild": lambda good, at: set_seen(good, 1 << 40 | at),
    "another version": lambda good, at: struct.pack("<i", 1 + at) + good[4:],
    **{number: set_number(number) for number in ("nan", "inf", "-inf")},
}
"""What may be done to a good file's bytes, at a place in it."""


@dataclass(frozen=True)
class Content:
    """What is in a file: weights of ``iteration``, and what harm was done to them ``at`` a part of their length."""

    iteration: int
    harm: str = ""
    at: float = 0.0

    def of(self, whole: bytes) -> bytes:
        """The bytes, made of those of a file that darknet has written with a batch of 1."""
        good = set_seen(whole, self.iteration)
        return HARMS[self.harm](good, int(self.at * len(good))) if self.harm else good


ITERATIONS = st.integers(1, FURTHEST)
GOOD = st.builds(Content, ITERATIONS)
BAD = st.builds(Content, ITERATIONS, st.sampled_from(sorted(HARMS)), st.floats(0, 1, exclude_max=True))
FILES = st.dictionaries(st.sampled_from(NAMES + NOT_TO_RESUME_FROM), GOOD | BAD | BAD, max_size=8)
PLACES = st.dictionaries(
    st.sampled_from(["00000001", "00000002", "00000007", "00000008.tmp"]),
    st.tuples(st.sampled_from(NAMES), GOOD | BAD),
    max_size=3,
)


@dataclass(frozen=True)
class Mixture:
    """Files in ``backup``, and snapshots by their folder in the spool."""

    backup: Mapping[str, Content]
    spool: Mapping[str, tuple[str, Content]]

    @property
    def paths(self) -> dict[str, Content]:
        """By their paths in the tree."""
        snapshots = {
            f".drivesync/spool/{place}/{name}": content for place, (name, content) in self.spool.items()
        }
        return {f"backup/{name}": content for name, content in self.backup.items()} | snapshots

    def resumable(self, flavour: Flavour) -> dict[str, int]:
        """The iterations of those that this darknet can go on from."""
        return {
            path: content.iteration
            for path, content in self.paths.items()
            if not content.harm
            and ".tmp/" not in path
            and Path(path).name in NAMES
            and (flavour in TAKES_ALL or path.endswith(".weights"))
        }


MIXTURES = st.builds(Mixture, FILES, PLACES)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has been trained for a hundred iterations, so that there is a file that darknet has written."""
    tree = tmp_path_factory.mktemp("mixtures") / "tree"
    made = make_tree(tree, images=2, negatives=0, size_px=32, batch=1, filters=2, max_batches=MAX_BATCHES)
    command = ["darknet", "detector", "train", made.data, made.cfg]
    subprocess.run(command, cwd=tree, capture_output=True, check=False, timeout=60)
    (tree / "backup/remote_100.weights").rename(tree / "whole")
    return resolve_run(Wishes(tree))


def lay(run: Run, mixture: Mixture) -> dict[str, bytes]:
    """Have these files in the tree, and no others of the kind; returned is what is in each."""
    for folder in ("backup", ".drivesync", ".trainer"):
        shutil.rmtree(run.tree / folder, ignore_errors=True)
    (run.tree / "backup").mkdir()
    whole = (run.tree / "whole").read_bytes()
    laid = {path: content.of(whole) for path, content in mixture.paths.items()}
    for path, content in laid.items():
        (run.tree / path).parent.mkdir(parents=True, exist_ok=True)
        (run.tree / path).write_bytes(content)
    return laid


@given(MIXTURES, st.sampled_from(Flavour), st.none() | ITERATIONS)
@settings(max_examples=150, deadline=None)
def test_the_furthest_good_one_is_chosen(
    run: Run, mixture: Mixture, flavour: Flavour, poisoned_from: int | None
) -> None:
    lay(run, mixture)
    candidates = find_candidates(replace(run, flavour=flavour))
    chosen = choose_checkpoint(candidates, poisoned_from=poisoned_from, flavour=flavour)
    before = MAX_BATCHES if poisoned_from is None else poisoned_from
    good = {path: iteration for path, iteration in mixture.resumable(flavour).items() if iteration < before}
    if chosen is None:
        assert not good
    else:
        path = chosen.path.relative_to(run.tree).as_posix()
        assert good[path] == chosen.iteration == max(good.values())


@given(MIXTURES)
@settings(max_examples=5, deadline=None)
def test_nothing_bad_is_loaded_and_nothing_good_is_lost(run: Run, mixture: Mixture) -> None:
    laid = lay(run, mixture)
    done = supervise(run)
    assert done.error is None
    assert done.status.state == "finished"
    good = mixture.resumable(run.flavour)
    furthest = max(good.values(), default=0)
    assert [record.end.first_iteration for record in done.records] == [furthest + 1]
    log = (run.tree / ".trainer/darknet.log").read_text()
    loaded = re.findall(r"Loading weights from (.*?)\.\.\.", log)
    assert [good[path] for path in loaded] == [furthest] * bool(good)
    written = set(re.findall(r"Saving weights to (.*)", log.replace("//", "/")))
    # Of what was set aside under one name only the newest stays.
    kept = {path: content for path, content in mixture.paths.items() if not path.endswith(ASIDE)}
    unharmed = {path for path, content in kept.items() if not content.harm}
    assert {path for path in unharmed if (run.tree / path).read_bytes() != laid[path]} <= written
