from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import TreeError
from trainer.preparing.annotations import Label, Mark
from trainer.preparing.voc import parse_voc

SIZE = "<size><width>100</width><height>50</height></size>"
BOX = "<bndbox><xmin>10</xmin><ymin>5.5</ymin><xmax> 30 </xmax><ymax>25</ymax></bndbox>"
CAT = f"<object><name> black\n cat</name>{BOX}<part><name>head</name>{BOX}</part></object>"
BOMB = "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>"


def annotation(inside: str) -> bytes:
    return f"<?xml version='1.0'?>\n<annotation>\n{inside}</annotation>".encode()


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        pytest.param(annotation(SIZE), Label((), (100, 50)), id="nothing"),
        pytest.param(
            annotation(SIZE + CAT),
            Label((Mark("black cat", 10, 5.5, 30, 25),), (100, 50)),
            id="an object with a part",
        ),
        pytest.param(annotation(CAT), Label((Mark("black cat", 10, 5.5, 30, 25),), None), id="no size"),
        pytest.param(annotation(SIZE.replace("50", "0")), Label((), None), id="a size of nothing"),
        pytest.param(annotation(SIZE.replace("50", "nan")), Label((), None), id="a size that is no number"),
        pytest.param(
            "<annotation><object><name>chaise à bascule</name>".encode("latin-1").join(
                [b"<?xml version='1.0' encoding='latin-1'?>", BOX.encode() + b"</object></annotation>"]
            ),
            Label((Mark("chaise à bascule", 10, 5.5, 30, 25),), None),
            id="another encoding",
        ),
    ],
)
def test_labels(raw: bytes, label: Label) -> None:
    assert parse_voc(raw, "1.xml") == label


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        pytest.param(b"", "1.xml:1: no XML, or not all of it, from column 1 on$", id="empty"),
        pytest.param(annotation("<object>"), "1.xml:3: no XML", id="torn"),
        pytest.param(b"<annotations/>", "1.xml: it is a <annotations>", id="of another format"),
        pytest.param(
            annotation(SIZE + f"<object>{BOX}</object>"), "1.xml: object 1 has no <name>", id="no name"
        ),
        pytest.param(
            annotation(CAT + "<object><name>a</name></object>"),
            "1.xml: object 2 has no <bndbox>",
            id="no box",
        ),
        pytest.param(
            annotation(CAT.replace("5.5", "inf")),
            "1.xml: object 1 has no <bndbox> of four",
            id="an edge nowhere",
        ),
        pytest.param(
            (BOMB + "<annotation>&b;</annotation>").encode(), "1.xml: it has a <!DOCTYPE>", id="entities"
        ),
        pytest.param(
            b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotation/>",
            "1.xml: it has a <!DOCTYPE>, which is not read here$",
            id="a document type",
        ),
        pytest.param(
            b"<?xml version='1.0' encoding='nonsense'?><annotation/>",
            "1.xml: it is in an encoding",
            id="no encoding",
        ),
        pytest.param(b"\x00\xff\x00", "1.xml", id="no text"),
    ],
)
def test_what_is_no_label(raw: bytes, said: str) -> None:
    with pytest.raises(TreeError, match=said):
        parse_voc(raw, "1.xml")


WHOLE = annotation(SIZE + CAT)


@given(
    st.integers(0, len(WHOLE)),
    st.integers(0, 20),
    st.binary(max_size=8)
    | st.sampled_from([b"&a;", b"<![CDATA[", b"<!--", b"<?xml version='1.0' encoding='utf-7'?>"]),
)
def test_whatever_is_in_it_only_a_tree_error_comes_out(start: int, length: int, other: bytes) -> None:
    with suppress(TreeError):
        parse_voc(WHOLE[:start] + other + WHOLE[start + length :], "1.xml")
