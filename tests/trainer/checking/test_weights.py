"""Pretrained weights as they are published, on the networks that they are for and on others."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from trainer.checking.findings import Severity
from trainer.checking.weights import check_weights
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.program import Flavour

CFGS = Path("/usr/share/darknet/cfg")
"""Of the original darknet's package."""

E, W = Severity.ERROR, Severity.WARNING
DARKNET53_CONV_74_BYTES = 162_482_580
YOLOV3_WEIGHTS_BYTES = 248_007_048
YOLOV3_ITERATIONS = 500_200
CUSTOM = {"classes=80": "classes=2", "filters=255": "filters=21"}


def look(
    size_bytes: int, cfg: str = "yolov3", *, seen: int = 0, custom: bool = False, clear: bool = False
) -> list[tuple[Severity, str]]:
    text = (CFGS / f"{cfg}.cfg").read_text()
    for old, new in CUSTOM.items() if custom else ():
        text = text.replace(old, new)
    head = struct.pack("<iiiQ", 0, 2, 0, seen)
    findings = check_weights(head, size_bytes, parse_cfg(text), "x.weights", clear=clear)
    return [(one.severity, one.code) for one in findings]


@pytest.mark.parametrize("custom", [False, True])
def test_the_first_layers_start_a_network_of_any_classes(custom: bool) -> None:  # noqa: FBT001 - a parameter
    assert look(DARKNET53_CONV_74_BYTES, custom=custom) == []


def test_all_layers_start_the_network_that_they_are_of() -> None:
    assert look(YOLOV3_WEIGHTS_BYTES) == []
    assert look(YOLOV3_WEIGHTS_BYTES, custom=True) == [(W, "weights-classes")]


@pytest.mark.parametrize(
    ("size_bytes", "cfg"),
    [
        pytest.param(DARKNET53_CONV_74_BYTES, "yolov3-tiny", id="of a larger network"),
        pytest.param(DARKNET53_CONV_74_BYTES - 1_000_000, "yolov3", id="cut off"),
        pytest.param(DARKNET53_CONV_74_BYTES + 1, "yolov3", id="not even whole numbers"),
        pytest.param(20, "yolov3", id="a header alone"),
    ],
)
def test_others_start_nothing(size_bytes: int, cfg: str) -> None:
    assert look(size_bytes, cfg) == [(E, "weights-size")]


def test_a_training_that_is_over_would_end_at_once() -> None:
    seen = 64 * YOLOV3_ITERATIONS
    assert look(YOLOV3_WEIGHTS_BYTES, seen=seen) == [(E, "weights-trained")]
    assert look(YOLOV3_WEIGHTS_BYTES, seen=seen // 2) == [(W, "weights-trained")]
    assert look(YOLOV3_WEIGHTS_BYTES, seen=seen, clear=True) == []


def test_an_old_file_has_a_shorter_header() -> None:
    text = (CFGS / "yolov3.cfg").read_text()
    head = struct.pack("<iiiI", 0, 1, 0, 0) + bytes(4)
    assert list(check_weights(head, DARKNET53_CONV_74_BYTES - 4, parse_cfg(text), "x.weights")) == []


def test_what_is_not_loaded_at_all_is_not_judged() -> None:
    network = parse_cfg((CFGS / "yolov3.cfg").read_text())
    findings = list(check_weights(b"", 0, network, "x.conv.74", flavour=Flavour.HK))
    assert [one.code for one in findings] == ["weights-name"]
