"""The generated tree is the tutorial's, and the same arguments draw the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from PIL import Image

from trainer.testing import make_tree
from trainer.testing.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_same_seed_draws_the_same_tree_and_another_one_another(tmp_path: Path) -> None:
    first = contents(make_tree(tmp_path / "a", seed=1).root)
    assert contents(make_tree(tmp_path / "b", seed=1).root) == first
    assert contents(make_tree(tmp_path / "c", seed=2).root) != first


def test_layout_is_the_tutorials(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, images=8, negatives=2)
    assert {path for path in contents(tmp_path) if not path.startswith(("data/train/", "data/test/"))} == {
        "data/train.txt",
        "data/test.txt",
        "data/remote.names",
        "cfg/remote.data",
        "cfg/remote.cfg",
    }
    assert (tmp_path / "data/train.txt").read_text().split() == list(tree.train)
    assert len(tree.train) == 8
    assert len(tree.test) == 2
    assert tree.backup.is_dir()


def test_labels_lie_inside_and_negatives_are_empty(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, images=12, negatives=3, classes=("circle", "square", "triangle"))
    labels = [(tmp_path / image).with_suffix(".txt").read_text().split() for image in tree.train]
    assert labels.count([]) == 3
    for row in filter(None, labels):
        x, y, w, h = map(float, row[1:])
        assert int(row[0]) in range(3)
        assert min(x - w / 2, y - h / 2) >= -1e-5
        assert max(x + w / 2, y + h / 2) <= 1 + 1e-5


def test_a_shape_stands_where_its_label_says(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, images=4, negatives=0, size_px=96)
    for image in tree.train:
        x, y, w, _ = map(float, (tmp_path / image).with_suffix(".txt").read_text().split()[1:])
        with Image.open(tmp_path / image) as picture:
            lit = [picture.getpixel((int(part * 96), int(y * 96))) for part in (x, x - w / 2 + 0.03)]
            corner = picture.convert("L").point(lambda level: 255 if level > 100 else 0).getbbox()
        assert all(isinstance(pixel, tuple) and min(pixel) >= 120 for pixel in lit)
        assert corner is not None
        assert abs((corner[2] - corner[0]) / 96 - w) < 0.03


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param({"classes": ("hexagon",)}, "not hexagon", id="a shape it cannot draw"),
        pytest.param({"classes": ()}, "not none", id="no class"),
        pytest.param({"negatives": 24}, "24 negatives", id="only negatives"),
        pytest.param({"size_px": 50}, "not 50", id="not a multiple of 32"),
    ],
)
def test_arguments_that_fit_no_tree_are_refused_before_anything_is_written(
    arguments: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=complaint):
        make_tree(tmp_path / "tree", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "tree").exists()


def test_command_line(tmp_path: Path) -> None:
    answer = CliRunner().invoke(
        main, [str(tmp_path), "--images", "5", "--negatives", "1", "--max-batches", "70"]
    )
    assert answer.exit_code == 0, answer.output
    assert len((tmp_path / "data/train.txt").read_text().split()) == 5
    assert "max_batches=70" in (tmp_path / "cfg/remote.cfg").read_text()
    assert CliRunner().invoke(main, [str(tmp_path), "--classes", "hexagon"]).exit_code != 0
