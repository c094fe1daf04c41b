"""From images to a tree: in every format the same one, which ``check`` passes; and over nothing of the user's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from drivesync.errors import DrivesyncError, LocalWriteError, NotFoundError, SettingsError, UsageError
from drivesync.progress import Silence
from trainer.checking.check import check
from trainer.config import Wishes
from trainer.preparing.annotations import Format
from trainer.preparing.cfg_choice import CfgOrder
from trainer.preparing.fitting import write_label
from trainer.preparing.prepare import Order, look_at_tree, make_tree, plan_tree
from trainer.testing.labelled import CLASSES, Labelled, make_labelled
from trainer.testing.tree import tiny_cfg

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainer.preparing.prepare import Made

SILENCE = Silence()
KILLED = 9
NOT_OF_THE_TREE = (".drivesync/", ".trainer/", "darknet")


@pytest.fixture
def labelled(tmp_path: Path) -> Labelled:
    return make_labelled(tmp_path / "my images", Format.YOLO)


@pytest.fixture
def order(tmp_path: Path, labelled: Labelled) -> Order:
    return Order(tmp_path / "my tree", labelled.folder, names=CLASSES)


def make(order: Order, *, force: bool = False) -> Made:
    return make_tree(plan_tree(order, SILENCE), SILENCE, force=force)


def read_all(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(NOT_OF_THE_TREE)}


def find_faults(tree: Path) -> list[str]:
    """What ``check`` finds, by the rules of the darknet that this project's users build."""
    (tree / "darknet").write_bytes(b"#!/bin/sh\n#  hours left\n")
    (tree / "darknet").chmod(0o755)
    """What ``check`` says of a tree, but that pretrained weights are for people to put there."""
    found = check(Wishes(tree), deep=True).findings
    return [f"{one.place}: {one.what}" for one in found if one.code != "no-weights"]


@pytest.mark.parametrize("kind", Format)
def test_the_same_tree_from_every_format(
    tmp_path: Path, order: Order, labelled: Labelled, kind: Format
) -> None:
    make(order)
    made = read_all(order.tree)
    other = make_labelled(tmp_path / "other", kind)
    make(replace(order, tree=tmp_path / "tree", images=other.folder))
    assert read_all(tmp_path / "tree") == made
    assert find_faults(tmp_path / "tree") == []
    # And what was drawn is what is found there.
    labels = {path.partition("/")[2].partition("/")[2]: raw for path, raw in made.items() if "/t" in path}
    for name, boxes in labelled.boxes.items():
        assert labels[f"{name.removesuffix('.png')}.txt"].decode() == write_label(boxes)
        assert labels[name] == (labelled.folder / name).read_bytes()


def test_the_tree_is_the_tutorials(order: Order) -> None:
    make(order)
    texts = read_all(order.tree)
    lists = [texts[f"data/{side}.txt"].decode().splitlines() for side in ("train", "test")]
    assert [len(images) for images in lists] == [7, 3]  # one of each class, and a negative
    assert sorted(path for path in texts if path.endswith(".png")) == sorted(lists[0] + lists[1])
    assert texts["data/remote.names"] == b"circle\nsquare\n"
    assert texts["cfg/remote.data"].decode().splitlines() == [
        "classes = 2",
        "train = data/train.txt",
        "valid = data/test.txt",
        "names = data/remote.names",
        "backup = backup/",
    ]
    assert b"max_batches=6000\n" in texts["cfg/remote.cfg"]
    assert texts["cfg/remote.cfg"].count(b"classes=2\n") == 2
    assert (order.tree / "backup").is_dir()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        pytest.param(Format.VOC, ("circle", "square"), id="VOC: by the alphabet"),
        pytest.param(Format.COCO, ("circle", "square"), id="COCO: by the categories' ids"),
    ],
)
def test_names_of_the_labels(tmp_path: Path, kind: Format, names: tuple[str, ...]) -> None:
    folder = make_labelled(tmp_path / "images", kind).folder
    plan = plan_tree(Order(tmp_path / "tree", folder), SILENCE)
    assert plan.survey.names == names
    turned = plan_tree(Order(tmp_path / "tree", folder, names=names[::-1]), SILENCE)
    assert [share.boxes for share in turned.shares] == [share.boxes for share in plan.shares][::-1]


def test_the_order_of_a_folder_does_not_matter(tmp_path: Path, order: Order, labelled: Labelled) -> None:
    again = tmp_path / "again"
    again.mkdir()
    for path in sorted(labelled.folder.iterdir(), reverse=True):
        shutil.copy(path, again / path.name)
    make(order)
    make(replace(order, tree=tmp_path / "tree", images=again))
    assert read_all(tmp_path / "tree") == read_all(order.tree)


