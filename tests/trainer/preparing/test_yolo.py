from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import TreeError
from trainer.preparing.annotations import Mark
from trainer.preparing.yolo import number_kinds, parse_yolo

ROW = b"1 .5 .25 .5 .5"
MARK = Mark("1", 0.25, 0.0, 0.75, 0.5)


@pytest.mark.parametrize(
    ("raw", "marks"),
    [
        pytest.param(b"", (), id="nothing"),
        pytest.param(b" \n\r\n", (), id="blank lines"),
        pytest.param(ROW, (MARK,), id="one row, without its end"),
        pytest.param(ROW + b"\r\n" + ROW + b"\r\n", (MARK, MARK), id="line ends of Windows"),
        pytest.param(b"\xef\xbb\xbf" + ROW, (MARK,), id="a byte order mark"),
        pytest.param(b"+01\t.5 2.5e-1 0.50  .5\n", (MARK,), id="numbers as a program may write them"),
        pytest.param(b"0 .5 .5 3 1", (Mark("0", -1.0, 0.0, 2.0, 1.0),), id="out of the image: clipped later"),
        pytest.param(
            b"-1 .5 .25 .5 .5", (Mark("-1", 0.25, 0.0, 0.75, 0.5),), id="a class that there cannot be"
        ),
    ],
)
def test_rows(raw: bytes, marks: tuple[Mark, ...]) -> None:
    label = parse_yolo(raw, "1.txt")
    assert label.marks == marks
    assert label.frame == (1.0, 1.0)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(ROW + b"\ncat .5 .5 .1 .1", "1.txt:2: .*'cat', no number", id="a name"),
        pytest.param(ROW + b" .9", "1.txt:1: 6 numbers", id="a confidence"),
        pytest.param(b"0 .1 .1 .2 .1 .2 .2", "1.txt:1: 7 numbers", id="a polygon"),
        pytest.param(b"0 0,5 0,5 0,1 0,1", "1.txt:1: .*commas", id="decimal commas"),
        pytest.param(b"0 .5 .5 nan .1", "1.txt:1: .*nan", id="nan"),
        pytest.param(b"0 .5 .5 1e999 .1", "1.txt: a number", id="too large"),
        pytest.param(b"0.5 .5 .5 .1 .1", "1.txt:1: .*whole", id="a fraction for a class"),
        pytest.param(b"\xff\xfe0\x00", "1.txt: .*no text", id="UTF-16"),
    ],
)
def test_what_is_no_label(raw: bytes, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        parse_yolo(raw, "1.txt")


def test_the_classes_are_counted_from_0() -> None:
    assert number_kinds(("cat", "dog")) == {"0": 0, "1": 1}


WHOLE = ROW + b"\n" + ROW + b"\n"


@given(
    st.integers(0, len(WHOLE)),
    st.integers(0, 9),
    st.binary(max_size=8) | st.text("0123456789.eE+- \t\r\n\x0b\x1c", max_size=9).map(str.encode),
)
def test_whatever_is_in_it_only_a_tree_error_comes_out(start: int, length: int, other: bytes) -> None:
    with suppress(TreeError):
        parse_yolo(WHOLE[:start] + other + WHOLE[start + length :], "1.txt")
