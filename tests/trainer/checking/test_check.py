"""A tree broken in one way at a time: found, with file and line; and a clean one, of which nothing is said."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from trainer.checking.check import check
from trainer.checking.findings import Severity
from trainer.config import Wishes
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.program import Flavour
from trainer.darknet.size import weight_count
from trainer.errors import NoDarknetError
from trainer.preparing.template import make_cfg
from trainer.preparing.yolov4_tiny import tiny_cfg_text
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
DATA, CFG, NAMES = "cfg/remote.data", "cfg/remote.cfg", "data/remote.names"
TRAIN, TEST = "data/train.txt", "data/test.txt"
WEIGHTS = "yolov4-tiny.conv.29"

Harm = "Callable[[Path], object]"
Found = tuple[Severity, str, str, "int | None"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = make_tree(tmp_path / "my tree", images=4, negatives=1).root
    # As the original, so that nothing depends on what is installed here.
    program = root / "darknet"
    program.write_bytes(b"#!/bin/sh\n# %f rate, %lf seconds, \n")
    program.chmod(0o755)
    return root


def look(tree: Path, **wishes: str) -> list[Found]:
    report = check(Wishes(tree, **wishes))  # type: ignore[arg-type]  # extra is not among them
    assert all(one.what and one.effect and one.fix for one in report.findings)
    return [(one.severity, one.code, one.path, one.line) for one in report.findings]


def replace(path: str, old: str, new: str) -> Callable[[Path], object]:
    """Breaks a line; of those that have ``old`` the first."""

    def harm(tree: Path) -> None:
        raw = (tree / path).read_bytes()
        assert old.encode() in raw
        (tree / path).write_bytes(raw.replace(old.encode(), new.encode(), 1))

    return harm


def write(path: str, content: bytes) -> Callable[[Path], object]:
    return lambda tree: (tree / path).write_bytes(content)


def prepend(path: str, content: bytes) -> Callable[[Path], object]:
    return lambda tree: (tree / path).write_bytes(content + (tree / path).read_bytes())


def append(path: str, content: bytes) -> Callable[[Path], object]:
    return lambda tree: (tree / path).write_bytes((tree / path).read_bytes() + content)


def end_as_windows(path: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).write_bytes((tree / path).read_bytes().replace(b"\n", b"\r\n"))


def remove(path: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).unlink()


def leave(_tree: Path) -> None:
    """Do no harm."""


def test_of_a_clean_tree_nothing_is_said(tree: Path) -> None:
    report = check(Wishes(tree))
    assert report.findings == ()
    assert report.passed
    assert (report.images, report.negatives, report.unlabelled) == (6, 2, 0)
    assert (report.flavour, report.flavour_known) == (Flavour.PJ, True)


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        # Files and directories.
        pytest.param(remove(DATA), (E, "no-file", DATA, None), id="no .data"),
        pytest.param(remove(CFG), (E, "no-file", CFG, None), id="no .cfg"),
        pytest.param(remove(NAMES), (W, "no-file", DATA, 4), id="no names"),
        pytest.param(remove(TRAIN), (E, "list-missing", DATA, 2), id="no list of training images"),
        pytest.param(remove(TEST), (W, "list-missing", DATA, 3), id="no list of test images"),
        pytest.param(
            lambda tree: (tree / "backup").rmdir(), (E, "no-backup-folder", "backup", None), id="no backup/"
        ),
        pytest.param(replace(DATA, "backup/", DATA), (E, "backup-no-folder", DATA, 5), id="backup is a file"),
        pytest.param(replace(DATA, "backup/", "../b"), (E, "backup-outside", DATA, 5), id="backup outside"),
        pytest.param(replace(DATA, "backup/", "."), (E, "backup-outside", DATA, 5), id="backup is the tree"),
        # The texts.
        pytest.param(end_as_windows(DATA), (E, "carriage-returns", DATA, 1), id="CRLF in .data"),
        pytest.param(end_as_windows(CFG), (E, "carriage-returns", CFG, 1), id="CRLF in .cfg"),
        pytest.param(end_as_windows(TRAIN), (E, "carriage-returns", TRAIN, 1), id="CRLF in train.txt"),
        pytest.param(end_as_windows(TEST), (E, "carriage-returns", TEST, 1), id="CRLF in test.txt"),
        pytest.param(end_as_windows(NAMES), (W, "carriage-returns", NAMES, 1), id="CRLF in names"),
        pytest.param(prepend(DATA, b"\xef\xbb\xbf"), (E, "byte-order-mark", DATA, 1), id="BOM in .data"),
        pytest.param(prepend(CFG, b"\xef\xbb\xbf"), (E, "byte-order-mark", CFG, 1), id="BOM in .cfg"),
        pytest.param(prepend(TRAIN, b"\xef\xbb\xbf"), (E, "byte-order-mark", TRAIN, 1), id="BOM in train.txt"),
        pytest.param(prepend(NAMES, b"\xef\xbb\xbf"), (W, "byte-order-mark", NAMES, 1), id="BOM in names"),
        # .data and names.
        pytest.param(replace(DATA, "classes = 2\n", ""), (E, "no-classes", DATA, None), id="no classes="),
        pytest.param(replace(DATA, "train = data/train.txt", ""), (E, "no-train", DATA, None), id="no train="),
        pytest.param(replace(DATA, "backup = backup/", ""), (E, "no-backup", DATA, None), id="no backup="),
        pytest.param(replace(DATA, "= 2", "= two"), (E, "no-number", DATA, 1), id="classes in words"),
        pytest.param(replace(DATA, "train.txt", "my train.txt"), (E, "space-in-path", DATA, 2), id="a space"),
        pytest.param(append(DATA, b"savelast = 2000\n"), (W, "no-last", DATA, 6), id="savelast too large"),
        pytest.param(append(NAMES, b"\n"), (W, "names-differ", NAMES, 3), id="an empty name"),
        pytest.param(append(NAMES, b"cat\n"), (W, "names-differ", NAMES, 3), id="a name too many"),
        pytest.param(replace(NAMES, "square", "circle"), (W, "same-name", NAMES, 2), id="a name twice"),
        # The network.
        pytest.param(replace(CFG, "[net]", "[bet]"), (E, "cfg", CFG, None), id="no [net]"),
        pytest.param(replace(CFG, "[net]", "what"), (E, "cfg", CFG, 1), id="no section"),
        pytest.param(replace(CFG, "batch=4", "batch=x"), (E, "no-number", CFG, 2), id="no number"),
        pytest.param(replace(CFG, "batch=4", "batch=1"), (W, "batch", CFG, 2), id="batch=1"),
        pytest.param(
            replace(CFG, "subdivisions=1", "subdivisions=3"), (W, "subdivisions", CFG, 3), id="a remainder"
        ),
        pytest.param(
            replace(CFG, "subdivisions=1", "subdivisions=8"), (E, "subdivisions", CFG, 3), id="no image left"
        ),
        pytest.param(replace(CFG, "width=64", "width=60"), (W, "width", CFG, 4), id="width"),
        pytest.param(replace(CFG, "height=64", "height=50"), (W, "height", CFG, 5), id="height"),
        pytest.param(replace(CFG, "max_batches=300", ""), (E, "no-max-batches", CFG, 1), id="no max_batches"),
        pytest.param(
            replace(CFG, "max_batches=300", "max_batches=0"), (E, "no-max-batches", CFG, 11), id="of 0"
        ),
        pytest.param(replace(CFG, "240,270", "240,300"), (W, "steps", CFG, 13), id="a step beyond the end"),
        pytest.param(replace(CFG, "240,270", "20,30"), (W, "steps", CFG, 13), id="steps far too early"),
        pytest.param(replace(CFG, "240,270", "270,240"), (E, "steps", CFG, 13), id="steps that descend"),
        pytest.param(replace(CFG, "steps=240,270", ""), (E, "steps", CFG, 1), id="no steps"),
        pytest.param(replace(CFG, ".1,.1", ".1"), (E, "steps", CFG, 14), id="a scale is missing"),
        pytest.param(replace(CFG, "rate=0.001", "rate=0"), (E, "learning-rate", CFG, 9), id="learning_rate=0"),
        pytest.param(replace(CFG, "burn_in=20", "burn_in=500"), (W, "burn-in", CFG, 10), id="burn_in"),
        pytest.param(replace(CFG, "filters=21", "filters=255"), (E, "filters", CFG, 41), id="filters"),
        pytest.param(replace(CFG, "filters=8", "filters=0"), (E, "cfg", CFG, 18), id="no filters at all"),
        pytest.param(replace(CFG, "num=3", "num=9"), (W, "anchors", CFG, 49), id="anchors are missing"),
        pytest.param(replace(CFG, "mask=0,1,2", "mask=3,4,5"), (E, "mask", CFG, 48), id="mask"),
        pytest.param(replace(CFG, "[yolo]", "[yoyo]"), (E, "cfg", CFG, 47), id="a layer that there is not"),
        # Lists, images and labels.
        pytest.param(write(TRAIN, b""), (E, "list-empty", TRAIN, None), id="an empty list"),
        pytest.param(append(TRAIN, b"data/train/1.png\n"), (W, "list-duplicate", TRAIN, 5), id="twice"),
        pytest.param(remove("data/train/2.png"), (E, "image-missing", TRAIN, 2), id="no image"),
        pytest.param(append(TRAIN, b"data/test/1.png\n"), (W, "image-in-both-lists", TEST, 1), id="in both lists"),
        pytest.param(append(TRAIN, b"\n"), (E, "list-blank-line", TRAIN, 5), id="a blank line"),
        pytest.param(replace(TRAIN, "2.png", "2.png "), (E, "list-space", TRAIN, 2), id="a trailing space"),
        pytest.param(append(TRAIN, b"$(x).png\n"), (E, "list-shell", TRAIN, 5), id="what a shell executes"),
        pytest.param(write("data/train/1.txt", b"circle .5 .5 .5 .5\n"), (E, "label-class-text", "data/train/1.txt", 1),
                     id="a class in words"),
        pytest.param(write("data/train/1.txt", b"2 .5 .5 .5 .5\n"), (E, "label-class-range", "data/train/1.txt", 1),
                     id="a class too high"),
        pytest.param(write("data/train/1.txt", b"1 .5 .5 .5 5\n"), (E, "label-box-range", "data/train/1.txt", 1),
                     id="a box in pixels"),
        pytest.param(write("data/train/1.txt", b"1,.5,.5,.5,.5\n"), (E, "label-comma", "data/train/1.txt", 1),
                     id="commas"),
        pytest.param(write("data/train/1.txt", b"1 .5 .5 .5 .5 1\n"), (E, "label-columns", "data/train/1.txt", 1),
                     id="a sixth column"),
        pytest.param(write("data/test/1.txt", b""), (W, "nothing-usable", TEST, None), id="no box in a split"),
        pytest.param(write("data/test/1.png", b"x"), (E, "image-unreadable", TEST, 1), id="no image in it"),
        pytest.param(remove("data/train/2.txt"), (E, "label-missing", TRAIN, 2), id="no label"),
    ],
)  # fmt: skip
def test_a_tree_broken_in_one_way(tree: Path, harm: Callable[[Path], object], found: Found) -> None:
    harm(tree)
    findings = look(tree)
    assert found in findings
    # What one break draws after itself lies in the same file, or says what it leads to.
    assert len(findings) <= 2


@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param("a\0b/c", "zero-byte", id="a byte 0"),
        pytest.param("a" * 5000, "long-path", id="a name that no disk takes"),
        pytest.param("cfg/remote.cfg/x", "backup-no-folder", id="below a file"),
        pytest.param("loop/x/y", "no-backup-folder", id="a loop of links"),
    ],
)
def test_a_backup_that_is_no_path(tree: Path, value: str, code: str) -> None:
    (tree / "loop").symlink_to("loop")
    replace(DATA, "backup/", value)(tree)
    assert (E, code) in [finding[:2] for finding in look(tree)]
    assert not [one for one in check(Wishes(tree)).findings if one.mendable]


@pytest.mark.parametrize("key", ["names", "train", "valid"])
@pytest.mark.parametrize("value", ["a\0b", "a" * 5000, "../" * 3000, "loop/x", "cfg", "/etc/passwd/x"])
def test_a_path_to_no_file(tree: Path, key: str, value: str) -> None:
    (tree / "loop").symlink_to("loop")
    written = next(line for line in (tree / DATA).read_text().splitlines() if line.startswith(key))
    replace(DATA, written, f"{key} = {value}")(tree)
    assert {"no-file", "list-missing"} & {finding[1] for finding in look(tree)}


def test_a_detector_of_other_classes_than_the_data_file(tree: Path) -> None:
    replace(CFG, "classes=2", "classes=80")(tree)
    assert look(tree) == [(E, "classes-differ", CFG, 50)]  # its filters are those of the .data file's classes
    replace(CFG, "filters=21", "filters=20")(tree)
    findings = check(Wishes(tree)).findings
    assert [one.code for one in findings] == ["filters", "classes-differ"]
    assert findings[0].fix.startswith("Set filters=21 ")


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        pytest.param(replace(DATA, "train = data/train.txt", ""), (E, "no-train", DATA, None), id="no train="),
        pytest.param(replace(DATA, "valid = data/test.txt", ""), (W, "no-valid", DATA, None), id="no valid="),
        pytest.param(replace(CFG, "filters=21", "filters=-21"), (E, "filters", CFG, 41), id="filters below 0"),
        pytest.param(replace(CFG, "batch=4", "batch=-4"), (E, "no-images", CFG, 2), id="batch below 0"),
        pytest.param(replace(CFG, "0.001", "0,001"), (E, "number-cut", CFG, 9), id="a decimal comma"),
        pytest.param(replace(CFG, "anchors=1", "anchors=\n#1"), (W, "no-option", CFG, 49), id="no anchors"),
        pytest.param(replace(CFG, "num=3\n", ""), (E, "anchors", CFG, 49), id="no num"),
        pytest.param(replace(CFG, "[yolo]", "[yollo]"), (E, "cfg", CFG, 47), id="a section that there is not"),
        pytest.param(replace(CFG, "batch=4", "batch=4\0"), (E, "zero-byte", CFG, 2), id="a byte 0"),
        pytest.param(replace(CFG, "steps=240", "steps=-240"), (E, "steps", CFG, 13), id="a step below 1"),
        pytest.param(replace(CFG, "scales=.1", "scales=a"), (E, "steps", CFG, 14), id="a scale that is none"),
        pytest.param(replace(CFG, "classes=2", "classes=-2"), (E, "classes-differ", CFG, 50), id="classes below 0"),
        pytest.param(replace(CFG, "classes=2\n", ""), (E, "classes-differ", CFG, 47), id="no classes"),
    ],
)  # fmt: skip
def test_one_fault_is_one_finding(tree: Path, harm: Callable[[Path], object], found: Found) -> None:
    harm(tree)
    assert look(tree) == [found]


@pytest.mark.parametrize("path", [CFG, DATA, NAMES])
def test_what_a_file_says_in_utf_16_is_not_read(tree: Path, path: str) -> None:
    (tree / path).write_bytes((tree / path).read_text().encode("utf-16"))
    assert look(tree) == [(E, "utf-16", path, 1)]


@pytest.mark.parametrize(
    ("value", "what"),
    [
        pytest.param("data/train", "train = data/train is a directory.", id="a directory"),
        pytest.param(
            '"data/train.txt"', 'train = "data/train.txt" stands in quotes: There is no such', id="quotes"
        ),
        pytest.param(
            "data/no.txt", "train = data/no.txt: There is no such list of training images.", id="nothing"
        ),
        pytest.param("/dev/zero", "train = /dev/zero is no file.", id="a device"),
    ],
)
def test_a_list_that_is_none_is_told_where_it_is_named(tree: Path, value: str, what: str) -> None:
    replace(DATA, "data/train.txt", value)(tree)
    report = check(Wishes(tree))
    assert [(one.code, one.place) for one in report.findings] == [("list-missing", f"{DATA}:2")]
    assert report.findings[0].what.startswith(what)
    assert [split.path for split in report.splits] == [TEST]


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        pytest.param("240,270", "1,1", "Set steps=240,270 (80 % and 90 %", id="steps"),
        pytest.param(
            "max_batches=300", "max_batches=3", "Set steps= to 80 % and 90 % of", id="no room for steps"
        ),
        pytest.param("width=64", "width=70", "Set width=64.", id="width"),
        pytest.param("width=64", "width=2147483647", "Set width=416.", id="no GPU's width"),
        pytest.param("width=64", "width=-64", "Set width=416.", id="a width below 0"),
    ],
)
def test_what_is_advised_can_be_done(tree: Path, old: str, new: str, fix: str) -> None:
    replace(CFG, old, new)(tree)
    assert [one for one in check(Wishes(tree)).findings if one.fix.startswith(fix)]


def test_a_long_set_trained_for_too_short(tree: Path) -> None:
    (tree / TRAIN).write_text("data/train/1.png\n" * 2000)
    assert (W, "max-batches", CFG, 11) in look(tree)


@pytest.mark.parametrize(
    ("classes", "images", "asked", "found"),
    [
        pytest.param(2, 500, 6000, [], id="6000 is enough for two classes"),
        pytest.param(2, 500, 5999, [(N, "max-batches")], id="less is not"),
        pytest.param(4, 500, 8000, [], id="2000 a class"),
        pytest.param(4, 500, 6000, [(N, "max-batches")], id="less than 2000 a class"),
        pytest.param(2, 7000, 6000, [(N, "max-batches")], id="less than there are images"),
        pytest.param(2, 99, 300, [], id="a handful of images"),
    ],
)
def test_how_long_to_train(
    tree: Path, classes: int, images: int, asked: int, found: list[tuple[Severity, str]]
) -> None:
    names = "".join(f"{number}\n" for number in range(classes))
    (tree / NAMES).write_text(names)
    replace(DATA, "classes = 2", f"classes = {classes}")(tree)
    replace(CFG, "classes=2", f"classes={classes}")(tree)
    replace(CFG, "filters=21", f"filters={(classes + 5) * 3}")(tree)
    replace(CFG, "max_batches=300", f"max_batches={asked}")(tree)
    replace(CFG, "240,270", f"{asked * 8 // 10},{asked * 9 // 10}")(tree)
    (tree / TRAIN).write_text("".join(f"data/train/{number}.png\n" for number in range(images)))
    report = check(Wishes(tree), quick=True)
    assert [(one.severity, one.code) for one in report.findings] == found


@dataclass(frozen=True)
class Weights:
    """A pretrained file: so many numbers more than those of the first layers, as far as ``cutoff``."""

    cutoff: int | None = 3
    more: int = 0
    seen: int = 0
    head: bytes = b""

    def write(self, tree: Path) -> None:
        numbers = weight_count(parse_cfg((tree / CFG).read_text()), cutoff=self.cutoff) + self.more
        header = self.head or struct.pack("<iiiQ", 0, 2, 5, self.seen)
        (tree / WEIGHTS).write_bytes(header + bytes(4 * numbers))


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        pytest.param(Weights(), [], id="of the first layers"),
        pytest.param(Weights(cutoff=None), [], id="of the whole network"),
        pytest.param(Weights(more=-1), [(E, "weights-size")], id="cut off"),
        pytest.param(Weights(cutoff=None, more=7), [(E, "weights-size")], id="of a larger network"),
        pytest.param(Weights(cutoff=None, more=99 * 78), [(W, "weights-classes")], id="of 80 classes"),
        pytest.param(Weights(head=b"<!DOCTYPE html><html>"), [(E, "weights-header")], id="a web page"),
        pytest.param(Weights(seen=400), [(W, "weights-trained")], id="trained already"),
        pytest.param(Weights(seen=1200), [(E, "weights-trained")], id="trained for longer than is asked"),
    ],
)
def test_pretrained_weights(tree: Path, weights: Weights, found: list[tuple[Severity, str]]) -> None:
    weights.write(tree)
    assert look(tree) == [(severity, code, WEIGHTS, None) for severity, code in found]
    other = tree / "mine.weights"
    (tree / WEIGHTS).rename(other)
    starts = all(code in {"weights-classes", "weights-trained"} for _, code in found)
    assert look(tree) == ([(W, "no-weights", WEIGHTS, None)] if starts else [])
    assert look(tree, weights=other.name) == [(severity, code, other.name, None) for severity, code in found]


class TestWithoutWeights:
    """A tree of yolov4-tiny's layers, for which weights are published."""

    @pytest.fixture
    def tiny(self, tree: Path) -> Path:
        (tree / "darknet").write_bytes(b" hours left")
        (tree / CFG).write_text(make_cfg(tiny_cfg_text(), "tiny", classes=2, images=4))
        return tree

    def test_it_is_said_which_ones_to_fetch(self, tiny: Path) -> None:
        (finding,) = check(Wishes(tiny)).findings
        assert (finding.severity, finding.code, finding.path) == (W, "no-weights", WEIGHTS)
        assert finding.fix == f"Put {WEIGHTS} into the tree."
        assert "random weights" in finding.effect

    def test_what_is_there_is_named(self, tiny: Path) -> None:
        (tiny / "yolov4.conv.137").write_bytes(bytes(1000))
        (finding,) = check(Wishes(tiny)).findings
        assert finding.what.endswith("; yolov4.conv.137 is of another network.")
        Weights(cutoff=29).write(tiny)
        (tiny / WEIGHTS).rename(tiny / "mine.weights")
        (finding,) = check(Wishes(tiny)).findings
        assert finding.fix == "Name it: `--weights mine.weights` starts from it."
        assert look(tiny, weights="mine.weights") == []

    def test_hank_ais_wants_another_name_for_them(self, tiny: Path) -> None:
        (tiny / "darknet").write_bytes(b"time remaining=")
        (finding,) = check(Wishes(tiny)).findings
        name = f"{WEIGHTS}.weights"
        assert finding.fix == f"Put {WEIGHTS} into the tree as {name}, and name it: --weights {name}."

    def test_a_training_that_goes_on_needs_none(self, tiny: Path) -> None:
        (tiny / "backup/other_100.weights").touch()
        assert look(tiny) != []
        (tiny / "backup/remote_last.weights").touch()
        assert look(tiny) == []

    def test_the_original_makes_another_network_of_it(self, tiny: Path) -> None:
        (tiny / "darknet").write_bytes(b"%f rate, %lf seconds, ")
        assert [code for _, code, _, _ in look(tiny)] == ["route-groups"]


