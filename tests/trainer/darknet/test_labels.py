"""Where each darknet looks for the label of an image."""

from __future__ import annotations

import pytest

from trainer.darknet.labels import is_label, label_of, parse_image_list
from trainer.darknet.program import Flavour

PJ, AX, HK = Flavour.PJ, Flavour.AX, Flavour.HK


# The original's column was measured with Debian's package: it says which file it cannot open.
@pytest.mark.parametrize(
    ("image", "original", "alexeyab", "hank_ai"),
    [
        ("data/a.jpg", "data/a.txt", "data/a.txt", "data/a.txt"),
        ("data/a.png", "data/a.txt", "data/a.txt", "data/a.txt"),
        ("data/a.JPG", "data/a.txt", "data/a.txt", "data/a.txt"),
        ("data/a.JPEG", "data/a.txt", "data/a.txt", "data/a.txt"),
        ("data/a.jpeg", "data/a.jpeg", "data/a.txt", "data/a.txt"),
        ("data/a.bmp", "data/a.bmp", "data/a.txt", "data/a.txt"),
        ("data/a.PNG", "data/a.PNG", "data/a.txt", "data/a.txt"),
        ("data/a.Jpg", "data/a.Jpg", "data/a.Jpg", "data/a.txt"),
        ("data/a.webp", "data/a.webp", "data/a.webp", "data/a.txt"),
        ("data/a.jpg.jpg", "data/a.txt.jpg", "data/a.jpg.txt", "data/a.jpg.txt"),
        ("data/a.b.jpg.png", "data/a.b.txt.txt", "data/a.b.jpg.txt", "data/a.b.jpg.txt"),
        ("images/a.jpg", "labels/a.txt", "images/a.txt", "images/a.txt"),
        ("images/images/a.jpg", "labels/images/a.txt", "images/images/a.txt", "images/images/a.txt"),
        ("myimages/x.jpg", "mylabels/x.txt", "myimages/x.txt", "myimages/x.txt"),
        ("draw/images/a.jpg", "dlabels/labels/a.txt", "draw/images/a.txt", "draw/images/a.txt"),
        ("straw.jpg", "stlabels.txt", "straw.txt", "straw.txt"),
        ("VOC/JPEGImages/a.jpg", "VOC/labels/a.txt", "VOC/labels/a.txt", "VOC/JPEGImages/a.txt"),
        (
            "data/images/raw/JPEGImages/a.png",
            "data/labels/labels/labels/a.txt",
            "data/images/raw/labels/a.txt",
            "data/images/raw/JPEGImages/a.txt",
        ),
        (
            "coco/images/train2017/1.jpg",
            "coco/labels/train2017/1.txt",
            "coco/labels/train2017/1.txt",
            "coco/images/train2017/1.txt",
        ),
        ("images/val2014/1.jpg", "labels/val2014/1.txt", "images/val2014/1.txt", "images/val2014/1.txt"),
        (
            "./images/val2014/1.jpg",
            "./labels/val2014/1.txt",
            "./labels/val2014/1.txt",
            "./images/val2014/1.txt",
        ),
        ("data/a", "data/a", "data/a", "data/a.txt"),
    ],
)
def test_label_of(image: str, original: str, alexeyab: str, hank_ai: str) -> None:
    assert [label_of(image, flavour) for flavour in (PJ, AX, HK)] == [original, alexeyab, hank_ai]


def test_an_image_whose_ending_is_not_known_has_no_label() -> None:
    assert not is_label(label_of("data/a.webp", AX))
    assert is_label(label_of("data/a.jpg", AX))


def test_a_list_of_images() -> None:
    text = "\ufeffdata/a.jpg\r\n  data/b c.jpg \t\n\n/content/darknet/data/d.jpg"
    assert parse_image_list(text) == ("data/a.jpg", "data/b c.jpg", "/content/darknet/data/d.jpg")
    assert parse_image_list("") == ()
