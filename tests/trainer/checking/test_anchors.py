"""Anchors that are none, that serve nobody, or that num= and mask= do not fit."""

from __future__ import annotations

import pytest

from trainer.checking.findings import Finding, Severity
from trainer.checking.network import check_network
from trainer.darknet.cfg import parse_cfg
from trainer.preparing.yolov4_tiny import tiny_cfg_text

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
TWO = "mask=0,1,2\nanchors=10,14,  23,27,  37,58\nclasses=2\nnum=3\n"
CFG = (
    "[net]\nbatch=4\nwidth=64\nheight=64\nchannels=3\nmax_batches=9\n[convolutional]\nfilters=21\n[yolo]\n"
    + TWO
)
MASK, ANCHORS, NUM = 10, 11, 13


def look(text: str) -> list[Finding]:
    return list(check_network(parse_cfg(text, "x.cfg"), text, "x.cfg", classes=2))


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param("10,14", "10.5,1e1", [], id="sizes"),
        pytest.param("mask=0,1,2\n", "", [], id="no mask: all of them"),
        pytest.param("10,14", "a,14", [(E, "anchor-size", ANCHORS)], id="no number"),
        pytest.param("10,14", "0,14", [(E, "anchor-size", ANCHORS)], id="no width"),
        pytest.param("10,14", "10,-14", [(E, "anchor-size", ANCHORS)], id="below 0"),
        pytest.param("10,14", "1e999,14", [(E, "anchor-size", ANCHORS)], id="infinite"),
        pytest.param("10,14", "nan,14", [(E, "anchor-size", ANCHORS)], id="nan"),
        pytest.param("10,14,  23,27,  37,58", ".1,.2,.3,.4,.5,.6", [(W, "anchor-size", ANCHORS)], id="parts"),
        pytest.param("10,14", ".1,.2", [], id="a single tiny one"),
        pytest.param("37,58", "37", [(E, "anchors-odd", ANCHORS)], id="one without a height"),
        pytest.param("37,58", "37,58,", [(E, "anchors-odd", ANCHORS)], id="a comma at the end"),
        pytest.param("num=3", "num=4", [(W, "anchors", ANCHORS), (N, "anchor-unused", MASK)], id="too few"),
        pytest.param("num=3\n", "", [(E, "anchors", ANCHORS)], id="too many: num is 1 where it is missing"),
        pytest.param("num=3", "num=-3", [(E, "anchors", NUM)], id="num below 0"),
        pytest.param("num=3", "num=0", [(E, "anchors", NUM)], id="num is 0"),
        pytest.param("mask=0,1,2", "mask=0,1,3", [(E, "mask", MASK), (N, "anchor-unused", MASK)], id="mask"),
        pytest.param("mask=0,1,2", "mask=0,1,1", [(N, "anchor-unused", MASK)], id="one is left out"),
    ],
)
def test_anchors(old: str, new: str, found: list[tuple[Severity, str, int]]) -> None:
    assert old in CFG
    findings = look(CFG.replace(old, new))
    # Without a line of masks all below it move up, and are about another line.
    assert [(one.severity, one.code, one.line) for one in findings] == found


@pytest.mark.parametrize(
    ("old", "new", "fix"),
    [
        pytest.param("num=3", "num=4", "Set num=3, or write 4 pairs.", id="either"),
        pytest.param("num=3", "num=1", "Set num=3.", id="the mask names all three"),
        pytest.param("mask=0,1,2\n", "mask=0,1,3\n", "Write the numbers of anchors", id="a mask beyond"),
        pytest.param("num=3", "num=99999", "Set num=3.", id="nobody writes as many"),
        pytest.param("anchors=", "own=", "Write 3 pairs.", id="none at all"),
    ],
)
def test_what_is_advised_can_be_done(old: str, new: str, fix: str) -> None:
    findings = look(CFG.replace(old, new))
    assert findings[0].fix.startswith(fix)


def test_an_anchor_that_serves_no_layer_is_noted_but_in_yolov4_tiny_as_it_is_published() -> None:
    published = tiny_cfg_text().replace("mask=0,1,2", "mask=1,2,3").replace("classes=80", "classes=2")
    published = published.replace("filters=255", "filters=21").replace(
        "subdivisions=1\n", "subdivisions=16\n"
    )
    assert look(published) == []
    own = look(published.replace("10,14,", "12,16,"))
    assert [(one.severity, one.code) for one in own] == [(N, "anchor-unused")]
    assert "Anchor 0 of 6 is in no mask=" in own[0].what
