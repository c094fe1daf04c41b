"""What was built last is read as it was written; what cannot be read is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trainer.building.record import BuildRecord, State, read_record, write_record

if TYPE_CHECKING:
    from pathlib import Path


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = BuildRecord(State.ENDED, "this", {"obj/a.o": (6, 12)}, {"darknet": "ab"}, "cache")
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"state": "ended"', id="torn"),
        pytest.param(
            b'{"state": "odd", "inputs": "", "objects": {}, "products": {}, "where_from": ""}', id="odd"
        ),
        pytest.param(b"[1]", id="a list"),
        pytest.param(
            b'{"state": "ended", "inputs": "", "objects": {"a": 1}, "products": {}}', id="another form"
        ),
    ],
)
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".trainer").mkdir()
    (tmp_path / ".trainer/build.json").write_bytes(content)
    assert read_record(tmp_path) is None
