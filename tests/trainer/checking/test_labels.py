"""Each way in which a label can be wrong, with its line, and what is left of it."""

from __future__ import annotations

import pytest

from trainer.checking.findings import Severity
from trainer.checking.labels import MAX_BYTES, check_label
from trainer.darknet.program import Flavour

GOOD = b"0 0.5 0.5 0.2 0.2\n"
OTHER = b"1 0.3 0.7 0.1 0.1\n"
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("raw", "rows", "boxes"),
    [
        pytest.param(b"", 0, 0, id="empty: a negative"),
        pytest.param(b" \r\n\n", 0, 0, id="blank: a negative"),
        pytest.param(BOM, 0, 0, id="nothing but a mark: a negative"),
        pytest.param(GOOD, 1, 1, id="one"),
        pytest.param(GOOD.rstrip() + b"\r\n\r\n" + OTHER.rstrip(), 2, 2, id="line ends of Windows"),
        pytest.param(b"\t1   .5 5.e-1\t0.2 +1", 1, 1, id="as C reads numbers"),
        pytest.param(b"1 .5 .5 1 1.000", 1, 1, id="the whole image"),
        pytest.param(b"0 .95 .04 .115 .09", 1, 1, id="over two edges, by rounding"),
        pytest.param(GOOD + b"1" + GOOD[1:], 2, 2, id="one box of two classes"),
    ],
)
def test_good(raw: bytes, rows: int, boxes: int) -> None:
    report = check_label("a.txt", raw, classes=2, flavour=Flavour.AX)
    assert (report.rows, report.boxes, report.findings) == (rows, boxes, ())


@pytest.mark.parametrize(
    ("raw", "code", "line", "boxes"),
    [
        pytest.param(GOOD + b"2 0.5 0.5 0.2 0.2\n" + OTHER, "label-class-range", 2, 2, id="class too high"),
        pytest.param(GOOD + b"-1 0.5 0.5 0.2 0.2\n", "label-class-range", 2, 1, id="class below 0"),
        pytest.param(
            b"9" * 5000 + b" 0.5 0.5 0.2 0.2\n", "label-class-range", 1, 0, id="class of 5000 digits"
        ),
        pytest.param(
            b"\n" + GOOD + b"cat 0.5 0.5 0.2 0.2\n" + OTHER, "label-class-text", 3, 1, id="class as text"
        ),
        pytest.param(b"0.0 0.5 0.5 0.2 0.2\n", "label-class-fraction", 1, 0, id="class with a point"),
        pytest.param(b"0,0.5,0.5,0.2,0.2\n", "label-comma", 1, 0, id="commas"),
        pytest.param(GOOD + b"0 0,5 0,5 0,2 0,2\n", "label-comma", 2, 1, id="decimal commas"),
        pytest.param(b"0 0.5 0.5 0.2 0.2 0.9\n" + GOOD, "label-columns", 1, 0, id="sixth column"),
        pytest.param(GOOD + b"0 0.5 0.5 0.2\n", "label-columns", 2, 1, id="four columns"),
        pytest.param(GOOD + b"0\n", "label-columns", 2, 1, id="a class alone"),
        pytest.param(b"0 0.5 0.5 w 0.2\n", "label-number", 1, 0, id="no number"),
        pytest.param(b"0 0.5 0.5 nan 0.2\n", "label-number", 1, 0, id="nan"),
        pytest.param(b"0 0.5 0.5 1_0 0.2\n", "label-number", 1, 0, id="a number for Python alone"),
        pytest.param(GOOD + b"0 0 0.5 0.2 0.2\n", "label-box-range", 2, 1, id="x is 0"),
        pytest.param(b"0 0.5 1.01 0.2 0.2\n" + GOOD, "label-box-range", 1, 1, id="y above 1"),
        pytest.param(b"0 0.5 0.5 0 0.2\n", "label-box-range", 1, 0, id="no width"),
        pytest.param(b"0 0.5 0.5 0.2 -0.2\n", "label-box-range", 1, 0, id="height below 0"),
        pytest.param(b"0 32 40 10 10\n", "label-box-range", 1, 0, id="pixels"),
        pytest.param(b"0 0.5 0.5 1e999 0.2\n", "label-box-range", 1, 0, id="infinite"),
        pytest.param(BOM + GOOD, "label-bom", 1, 0, id="byte order mark"),
        pytest.param(GOOD.decode().encode("utf-16"), "label-no-text", None, 0, id="UTF-16"),
        pytest.param(b" " * (MAX_BYTES + 1), "label-no-text", None, 0, id="too long"),
    ],
)
@pytest.mark.parametrize("flavour", Flavour)
def test_wrong(raw: bytes, code: str, line: int | None, boxes: int, flavour: Flavour) -> None:
    report = check_label("data/a.txt", raw, classes=2, flavour=flavour)
    assert [(one.code, one.path, one.line) for one in report.findings] == [(code, "data/a.txt", line)]
    assert report.boxes == boxes
    assert report.rows > 0
    assert all(
        text.isprintable() and len(text) < 500 for one in report.findings for text in (one.what, one.fix)
    )


def test_each_row_is_judged() -> None:
    report = check_label("a.txt", b"7 2 0.5 0.1 0.1\nx\n" + GOOD, classes=2, flavour=Flavour.AX)
    assert [(one.code, one.line) for one in report.findings] == [
        ("label-class-range", 1),
        ("label-box-range", 1),
        ("label-class-text", 2),
    ]
    assert (report.rows, report.boxes) == (3, 0)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        pytest.param(b"0 .95 .5 .5 .5\n", [("label-box-outside", 1)], id="to the right"),
        pytest.param(b"0 .2 .5 .5 .5\n", [("label-box-outside", 1)], id="to the left"),
        pytest.param(b"0 .5 .9 .1 .5\n", [("label-box-outside", 1)], id="below"),
        pytest.param(GOOD + b"1 1 1 1 1\n1 0.9 1 1 1", [("label-box-outside", 2)], id="two are one finding"),
        pytest.param(OTHER + GOOD + b"\n" + GOOD + GOOD, [("label-box-twice", 4)], id="thrice the same"),
        pytest.param(
            b"1 1 1 1 1\n" * 2, [("label-box-outside", 1), ("label-box-twice", 2)], id="outside, and twice"
        ),
    ],
)
def test_what_can_be_learned_but_is_hardly_meant(raw: bytes, found: list[tuple[str, int]]) -> None:
    report = check_label("a.txt", raw, classes=2, flavour=Flavour.AX)
    assert [(one.code, one.line) for one in report.findings] == found
    assert {one.severity for one in report.findings} == {Severity.WARNING}
    assert report.boxes == report.rows
