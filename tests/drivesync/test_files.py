"""Which names can be names of local files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.files import MAX_NAME_BYTES, refuse_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("remote.cfg", "", id="a plain name"),
        pytest.param("..weights", "", id="two dots at the start"),
        pytest.param("...", "", id="three dots are a name"),
        pytest.param("a\\b", "", id="a backslash is a letter here"),
        pytest.param("line\nbreak", "", id="a line break is allowed"),
        pytest.param("日本語 ünïcödé 🦊", "", id="unicode"),
        pytest.param("a" * MAX_NAME_BYTES, "", id="as long as can be"),
        pytest.param("", "its name is ''", id="empty"),
        pytest.param(".", "its name is '.'", id="the folder itself"),
        pytest.param("..", "its name is '..'", id="the folder above"),
        pytest.param("../../x", "no file name can hold", id="a way out"),
        pytest.param("a/b", "no file name can hold", id="a slash"),
        pytest.param("/etc/passwd", "no file name can hold", id="an absolute path"),
        pytest.param("a\0b", "no file name can hold", id="a null"),
        pytest.param("a" * (MAX_NAME_BYTES + 1), "longer than 255 bytes", id="too long"),
        pytest.param("日" * 86, "longer than 255 bytes", id="too long in bytes, not in letters"),
        pytest.param("\ud800", "not valid Unicode", id="half a letter, as JSON may hold it"),
    ],
)
def test_refuse_name(name: str, reason: str) -> None:
    said = refuse_name(name)
    assert reason in said
    assert bool(said) == bool(reason)


@given(st.text())
def test_a_name_that_is_not_refused_is_a_file_in_its_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    if refuse_name(name):
        return
    folder: Path = tmp_path_factory.mktemp("names")
    (folder / name).write_bytes(b"")
    assert [file.name for file in folder.iterdir()] == [name]
