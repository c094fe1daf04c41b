from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DrivesyncError, NotFoundError, SettingsError
from trainer.errors import TreeError
from trainer.preparing.annotations import Format, Label, Mark
from trainer.preparing.folder import list_images, read_names
from trainer.preparing.source import find_labels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROW = "0 .5 .5 .5 .5"
XML = "<annotation/>"


def write(folder: Path, *names: str, text: str = ROW) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def coco(*names: str, category: str = "cat", key: int = 1) -> str:
    return json.dumps(
        {
            "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
            "annotations": [{"image_id": 0, "category_id": key, "bbox": [1, 2, 3, 4]}],
            "categories": [{"id": key, "name": category}],
        }
    )


def test_images_are_found_by_their_endings_and_hidden_files_are_none(tmp_path: Path) -> None:
    write(tmp_path, "2.JPG", "a/b/1.png", "a/x.webp", "notes.txt", ".ipynb_checkpoints/2.jpg", "a/._1.png")
    assert list_images(tmp_path) == ("2.JPG", "a/b/1.png", "a/x.webp")


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_no_images(tmp_path: Path, folder: str) -> None:
    write(tmp_path, "empty/1.txt")
    with pytest.raises(NotFoundError, match=folder):
        list_images(tmp_path / folder)


@pytest.mark.parametrize(
    ("image", "label", "found"),
    [
        pytest.param("in/1.jpg", "in/1.txt", Format.YOLO, id="beside"),
        pytest.param("in/a/1.jpg", "in/a/1.txt", Format.YOLO, id="beside, in a folder below"),
        pytest.param("in/a/1.jpg", "in/labels/a/1.txt", Format.YOLO, id="labels within"),
        pytest.param("in/1.jpg", "labels/1.txt", Format.YOLO, id="labels beside the folder"),
        pytest.param(
            "in/train/images/1.jpg", "in/train/labels/1.txt", Format.YOLO, id="as Roboflow leaves it"
        ),
        pytest.param(
            "in/images/val/1.jpg", "in/labels/val/1.txt", Format.YOLO, id="as COCO's images with labels"
        ),
        pytest.param("in/1.jpg", "in/1.xml", Format.VOC, id="VOC beside"),
        pytest.param("in/JPEGImages/1.jpg", "in/Annotations/1.xml", Format.VOC, id="VOC's own folders"),
        pytest.param("in/1.jpg", "Annotations/1.xml", Format.VOC, id="VOC's folder beside the folder"),
        pytest.param("in/1.jpg", "in/all.json", Format.COCO, id="COCO among the images"),
        pytest.param("in/1.jpg", "annotations/all.json", Format.COCO, id="COCO's folder beside the folder"),
    ],
)
def test_where_labels_are(tmp_path: Path, image: str, label: str, found: Format) -> None:
    folder = tmp_path / "in"
    write(tmp_path, image)
    text = {Format.YOLO: ROW, Format.VOC: XML, Format.COCO: coco("1.jpg")}[found]
    write(tmp_path, label, text=text)
    images = list_images(folder)
    labels = find_labels(folder, images)
    assert labels.format is found
    assert labels.find(images[0]) is not None
    assert labels.find("other.jpg") is None


def test_a_place_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    write(tmp_path, "in/a/1.jpg", "in/a/1.txt")
    write(tmp_path, "good/1.txt", "good/b/2.txt", text="")
    labels = find_labels(tmp_path / "in", ("a/1.jpg", "b/2.jpg"), place=tmp_path / "good")
    assert labels.find("a/1.jpg") == labels.find("b/2.jpg") == Label((), (1.0, 1.0))


def test_formats_beside_each_other(tmp_path: Path) -> None:
    write(tmp_path, "1.jpg", "1.txt")
    write(tmp_path, "1.xml", text=XML)
    with pytest.raises(SettingsError, match="YOLO and Pascal VOC"):
        find_labels(tmp_path, ("1.jpg",))
    assert find_labels(tmp_path, ("1.jpg",), wanted=Format.VOC).format is Format.VOC