def test_trained_weights_are_counted_from_the_first_iteration_with_clear(tree: Path) -> None:
    Weights(cutoff=None, seen=1200).write(tree)
    assert check(Wishes(tree, extra=("-clear",))).findings == ()


def test_pretrained_weights_that_are_asked_for_and_are_not_there(tree: Path) -> None:
    assert look(tree, weights="no.weights") == [(E, "no-file", "no.weights", None)]


def test_hank_ais_darknet_leaves_the_tutorials_weights_out(tree: Path) -> None:
    (tree / "darknet").write_bytes(b"time remaining=")
    Weights().write(tree)
    assert look(tree) == [(W, "weights-name", WEIGHTS, None)]
    assert look(tree, weights=WEIGHTS) == [(E, "weights-name", WEIGHTS, None)]


def test_what_supervise_would_refuse_is_an_error(tree: Path) -> None:
    (tree / CFG).rename(tree / "cfg/v4.tiny.cfg")
    assert look(tree, cfg="cfg/v4.tiny.cfg") == [(E, "refused", "cfg/v4.tiny.cfg", None)]


def test_a_flag_that_this_darknet_does_not_know_is_an_error(tree: Path) -> None:
    findings = check(Wishes(tree, extra=("-map",))).findings
    assert [(one.severity, one.code, one.path) for one in findings] == [(E, "refused", ".")]


