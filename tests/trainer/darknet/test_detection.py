"""What a layer that detects asks of the one before it, by darknet's published rule."""

from __future__ import annotations

import pytest

from trainer.darknet.cfg import parse_cfg
from trainer.darknet.detection import needed_filters


@pytest.mark.parametrize(
    ("section", "filters"),
    [
        pytest.param("[yolo]\nmask=0,1,2\nclasses=1\nnum=6\n", 18, id="one class"),
        pytest.param("[yolo]\nmask=0,1,2\nclasses=2\nnum=6\n", 21, id="two"),
        pytest.param("[yolo]\nmask=0,1,2\nclasses=20\nnum=9\n", 75, id="twenty"),
        pytest.param("[yolo]\nmask=0,1,2\nclasses=80\nnum=9\n", 255, id="COCO's"),
        pytest.param("[yolo]\nmask=0,1\nclasses=2\nnum=9\n", 14, id="two masks"),
        pytest.param("[yolo]\nclasses=2\nnum=5\n", 35, id="no mask: all anchors"),
        pytest.param("[Gaussian_yolo]\nmask=0,1,2\nclasses=80\nnum=9\n", 267, id="Gaussian"),
        pytest.param("[region]\nclasses=80\ncoords=4\nnum=5\n", 425, id="yolov2"),
        pytest.param("[detection]\nclasses=20\n", 0, id="yolov1: fully connected"),
    ],
)
def test_filters_before_a_layer_that_detects(section: str, filters: int) -> None:
    assert needed_filters(parse_cfg(f"[net]\n{section}").layers[0]) == filters
