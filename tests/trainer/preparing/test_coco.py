from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import TreeError
from trainer.preparing.annotations import Label, Mark
from trainer.preparing.coco import LabelledImage, parse_coco

IMAGE = {"id": 7, "file_name": "a\\1.jpg", "width": 100, "height": 50}
CAT = {"id": 1, "image_id": 7, "category_id": 18, "bbox": [10, 5.5, 20, 30]}
MARK = Mark("cat", 10, 5.5, 30, 35.5)


def coco(**said: Any) -> bytes:
    whole = {
        "images": [IMAGE],
        "annotations": [CAT],
        "categories": [{"id": 18, "name": " cat "}, {"id": 3, "name": "dog"}],
    }
    return json.dumps({**whole, **said}).encode()


def test_boxes_and_categories_by_their_ids() -> None:
    file = parse_coco(coco(), "all.json")
    assert file is not None
    assert file.categories == ((3, "dog"), (18, "cat"))
    assert file.images == (LabelledImage("a/1.jpg", Label((MARK,), (100, 50))),)
    assert file.crowds == 0


@pytest.mark.parametrize(
    ("change", "marks", "fault"),
    [
        pytest.param({}, 1, "", id="a whole one"),
        pytest.param({"annotations": []}, 0, "", id="an image that shows nothing"),
        pytest.param({"annotations": [CAT, {**CAT, "iscrowd": 1}]}, 1, "", id="a crowd"),
        pytest.param({"annotations": [CAT, {**CAT, "image_id": 8}, 5, {}]}, 1, "", id="of no image"),
        pytest.param({"annotations": [{**CAT, "bbox": []}]}, 0, "annotation 1 has no bbox", id="no box"),
        pytest.param(
            {"annotations": [{**CAT, "bbox": [1, 2, "3", 4]}]}, 0, "has no bbox", id="words in a box"
        ),
        pytest.param({"annotations": [{**CAT, "bbox": [1, 2, float("nan"), 4]}]}, 0, "has no bbox", id="nan"),
        pytest.param(
            {"annotations": [{**CAT, "bbox": [1, 2, 10**400, 4]}]}, 0, "has no bbox", id="too large"
        ),
        pytest.param(
            {"annotations": [{**CAT, "category_id": 4}]}, 0, "of a category", id="an unknown category"
        ),
        pytest.param(
            {"annotations": [{**CAT, "category_id": [18]}]}, 0, "of a category", id="a list of categories"
        ),
    ],
)
def test_one_image(change: dict[str, Any], marks: int, fault: str) -> None:
    file = parse_coco(coco(**change), "all.json")
    assert file is not None
    (image,) = file.images
    assert len(image.label.marks) == marks
    assert fault in image.fault
    assert bool(fault) == bool(image.fault)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param({"width": 0}, id="nothing"),
        pytest.param({"height": None}, id="none"),
        pytest.param({"width": "9"}, id="words"),
    ],
)
def test_a_size_that_says_nothing(size: dict[str, Any]) -> None:
    file = parse_coco(coco(images=[{**IMAGE, **size}]), "all.json")
    assert file is not None
    assert file.images[0].label.frame is None


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"images": [], "annotations": []}', id="captions"),
        pytest.param(b'{"shapes": []}', id="labelme's"),
    ],
)
def test_json_that_is_something_else(raw: bytes) -> None:
    assert parse_coco(raw, "all.json") is None


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"{\n", "all.json:2: no JSON, or not all of it, from column 1 on$", id="torn"),
        pytest.param(b"\xff", "all.json: no JSON: it is not in UTF-8$", id="no text"),
        pytest.param(b"[" * 100_000, "all.json: no JSON that is read here", id="deep"),
        pytest.param(
            coco(categories=[{"id": "1", "name": "x"}]), r"categories\[0\]", id="an id that is no number"
        ),
        pytest.param(
            coco(categories=[{"id": 1, "name": " "}]), r"categories\[0\]", id="a category without a name"
        ),
        pytest.param(coco(images=[IMAGE, {"id": 1}]), r"images\[1\]", id="an image without a file"),
        pytest.param(coco(images=[None]), r"images\[0\]", id="no image"),
    ],
)
def test_what_is_no_file_of_labels(raw: bytes, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        parse_coco(raw, "all.json")


KEYS = ["id", "image_id", "category_id", "bbox", "file_name", "name", "width", "height", "iscrowd"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=12,
)


@given(st.lists(ANYTHING), st.lists(ANYTHING), st.lists(ANYTHING))
def test_whatever_is_in_it_only_a_tree_error_comes_out(
    images: Any, annotations: Any, categories: Any
) -> None:
    with suppress(TreeError):
        parse_coco(coco(images=images, annotations=annotations, categories=categories), "all.json")
