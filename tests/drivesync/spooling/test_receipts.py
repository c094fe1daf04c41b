"""A receipt is there whole or not at all."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DiskFullError, LocalWriteError
from drivesync.files import Receipt
from drivesync.spooling.receipts import append_receipt, read_receipts

if TYPE_CHECKING:
    from pathlib import Path

RECEIPT = Receipt(
    "backup/run_last.weights",
    10,
    "md5",
    "sha256",
    "id",
    "1",
    1.5,
    100,
    run="backup/run",
    role="last",
    proven=False,
    progress=6400,
)


def kept_in(tree: Path) -> Path:
    return tree / ".drivesync" / "receipts.jsonl"


def test_one_line_each_in_their_order(tmp_path: Path) -> None:
    assert read_receipts(tmp_path) == []
    other = Receipt("chart.png", 1, "m", "s", "i", "2", 2.5)
    append_receipt(tmp_path, RECEIPT)
    append_receipt(tmp_path, other)
    assert read_receipts(tmp_path) == [RECEIPT, other]
    assert kept_in(tmp_path).read_bytes().count(b"\n") == 2


def test_lines_of_earlier_and_of_later_versions(tmp_path: Path) -> None:
    append_receipt(tmp_path, RECEIPT)
    record = json.loads(kept_in(tmp_path).read_bytes())
    earlier = {
        key: value for key, value in record.items() if key not in {"run", "role", "proven", "progress"}
    }
    later = record | {"weather": "fine"}
    kept_in(tmp_path).write_text(f"{json.dumps(earlier)}\n{json.dumps(later)}\n")
    first, second = read_receipts(tmp_path)
    assert (first.iteration, first.run, first.role, first.proven) == (100, "", "other", True)
    assert first.progress is None
    assert second == RECEIPT


def test_what_a_crash_tore_is_passed_over_and_what_comes_next_is_whole(tmp_path: Path) -> None:
    append_receipt(tmp_path, RECEIPT)
    with kept_in(tmp_path).open("ab") as file:
        file.write(b'null\n[]\n{"path": "x"}\n\xff\xfe\n{"path": "backup/run_l')
    append_receipt(tmp_path, RECEIPT)
    assert read_receipts(tmp_path) == [RECEIPT, RECEIPT]


def test_without_room_nothing_is_left_of_it(small_disk: Path) -> None:
    append_receipt(small_disk, RECEIPT)
    before = kept_in(small_disk).read_bytes()
    # What is left in its last page takes some more.
    kept_in(small_disk).write_bytes(before + b"\n" * (4096 - 10 - len(before)))
    with (small_disk / "filling").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with pytest.raises(DiskFullError, match="receipts"):
        append_receipt(small_disk, RECEIPT)
    assert kept_in(small_disk).stat().st_size == 4096 - 10
    assert read_receipts(small_disk) == [RECEIPT]
    (small_disk / "filling").unlink()
    append_receipt(small_disk, RECEIPT)
    assert read_receipts(small_disk) == [RECEIPT, RECEIPT]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    kept_in(tmp_path).mkdir(parents=True)
    with pytest.raises(LocalWriteError, match="receipts"):
        append_receipt(tmp_path, RECEIPT)


def test_no_tree_no_receipts(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert read_receipts(tmp_path / "absent") == read_receipts(tmp_path / "file") == []