def test_a_template_and_what_is_set_in_it(order: Order) -> None:
    cfg = order.tree / "cfg/small.cfg"
    cfg.parent.mkdir(parents=True)
    cfg.write_text("# mine\n" + tiny_cfg(classes=5))
    wishes = CfgOrder("cfg/small.cfg", 96, 64, batch=8, subdivisions=2, fits_anchors=True)
    plan = plan_tree(replace(order, cfg=wishes), SILENCE)
    assert plan.cfg.text.startswith("# mine\n")
    network = plan.cfg.network
    assert (network.width, network.height, network.batch, network.subdivisions) == (96, 64, 8, 2)
    assert plan.cfg.anchors is not None
    assert len(plan.cfg.anchors.sizes) == 3
    assert 0.8 < plan.cfg.anchors.mean_iou <= 1
    # Squares in an image that is made half as wide again as high.
    assert all(width / height == pytest.approx(1.5) for width, height in plan.cfg.anchors.sizes)


def test_a_template_of_the_tree_comes_first(order: Order) -> None:
    assert plan_tree(order, SILENCE).cfg.template == "yolov4-tiny"
    (order.tree / "cfg").mkdir(parents=True)
    (order.tree / "cfg/yolov4-tiny-custom.cfg").write_text(tiny_cfg())
    assert plan_tree(order, SILENCE).cfg.template == "cfg/yolov4-tiny-custom.cfg"
    plan = plan_tree(replace(order, cfg=CfgOrder("yolov4-tiny")), SILENCE)
    assert plan.cfg.template == "yolov4-tiny"


def damage_an_image(folder: Path) -> None:
    (folder / "train-1.png").write_bytes(b"torn")


def empty_an_image(folder: Path) -> None:
    (folder / "train-1.png").write_bytes(b"")


def damage_a_label(folder: Path) -> None:
    (folder / "train-1.txt").write_text("0 .5 .5 .1 .1\n0 .5 .5 .1\n")


def remove_a_label(folder: Path) -> None:
    (folder / "train-1.txt").unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(damage_an_image, "train-1.png: it cannot be read as an image", id="no image"),
        pytest.param(empty_an_image, "train-1.png: it cannot be read as an image (it is empty)", id="empty"),
        pytest.param(damage_a_label, "train-1.png: its label is of no use: ", id="a torn label"),
    ],
)
def test_what_cannot_be_used_is_left_out(
    order: Order, labelled: Labelled, change: Callable[[Path], None], reason: str
) -> None:
    change(labelled.folder)
    plan = plan_tree(order, SILENCE)
    (left_out,) = plan.survey.left_out
    assert left_out.path == "train-1.png"
    assert reason in left_out.reason
    make_tree(plan, SILENCE)
    assert find_faults(order.tree) == []
    assert not [path for path in read_all(order.tree) if "train-1" in path]


@pytest.mark.parametrize("negatives", [False, True])
def test_an_image_without_a_label_is_told_from_one_that_shows_nothing(
    order: Order,
    labelled: Labelled,
    negatives: bool,  # noqa: FBT001 - a table's column
) -> None:
    remove_a_label(labelled.folder)
    plan = plan_tree(replace(order, negatives=negatives), SILENCE)
    assert plan.survey.unlabelled == ("train-1.png",)
    assert ("train-1.png" in {one.path for one in plan.survey.pictures}) == negatives
    assert plan.survey.negatives == sum(not boxes for boxes in labelled.boxes.values()) + negatives
    make_tree(plan, SILENCE)
    assert find_faults(order.tree) == []


def test_boxes_that_do_not_fit_are_counted(order: Order, labelled: Labelled) -> None:
    (labelled.folder / "train-1.txt").write_text("0 .1 .5 .4 .2\n1 .5 .5 0 .2\n1 .5 .5 .2 .2\n")
    plan = plan_tree(order, SILENCE)
    assert (plan.survey.clipped, plan.survey.dropped) == (1, 1)
    make_tree(plan, SILENCE)
    assert find_faults(order.tree) == []
    label = next(raw for path, raw in read_all(order.tree).items() if path.endswith("/train-1.txt"))
    assert label == b"0 0.150000 0.500000 0.300000 0.200000\n1 0.500000 0.500000 0.200000 0.200000\n"


def test_a_photo_that_lies_on_its_side_is_turned(order: Order, labelled: Labelled) -> None:
    photo = labelled.folder / "photo.jpeg"
    image = Image.new("RGB", (64, 32), (250, 0, 0))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(photo, exif=exif)
    photo.with_suffix(".txt").write_text("0 .5 .25 .5 .5\n")
    assert make(order).written
    (name,) = [path for path in read_all(order.tree) if path.endswith("photo.jpg")]
    with Image.open(order.tree / name) as turned:
        assert turned.size == (32, 64)
    assert find_faults(order.tree) == []
    assert make(order).written == 0


