"""Which published weights start a network, by the layers that they hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainer.darknet.shorthand import yolov4
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.pretrained import find_published
from trainer.darknet.program import Flavour
from trainer.preparing.template import make_cfg
from trainer.preparing.yolov4_tiny import tiny_cfg_text

CFGS = Path("/usr/share/darknet/cfg")
"""Of the original darknet's package."""


@pytest.mark.parametrize("classes", [80, 2])
@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param(tiny_cfg_text(), "yolov4-tiny.conv.29", id="yolov4-tiny"),
        pytest.param(yolov4(), "yolov4.conv.137", id="yolov4"),
        pytest.param((CFGS / "yolov3.cfg").read_text(), "darknet53.conv.74", id="yolov3"),
        pytest.param((CFGS / "yolov3-spp.cfg").read_text(), "darknet53.conv.74", id="yolov3-spp"),
        pytest.param((CFGS / "yolov3-tiny.cfg").read_text(), "yolov3-tiny.conv.11", id="yolov3-tiny"),
    ],
)
def test_published_networks(text: str, name: str, classes: int) -> None:
    network = parse_cfg(make_cfg(text, "x.cfg", classes=classes, images=100))
    assert find_published(network) == name


@pytest.mark.parametrize(
    ("text", "flavour"),
    [
        pytest.param(tiny_cfg_text(), Flavour.PJ, id="yolov4-tiny is another network to the original"),
        pytest.param(tiny_cfg_text().replace("channels=3", "channels=1"), Flavour.AX, id="grey images"),
        pytest.param((CFGS / "yolov2.cfg").read_text(), Flavour.AX, id="yolov2"),
        pytest.param((CFGS / "rnn.cfg").read_text(), Flavour.AX, id="layers of unknown size"),
    ],
)
def test_others_have_none(text: str, flavour: Flavour) -> None:
    assert find_published(parse_cfg(text), flavour) is None
