"""The published rules against published cfgs; each wrong line is in the table of ``test_check``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainer.checking.findings import Severity
from trainer.checking.network import check_network, from_error
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.program import Flavour
from trainer.errors import TreeError
from trainer.preparing.yolov4_tiny import tiny_cfg_text

CFGS = Path("/usr/share/darknet/cfg")
"""Of the original darknet's package."""

E, W = Severity.ERROR, Severity.WARNING


def look(
    text: str, flavour: Flavour = Flavour.AX, classes: int | None = None
) -> list[tuple[Severity, str, int | None]]:
    findings = check_network(parse_cfg(text, "x.cfg"), text, "x.cfg", classes=classes, flavour=flavour)
    return [(one.severity, one.code, one.line) for one in findings]


@pytest.mark.parametrize(
    "name", ["yolov2-voc", "yolov2", "yolov3-spp", "yolov3-tiny", "yolov3-voc", "yolov3", "yolo9000"]
)
def test_published_cfgs_are_right_but_for_their_batch(name: str) -> None:
    text = (CFGS / f"{name}.cfg").read_text()
    assert {code for _, code, _ in look(text)} <= {"batch"}
    assert look(re.sub(r"(?m)^ *batch *= *1\b", "batch=64", text)) == []


def test_batch_1_makes_alexeyabs_wait_for_a_key() -> None:
    text = (CFGS / "yolov3-tiny.cfg").read_text()
    assert look(text, Flavour.AX) == [(E, "batch", 3)]
    assert look(text, Flavour.PJ) == [(W, "batch", 3)]


def test_the_tutorials_way_to_another_number_of_classes() -> None:
    text = (CFGS / "yolov3-tiny.cfg").read_text().replace("\nbatch=1\n", "\nbatch=64\n")
    lines = text.splitlines()
    classes = [number for number, line in enumerate(lines, start=1) if line == "classes=80"]
    filters = [number for number, line in enumerate(lines, start=1) if line == "filters=255"]
    assert look(text, classes=3) == [(E, "classes-differ", line) for line in classes]
    text = text.replace("classes=80", "classes=3")
    assert look(text, classes=3) == [(E, "filters", line) for line in filters]
    assert look(text.replace("filters=255", "filters=24"), classes=3) == []


def test_a_size_that_fits_no_upsampled_layer_is_an_error() -> None:
    text = (CFGS / "yolov3.cfg").read_text().replace("width=608", "width=600")
    assert [(severity, code) for severity, code, _ in look(text)] == [(E, "width")]


def test_counters_of_other_classes_end_the_darknets_that_read_them() -> None:
    text = (CFGS / "yolov3-tiny.cfg").read_text().replace("\nbatch=1\n", "\nbatch=64\n")
    text += "counters_per_class=5, 6, 7\n"
    line = len(text.splitlines())
    assert look(text, Flavour.AX) == look(text, Flavour.HK) == [(E, "counters", line)]
    assert look(text, Flavour.PJ) == []
    assert look(text.replace("classes=80", "classes=3").replace("filters=255", "filters=24")) == []


def test_the_original_knows_no_groups() -> None:
    text = tiny_cfg_text()
    line = text.splitlines().index("groups=2") + 1
    assert look(text, Flavour.PJ) == [(W, "route-groups", line)]
    assert look(text, Flavour.AX) == look(text, Flavour.HK) == []


@pytest.mark.parametrize(
    ("message", "line", "what"),
    [
        pytest.param("a.cfg:7: [yolo] mask=x is no list", 7, "[yolo] mask=x is no list.", id="a line"),
        pytest.param("a.cfg: has no layers", None, "has no layers.", id="no line"),
        pytest.param("a.cfg has no max_batches", None, "a.cfg has no max_batches.", id="a sentence"),
        pytest.param("b.cfg:7: x", None, "b.cfg:7: x.", id="another file"),
    ],
)
def test_what_a_parser_refuses_becomes_a_finding(message: str, line: int | None, what: str) -> None:
    finding = from_error(TreeError(message, hint="Do."), "a.cfg", "darknet ends.")
    assert (finding.line, finding.what, finding.fix) == (line, what, "Do.")
