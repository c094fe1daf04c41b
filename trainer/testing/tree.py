"""A small darknet tree in the tutorial's layout, drawn rather than downloaded.

    DIRECTORY/
      data/train/1.png 1.txt ...   coloured shapes on a dark ground, their labels beside them;
                                   a negative sample has an empty label
      data/test/1.png 1.txt ...
      data/train.txt data/test.txt data/remote.names
      cfg/remote.data cfg/remote.cfg
      backup/                      empty, as darknet's Makefile leaves it; darknet does not create it

Four convolutions and a [yolo] layer; the original darknet (Debian's package) trains it on a CPU at
about 120 iterations a second with the defaults, 50 with ``batch=16``, 25 with ``batch=16, size_px=96``.
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BASE = "remote"
"""The stem of the tutorial's .cfg, .data and .names, hence of the weights files."""

_ANCHORS_PER_CELL = 3

_Box = tuple[float, float, float, float]


def _draw_circle(draw: ImageDraw.ImageDraw, box: _Box, colour: tuple[int, int, int]) -> None:
    draw.ellipse(box, fill=colour)


def _draw_square(draw: ImageDraw.ImageDraw, box: _Box, colour: tuple[int, int, int]) -> None:
    draw.rectangle(box, fill=colour)


def _draw_triangle(draw: ImageDraw.ImageDraw, box: _Box, colour: tuple[int, int, int]) -> None:
    left, top, right, bottom = box
    draw.polygon([((left + right) / 2, top), (right, bottom), (left, bottom)], fill=colour)


SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, _Box, tuple[int, int, int]], None]] = {
    "circle": _draw_circle,
    "square": _draw_square,
    "triangle": _draw_triangle,
}
"""The classes that can be drawn."""


@dataclass(frozen=True, slots=True)
class TreeInfo:
    """A generated tree; all paths but ``root`` are relative to it, as darknet wants them."""

    root: Path
    data: str
    cfg: str
    classes: tuple[str, ...]
    batch: int
    max_batches: int
    train: tuple[str, ...]
    test: tuple[str, ...]

    @property
    def base(self) -> str:
        """What the names of its weights files begin with."""
        return Path(self.cfg).stem

    @property
    def backup(self) -> Path:
        """Where darknet leaves its weights files."""
        return self.root / "backup"


def make_tree(
    directory: Path | str,
    *,
    images: int = 24,
    negatives: int = 4,
    classes: Sequence[str] = ("circle", "square"),
    size_px: int = 64,
    batch: int = 4,
    filters: int = 8,
    max_batches: int = 300,
    seed: int = 0,
) -> TreeInfo:
    """Write a tree that darknet can train; the same arguments write the same bytes.

    Args:
        directory: created where it does not exist; files of the same names are overwritten.
        images: training images; a quarter as many test images, two at least, come on top.
        negatives: how many of the training images show nothing; one test image does too if any does.
        classes: out of ``SHAPES``.
        size_px: side of the images and of the network's input, a multiple of 32.
        batch: images per iteration; the time an iteration takes grows with it.
        filters: of the first layer; the weights grow with its square.
        max_batches: iterations to train.
        seed: of the drawing.

    Raises:
        ValueError: the arguments fit no tree.
    """
    _check_arguments(images=images, negatives=negatives, classes=classes, size_px=size_px)
    root = Path(directory)
    (root / "backup").mkdir(parents=True, exist_ok=True)
    (root / "cfg").mkdir(exist_ok=True)
    rng = random.Random(seed)  # noqa: S311 - pictures that can be drawn again, not secrets
    tests = max(2, images // 4)
    train = _draw_set(root, "train", images, negatives, classes, size_px, rng)
    test = _draw_set(root, "test", tests, min(negatives, 1), classes, size_px, rng)
    _write(root / f"data/{BASE}.names", "".join(f"{name}\n" for name in classes))
    _write(root / f"cfg/{BASE}.data", _data_text(len(classes)))
    text = tiny_cfg(
        classes=len(classes), size_px=size_px, batch=batch, filters=filters, max_batches=max_batches
    )
    _write(root / f"cfg/{BASE}.cfg", text)
    return TreeInfo(
        root=root,
        data=f"cfg/{BASE}.data",
        cfg=f"cfg/{BASE}.cfg",
        classes=tuple(classes),
        batch=batch,
        max_batches=max_batches,
        train=train,
        test=test,
    )


def leave_chart(root: Path) -> None:
    """Leave a chart that is newer than whatever will be known of a training: to draw one takes longer than to train."""
    chart = root / "backup/chart.png"
    chart.parent.mkdir(exist_ok=True)
    chart.touch()
    tomorrow_s = time.time() + 86_400
    os.utime(chart, (tomorrow_s, tomorrow_s))


def tiny_cfg(
    *, classes: int = 2, size_px: int = 64, batch: int = 4, filters: int = 8, max_batches: int = 300
) -> str:
    """The text of the smallest cfg that still learns to see the shapes."""
    net = {
        "batch": batch,
        "subdivisions": 1,
        "width": size_px,
        "height": size_px,
        "channels": 3,
        "momentum": 0.9,
        "decay": 0.0005,
        "learning_rate": 0.001,
        "burn_in": 20,
        "max_batches": max_batches,
        "policy": "steps",
        "steps": f"{max_batches * 8 // 10},{max_batches * 9 // 10}",
        "scales": ".1,.1",
    }
    anchors = ", ".join(f"{round(size_px * part)},{round(size_px * part)}" for part in (0.3, 0.45, 0.6))
    yolo = {
        "mask": ",".join(str(index) for index in range(_ANCHORS_PER_CELL)),
        "anchors": anchors,
        "classes": classes,
        "num": _ANCHORS_PER_CELL,
        "jitter": 0.1,
        "ignore_thresh": 0.5,
        "truth_thresh": 1,
        "random": 0,
    }
    sections: list[tuple[str, dict[str, object]]] = [("net", dict(net))]
    sections += [("convolutional", _convolution(filters << step)) for step in range(3)]
    last = {
        "filters": (classes + 5) * _ANCHORS_PER_CELL,
        "size": 1,
        "stride": 1,
        "pad": 1,
        "activation": "linear",
    }
    sections += [("convolutional", dict(last)), ("yolo", dict(yolo))]
    return "\n".join(_section(name, options) for name, options in sections)


def _convolution(filters: int) -> dict[str, object]:
    return {
        "batch_normalize": 1,
        "filters": filters,
        "size": 3,
        "stride": 2,
        "pad": 1,
        "activation": "leaky",
    }


def _section(name: str, options: dict[str, object]) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in options.items())


