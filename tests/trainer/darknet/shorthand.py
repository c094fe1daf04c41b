"""The published networks' layers, in a shorthand of one word a layer."""

from __future__ import annotations

import re

_NET = (
    "[net]\nbatch=64\nsubdivisions=1\nwidth=416\nheight=416\nchannels=3\nlearning_rate=0.001\nburn_in=1000\n"
    "max_batches = 500500\npolicy=steps\nsteps=400000,450000\nscales=.1,.1\n"
)
YOLOV4_ANCHORS = "12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401"
TINY_ANCHORS = "10,14,  23,27,  37,58,  81,82,  135,169,  344,319"


def cfg_of(rows: str, anchors: str) -> str:
    """The text of a cfg: 64x3/2 is a convolution, o the one before a yolo, y345 a yolo with these masks."""
    return _NET + "".join(_section(word, anchors) for word in rows.split())


def _section(word: str, anchors: str) -> str:
    if match := re.fullmatch(r"(\d+)x(\d+)(?:/(\d+))?", word):
        filters, size, stride = match[1], match[2], match[3] or 1
        return f"[convolutional]\nbatch_normalize=1\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\n"
    rest = word[1:]
    mask, num = ",".join(rest), len(anchors.split(",")) // 2
    return {
        "o": "[convolutional]\nfilters=255\nsize=1\n",
        "y": f"[yolo]\nmask = {mask}\nanchors = {anchors}\nclasses=80\nnum={num}\n",
        "r": f"[route]\nlayers={rest}\n",
        "h": "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n",
        "s": f"[shortcut]\nfrom={rest}\n",
        "m": f"[maxpool]\nsize={rest}\n",
        "p": "[maxpool]\nsize=2\nstride=2\n",
        "u": "[upsample]\nstride=2\n",
    }[word[0]]


def yolov4() -> str:
    stages = "32x3 64x3/2 64x1 r-2 64x1 32x1 64x3 s-3 64x1 r-1,-7 64x1"
    for filters, blocks in ((64, 2), (128, 8), (256, 8), (512, 4)):
        block = f" {filters}x1 {filters}x3 s-3" * blocks
        stages += f" {2 * filters}x3/2 {filters}x1 r-2 {filters}x1{block}"
        stages += f" {filters}x1 r-1,-{3 * blocks + 4} {2 * filters}x1"
    pyramid = (
        " 512x1 1024x3 512x1 m5 r-2 m9 r-4 m13 r-1,-3,-5,-6 512x1 1024x3 512x1"
        " 256x1 u r85 256x1 r-1,-3 256x1 512x3 256x1 512x3 256x1"
        " 128x1 u r54 128x1 r-1,-3 128x1 256x3 128x1 256x3 128x1"
    )
    heads = (
        " 256x3 o y012 r-4 256x3/2 r-1,-16 256x1 512x3 256x1 512x3 256x1"
        " 512x3 o y345 r-4 512x3/2 r-1,-37 512x1 1024x3 512x1 1024x3 512x1 1024x3 o y678"
    )
    return cfg_of(stages + pyramid + heads, YOLOV4_ANCHORS)


def yolov4_tiny() -> str:
    half = "h {0}x3 {0}x3 r-1,-2 {1}x1 r-6,-1 p"
    stages = [half.format(filters // 2, filters) for filters in (64, 128, 256)]
    return cfg_of(
        f"32x3/2 64x3/2 64x3 {stages[0]} 128x3 {stages[1]} 256x3 {stages[2]}"
        " 512x3 256x1 512x3 o y345 r-4 128x1 u r-1,23 256x3 o y012",
        TINY_ANCHORS,
    )
