"""Whether there is room for what a training saves: here, and where it is pushed to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trainer.checkpoint import read_network
from trainer.config import Wishes
from trainer.darknet.program import Flavour
from trainer.doctoring.lines import Level
from trainer.doctoring.room import Savings, count_savings, judge_disk, judge_storage, read_savings
from trainer.testing import make_tree

TINY = Path("/usr/share/darknet/cfg/yolov3-tiny.cfg")
MB = 1_000_000
SAVINGS = Savings(25 * MB, numbered=6, rewritten=3)


@pytest.mark.parametrize(
    ("flavour", "end", "every", "numbered", "rewritten"),
    [
        pytest.param(Flavour.AX, 6_000, None, 6, 3, id="the tutorial's"),
        pytest.param(Flavour.AX, 9_999, None, 9, 3, id="each 1000"),
        pytest.param(Flavour.AX, 10_000, None, 1, 3, id="each 10000"),
        pytest.param(Flavour.HK, 500_500, None, 50, 3, id="a long one"),
        pytest.param(Flavour.AX, 6_000, 500, 12, 3, id="as the .data file says"),
        pytest.param(Flavour.HK, 6_000, 500, 6, 3, id="which hank-ai's does not read"),
        pytest.param(Flavour.AX, 6_000, 0, 6, 3, id="nonsense there"),
        pytest.param(Flavour.PJ, 300, None, 3, 2, id="the original: each 100"),
        pytest.param(Flavour.PJ, 6_000, None, 9, 2, id="the original: below 1000"),
        pytest.param(Flavour.PJ, 25_000, None, 11, 2, id="the original: and then each 10000"),
    ],
)
def test_what_is_saved(flavour: Flavour, end: int, every: int | None, numbered: int, rewritten: int) -> None:
    savings = count_savings(replace(read_network(TINY), max_batches=end), flavour, every)
    assert (savings.numbered, savings.rewritten) == (numbered, rewritten)
    assert savings.size_bytes == 35_434_956


def test_a_tree(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", images=2, negatives=0, max_batches=4_000).root
    found = read_savings(Wishes(tree), Flavour.AX)
    assert found is not None
    assert found.numbered == 4
    (tree / "cfg/remote.data").write_text((tree / "cfg/remote.data").read_text() + "\nsaveweights=100\n")
    assert read_savings(Wishes(tree), Flavour.AX) == replace(found, numbered=40)


def test_no_cfg(tmp_path: Path) -> None:
    assert read_savings(Wishes(tmp_path), Flavour.AX) is None
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg/remote.cfg").write_text("[net]\nwidth=x\n")
    assert read_savings(Wishes(tmp_path), Flavour.AX) is None


def test_a_disk(small_disk: Path) -> None:
    """8 MiB of room for 9 checkpoints, and two copies."""
    for size, level in (
        (100_000, Level.GOOD),
        (1_000_000, Level.WARNING),
        (3_000_000, Level.BAD),
    ):
        line = judge_disk(small_disk, Savings(size, 6, 3))
        assert line.level is level
        assert "MB free" in line.what
        assert bool(line.remedy) is (level is not Level.GOOD)


def test_what_is_saved_already_does_not_count_twice(small_disk: Path) -> None:
    (small_disk / "backup").mkdir()
    for number in range(5):
        (small_disk / f"backup/remote_{number}000.weights").write_bytes(bytes(500_000))
    assert judge_disk(small_disk, Savings(700_000, 6, 3)).level is Level.GOOD


def test_a_disk_for_a_tree_that_is_not_there(tmp_path: Path) -> None:
    line = judge_disk(tmp_path / "not" / "there", None)
    assert line.level is Level.GOOD
    assert "no cfg yet" in line.what


@pytest.mark.parametrize(
    ("free", "savings", "keep", "level"),
    [
        pytest.param(None, SAVINGS, None, Level.GOOD, id="no limit"),
        pytest.param(10**9, None, None, Level.GOOD, id="nobody knows what comes"),
        pytest.param(225 * MB, SAVINGS, None, Level.GOOD, id="just enough"),
        pytest.param(224 * MB, SAVINGS, None, Level.WARNING, id="not all"),
        pytest.param(224 * MB, SAVINGS, 5, Level.GOOD, id="few are kept"),
        pytest.param(224 * MB, SAVINGS, 7, Level.WARNING, id="more than there are are kept"),
        pytest.param(24 * MB, SAVINGS, 0, Level.BAD, id="not one"),
    ],
)
def test_storage(free: int | None, savings: Savings | None, keep: int | None, level: Level) -> None:
    line = judge_storage(free, savings, keep)
    assert line.level is level
    assert bool(line.remedy) is (level is not Level.GOOD)
