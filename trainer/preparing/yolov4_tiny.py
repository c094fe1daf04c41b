"""PURE: the cfg of yolov4-tiny, for trees that bring no template.

Source: the layers that AlexeyAB's darknet publishes as cfg/yolov4-tiny-custom.cfg, the one for training on one's own
objects. It differs from cfg/yolov4-tiny.cfg, which its published weights were trained with, in one place: there the
second [yolo] has the masks 1,2,3, so that the smallest anchor serves no layer.

     0 -  1   convolutions with stride 2: a quarter of the input's width and height
     2 -  9   three stages of eight layers: half of the channels takes a detour, then a maximum halves the size
    10 - 17
    18 - 25
    26 - 28   the last that yolov4-tiny.conv.29 holds
    29 - 30   large objects, at stride 32
    31 - 37   small ones, at stride 16
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Section(NamedTuple):
    kind: str
    options: dict[str, object]


_NET = _Section(
    "net",
    {
        "batch": 64,
        "subdivisions": 1,
        "width": 416,
        "height": 416,
        "channels": 3,
        "momentum": 0.9,
        "decay": 0.0005,
        "angle": 0,
        "saturation": 1.5,
        "exposure": 1.5,
        "hue": 0.1,
        "learning_rate": 0.00261,
        "burn_in": 1000,
        "max_batches": 500200,
        "policy": "steps",
        "steps": "400000,450000",
        "scales": "0.1,0.1",
    },
)
_ANCHORS = "10,14,  23,27,  37,58,  81,82,  135,169,  344,319"
_CLASSES = 80
_FILTERS_OF_STAGES = (64, 128, 256)


def tiny_cfg_text() -> str:
    """The text of a cfg of yolov4-tiny for COCO's 80 classes, as it is published but for its comments."""
    return "\n".join(_render(section) for section in (_NET, *_layers()))


def _render(section: _Section) -> str:
    return f"[{section.kind}]\n" + "".join(f"{key}={value}\n" for key, value in section.options.items())


def _layers() -> Iterator[_Section]:
    yield _convolution(32, 3, stride=2)
    yield _convolution(64, 3, stride=2)
    for filters in _FILTERS_OF_STAGES:
        yield from _stage(filters)
    yield _convolution(512, 3)
    yield _convolution(256, 1)
    yield _convolution(512, 3)
    yield from _detector("3,4,5")
    yield _route("-4")
    yield _convolution(128, 1)
    yield _Section("upsample", {"stride": 2})
    yield _route("-1,23")
    yield _convolution(256, 3)
    yield from _detector("0,1,2")


def _stage(filters: int) -> Iterator[_Section]:
    yield _convolution(filters, 3)
    yield _Section("route", {"layers": -1, "groups": 2, "group_id": 1})
    yield _convolution(filters // 2, 3)
    yield _convolution(filters // 2, 3)
    yield _route("-1,-2")
    yield _convolution(filters, 1)
    yield _route("-6,-1")
    yield _Section("maxpool", {"size": 2, "stride": 2})


def _convolution(filters: int, size: int, *, stride: int = 1) -> _Section:
    options = {"batch_normalize": 1, "filters": filters, "size": size, "stride": stride, "pad": 1}
    return _Section("convolutional", {**options, "activation": "leaky"})


def _route(layers: str) -> _Section:
    return _Section("route", {"layers": layers})


def _detector(mask: str) -> Iterator[_Section]:
    filters = (_CLASSES + 5) * len(mask.split(","))
    yield _Section(
        "convolutional", {"size": 1, "stride": 1, "pad": 1, "filters": filters, "activation": "linear"}
    )
    yield _Section(
        "yolo",
        {
            "mask": mask,
            "anchors": _ANCHORS,
            "classes": _CLASSES,
            "num": 6,
            "jitter": 0.3,
            "scale_x_y": 1.05,
            "cls_normalizer": 1.0,
            "iou_normalizer": 0.07,
            "iou_loss": "ciou",
            "ignore_thresh": 0.7,
            "truth_thresh": 1,
            "random": 0,
            "resize": 1.5,
            "nms_kind": "greedynms",
            "beta_nms": 0.6,
        },
    )
