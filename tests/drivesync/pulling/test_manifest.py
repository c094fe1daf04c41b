"""What is believed of a manifest, which anybody who shares the folder may have written."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.errors import DamagedError
from drivesync.files import refuse_name
from drivesync.pulling import manifest as module
from drivesync.pulling.manifest import (
    MANIFEST,
    MOST_MANIFEST_BYTES,
    Manifest,
    ManifestError,
    Member,
    Pack,
    read_manifest,
    tar_bytes,
    write_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAME, OTHER_NAME = "0" * 32 + ".tar", "1" * 32 + ".tar"
MD5 = "d" * 32
PACK = Pack(
    NAME,
    4096,
    MD5,
    "pack-id",
    (Member("data/a.png", 512, MD5, "a", 512), Member("data/日本.txt", 7, MD5, "b", 1536)),
)
MANIFEST_OF_TWO = Manifest((PACK, replace(PACK, name=OTHER_NAME, members=())))


def told(change: Callable[[dict[str, Any]], object]) -> bytes:
    """MANIFEST_OF_TWO as it lies on the remote, with something else in it."""
    said = json.loads(gzip.decompress(write_manifest(MANIFEST_OF_TWO)))
    change(said)
    return gzip.compress(json.dumps(said).encode())


def in_pack(**changed: object) -> bytes:
    return told(lambda said: said["packs"][0].update(changed))


def in_members(name: str, column: object) -> bytes:
    return told(lambda said: said["packs"][0]["members"].update({name: column}))


@pytest.mark.parametrize("manifest", [Manifest(), MANIFEST_OF_TWO])
def test_what_is_written_is_read(manifest: Manifest) -> None:
    raw = write_manifest(manifest)
    assert read_manifest(raw) == manifest
    assert write_manifest(manifest) == raw


def test_it_lies_where_no_pull_looks() -> None:
    assert MANIFEST == ".drivesync/packs/manifest.json.gz"
    assert PACK.path == f".drivesync/packs/{NAME}"


def test_twenty_thousand_files_take_two_megabytes_at_most() -> None:
    chance = random.Random(3)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    members = tuple(
        Member(
            f"data/obj/train/image_{number // 2:06}.{'txt' if number % 2 else 'jpg'}",
            chance.randrange(15_000, 25_000),
            chance.randbytes(16).hex(),
            "1" + "".join(chance.choices(letters, k=32)),
            number * 30_000,
        )
        for number in range(20_000)
    )
    manifest = Manifest((Pack(NAME, 700_000_000, MD5, "id", members),))
    raw = write_manifest(manifest)
    assert len(raw) < 2_000_000
    assert read_manifest(raw) == manifest


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="something else"),
        pytest.param(write_manifest(MANIFEST_OF_TWO)[:-9], id="torn"),
        pytest.param(write_manifest(MANIFEST_OF_TWO)[:30], id="torn early"),
        pytest.param(gzip.compress(b"[" * 100_000), id="nested without end"),
        pytest.param(gzip.compress(b"\xff\xfe\xfa"), id="no text"),
        pytest.param(gzip.compress(b"[1]"), id="a list"),
        pytest.param(b"\0" * (MOST_MANIFEST_BYTES + 1), id="large"),
        pytest.param(told(lambda said: said.update(format=2)), id="a later version"),
        pytest.param(told(lambda said: said.pop("packs")), id="no packs"),
        pytest.param(told(lambda said: said["packs"].append(said["packs"][0])), id="one pack twice"),
        pytest.param(told(lambda said: said["packs"].append(None)), id="no pack"),
        pytest.param(in_pack(name="../../x.tar"), id="a pack outside"),
        pytest.param(in_pack(name=NAME + "\n"), id="a line after a name"),
        pytest.param(in_pack(name=7), id="a number for a name"),
        pytest.param(in_pack(size=1542), id="smaller than its members"),
        pytest.param(in_pack(size=-1), id="less than nothing"),
        pytest.param(in_pack(size=1 << 60), id="larger than all disks"),
        pytest.param(in_pack(size=True), id="true is no size"),
        pytest.param(in_pack(size=4096.0), id="nor is a fraction"),
        pytest.param(in_pack(md5="D" * 32), id="no md5"),
        pytest.param(in_pack(id="a/b?c"), id="no id"),
        pytest.param(in_pack(members=[]), id="no columns"),
        pytest.param(in_members("path", ["a"]), id="a path too few"),
        pytest.param(in_members("path", "ab"), id="a text for a list"),
        pytest.param(in_members("path", ["a", "../b"]), id="a path that leads out"),
        pytest.param(in_members("path", ["a", "/etc/passwd"]), id="a path from the top"),
        pytest.param(in_members("path", ["a", "b\0"]), id="a path that no file has"),
        pytest.param(in_members("path", ["a", ["b"]]), id="a list for a path"),
        pytest.param(in_members("offset", [512, 1023]), id="one over the other"),
        pytest.param(in_members("offset", [1536, 512]), id="not in order"),
        pytest.param(in_members("offset", [512, 4090]), id="beyond the end"),
        pytest.param(in_members("offset", [-512, 1536]), id="before the beginning"),
        pytest.param(in_members("size", [10**30, 7]), id="a size that lies"),
        pytest.param(in_members("md5", ["", MD5]), id="no checksum"),
        pytest.param(in_members("id", ["a", ""]), id="no file"),
    ],
)
def test_what_cannot_be_is_refused(raw: bytes) -> None:
    with pytest.raises(ManifestError, match="manifest of packs") as refused:
        read_manifest(raw)
    assert isinstance(refused.value, DamagedError)
    assert len(str(refused.value)) < 300


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_TEXT_BYTES", 1 << 20)
    with pytest.raises(ManifestError, match="unpacks to more than it may"):
        read_manifest(gzip.compress(b" " * (2 << 20)))
    with pytest.raises(ManifestError, match="too large"):
        write_manifest(Manifest((replace(PACK, members=PACK.members[:1] * 20_000),)))


def test_no_more_files_are_named_than_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MEMBERS", 1)
    with pytest.raises(ManifestError, match="more than 1 files"):
        read_manifest(write_manifest(MANIFEST_OF_TWO))


@given(st.data())
def test_flipped_bytes_give_an_error_or_a_manifest_that_can_be(data: st.DataObject) -> None:
    text = bytearray(zlib.decompress(write_manifest(MANIFEST_OF_TWO), wbits=31))
    for at in data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=4)):
        text[at] = data.draw(st.integers(0, 255))
    try:
        manifest = read_manifest(gzip.compress(bytes(text)))
    except ManifestError:
        return
    for pack in manifest.packs:
        end = 0
        for member in pack.members:
            assert end <= member.offset <= member.offset + member.size <= pack.size
            assert not any(refuse_name(name) for name in member.path.split("/"))
            end = member.offset + member.size


@pytest.mark.parametrize(("size", "takes"), [(0, 512), (1, 1024), (512, 1024), (513, 1536)])
def test_what_a_file_takes_of_a_tar(size: int, takes: int) -> None:
    assert tar_bytes(size) == takes
