"""Where a member of an archive goes, and which do not come."""

from __future__ import annotations

import pytest

from drivesync.unarchive.naming import RefusedNameError, find_place, fold, is_junk


@pytest.mark.parametrize(
    ("archive", "name", "path"),
    [
        pytest.param(
            "data/obj.zip", "obj/1.jpg", "data/obj/1.jpg", id="a folder of the archive's name is there once"
        ),
        pytest.param("data/obj.zip", "1.jpg", "data/1.jpg", id="none is added"),
        pytest.param("obj.zip", "1.jpg", "1.jpg", id="at the top of the tree"),
        pytest.param("a.tar", "./obj/./1.jpg", "obj/1.jpg", id="tar's dots"),
        pytest.param("a.tar", "obj//1.jpg", "obj/1.jpg", id="two slashes"),
        pytest.param("a.tar", "obj/C:/1.jpg", "obj/C:/1.jpg", id="a colon within is a letter like any other"),
        pytest.param("a.tar", "obj/..jpg", "obj/..jpg", id="two dots that are no way up"),
    ],
)
def test_place(archive: str, name: str, path: str) -> None:
    assert find_place(archive, name) == path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("/etc/passwd", "absolute", id="absolute"),
        pytest.param("../x", "upwards", id="up from the archive's folder, though still in the tree"),
        pytest.param("a/../../x", "upwards", id="up later"),
        pytest.param("C:x", "drive letter", id="a drive"),
        pytest.param("c:/x", "drive letter", id="a drive's root"),
        pytest.param("a\0.jpg", "character", id="NUL"),
        pytest.param("x" * 256, "longer than 255", id="too long"),
        pytest.param("é" * 128, "longer than 255", id="too long in bytes"),
        pytest.param("\udcff", "Unicode", id="no Unicode"),
        pytest.param("./", "no name", id="nothing"),
        pytest.param(".drivesync/index.sqlite", "keeps for itself", id="drivesync's own"),
        pytest.param("./.DriveSync/index.sqlite", "keeps for itself", id="the same on a disk without case"),
        pytest.param(".trainer/learned.json", "keeps for itself", id="the trainer's own"),
    ],
)
def test_refused(name: str, said: str) -> None:
    with pytest.raises(RefusedNameError, match=said):
        find_place("obj.zip", name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("__MACOSX/obj/._1.jpg", True),
        ("obj/.DS_Store", True),
        ("obj/DS_Store", False),
        ("obj/.DS_Store/1.jpg", False),
    ],
)
def test_junk(name: str, *, expected: bool) -> None:
    assert is_junk(name) is expected


def test_one_text_for_what_a_disk_may_take_for_one() -> None:
    assert fold("A/É.jpg") == fold("a/E\u0301.JPG")
    assert fold("a") != fold("b")
