"""PURE: what a tree is made of: the tutorial's files, each with its content or with the image that it is to hold.

data/train/NAME.jpg NAME.txt ...   each image with its label
data/test/NAME.jpg NAME.txt ...
data/train.txt data/test.txt       lists of the images
data/remote.names                  a class in each line
cfg/remote.data cfg/remote.cfg
backup/                            for the weights; darknet does not make it
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainer.preparing.fitting import write_label
from trainer.preparing.naming import name_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trainer.preparing.annotations import Picture

DATA = "cfg/remote.data"
CFG = "cfg/remote.cfg"
NAMES = "data/remote.names"
TRAIN_LIST = "data/train.txt"
TEST_LIST = "data/test.txt"
BACKUP = "backup"
FOLDERS = ("data/train", "data/test", "cfg", BACKUP)

_IMAGE_OR_LABEL = re.compile(r"data/(?:train|test)/[A-Za-z0-9_-]+\.(?:jpg|png|txt)")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the tree.

    Attributes:
        path: POSIX, relative to the tree.
        content: its bytes, or the image that is to be copied, or drawn anew.
    """

    path: str
    content: bytes | Picture


def is_image_or_label(path: str) -> bool:
    """Whether ``path`` can be that of an image or a label in a tree laid out here."""
    return _IMAGE_OR_LABEL.fullmatch(path) is not None


def lay_out(
    pictures: Sequence[Picture], tests: frozenset[str], names: Sequence[str], cfg: str
) -> tuple[Part, ...]:
    """All files of the tree, in the order in which they are to be written: what names others comes after them.

    Args:
        pictures: sorted by path.
        tests: paths of those to test with.
        names: of the classes.
        cfg: the text of the .cfg.
    """
    stems = name_images(picture.path for picture in pictures)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    parts: list[Part] = []
    for picture in pictures:
        side = "test" if picture.path in tests else "train"
        stem = f"data/{side}/{stems[picture.path]}"
        # The label first: an image without one is a fault, a label without an image is nothing.
        parts.append(Part(f"{stem}.txt", write_label(picture.boxes).encode()))
        parts.append(Part(f"{stem}{picture.ending}", picture))
        lists[side].append(f"{stem}{picture.ending}")
    parts += _write_texts(names, cfg)
    parts.append(Part(TEST_LIST, _join(lists["test"])))
    parts.append(Part(TRAIN_LIST, _join(lists["train"])))
    return tuple(parts)


def _write_texts(names: Sequence[str], cfg: str) -> Iterator[Part]:
    options = {
        "classes": len(names),
        "train": TRAIN_LIST,
        "valid": TEST_LIST,
        "names": NAMES,
        "backup": f"{BACKUP}/",
    }
    yield Part(NAMES, _join(names))
    yield Part(CFG, cfg.encode("utf-8", "surrogateescape"))
    yield Part(DATA, _join(f"{key} = {value}" for key, value in options.items()))


def _join(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
