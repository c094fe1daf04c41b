"""Receipts, in ``TREE/.drivesync/receipts.jsonl``: one line for each push that was verified, never changed again."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from drivesync.disk import fsync_folder, local_errors, make_state_folder
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
    path = make_state_folder(tree) / _RECEIPTS
    line = json.dumps(asdict(receipt)).encode() + b"\n"
    with local_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                line = b"\n" + line
            try:
                while line:
                    line = line[os.write(descriptor, line) :]
                os.fsync(descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)
    if end == 0:
        fsync_folder(path.parent)


def read_receipts(tree: Path) -> list[Receipt]:
    """All receipts, oldest first; a line torn by a crash is passed over."""
    receipts = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for line in (tree / STATE_FOLDER / _RECEIPTS).read_bytes().splitlines():
            with suppress(ValueError, TypeError, AttributeError):
                record = json.loads(line)
                receipts.append(Receipt(**{key: record[key] for key in record.keys() & _FIELDS}))
    return receipts
