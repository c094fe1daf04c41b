from __future__ import annotations

import pytest

from drivesync.testing.fields import ALL, Mask, check_fields, parse_fields
from drivesync.testing.schema import shape_of
from drivesync.testing.wire import ApiError

_LISTING = {
    "kind": "drive#fileList",
    "nextPageToken": "n",
    "files": [
        {"id": "1", "name": "a", "owners": [{"me": True, "kind": "drive#user"}]},
        {"id": "2", "name": "b"},
    ],
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        pytest.param("nextPageToken", {"nextPageToken": "n"}, id="one field"),
        pytest.param(
            "files(id),kind",
            {"files": [{"id": "1"}, {"id": "2"}], "kind": "drive#fileList"},
            id="sub-selection",
        ),
        pytest.param("files/id", {"files": [{"id": "1"}, {"id": "2"}]}, id="path"),
        pytest.param(
            "files/id,files/name", {"files": [{"id": "1", "name": "a"}, {"id": "2", "name": "b"}]}, id="union"
        ),
        pytest.param(
            "files(id,owners/me)",
            {"files": [{"id": "1", "owners": [{"me": True}]}, {"id": "2"}]},
            id="nested",
        ),
        pytest.param(" files ( id ) ", {"files": [{"id": "1"}, {"id": "2"}]}, id="blanks"),
        pytest.param("*", _LISTING, id="everything"),
        pytest.param("kind,*", _LISTING, id="a star wins"),
        pytest.param("files/*", {"files": _LISTING["files"]}, id="everything of a field"),
        pytest.param("incompleteSearch", {}, id="a field that is not there"),
    ],
)
def test_select(text: str, selected: object) -> None:
    assert parse_fields(text).select(_LISTING) == selected


@pytest.mark.parametrize(
    "text", ["files(", "files)", "a,,b", ",a", "a/", "files(id", "files()", "a b", "a;b", "(a)"]
)
def test_bad_selection_is_400(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_fields(text)
    assert (caught.value.status, caught.value.reason) == (400, "invalidParameter")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param("File", "id,shortcutDetails/targetId,appProperties/any,owners(emailAddress)", id="file"),
        pytest.param(
            "FileList", "files(id,permissions(id,role)),nextPageToken", id="through references and lists"
        ),
        pytest.param("File", "thumbnailLink", id="a field that exists and is never served"),
        pytest.param("ChangeList", "*", id="everything"),
    ],
)
def test_known_fields_pass(kind: str, text: str) -> None:
    check_fields(parse_fields(text), shape_of(kind))


@pytest.mark.parametrize(
    ("kind", "text", "culprit"),
    [
        pytest.param("File", "id,nmae", "nmae", id="unknown"),
        pytest.param("FileList", "files(id,nmae)", "files/nmae", id="unknown in a list"),
        pytest.param("FileList", "id", "id", id="of the item, not of the list"),
        pytest.param("File", "id/x", "id/x", id="part of a plain value"),
    ],
)
def test_unknown_fields_are_400(kind: str, text: str, culprit: str) -> None:
    with pytest.raises(ApiError, match=f"Invalid field selection {culprit}$") as caught:
        check_fields(parse_fields(text), shape_of(kind))
    assert caught.value.status == 400


def test_wanted_names_only_what_is_selected() -> None:
    mask = parse_fields("a,b/c")
    assert list(mask.wanted(["z", "b", "a"])) == [("b", Mask({"c": ALL})), ("a", ALL)]