def move_images_into(place: str) -> Callable[[Order], Order]:
    def change(order: Order) -> Order:
        moved = order.tree / place
        shutil.copytree(order.images, moved)
        return replace(order, images=moved)

    return change


def write_labels(text: str) -> Callable[[Order], Order]:
    def change(order: Order) -> Order:
        for label in order.images.glob("*.txt"):
            label.write_text(text)
        return order

    return change


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        pytest.param(
            lambda order: replace(order, names=None), UsageError, "only the classes' numbers", id="no names"
        ),
        pytest.param(
            lambda order: replace(order, names=("a",)), SettingsError, "'1', by the label of t", id="too few"
        ),
        pytest.param(
            lambda order: replace(order, names=("a", "a")), SettingsError, "two classes", id="one twice"
        ),
        pytest.param(
            lambda order: replace(order, names=("a", "")), SettingsError, "no name", id="an empty name"
        ),
        pytest.param(
            lambda order: replace(order, names=("a", "\x1b")), SettingsError, "no name", id="no letters"
        ),
        pytest.param(
            write_labels("-1 .5 .5 .1 .1"), SettingsError, "'-1', by the label", id="a class below 0"
        ),
        pytest.param(
            write_labels("cat .5 .5 .1 .1"), SettingsError, "0 can be trained on", id="all labels torn"
        ),
        pytest.param(write_labels(""), SettingsError, "0 of them with boxes", id="nothing to find"),
        pytest.param(
            lambda order: replace(order, images=order.tree / "x"), NotFoundError, "no folder", id="no images"
        ),
        pytest.param(
            move_images_into("data/train/x"), UsageError, "in one folder", id="images where they go to"
        ),
        pytest.param(
            move_images_into("data"), UsageError, "in one folder", id="images around where they go to"
        ),
        pytest.param(
            lambda order: replace(order, cfg=CfgOrder("cfg/none.cfg")),
            NotFoundError,
            "no template",
            id="no template",
        ),
        pytest.param(
            lambda order: replace(order, cfg=CfgOrder(width_px=100)),
            SettingsError,
            "100 pixels",
            id="an odd size",
        ),
        pytest.param(
            lambda order: replace(order, tree=order.images / "train-1.png"),
            LocalWriteError,
            "a file",
            id="a file",
        ),
    ],
)
def test_what_cannot_be_made(
    order: Order, change: Callable[[Order], Order], error: type[DrivesyncError], said: str
) -> None:
    order.tree.mkdir()
    changed = change(order)
    before = read_all(order.tree)
    with pytest.raises(error, match=said):
        make(changed)
    assert read_all(order.tree) == before


def test_who_names_no_class_is_told_before_any_image_is_read(order: Order, labelled: Labelled) -> None:
    for path in labelled.folder.glob("*.png"):
        path.write_bytes(b"torn")
    with pytest.raises(UsageError, match="only the classes' numbers"):
        plan_tree(replace(order, names=None), SILENCE)


def test_labels_that_name_nothing(tmp_path: Path) -> None:
    folder = make_labelled(tmp_path / "images", Format.VOC).folder
    for path in folder.glob("*.xml"):
        path.write_text("<annotation>")
    with pytest.raises(SettingsError, match="no label that can be used") as told:
        plan_tree(Order(tmp_path / "tree", folder), SILENCE)
    assert "test-1.xml:1: no XML" in told.value.hint


def test_made_again_it_is_there_already(order: Order) -> None:
    made = make(order)
    before = read_all(order.tree)
    assert (made.written, made.kept) == (len(before), 0)
    made = make(order)
    assert (made.written, made.kept) == (0, len(before))
    assert read_all(order.tree) == before


@pytest.mark.parametrize(
    "path", ["cfg/remote.cfg", "cfg/remote.data", "data/train.txt", "data/test.txt", "data/remote.names"]
)
def test_nothing_is_written_over(order: Order, path: str) -> None:
    (order.tree / path).parent.mkdir(parents=True)
    (order.tree / path).write_text("mine")
    with pytest.raises(LocalWriteError, match="1 file holds something else"):
        make(order)
    assert read_all(order.tree) == {path: b"mine"}
    make(order, force=True)
    assert find_faults(order.tree) == []


