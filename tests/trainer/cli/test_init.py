"""``init``: what it prints for people and for programs, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivesync.cli import run_command
from trainer.cli.init import init_command
from trainer.preparing.annotations import Format
from trainer.testing.labelled import make_labelled


def run(*argv: object) -> int:
    return run_command(init_command, [str(word) for word in argv])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return make_labelled(tmp_path / "my images", Format.YOLO).folder


def test_what_people_read(tree: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "torn.jpg").write_bytes(b"torn")
    (images / "torn.txt").write_text("")
    (images / "forgotten.jpg").write_bytes(b"")
    (images / "train-1.txt").write_text("0 0 .5 .2 .2\n0 .5 .5 0 .1\n")
    assert run(tree, "--images", images, "--names", "circle, square, star", "--anchors", "auto") == 0
    *lines, cfg, made, weights, more = capsys.readouterr().out.splitlines()
    assert lines == [
        "10 images with labels in YOLO's format: 7 to train with, 3 to test with",
        "  circle  4 boxes in 3 + 1 images",
        "  square  3 boxes in 2 + 1 images",
        "  star    0 boxes in 0 + 0 images",
        "  3 of them show nothing (negatives)",
        "1 time a box reached out of its image, and does no more",
        "1 time a box without an area was left out",
        "left out: 1 image without any label, forgotten.jpg say (--negatives if they show nothing)",
        "left out: 1 image that cannot be used",
        f"  {images}/torn.jpg: it cannot be read as an image (cannot identify image file 'torn.jpg')",
        "no image to train with shows star",
    ]
    assert cfg.startswith(
        "cfg/remote.cfg from yolov4-tiny: 416 x 416, batch 64, subdivisions 16, max_batches 6000, a"
    )
    assert "mean IoU" in cfg
    assert made.startswith(f"made in {tree}: data/train, data/test, ")
    assert weights.startswith(f"pretrained weights: yolov4-tiny.conv.29 is not in {tree}; without it ")
    assert more == "next: put yolov4-tiny.conv.29 there, trainer check, trainer build, trainer supervise"


@pytest.mark.parametrize(
    ("weights", "commands"),
    [
        pytest.param("yolov4-tiny.conv.29", "check, trainer build, trainer supervise", id="the tutorial's"),
        pytest.param(
            "darknet53.conv.74",
            "check --weights darknet53.conv.74, trainer build, trainer supervise --weights darknet53.conv.74",
            id="of another network",
        ),
    ],
)
def test_pretrained_weights_that_are_there_are_named(
    tree: Path, images: Path, capsys: pytest.CaptureFixture[str], weights: str, commands: str
) -> None:
    (tree / "cfg").mkdir(parents=True)
    (tree / "cfg/yolov3.cfg").write_bytes(Path("/usr/share/darknet/cfg/yolov3.cfg").read_bytes())
    (tree / weights).touch()
    assert run(tree, "--images", images, "--names", "circle,square") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"next: trainer {commands}"


def test_what_programs_read(tree: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = (tree, "--images", images, "--names", "circle,square", "--size", "608x416", "--json")
    assert run(*argv) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["format"], said["train"], said["test"], said["written"]) == ("yolo", 7, 3, 25)
    assert (said["cfg"]["width"], said["cfg"]["height"]) == (608, 416)
    assert [one["name"] for one in said["classes"]] == ["circle", "square"]
    assert run(*argv) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == {**said, "written": 0, "kept": 25}


def test_a_dry_run_writes_nothing(tree: Path, images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, "--images", images, "--names", "circle,square", "--dry-run") == 0
    assert f"would be made in {tree}: " in capsys.readouterr().out
    assert not tree.exists()


def test_names_in_a_file(tree: Path, images: Path, tmp_path: Path) -> None:
    (tmp_path / "my.names").write_text("circle\nsquare\n\n")
    assert run(tree, "--images", images, "--names", tmp_path / "my.names") == 0
    assert (tree / "data/remote.names").read_text() == "circle\nsquare\n"


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["", "dry run"])
def test_what_is_in_the_way_is_listed(
    tree: Path, images: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    for path in ("data/train.txt", "cfg/remote.cfg"):
        (tree / path).parent.mkdir(parents=True)
        (tree / path).write_text("mine")
    argv = (tree, "--images", images, "--names", "circle,square", *options)
    assert run(*argv) == 73
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["in the way: cfg/remote.cfg", "in the way: data/train.txt"]
    assert "2 files hold something else" in said[2]
    assert "--force" in said[2]
    assert not (tree / "data/test.txt").exists()
    assert run(*argv, "--force") == 0


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        pytest.param([], 64, "Missing option '--images'", id="no images named"),
        pytest.param(["--images", ""], 64, "it is empty", id="a variable that is not set"),
        pytest.param(["--images", "nowhere"], 66, "no folder", id="no such folder"),
        pytest.param(["--images", "{images}"], 64, "--names cat,dog", id="no names"),
        pytest.param(
            ["--images", "{images}", "--names", "circle"], 78, "'1', by the label of", id="too few names"
        ),
        pytest.param(
            ["--images", "{images}", "--names", "a,b", "--test", "1"], 64, "--test", id="all to test with"
        ),
        pytest.param(
            ["--images", "{images}", "--names", "a,b", "--size", "big"], 64, "is no size", id="no size"
        ),
        pytest.param(
            ["--images", "{images}", "--names", "a,b", "--size", "100"], 78, "multiple", id="an odd size"
        ),
        pytest.param(
            ["--images", "{images}", "--names", "a,b", "--template", "x.cfg"],
            66,
            "no template x.cfg",
            id="no template",
        ),
        pytest.param(
            ["--images", "{images}", "--names", "a,b", "--labels", "x"], 66, "there is no x", id="no labels"
        ),
        pytest.param(
            ["--images", "{images}", "--names", "a,b", "--format", "coco"],
            66,
            "no label",
            id="none of that format",
        ),
    ],
)
def test_exit_status(
    tree: Path, images: Path, capsys: pytest.CaptureFixture[str], options: list[str], status: int, said: str
) -> None:
    assert run(tree, *(option.format(images=images) for option in options)) == status
    assert said in capsys.readouterr().err
    assert not tree.exists()
