"""The index remembers what each file was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivesync.files import LocalFile
from drivesync.index import Index

if TYPE_CHECKING:
    from pathlib import Path

MANY = [
    LocalFile(f"data/obj/{number:05}.png", number, number * 10**9, f"{number:032x}") for number in range(2000)
]


def test_what_is_recorded_is_found(tmp_path: Path) -> None:
    first = LocalFile("it's 日本", 1, 2, "a", "revision")
    second = LocalFile("b", 2**40, 2**62, "b")
    with Index(tmp_path) as index:
        index.record()
        index.record(first, second)
        assert index.find("it's 日本") == first
        assert index.find("absent") is None
        changed = LocalFile("b", 3, 4, "c")
        index.record(changed)
    with Index(tmp_path) as index:
        assert index.read() == {first.path: first, "b": changed}


def test_among_many(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        index.record(*MANY)
        assert index.among([]) == {}
        wanted = [file.path for file in MANY[::2]] + [f"absent/{number}" for number in range(1000)]
        assert index.among(wanted) == {file.path: file for file in MANY[::2]}


def test_it_is_of_no_use_outside_its_context(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="outside its context"):
        Index(tmp_path).read()