@pytest.mark.parametrize("force", [False, True])
def test_what_is_in_the_way_and_no_file(order: Order, force: bool) -> None:  # noqa: FBT001 - a table's column
    (order.tree / "data/train.txt").mkdir(parents=True)
    with pytest.raises(LocalWriteError, match=r"data/train\.txt in .* is something else"):
        make(order, force=force)
    assert read_all(order.tree) == {}


@pytest.mark.parametrize("folder", ["data", "data/train", "cfg", ".trainer"])
def test_a_link_that_leads_out_of_the_tree(tmp_path: Path, order: Order, folder: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (order.tree / folder).parent.mkdir(parents=True)
    (order.tree / folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalWriteError, match="leads out"):
        make(order, force=True)
    assert read_all(tmp_path / "elsewhere") == {}


def test_force_takes_away_what_is_its_own_and_nothing_else(order: Order, labelled: Labelled) -> None:
    make(order)
    first = read_all(order.tree)
    (order.tree / "data/train/mine.txt").write_text("mine")
    images = sorted(path for path in first if path.endswith(".png"))
    changed, gone = images[0], images[1]
    # The user has corrected a label of one image, and has no use for two of them any more.
    (order.tree / changed).with_suffix(".txt").write_text("0 .5 .5 .25 .25\n")
    for path in (changed, gone):
        for ending in (".png", ".txt"):
            (labelled.folder / path.rpartition("/")[2]).with_suffix(ending).unlink()
    made = make(order, force=True)
    left = read_all(order.tree)
    assert left["data/train/mine.txt"] == b"mine"
    assert left[changed.replace(".png", ".txt")] == b"0 .5 .5 .25 .25\n"
    assert gone not in left
    assert made.deleted >= 3
    assert find_faults(order.tree) == []


def test_a_record_that_somebody_else_has_written_has_nothing_deleted(tmp_path: Path, order: Order) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    status = victim.stat()
    (order.tree / ".trainer").mkdir(parents=True)
    paths = ("../victim.txt", "data/train/../../../victim.txt")
    entries = [json.dumps([path, status.st_size, status.st_mtime_ns]) for path in paths]
    lines = [*entries, "{", "[1]", '["data/train/x.txt", 4, 5]']
    (order.tree / ".trainer/prepared.jsonl").write_text("\n".join(lines))
    assert make(order, force=True).deleted == 0
    assert victim.read_text() == "mine"


KILL = """
import os, sys
from pathlib import Path
from drivesync.progress import Silence
from trainer.preparing import placing, prepare, record
from trainer.testing.labelled import CLASSES

watched = {module.__file__ for module in (placing, prepare, record)}
left = int(sys.argv[3])
order = prepare.Order(Path(sys.argv[1]), Path(sys.argv[2]), names=CLASSES)
plan = prepare.plan_tree(order, Silence())

def count(frame, event, _argument):
    global left
    if frame.f_code.co_filename not in watched:
        return None
    if event == "line":
        left -= 1
        if left == 0:
            os._exit(9)
    return count

sys.settrace(count)
prepare.make_tree(plan, Silence())
sys.settrace(None)
print(int(sys.argv[3]) - left)
"""


def run_until(order: Order, lines: int) -> subprocess.CompletedProcess[str]:
    """Make the tree in a process that is killed after so many lines of code, if it has not ended before."""
    argv = [sys.executable, "-c", KILL, str(order.tree), str(order.images), str(lines)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_killed_between_any_two_lines_the_same_command_goes_on(tmp_path: Path, order: Order) -> None:
    images = make_labelled(tmp_path / "few", Format.YOLO, images=3, negatives=1).folder
    order = replace(order, images=images)
    whole = run_until(order, 1_000_000)
    assert whole.returncode == 0, whole.stderr
    expected = read_all(order.tree)
    lines = int(whole.stdout)
    killed = 0
    for number in range(1, 10):
        shutil.rmtree(order.tree)
        killed += run_until(order, lines * number // 10).returncode == KILLED
        part = read_all(order.tree)
        # Each file is whole or not there.
        assert part.items() <= expected.items()
        plan = plan_tree(order, SILENCE)
        assert look_at_tree(plan, SILENCE).in_the_way == ()
        made = make_tree(plan, SILENCE)
        assert made.kept == len(part)
        assert read_all(order.tree) == expected
        assert sorted(path.name for path in (order.tree / ".trainer").iterdir()) == ["prepared.jsonl"]
    assert killed == 9


def test_no_room(monkeypatch: pytest.MonkeyPatch, order: Order) -> None:
    monkeypatch.setattr("trainer.preparing.placing.free_bytes", lambda _tree: 1000)
    with pytest.raises(LocalWriteError, match="GB free"):
        make(order)
    assert read_all(order.tree) == {}
