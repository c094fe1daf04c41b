"""What darknet called its best belongs to the one file that it is of, and is known to other processes, too."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from trainer.darknet.output import MeanAveragePrecision, NewBest, Progress
from trainer.score import ScoreKeeper, find_score, forget_best

if TYPE_CHECKING:
    from pathlib import Path

PATH = "backup/remote_best.weights"
LONG_AGO_NS = 1_000_000_000_000_000_000


def say_best(keeper: ScoreKeeper, iteration: int, score: float) -> None:
    """What darknet says of its best, in its order."""
    keeper.hear(Progress(iteration, 2.0, 3.0, 0.001, 0.01, 4 * iteration))
    keeper.hear(MeanAveragePrecision(score))
    keeper.hear(NewBest())


def lay(tree: Path, mtime_ns: int) -> None:
    (tree / "backup").mkdir(exist_ok=True)
    (tree / PATH).touch()
    os.utime(tree / PATH, ns=(mtime_ns, mtime_ns))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    lay(tmp_path, LONG_AGO_NS)
    return tmp_path


@pytest.fixture
def keeper(tree: Path) -> ScoreKeeper:
    return ScoreKeeper(tree, PATH)


def test_the_best_has_its_score_and_others_have_none(tree: Path, keeper: ScoreKeeper) -> None:
    say_best(keeper, 200, 0.25)
    assert find_score(tree, PATH, 200) == 0.25
    assert find_score(tree, PATH, 100) is None
    assert find_score(tree, "backup/other_best.weights", 200) is None


def test_a_worse_one_than_the_best_changes_nothing(tree: Path, keeper: ScoreKeeper) -> None:
    say_best(keeper, 200, 0.25)
    keeper.hear(Progress(300, 2.0, 3.0, 0.001, 0.01, 1200))
    keeper.hear(MeanAveragePrecision(0.125))
    assert find_score(tree, PATH, 200) == 0.25


def test_it_is_known_after_darknet_was_started_again(tree: Path, keeper: ScoreKeeper) -> None:
    say_best(keeper, 200, 0.25)
    for _ in range(2):
        ScoreKeeper(tree, PATH).begin()
        assert find_score(tree, PATH, 200) == 0.25


def test_the_same_iteration_trained_again_has_not_the_score_of_the_first_time(
    tree: Path, keeper: ScoreKeeper
) -> None:
    say_best(keeper, 200, 0.25)
    keeper.begin()
    lay(tree, LONG_AGO_NS + 1)
    assert find_score(tree, PATH, 200) is None
    say_best(keeper, 200, 0.125)
    assert find_score(tree, PATH, 200) == 0.125


def test_what_is_said_before_the_file_is_there_is_of_no_file_that_comes_later(tmp_path: Path) -> None:
    keeper = ScoreKeeper(tmp_path, PATH)
    say_best(keeper, 200, 0.25)
    keeper.begin()
    lay(tmp_path, LONG_AGO_NS)
    assert find_score(tmp_path, PATH, 200) is None


def test_forgotten(tree: Path, keeper: ScoreKeeper) -> None:
    forget_best(tree)
    say_best(keeper, 200, 0.25)
    forget_best(tree)
    assert find_score(tree, PATH, 200) is None


def test_a_word_that_is_on_its_way_is_waited_for(tree: Path, keeper: ScoreKeeper) -> None:
    asked = threading.Event()

    def clock() -> float:
        asked.set()
        return LONG_AGO_NS / 1e9 + 0.5

    def say() -> None:
        asked.wait()
        say_best(keeper, 200, 0.25)

    with_delay = threading.Thread(target=say)
    with_delay.start()
    assert find_score(tree, PATH, 200, clock=clock) == 0.25
    with_delay.join()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[1]", id="no object"),
        pytest.param(b'{"path": 1}', id="another object"),
        pytest.param(b'{"path": "x", "iteration": "200", "score": 1.0}', id="a text for a number"),
    ],
)
def test_a_file_that_is_none_of_ours_says_nothing(tree: Path, content: bytes) -> None:
    (tree / ".trainer").mkdir()
    (tree / ".trainer/best.json").write_bytes(content)
    ScoreKeeper(tree, PATH).begin()
    assert find_score(tree, PATH, 200) is None


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / ".trainer").touch()
    say_best(ScoreKeeper(tmp_path, PATH), 200, 0.25)
    assert find_score(tmp_path, PATH, 200) is None
