"""Receipts, in ``TREE/.drivesync/receipts.jsonl``: one line for each push that was verified, never changed again."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from drivesync.disk import append_line, make_state_folder
from drivesync.files import STATE_FOLDER, Receipt

if TYPE_CHECKING:
    from pathlib import Path

_RECEIPTS = "receipts.jsonl"
_FIELDS = frozenset(field.name for field in fields(Receipt))


def append_receipt(tree: Path, receipt: Receipt) -> None:
    """Write ``receipt`` down, durably.

    Raises:
        LocalWriteError: the disk cannot take it; nothing is left of it.
    """
    append_line(make_state_folder(tree) / _RECEIPTS, json.dumps(asdict(receipt)).encode())


def read_receipts(tree: Path) -> list[Receipt]:
    """All receipts, oldest first; a line torn by a crash is passed over."""
    receipts = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for line in (tree / STATE_FOLDER / _RECEIPTS).read_bytes().splitlines():
            with suppress(ValueError, TypeError, AttributeError):
                record = json.loads(line)
                receipts.append(Receipt(**{key: record[key] for key in record.keys() & _FIELDS}))
    return receipts
