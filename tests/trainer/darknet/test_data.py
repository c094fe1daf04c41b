"""A .data file is read as darknet reads it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.data import DataFile, parse_data
from trainer.errors import TreeError


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        pytest.param(
            "classes= 2\ntrain  = data/train.txt\nvalid=data/test.txt\nnames = data/remote.names\nbackup = backup/\n",
            DataFile(2, "data/train.txt", "data/test.txt", "data/remote.names", "backup/"),
            id="the tutorial's",
        ),
        pytest.param(
            "",
            DataFile(20, "data/train.list", "data/train.txt", "data/names.list", "/backup/"),
            id="darknet's defaults",
        ),
        pytest.param(
            "# c\n;c\nclasses=1\ntrain=my train.txt\nvalid=a=b\nnames=n\nnonsense\nnames=m\n"
            "savelast=50\nsaveweights=500\n",
            DataFile(1, "mytrain.txt", "a=b", "n", "/backup/", 50, 500),
            id="comments, spaces in paths, the first of two, save intervals",
        ),
        pytest.param(
            "classes=3\r\ntrain=t\r\nvalid=v\r\nnames=n\r\nbackup=b\r\n",
            DataFile(3, "t", "v", "n", "b"),
            id="CRLF",
        ),
    ],
)
def test_reads(text: str, parsed: DataFile) -> None:
    assert parse_data(text) == parsed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("\ufeffclasses=1", "my.data: begins with a byte order mark", id="byte order mark"),
        pytest.param("train=t\nclasses=two", "my.data:2: classes=two is no number above 0", id="no number"),
        pytest.param("classes=" + "9" * 5000, "my.data:1: classes=999", id="endless number"),
        pytest.param("savelast=0", "my.data:1: savelast=0 is no number above 0", id="zero"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(TreeError) as caught:
        parse_data(text, "my.data")
    assert str(caught.value).startswith(message)


@given(st.text(alphabet="classestrainbackup=#;\r\n 0123456789\u0662\0", max_size=100))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    with contextlib.suppress(TreeError):
        assert parse_data(text).classes >= 1