def test_other_json_is_no_matter_where_there_are_labels(tmp_path: Path) -> None:
    write(tmp_path, "1.jpg", "1.txt")
    write(tmp_path, "torn.json", text="{")
    write(tmp_path, "settings.json", text="{}")
    assert find_labels(tmp_path, ("1.jpg",)).format is Format.YOLO


@pytest.mark.parametrize(
    ("place", "error", "said"),
    [
        pytest.param(None, NotFoundError, "there is no label", id="nothing"),
        pytest.param("nowhere", NotFoundError, "there is no .*nowhere", id="no such place"),
        pytest.param("torn.json", TreeError, "torn.json:1: no JSON", id="torn"),
        pytest.param("captions.json", TreeError, "captions.json is no COCO file", id="of another kind"),
    ],
)
def test_no_labels(tmp_path: Path, place: str | None, error: type[DrivesyncError], said: str) -> None:
    write(tmp_path, "in/1.jpg")
    write(tmp_path, "torn.json", text="{")
    write(tmp_path, "captions.json", text="{}")
    with pytest.raises(error, match=said):
        find_labels(tmp_path / "in", ("1.jpg",), place=tmp_path / place if place else None)


def test_names_beside_the_labels(tmp_path: Path) -> None:
    write(tmp_path, "1.jpg", "1.txt")
    assert find_labels(tmp_path, ("1.jpg",)).categories is None
    (tmp_path / "classes.txt").write_bytes(b"\xef\xbb\xbfcat\r\nblack dog \r\n\r\n")
    assert find_labels(tmp_path, ("1.jpg",)).categories == ("cat", "black dog")


def test_a_list_of_names_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "names").write_bytes("cat".encode("utf-16"))
    with pytest.raises(TreeError, match="UTF-8"):
        read_names(tmp_path / "names")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
def test_a_label_that_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "1.txt")
    labels = find_labels(tmp_path, ("1.jpg",))
    with pytest.raises(TreeError, match=r"1\.txt: it cannot be read \(it is no file\)"):
        labels.find("1.jpg")


@pytest.mark.parametrize(
    ("images", "file_name", "found"),
    [
        pytest.param(("1.jpg",), "1.jpg", "1.jpg", id="by its path"),
        pytest.param(("a/1.jpg", "b/1.jpg"), "b/1.jpg", "b/1.jpg", id="by its path, of two"),
        pytest.param(("a/1.jpg",), "1.jpg", "a/1.jpg", id="by its name"),
        pytest.param(("1.jpg",), "/home/me/photos/1.jpg", "1.jpg", id="by the end of another machine's path"),
        pytest.param(("x/b/1.jpg", "a/1.jpg"), "b/1.jpg", "x/b/1.jpg", id="by the longer end"),
        pytest.param(("a/1.jpg", "b/1.jpg"), "1.jpg", None, id="nobody knows which"),
        pytest.param(("1.jpg",), "2.jpg", None, id="not there"),
    ],
)
def test_which_image_a_coco_file_means(
    tmp_path: Path, images: tuple[str, ...], file_name: str, found: str | None
) -> None:
    write(tmp_path, *images)
    write(tmp_path, "all.json", text=coco(file_name))
    labels = find_labels(tmp_path, images)
    assert [image for image in images if labels.find(image)] == ([found] if found else [])
    assert bool(labels.notes) == (found is None)


def test_several_coco_files_are_one(tmp_path: Path) -> None:
    write(tmp_path, "1.jpg", "2.jpg")
    write(tmp_path, "train.json", text=coco("1.jpg", category="zebra", key=1))
    write(tmp_path, "val.json", text=coco("2.jpg", category="ant", key=2))
    write(tmp_path, "copy.json", text=coco("1.jpg", category="zebra", key=3))
    labels = find_labels(tmp_path, ("1.jpg", "2.jpg"))
    assert labels.categories == ("zebra", "ant")
    assert labels.find("1.jpg") == Label((Mark("zebra", 1, 2, 4, 6),), None)
    assert labels.find("2.jpg") == Label((Mark("ant", 1, 2, 4, 6),), None)