@pytest.mark.parametrize(
    ("program", "extra", "severity"),
    [
        pytest.param(b"%f rate, %lf seconds, ", (), W, id="the original needs no names"),
        pytest.param(b" hours left", (), W, id="nor AlexeyAB's"),
        pytest.param(b" hours left", ("-map",), E, id="but for a mAP"),
        pytest.param(b"time remaining=", (), E, id="hank-ai's does"),
    ],
)
@pytest.mark.parametrize("harm", [append(NAMES, b"cat\n"), remove(NAMES)])
def test_whether_names_are_needed(
    tree: Path, harm: Callable[[Path], object], program: bytes, extra: tuple[str, ...], severity: Severity
) -> None:
    harm(tree)
    (tree / "darknet").write_bytes(program)
    assert [one.severity for one in check(Wishes(tree, extra=extra)).findings] == [severity]


class TestDarknet:
    def test_where_there_is_none_alexeyabs_is_assumed(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tree / "darknet").unlink()
        monkeypatch.setenv("PATH", "/nowhere")
        report = check(Wishes(tree))
        assert (report.flavour, report.flavour_known, report.findings) == (Flavour.AX, False, ())

    def test_which_one_is_known_also_of_a_tree_that_cannot_be_trained(self, tree: Path) -> None:
        (tree / CFG).unlink()
        assert check(Wishes(tree)).flavour is Flavour.PJ

    def test_one_that_was_named_must_be_one(self, tree: Path) -> None:
        with pytest.raises(NoDarknetError):
            check(Wishes(tree, darknet="/no/darknet"))


def test_the_quick_part_opens_no_image(tree: Path) -> None:
    (tree / "data/train/2.png").unlink()
    assert check(Wishes(tree), quick=True).passed
    assert not check(Wishes(tree)).passed


def test_progress_is_told_to_the_end(tree: Path) -> None:
    told: list[tuple[int, int]] = []
    check(Wishes(tree), tell=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 6)
    assert told[-1] == (6, 6)