def _check_arguments(*, images: int, negatives: int, classes: Sequence[str], size_px: int) -> None:
    unknown = [name for name in classes if name not in SHAPES]
    if unknown or not classes:
        raise ValueError(f"classes are some of {', '.join(SHAPES)}, not {', '.join(unknown) or 'none'}")
    if not 0 <= negatives < images:
        raise ValueError(f"{negatives} negatives do not fit into {images} images")
    if size_px <= 0 or size_px % 32:
        raise ValueError(f"the size must be a multiple of 32, not {size_px}")


def _draw_set(
    root: Path,
    name: str,
    count: int,
    negatives: int,
    classes: Sequence[str],
    size_px: int,
    rng: random.Random,
) -> tuple[str, ...]:
    """Draw ``count`` images with labels and their list; the last ``negatives`` of them show nothing."""
    folder = root / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(f"data/{name}/{number}.png" for number in range(1, count + 1))
    for index, path in enumerate(paths):
        shape = classes[index % len(classes)] if index < count - negatives else None
        image, box = _draw_image(shape, size_px, rng)
        image.save(root / path)
        label = (
            ""
            if shape is None
            else f"{index % len(classes)} " + " ".join(f"{part:.6f}" for part in box) + "\n"
        )
        _write((root / path).with_suffix(".txt"), label)
    _write(root / f"data/{name}.txt", "".join(f"{path}\n" for path in paths))
    return paths


def _draw_image(shape: str | None, size_px: int, rng: random.Random) -> tuple[Image.Image, _Box]:
    """An image and the shape's box as darknet labels have it: centre and size, relative to the image."""
    image = Image.new("RGB", (size_px, size_px), _colour(rng, 0, 60))
    side = rng.uniform(0.3, 0.6)
    x, y = rng.uniform(side / 2, 1 - side / 2), rng.uniform(side / 2, 1 - side / 2)
    colour = _colour(rng, 120, 255)
    if shape is not None:
        corners = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
        left, top, right, bottom = (part * size_px for part in corners)
        SHAPES[shape](ImageDraw.Draw(image), (left, top, right, bottom), colour)
    return image, (x, y, side, side)


def _colour(rng: random.Random, darkest: int, brightest: int) -> tuple[int, int, int]:
    return rng.randint(darkest, brightest), rng.randint(darkest, brightest), rng.randint(darkest, brightest)


def _data_text(classes: int) -> str:
    return (
        f"classes = {classes}\n"
        "train = data/train.txt\n"
        "valid = data/test.txt\n"
        f"names = data/{BASE}.names\n"
        "backup = backup/\n"
    )


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())  # bytes: the original darknet chokes on CRLF
