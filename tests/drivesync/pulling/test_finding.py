"""Packs are looked for where that is worth it, and whatever is wrong with them costs a line."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import TransientError
from drivesync.pulling import finding
from drivesync.pulling.finding import MOST_MEMBER_BYTES, find_packs
from drivesync.pulling.manifest import MANIFEST, Manifest, Member, Pack, write_manifest
from drivesync.pulling.packed import NO_PACKS

if TYPE_CHECKING:
    from tests.drivesync.conftest import Notes, Scripted

MD5 = "0" * 32


@pytest.fixture(autouse=True)
def _packing(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remote in memory is one beside whose trees packs are kept."""
    monkeypatch.setattr(type(scripted), "files_in", lambda _self, _path: (), raising=False)


def manifest(member_bytes: int = 10) -> bytes:
    member = Member("data/1.txt", member_bytes, MD5, "id", 512)
    return write_manifest(Manifest((Pack(f"{MD5}.tar", member_bytes + 1024, MD5, "pack", (member,)),)))


def test_what_there_is(scripted: Scripted, notes: Notes) -> None:
    scripted.put(MANIFEST, manifest())
    (pack,) = find_packs(scripted, notes.note).manifest.packs
    assert [member.path for member in pack.members] == ["data/1.txt"]
    assert notes.lines == []


def test_there_are_none(scripted: Scripted, notes: Notes) -> None:
    assert find_packs(scripted, notes.note) is NO_PACKS
    assert notes.lines == []


def test_a_remote_that_keeps_no_packs_is_not_asked(
    scripted: Scripted, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.put(MANIFEST, manifest())
    monkeypatch.delattr(type(scripted), "files_in")
    assert find_packs(scripted, notes.note) is NO_PACKS
    assert scripted.reads == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "torn", id="empty"),
        pytest.param(manifest()[:-20], "torn", id="torn"),
        pytest.param(b"no gzip", "is damaged", id="no manifest"),
        pytest.param(gzip.compress(json.dumps({"format": 99}).encode()), "version", id="a later version"),
        pytest.param(manifest(MOST_MEMBER_BYTES + 1), "too large for a pack", id="a member for the disk"),
    ],
)
def test_a_manifest_that_is_none(scripted: Scripted, notes: Notes, content: bytes, said: str) -> None:
    scripted.put(MANIFEST, content)
    assert find_packs(scripted, notes.note) is NO_PACKS
    (line,) = notes.lines
    assert line.startswith("packs are of no use now, files come one by one: the manifest of packs ")
    assert said in line


def test_one_that_is_too_large_is_not_read(
    scripted: Scripted, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "MOST_MANIFEST_BYTES", 10)
    scripted.put(MANIFEST, manifest())
    assert find_packs(scripted, notes.note) is NO_PACKS
    assert (len(notes.lines), scripted.reads) == (1, [])


def test_one_that_comes_damaged(scripted: Scripted, notes: Notes) -> None:
    scripted.put(MANIFEST, manifest())
    scripted.on_read = lambda *_: manifest(11)
    assert find_packs(scripted, notes.note) is NO_PACKS
    assert notes.lines == [
        "packs are of no use now, files come one by one: the manifest of packs came damaged"
    ]


def test_one_that_is_not_to_be_had(scripted: Scripted, notes: Notes) -> None:
    def fail(*_: object) -> None:
        raise TransientError("reading it: no connection")

    scripted.put(MANIFEST, manifest())
    scripted.on_read = fail
    assert find_packs(scripted, notes.note) is NO_PACKS
    assert notes.lines == ["packs are of no use now, files come one by one: reading it: no connection"]
