"""Images and labels of a tree, broken in one way each: found, with file and line, by the rules of each darknet."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from drivesync.errors import UnfinishedError
from trainer.checking import dataset as module
from trainer.checking.dataset import Dataset, Split, check_dataset, check_lists
from trainer.checking.findings import Severity
from trainer.checking.folding import FoldedFinding
from trainer.darknet.program import Flavour
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.checking.findings import Finding

PJ, AX, HK = Flavour.PJ, Flavour.AX, Flavour.HK
E, W = Severity.ERROR, Severity.WARNING
TRAIN, TEST = "data/train.txt", "data/test.txt"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "darknet", images=8, negatives=2).root


def data_of(flavour: Flavour = AX, *, classes: int = 2) -> Dataset:
    return Dataset(TRAIN, TEST, classes, flavour)


def check(tree: Path, flavour: Flavour = AX, *, classes: int = 2, deep: bool = False) -> list[Finding]:
    return list(check_dataset(tree, data_of(flavour, classes=classes), deep=deep))


def told(findings: list[Finding]) -> list[tuple[Severity, str, str, int | None]]:
    return [(one.severity, one.code, one.path, one.line) for one in findings]


def rename_in_list(tree: Path, old: str, new: str, source: str = TRAIN) -> None:
    text = (tree / source).read_text()
    assert f"{old}\n" in text
    (tree / source).write_text(text.replace(f"{old}\n", f"{new}\n"))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("flavour", Flavour)
def test_a_clean_tree_has_no_finding(tree: Path, flavour: Flavour, deep: bool) -> None:  # noqa: FBT001
    splits: list[Split] = []
    heard: list[tuple[int, int]] = []
    dataset = data_of(flavour)
    found = check_dataset(
        tree, dataset, deep=deep, tell=lambda *numbers: heard.append(numbers), count=splits.append
    )
    assert list(found) == []
    assert splits == [Split(TRAIN, 8, 6, 2, 0), Split(TEST, 2, 1, 1, 0)]
    assert heard == [(0, 10), (8, 10), (10, 10)]


def image_gone(tree: Path) -> None:
    (tree / "data/train/3.png").unlink()


def image_empty(tree: Path) -> None:
    (tree / "data/train/3.png").write_bytes(b"")


def image_no_image(tree: Path) -> None:
    (tree / "data/train/3.png").write_bytes(b"<html>404</html>")


def image_a_folder(tree: Path) -> None:
    (tree / "data/train/3.png").unlink()
    (tree / "data/train/3.png").mkdir()


def image_a_pipe(tree: Path) -> None:
    (tree / "data/train/3.png").unlink()
    os.mkfifo(tree / "data/train/3.png")


def image_with_zero_byte_in_name(tree: Path) -> None:
    rename_in_list(tree, "data/train/3.png", "data/train/3\0.png")


def image_on_windows(tree: Path) -> None:
    rename_in_list(tree, "data/train/3.png", "C:/data/3.png")


def image_outside(tree: Path) -> None:
    for suffix in (".png", ".txt"):
        shutil.move(tree / f"data/train/3{suffix}", tree.parent)
    rename_in_list(tree, "data/train/3.png", str(tree.parent / "3.png"))


def image_gif(tree: Path) -> None:
    Image.new("L", (8, 8)).save(tree / "data/train/3.png", "GIF")


def image_webp(tree: Path) -> None:
    Image.new("L", (8, 8)).save(tree / "data/train/3.png", "WEBP")


def image_icon(tree: Path) -> None:
    Image.new("L", (16, 16)).save(tree / "data/train/3.png", "ICO")


def image_of_unknown_ending(tree: Path) -> None:
    (tree / "data/train/3.png").rename(tree / "data/train/3.gif.1")
    rename_in_list(tree, "data/train/3.png", "data/train/3.gif.1")


def label_gone(tree: Path) -> None:
    (tree / "data/train/3.txt").unlink()


def label_a_folder(tree: Path) -> None:
    label_gone(tree)
    (tree / "data/train/3.txt").mkdir()


def labels_beside_the_folder_images(tree: Path) -> None:
    (tree / "data/train/images").mkdir()
    (tree / "data/train/labels").mkdir()
    (tree / "data/train/3.png").rename(tree / "data/train/images/3.png")
    (tree / "data/train/3.txt").rename(tree / "data/train/labels/3.txt")
    rename_in_list(tree, "data/train/3.png", "data/train/images/3.png")


def label_wrong(tree: Path) -> None:
    (tree / "data/train/3.txt").write_text("0 0.5 0.5 0.2 0.2\n5 0.5 0.5 0.2 0.2\n")


def all_labels_gone(tree: Path) -> None:
    for path in (tree / "data/train").glob("*.txt"):
        path.write_text("")


def no_train_list(tree: Path) -> None:
    (tree / TRAIN).unlink()


def no_valid_list(tree: Path) -> None:
    (tree / TEST).unlink()


def line_twice(tree: Path) -> None:
    with (tree / TEST).open("a") as file:
        file.write("data/test/1.png\n")


def line_in_both(tree: Path) -> None:
    with (tree / TEST).open("a") as file:
        file.write("data/train/4.png\n")


def declared_negative(tree: Path) -> None:
    label_gone(tree)
    (tree / "data/negatives.txt").write_text("data/train/3.png\n")


def declared_folder(tree: Path) -> None:
    label_gone(tree)
    (tree / "data/negatives.txt").write_text("data/train/\n")


AT_3 = (TRAIN, 3)


@pytest.mark.parametrize(
    ("break_", "flavours", "found"),
    [
        pytest.param(image_gone, Flavour, [(E, "image-missing", *AT_3)], id="no image"),
        pytest.param(image_a_folder, Flavour, [(E, "image-missing", *AT_3)], id="a folder for an image"),
        pytest.param(image_a_pipe, Flavour, [(E, "image-missing", *AT_3)], id="a pipe for an image"),
        pytest.param(image_with_zero_byte_in_name, Flavour, [(E, "image-missing", *AT_3)], id="byte 0 in a name"),
        pytest.param(image_on_windows, Flavour, [(E, "image-missing", *AT_3)], id="path of Windows"),
        pytest.param(image_empty, Flavour, [(E, "image-unreadable", *AT_3)], id="empty image"),
        pytest.param(image_no_image, Flavour, [(E, "image-unreadable", *AT_3)], id="no image in it"),
        pytest.param(image_outside, Flavour, [(W, "image-outside-tree", *AT_3)], id="image outside the tree"),
        pytest.param(image_gif, (PJ, AX), [(W, "image-format", *AT_3)], id="GIF without OpenCV at most"),
        pytest.param(image_gif, (HK,), [(E, "image-format", *AT_3)], id="GIF"),
        pytest.param(image_webp, (PJ, AX), [(W, "image-format", *AT_3)], id="WebP with OpenCV at most"),
        pytest.param(image_webp, (HK,), [], id="WebP"),
        pytest.param(image_icon, Flavour, [(E, "image-format", *AT_3)], id="icon"),
        pytest.param(image_of_unknown_ending, (PJ, AX), [(E, "image-ending", *AT_3)], id="unknown ending"),
        pytest.param(label_gone, (PJ, HK), [(E, "label-missing", *AT_3)], id="no label: the end"),
        pytest.param(label_gone, (AX,), [(W, "label-missing", *AT_3)], id="no label: a negative"),
        pytest.param(
            label_a_folder, Flavour, [(E, "label-unreadable", "data/train/3.txt", None)], id="a folder for a label"
        ),
        pytest.param(labels_beside_the_folder_images, (PJ,), [], id="labels/ for images/"),
        pytest.param(
            labels_beside_the_folder_images, (AX, HK), [(E, "label-elsewhere", *AT_3)], id="no labels/ for images/"
        ),
        pytest.param(label_wrong, Flavour, [(E, "label-class-range", "data/train/3.txt", 2)], id="wrong label"),
        pytest.param(all_labels_gone, Flavour, [(E, "nothing-usable", TRAIN, None)], id="nothing to learn"),
        pytest.param(no_train_list, Flavour, [(E, "list-missing", TRAIN, None)], id="no list to train with"),
        pytest.param(no_valid_list, Flavour, [(W, "list-missing", TEST, None)], id="no list to test with"),
        pytest.param(line_twice, Flavour, [(W, "list-duplicate", TEST, 3)], id="twice in a list"),
        pytest.param(line_in_both, Flavour, [(W, "image-in-both-lists", TEST, 3)], id="in both lists"),
        pytest.param(
            declared_negative,
            (AX,),
            [(W, "negative-without-label", "data/train/3.txt", None)],
            id="declared negative",
        ),
        pytest.param(
            declared_folder,
            (PJ, HK),
            [(E, "negative-without-label", "data/train/3.txt", None)],
            id="folder of negatives",
        ),
    ],
)  # fmt: skip
def test_broken_in_one_way(
    tree: Path,
    break_: Callable[[Path], None],
    flavours: type[Flavour] | tuple[Flavour, ...],
    found: list[tuple[Severity, str, str, int | None]],
) -> None:
    break_(tree)
    for flavour in flavours:
        assert told(check(tree, flavour)) == found, flavour


def test_a_split_without_labels_where_darknet_looks(tree: Path) -> None:
    for path in (tree / "data/test").glob("*.txt"):
        path.unlink()
    assert told(check(tree)) == [
        (W, "label-missing", TEST, 1),
        (W, "label-missing", TEST, 2),
        (W, "nothing-usable", TEST, None),
    ]


@pytest.mark.parametrize(("deep", "found"), [(False, []), (True, [(E, "image-unreadable", *AT_3)])])
def test_only_decoding_finds_a_torn_image(
    tree: Path,
    deep: bool,  # noqa: FBT001
    found: list[tuple[Severity, str, str, int | None]],
) -> None:
    image = tree / "data/train/3.png"
    Image.effect_noise((64, 64), 50).save(image)
    image.write_bytes(image.read_bytes()[:2000])
    assert told(check(tree, deep=deep)) == found


def test_a_huge_image(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 64 * 64 // 2 - 1)
    assert {one.code for one in check(tree)} == {"image-huge"}


def test_one_list_for_both_is_looked_at_once(tree: Path) -> None:
    splits: list[Split] = []
    dataset = Dataset(TRAIN, TRAIN, 2, AX)
    assert told(list(check_dataset(tree, dataset, count=splits.append))) == [
        (W, "valid-is-train", TRAIN, None)
    ]
    assert len(splits) == 1


def test_lists_outside_the_tree_are_not_to_be_mended(tree: Path) -> None:
    shutil.move(tree / TRAIN, tree.parent / "train.txt")
    with (tree.parent / "train.txt").open("a") as file:
        file.write("data/train/1.png\n" * 30)
    dataset = Dataset(str(tree.parent / "train.txt"), TEST, 2, AX)
    findings = list(check_lists(tree, dataset))
    assert {(one.code, one.path) for one in findings} == {("list-duplicate", dataset.train)}
    assert sum(one.count for one in findings) == 30
    assert not any(one.mendable for one in findings)


def test_an_absolute_path_in_the_tree_is_of_the_tree(tree: Path) -> None:
    rename_in_list(tree, "data/train/3.png", str(tree / "data/train/3.png"))
    label_wrong(tree)
    assert told(check(tree)) == [(E, "label-class-range", "data/train/3.txt", 2)]


def test_many_of_a_kind_are_folded(tree: Path) -> None:
    (tree / TRAIN).write_text("".join(f"data/train/{number}.jpg\n" for number in range(1000)))
    findings = check(tree)
    assert [one.line for one in findings] == [*range(1, 22), None]
    assert isinstance(findings[20], FoldedFinding)
    assert (findings[20].code, findings[20].count, findings[20].others) == ("image-missing", 980, ())
    assert findings[21].code == "nothing-usable"


def test_nothing_is_looked_at_by_check_lists(tree: Path) -> None:
    shutil.rmtree(tree / "data/train")
    assert list(check_lists(tree, data_of())) == []


def test_processes_find_the_same(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # More images than go to a worker at a time, with a wrong one in each share.
    lines = ["data/train/1.png\n"] * 600
    lines[10] = lines[300] = lines[599] = "data/train/none.png\n"
    (tree / TRAIN).write_text("".join(lines))
    alone = check(tree)
    threads = threading.active_count()
    monkeypatch.setattr(module, "_SHARED_FROM", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert check(tree) == alone
    assert [one.line for one in alone if one.code == "image-missing"] == [11, 301, 600]
    assert threading.active_count() == threads


def test_a_killed_process_is_no_crash(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHARED_FROM", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(module, "_begin_work", partial(os._exit, 9))
    with pytest.raises(UnfinishedError, match="was killed"):
        check(tree)


_KILLED_WITH_WORKERS = """
import os
from multiprocessing import active_children

from trainer.checking import dataset
from trainer.checking.images import Ask, Inquiry
from trainer.darknet.program import Flavour

os.cpu_count = lambda: 2
with dataset._spread(10_000, deep=False) as look_at_all:
    list(look_at_all(Inquiry("/none", "list", 1, Flavour.AX, False), [Ask(1, "a.png", False)] * 500))
    print(*(child.pid for child in active_children()), flush=True)
    os.kill(os.getpid(), 9)
"""


def test_processes_do_not_outlive_who_started_them() -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED_WITH_WORKERS], stdout=subprocess.PIPE, check=False)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while any(_is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, f"{pids} are still there"
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
