"""What ``trainer check`` says of a tree, and what the real darknet does with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from trainer.darknet.complaint import find_complaint
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DARKNET = "/usr/bin/darknet"
ITERATIONS = 120
"""One save at 100, and some more."""
PATIENCE_S = 60
RANDOM_DEATH = -11
"""The original may die after it has saved its last weights: an array of its own is freed twice."""


@dataclass(frozen=True)
class Training:
    """What the real darknet did with a tree."""

    status: int
    iterations: list[int]
    complaints: list[str]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "my tree", images=6, negatives=2, size_px=32, max_batches=ITERATIONS).root


def check(tree: Path) -> tuple[int, list[tuple[str, str, str, int | None]]]:
    """Ask the command, as a process of its own: its exit status, and what it finds."""
    command = [sys.executable, "-m", "trainer", "check", "--json", "--darknet", DARKNET, str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    found = json.loads(done.stdout)["findings"]
    return done.returncode, [(one["severity"], one["code"], one["path"], one["line"]) for one in found]


def train(tree: Path, weights: str = "") -> Training:
    """Have it trained by the real darknet, with nobody in between."""
    # Line by line: where it dies at its very end, what it holds of its output would be lost.
    command = [
        "stdbuf",
        "-oL",
        DARKNET,
        "detector",
        "train",
        "cfg/remote.data",
        "cfg/remote.cfg",
        *([weights] if weights else []),
    ]
    done = subprocess.run(
        command, cwd=tree, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE_S
    )
    said = done.stdout + done.stderr
    complaints = [complaint.line for complaint in map(find_complaint, said.splitlines()) if complaint]
    return Training(
        done.returncode, [int(n) for n in re.findall(r"^(\d+): \S+, \S+ avg", said, re.MULTILINE)], complaints
    )


def replace(path: str, old: str, new: str) -> Callable[[Path], object]:
    def change(tree: Path) -> None:
        text = (tree / path).read_text()
        assert old in text
        (tree / path).write_text(text.replace(old, new, 1))

    return change


def leave(_tree: Path) -> None:
    """A tree as it is drawn."""


def remove(path: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).unlink()


def separate_labels(tree: Path) -> None:
    """The original looks in labels/ for what lies in images/."""
    for name in ("train", "test"):
        (tree / f"data/{name}").rename(tree / f"data/images-{name}")
        (tree / f"data/labels-{name}").mkdir()
        for label in (tree / f"data/images-{name}").glob("*.txt"):
            label.rename(tree / f"data/labels-{name}" / label.name)
        lines = (tree / f"data/{name}.txt").read_text()
        (tree / f"data/{name}.txt").write_text(lines.replace(f"data/{name}/", f"data/images-{name}/"))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(leave, id="as it is drawn"),
        pytest.param(separate_labels, id="labels in a directory of their own"),
        pytest.param(replace("cfg/remote.cfg", "subdivisions=1", "subdivisions=2"), id="subdivisions"),
        pytest.param(replace("cfg/remote.data", "classes = 2", "# two\n\nclasses=2"), id="comments"),
    ],
)
def test_what_is_clean_trains_without_a_complaint(tree: Path, change: Callable[[Path], object]) -> None:
    change(tree)
    assert check(tree) == (0, [])
    training = train(tree)
    assert training.status in {0, RANDOM_DEATH}
    assert training.iterations == list(range(1, ITERATIONS + 1))
    assert training.complaints == []
    assert (tree / "backup/remote_final.weights").is_file()


def keep_no_weights(tree: Path) -> None:
    (tree / "backup").rmdir()


def finish_already(tree: Path) -> None:
    """Weights whose training is over, as those that others publish."""
    assert train(tree).iterations
    (tree / "backup/remote_final.weights").rename(tree / "yolov4-tiny.conv.29")
    (tree / "backup/remote.backup").unlink()
    (tree / "backup/remote_100.weights").unlink()


@pytest.mark.parametrize(
    ("harm", "weights", "found"),
    [
        pytest.param(
            remove("data/train/1.txt"), "", ("error", "label-missing", "data/train.txt", 1), id="no label"
        ),
        pytest.param(
            remove("data/train.txt"), "", ("error", "list-missing", "cfg/remote.data", 2), id="no list"
        ),
        pytest.param(remove("cfg/remote.cfg"), "", ("error", "no-file", "cfg/remote.cfg", None), id="no cfg"),
        pytest.param(
            remove("cfg/remote.data"), "", ("error", "no-file", "cfg/remote.data", None), id="no .data"
        ),
        pytest.param(
            replace("cfg/remote.cfg", f"max_batches={ITERATIONS}\n", ""),
            "",
            ("error", "no-max-batches", "cfg/remote.cfg", 1),
            id="no max_batches",
        ),
        pytest.param(keep_no_weights, "", ("error", "no-backup-folder", "backup", None), id="no backup/"),
        pytest.param(
            finish_already,
            "yolov4-tiny.conv.29",
            ("error", "weights-trained", "yolov4-tiny.conv.29", None),
            id="weights that are trained already",
        ),
    ],
)
def test_what_darknet_hides_is_an_error(
    tree: Path, harm: Callable[[Path], object], weights: str, found: tuple[str, str, str, int | None]
) -> None:
    harm(tree)
    status, findings = check(tree)
    assert status == os.EX_CONFIG
    assert found in findings
    training = train(tree, weights)
    # It says that all is well, and has not trained, or has not kept what it has learned.
    assert training.status in {0, RANDOM_DEATH}
    assert not training.iterations or not list(tree.glob("backup/remote_final.weights"))
