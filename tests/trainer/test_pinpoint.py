"""The line that is to be mended, in a real tree."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from trainer.config import Run, Wishes, resolve_run
from trainer.darknet.complaint import Cause, Complaint, find_complaint
from trainer.darknet.program import Flavour
from trainer.deciding.endings import Diagnosis, Ending
from trainer.pinpoint import pinpoint
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return resolve_run(Wishes(make_tree(tmp_path / "tree", images=4, negatives=1).root))


def place(run: Run, ending: Ending, line: str | None = None) -> str:
    complaint = find_complaint(line) if line else None
    assert (complaint is None) == (line is None)
    return pinpoint(run, Diagnosis(ending, "it ended", complaint))


def line_of(run: Run, path: str, text: str, nth: int = 1) -> int:
    """The number of the ``nth`` line that begins with ``text``."""
    lines = (run.tree / path).read_text().splitlines()
    return [number for number, line in enumerate(lines, start=1) if line.startswith(text)][nth - 1]


def edit(run: Run, path: str, before: str, after: str) -> None:
    text = (run.tree / path).read_text()
    assert before in text
    (run.tree / path).write_text(text.replace(before, after))


@pytest.mark.parametrize(
    ("ending", "line", "expected"),
    [
        pytest.param(
            Ending.TREE,
            "Couldn't open file: data/train.txt",
            "cfg/remote.data, line 2: train = data/train.txt",
            id="a list that lacks",
        ),
        pytest.param(
            Ending.TREE,
            "Couldn't open file: data/remote.names",
            "cfg/remote.data, line 4: names = data/remote.names",
            id="a list of names that lacks",
        ),
        pytest.param(
            Ending.TREE, "Couldn't open file: cfg/remote.data", "", id="the .data: its name says it"
        ),
        pytest.param(
            Ending.DATA, "Couldn't open file: data/train/3.txt", "data/train.txt, line 3", id="PJ: a label"
        ),
        pytest.param(
            Ending.DATA,
            '* Error message: failed to open annotation file "data/test/2.txt"',
            "data/test.txt, line 2",
            id="HK: a label of the list for mAP",
        ),
        pytest.param(
            Ending.DATA, "Cannot load image data/train/4.png", "data/train.txt, line 4", id="AX: an image"
        ),
        pytest.param(Ending.DATA, "Cannot load image elsewhere.png", "", id="an image that no list names"),
        pytest.param(Ending.DATA, "Error in load_data_detection() - OpenCV", "", id="AX: no image named"),
        pytest.param(
            Ending.CANNOT_WRITE,
            "Couldn't open file: backup//remote_100.weights",
            "cfg/remote.data, line 5: backup = backup/",
            id="a weights file that cannot be written",
        ),
        pytest.param(
            Ending.CANNOT_WRITE,
            "Couldn't open file: elsewhere/remote_100.weights",
            "",
            id="of another folder",
        ),
        pytest.param(Ending.CANNOT_WRITE, None, "", id="a full disk is not in the tree"),
        pytest.param(
            Ending.TREE,
            None,
            "cfg/remote.data, line 2: train = data/train.txt",
            id="PJ and AX: an empty list",
        ),
        pytest.param(
            Ending.TREE,
            "* Error message: no training images available (verify data/train.txt)",
            "cfg/remote.data, line 2: train = data/train.txt",
            id="HK: an empty list",
        ),
        pytest.param(
            Ending.TREE,
            "* Error message: In the file data/remote.names, the number of names (1) does not match classes=2",
            "cfg/remote.data, line 4: names = data/remote.names",
            id="HK: names",
        ),
        pytest.param(
            Ending.GPU_MEMORY, "CUDA Error: out of memory", "cfg/remote.cfg, line 4: width=64", id="GPU"
        ),
        pytest.param(Ending.DIVERGED, None, "cfg/remote.cfg, line 9: learning_rate=0.001", id="NaN"),
        pytest.param(Ending.DRIVER, "CUDA Error: no device", "", id="the machine is not in the tree"),
        pytest.param(Ending.UNKNOWN, "Couldn't open file: data/train.txt", "", id="nothing is to be mended"),
        pytest.param(Ending.TREE, "darknet: a.c:1: f: Assertion `0' failed.", "", id="a crash"),
    ],
)
def test_places(run: Run, ending: Ending, line: str | None, expected: str) -> None:
    assert place(run, ending, line) == (f" ({expected})" if expected else "")


FILTERS = "filters= in the [convolutional]-layer doesn't correspond to classes= or mask= in [yolo]-layer"


def test_filters(run: Run) -> None:
    number = line_of(run, "cfg/remote.cfg", "filters=21")
    assert place(run, Ending.TREE, FILTERS) == f" (cfg/remote.cfg, line {number})"
    edit(run, "cfg/remote.cfg", "filters=21", "#filters=5\n filters = 20")
    assert place(run, Ending.TREE, FILTERS) == (
        f" (cfg/remote.cfg, line {number + 1}: filters=20 should be 21)"
    )


def test_filters_of_the_layer_that_is_wrong(run: Run) -> None:
    cfg = run.tree / "cfg/remote.cfg"
    text = cfg.read_text()
    head = text[text.rindex("[convolutional]") :]
    cfg.write_text(text + "\n" + head.replace("filters=21", "filters=255").replace("mask=0,1,2", "mask=1,2"))
    number = line_of(run, "cfg/remote.cfg", "filters=255")
    assert place(run, Ending.TREE, FILTERS) == (f" (cfg/remote.cfg, line {number}: filters=255 should be 14)")


def test_filters_that_are_not_written(run: Run) -> None:
    edit(run, "cfg/remote.cfg", "filters=21\n", "")
    number = line_of(run, "cfg/remote.cfg", "[convolutional]", 4)
    assert place(run, Ending.TREE, FILTERS) == f" (cfg/remote.cfg, line {number}: filters=1 should be 21)"


def test_nothing_that_detects(run: Run) -> None:
    edit(run, "cfg/remote.cfg", "[yolo]", "[detection]")
    assert place(run, Ending.TREE, FILTERS) == ""


@pytest.mark.parametrize(
    ("content", "at"),
    [
        pytest.param("0 .5 .5 .2 .2\n\n7 .5 .5 .2 .2\n", ", line 3", id="class beyond classes"),
        pytest.param("0 .5 .5 .2 .2\n0 0,5 0,5 0,2 0,2\n", ", line 2", id="decimal commas"),
        pytest.param("circle .5 .5 .2 .2\n", ", line 1", id="a name for a class"),
        pytest.param("0 .5 .5 .2\n", ", line 1", id="a number too few"),
        pytest.param("0 .5 .5 .2 .2 .9\n", ", line 1", id="a number too many"),
        pytest.param("0 32 32 12 12\n", ", line 1", id="pixels"),
        pytest.param("0 nan .5 .2 .2\n", ", line 1", id="NaN"),
    ],
)
def test_labels(run: Run, content: str, at: str) -> None:
    (run.tree / "data/train/1.txt").write_text(content)
    said = "* Error message: invalid class ID #7 in data/train/1.txt"
    assert place(run, Ending.DATA, said) == f" (data/train/1.txt{at})"


def test_a_label_that_seems_right_is_that_of_an_image(run: Run) -> None:
    said = "* Error message: invalid class ID #7 in data/train/2.txt"
    assert place(run, Ending.DATA, said) == " (data/train.txt, line 2)"


def test_images_as_the_darknet_in_use_looks_for_their_labels(run: Run) -> None:
    (run.tree / "data/train.txt").write_text("\ufeff./data/images/a.jpg \r\n\ndata/images/b.jpg\n")
    said = "Couldn't open file: data/labels/b.txt"
    assert place(replace(run, flavour=Flavour.PJ), Ending.DATA, said) == " (data/train.txt, line 3)"
    assert place(replace(run, flavour=Flavour.AX), Ending.DATA, said) == ""
    first = "Cannot load image data/images/a.jpg"
    assert place(run, Ending.DATA, first) == " (data/train.txt, line 1)"


@pytest.mark.parametrize("path", ["cfg/remote.cfg", "cfg/remote.data"])
def test_a_line_that_darknet_cannot_read(run: Run, path: str) -> None:
    with (run.tree / path).open("a") as file:
        file.write("what is this\n")
    number = line_of(run, path, "what is this")
    said = f"Config file error line {number}, could parse: whatisthis"
    assert place(run, Ending.TREE, said) == f" ({path}, line {number})"
    assert place(run, Ending.TREE, "Config file error line 999, could parse: x") == ""


def test_a_backup_folder_that_is_not_there(run: Run) -> None:
    (run.tree / "backup").rmdir()
    assert place(run, Ending.CANNOT_WRITE, "Couldn't open file: backup//remote_100.weights") == (
        " (cfg/remote.data, line 5: backup = backup/, a folder that does not exist)"
    )


def remove(run: Run) -> None:
    (run.tree / "cfg/remote.cfg").unlink()
    (run.tree / "cfg/remote.data").unlink()


def fill_with_noise(run: Run) -> None:
    (run.tree / "cfg/remote.cfg").write_bytes(bytes(range(256)) * 10)
    (run.tree / "cfg/remote.data").write_bytes(b"train=\xff\x00\nnames=/\nvalid=..\nbackup==\n")


def make_folders(run: Run) -> None:
    remove(run)
    (run.tree / "cfg/remote.cfg").mkdir()
    (run.tree / "cfg/remote.data").mkdir()


def make_pipes(run: Run) -> None:
    remove(run)
    os.mkfifo(run.tree / "cfg/remote.cfg")
    os.mkfifo(run.tree / "cfg/remote.data")


def spoil_numbers(run: Run) -> None:
    edit(run, "cfg/remote.cfg", "classes=2", "classes=two")


@pytest.mark.parametrize("harm", [remove, fill_with_noise, make_folders, make_pipes, spoil_numbers])
def test_whatever_the_files_are_nothing_is_raised(run: Run, harm: Callable[[Run], None]) -> None:
    harm(run)
    for cause in Cause:
        for path in ("", "data/train/1.txt", "data/train/1.png", "\x00", "b/r_last.weights", "x" * 5000):
            diagnosis = Diagnosis(Ending.TREE, "it ended", Complaint(cause, "what it said", path))
            assert isinstance(pinpoint(run, diagnosis), str)
    for ending in Ending:
        assert isinstance(pinpoint(run, Diagnosis(ending, "it ended")), str)
