"""Images without labels are found in a tree, as the darknet that it is meant for looks for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from trainer.labels import find_missing_labels

if TYPE_CHECKING:
    from pathlib import Path


def fill(tree: Path, *paths: str) -> None:
    for path in paths:
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(b"x")


def list_images(
    tree: Path, *images: str, data: str = "cfg/remote.data", list_: str = "data/train.txt"
) -> None:
    fill(tree, data, list_)
    (tree / data).write_text(
        f"classes = 1\ntrain = {list_}\nvalid = data/valid.txt\nnames = n\nbackup = backup/\n"
    )
    (tree / list_).write_text("".join(f"{image}\n" for image in images))


def test_images_beside_their_labels(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "data/obj/a.jpg",
        "data/obj/a.txt",
        "data/obj/b.jpg",
        "data/obj/c.png",
        "data/obj/unlisted.jpg",
    )
    fill(tmp_path, "data/obj/of.webp")
    list_images(
        tmp_path,
        "data/obj/a.jpg",
        "data/obj/b.jpg",
        "data/obj/c.png",
        "data/obj/gone.jpg",
        "data/obj/of.webp",
    )
    assert find_missing_labels(tmp_path) == ("data/obj/b.txt", "data/obj/c.txt")


def test_train_and_valid_lists_of_all_data_files(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    list_images(tmp_path, "a.jpg")
    list_images(tmp_path, "b.jpg", data="data/obj.data", list_="other.txt")
    list_images(tmp_path, "c.jpg", "a.jpg", data="obj.data", list_="third.txt")
    (tmp_path / "data" / "valid.txt").write_text("d.jpg\n")
    assert find_missing_labels(tmp_path) == ("a.txt", "b.txt", "c.txt", "d.txt")


@pytest.mark.parametrize(
    ("labels", "missing"),
    [
        pytest.param(["data/labels/a.txt", "data/labels/b.txt"], "data/labels/c.txt", id="the original's"),
        pytest.param(["data/images/a.txt", "data/images/b.txt"], "data/images/c.txt", id="AlexeyAB's"),
        pytest.param(
            ["data/labels/a.txt", "data/labels/b.txt", "data/images/a.txt"],
            "data/labels/c.txt",
            id="most count",
        ),
    ],
)
def test_the_labels_that_are_there_tell_where_the_others_belong(
    tmp_path: Path, labels: list[str], missing: str
) -> None:
    fill(tmp_path, *labels, *(f"data/images/{name}.jpg" for name in "abc"))
    list_images(tmp_path, *(f"data/images/{name}.jpg" for name in "abc"))
    assert find_missing_labels(tmp_path) == (missing,)


def test_without_any_label_they_belong_where_alexeyabs_darknet_looks(tmp_path: Path) -> None:
    fill(tmp_path, "data/images/a.jpg")
    list_images(tmp_path, "data/images/a.jpg")
    assert find_missing_labels(tmp_path) == ("data/images/a.txt",)


def test_paths_from_the_root_and_with_dots(tmp_path: Path) -> None:
    fill(tmp_path, "images/train2017/a.jpg", "data/b.jpg", "data/c.jpg")
    list_images(tmp_path, f"{tmp_path}/images/train2017/a.jpg", "./data/b.jpg", "cfg/../data/c.jpg")
    assert find_missing_labels(tmp_path) == ("data/b.txt", "data/c.txt", "labels/train2017/a.txt")


def test_what_lies_outside_of_the_tree_is_nobodys_business(tmp_path: Path) -> None:
    tree = tmp_path / "darknet"
    fill(tmp_path, "outside.jpg", "darknet-2/a.jpg")
    list_images(
        tree,
        "../outside.jpg",
        f"{tmp_path}/outside.jpg",
        f"{tmp_path}/darknet-2/a.jpg",
        "data/../../outside.jpg",
    )
    assert find_missing_labels(tree) == ()


def test_something_in_the_place_of_a_label_is_a_label(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "a.txt").symlink_to("nothing")
    (tmp_path / "b.txt").mkdir()
    (tmp_path / "c.txt").touch()
    list_images(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    assert find_missing_labels(tmp_path) == ()


def test_trees_that_make_no_sense(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "broken.data", "huge.data", "lists/train.txt")
    list_images(
        tmp_path, "a.jpg", "x\0y.jpg", os.fsdecode(b"caf\xe9.jpg").encode("utf-8", "replace").decode()
    )
    (tmp_path / "data" / "train.txt").write_bytes(b"a.jpg\nx\0y.jpg\ncaf\xe9.jpg\n" + b"z" * 5000 + b".jpg\n")
    (tmp_path / "broken.data").write_text("classes = none\n")
    (tmp_path / "huge.data").write_bytes(b"#" * (2 << 20))
    (tmp_path / "folder.data").mkdir()
    (tmp_path / "cfg" / "folder.data").write_text("train = lists\nvalid = nothing\n")
    assert find_missing_labels(tmp_path) == ("a.txt",)
    assert find_missing_labels(tmp_path / "nothing") == ()
