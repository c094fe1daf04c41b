from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from trainer.config import Wishes, record_run, resolve_run
from trainer.errors import TreeError
from trainer.testing.stand_in import write_weights
from trainer.testing.tree import make_tree
from trainer.vetting import vet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "darknet", images=4, negatives=1).root


def look(tree: Path, weights: str | None = None) -> list[str]:
    told: list[str] = []
    asked = Wishes(tree, weights=weights)
    vet(asked, resolve_run(asked), told.append)
    return told


def replace(path: str, old: str, new: str) -> Callable[[Path], object]:
    def harm(tree: Path) -> None:
        text = (tree / path).read_text()
        assert old in text
        (tree / path).write_text(text.replace(old, new))

    return harm


def test_nothing_is_said_of_a_tree_that_is_right(tree: Path) -> None:
    assert look(tree) == []


def test_what_is_made_before_darknet_starts_is_no_error(tree: Path) -> None:
    shutil.rmtree(tree / "backup")
    assert look(tree) == []


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        pytest.param(
            replace("cfg/remote.cfg", "filters=21", "filters=255"), "cfg/remote.cfg:41: ", id="filters"
        ),
        pytest.param(
            replace("cfg/remote.data", "train = ", "train = no/"), "cfg/remote.data:2: train = no/", id="list"
        ),
        pytest.param(
            replace("cfg/remote.data", "classes = 2", "classes = 3"), "cfg/remote.cfg:", id="classes"
        ),
    ],
)
def test_a_start_that_would_be_in_vain_is_refused(
    tree: Path, harm: Callable[[Path], object], said: str
) -> None:
    harm(tree)
    with pytest.raises(TreeError) as refused:
        look(tree)
    assert str(refused.value).startswith(said)
    assert "--no-check" in refused.value.hint


def test_a_warning_is_told_and_no_more(tree: Path) -> None:
    replace("cfg/remote.cfg", "steps=240,270", "steps=240,900")(tree)
    (told,) = look(tree)
    assert told.startswith("check: warning: cfg/remote.cfg:")


def test_who_calls_his_cfg_otherwise_hears_that_the_run_begins_anew(tree: Path) -> None:
    write_weights(tree / "backup/remote_400.weights", resolve_run(Wishes(tree)).network, 400)
    assert look(tree) == []
    (tree / "cfg/remote.cfg").rename(tree / "cfg/mine.cfg")
    told: list[str] = []
    asked = Wishes(tree, cfg="cfg/mine.cfg")
    vet(asked, resolve_run(asked), told.append)
    (line,) = told
    assert line.startswith(
        "backup/ holds checkpoints of another run, remote (iteration 400), and none of mine"
    )
    assert "train cfg/remote.cfg" in line
    assert "`backup =` of its own in cfg/remote.data" in line
    assert "metrics.jsonl, chart.png" in line


def test_who_moves_the_folder_for_checkpoints_hears_that_the_run_begins_anew(tree: Path) -> None:
    run = resolve_run(Wishes(tree))
    write_weights(tree / "backup/remote.backup", run.network, 400)
    write_weights(tree / "backup/other_100.weights", run.network, 100)
    record_run(run)
    replace("cfg/remote.data", "backup = backup", "backup = saved")(tree)
    (line,) = look(tree)
    assert line.startswith(
        "backup/ holds checkpoints of remote (iteration 400), and saved/ none: it begins anew"
    )
    assert "`backup = backup/` in cfg/remote.data" in line


def test_what_is_wrong_with_the_images_is_not_looked_for(tree: Path) -> None:
    (tree / "data/train/1.png").write_bytes(b"")
    assert look(tree) == []


@pytest.mark.parametrize("harm", ["torn", "empty"])
def test_pretrained_weights_matter_only_where_they_are_read(tree: Path, harm: str) -> None:
    network = resolve_run(Wishes(tree)).network
    write_weights(tree / "other.weights", network, 0, harm=harm)
    with pytest.raises(TreeError, match=r"^other\.weights: "):
        look(tree, weights="other.weights")
    write_weights(tree / "backup/remote_last.weights", network, 100)
    assert look(tree, weights="other.weights") == []
