"""What a later process goes on with, and what it passes over."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from drivesync.remotes.drive.upload_note import UploadNote, parse_note

NOTE = UploadNote(
    "backup/a", 100, "2023-11-14T22:13:20.123Z", "id", "parent", "https://x/upload?upload_id=secret"
)
WHOLE = asdict(NOTE)


@pytest.mark.parametrize("note", [NOTE, replace(NOTE, uri="", is_done=True), replace(NOTE, parent_id="")])
def test_a_note_is_read_as_it_was_written(note: UploadNote) -> None:
    assert parse_note(note.to_text()) == note


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("no note at all", id="no JSON"),
        pytest.param("[" * 100_000, id="JSON without end"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param("{}", id="nothing in it"),
        pytest.param(json.dumps(WHOLE | {"more": 1}), id="something unknown in it"),
        pytest.param(json.dumps(WHOLE | {"size": "100"}), id="a size that is none"),
        pytest.param(json.dumps(WHOLE | {"size": True}), id="a size that is a truth"),
        pytest.param(json.dumps(WHOLE | {"uri": None}), id="no address"),
        pytest.param(json.dumps(WHOLE | {"file_id": ""}), id="no file"),
        pytest.param(json.dumps(WHOLE | {"is_done": 1}), id="a truth that is a number"),
    ],
)
def test_what_is_no_note(text: str) -> None:
    assert parse_note(text) is None


@pytest.mark.parametrize(
    ("changed", "fits"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"path": "backup/b"}, False, id="another path"),
        pytest.param({"size": 101}, False, id="another size"),
        pytest.param({"modified": "2023-11-14T22:13:20.124Z"}, False, id="another time"),
        pytest.param({"parent_id": "other"}, False, id="another folder"),
        pytest.param({"replaced_id": "other", "parent_id": ""}, False, id="another file"),
        pytest.param({"replaced_id": "id", "parent_id": ""}, True, id="what was made is there by now"),
    ],
)
def test_which_write_it_is_about(changed: dict[str, str], *, fits: bool) -> None:
    asked = {"path": NOTE.path, "size": NOTE.size, "modified": NOTE.modified}
    asked |= {"replaced_id": "", "parent_id": "parent"} | changed
    assert NOTE.fits(**asked) is fits  # type: ignore[arg-type]


def test_an_update_that_was_begun_is_no_new_file() -> None:
    update = replace(NOTE, parent_id="")
    size, modified = NOTE.size, NOTE.modified
    assert update.fits("backup/a", size, modified, replaced_id="id", parent_id="")
    assert not update.fits("backup/a", size, modified, replaced_id="", parent_id="parent")


def test_the_address_shows_only_where_it_is_kept() -> None:
    assert "secret" not in repr(NOTE)
    assert "secret" in NOTE.to_text()
