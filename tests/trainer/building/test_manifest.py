"""What is said of kept builds is believed as far as it keeps to its form, and no further."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivesync.errors import DamagedError
from trainer.building.key import BuildKey
from trainer.building.manifest import (
    KEPT,
    MAX_BUILD_BYTES,
    Kept,
    Manifest,
    Product,
    add_to_index,
    read_index,
    read_manifest,
    refuse_product,
    write_index,
    write_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = BuildKey(
    "ab" * 32, ("GPU=1", "ARCH=-gencode arch=compute_75,code=[sm_75,compute_75]"), capability="7.5"
)
PROGRAM = Product("darknet", 5_120_304, "cd" * 32, executable=True)
LIBRARY = Product("build/src-lib/libdarknet.so", 9_000_000, "ef" * 32, executable=False)
MANIFEST = Manifest(KEY, (LIBRARY, PROGRAM), 1_790_000_000.0)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert read_manifest(write_manifest(MANIFEST), KEY) == MANIFEST


@pytest.mark.parametrize(
    "path",
    ["darknet", "uselib", "libdarknet.so", "libdarknet.so.5.1", "libdarknet.a", "build/src-cli/darknet"],
)
def test_what_compiling_makes(path: str) -> None:
    assert refuse_product(path) == ""


HOSTILE = [
    pytest.param("", id="nothing"),
    pytest.param("../../x", id="out of the tree"),
    pytest.param("build/../../x", id="out of the tree, in two steps"),
    pytest.param("build/../train.py", id="beside build"),
    pytest.param("/usr/bin/darknet", id="absolute"),
    pytest.param("build//darknet", id="an empty name"),
    pytest.param("build/./darknet", id="a dot"),
    pytest.param("build/.git/hooks/x", id="a hidden folder"),
    pytest.param("build", id="a folder's name"),
    pytest.param("build/a\nb", id="two lines"),
    pytest.param("build/a\0b", id="a byte 0"),
    pytest.param("build/\x1b[2Jx", id="orders to the terminal"),
    pytest.param("build/\N{FULLWIDTH FULL STOP}", id="letters that look like others"),
    pytest.param("build\\darknet", id="another system's path"),
    pytest.param("/".join(["build"] * 20), id="deep"),
    pytest.param("build/" + "x" * 300, id="long"),
    pytest.param("train.txt", id="a file of the user's"),
    pytest.param("cfg/remote.cfg", id="a cfg"),
    pytest.param("Makefile", id="the Makefile"),
    pytest.param(".trainer/build.json", id="what trainer knows"),
    pytest.param("DARKNET", id="another name"),
]


@pytest.mark.parametrize("path", HOSTILE)
def test_no_other_path_is_ever_written_to(path: str) -> None:
    assert refuse_product(path)
    hostile = replace(MANIFEST, products=(replace(PROGRAM, path=path),))
    with pytest.raises(DamagedError, match="by its manifest"):
        read_manifest(write_manifest(hostile), KEY)


def _with(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda said: said.update(changes)


def _with_file(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda said: said["files"][0].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_with(format=2), id="another format"),
        pytest.param(_with(key={**KEY.said, "glibc": "2.17"}), id="another key"),
        pytest.param(_with(key=None), id="no key"),
        pytest.param(_with(files=[]), id="no files"),
        pytest.param(_with(files="darknet"), id="files that are a text"),
        pytest.param(_with(files=[None]), id="a file that is nothing"),
        pytest.param(_with(built_at_s=float("nan")), id="no time"),
        pytest.param(_with(built_at_s="now"), id="a time in words"),
        pytest.param(_with_file(size=0), id="an empty file"),
        pytest.param(_with_file(size=-1), id="less than empty"),
        pytest.param(_with_file(size=MAX_BUILD_BYTES), id="too much in all"),
        pytest.param(_with_file(size=10**30), id="an absurd size"),
        pytest.param(_with_file(size=1.5), id="half a byte"),
        pytest.param(_with_file(size=True), id="a size that is none"),
        pytest.param(_with_file(sha256="CD" * 32), id="a checksum as we do not write it"),
        pytest.param(_with_file(sha256="../" + "cd" * 30), id="a checksum that is a path"),
        pytest.param(_with_file(executable="yes"), id="a run bit in words"),
        pytest.param(_with_file(path=None), id="no path"),
        pytest.param(_with_file(path="darknet"), id="one path twice"),
        pytest.param(
            lambda said: said["files"][1].update(path="build/src-lib"), id="a file that is a folder"
        ),
        pytest.param(lambda said: said.update(files=said["files"] * 5), id="too many files"),
        pytest.param(lambda said: said.pop("files"), id="a field is missing"),
    ],
)
def test_a_foreign_manifest_is_none(change: Callable[[dict[str, Any]], None]) -> None:
    said = json.loads(write_manifest(MANIFEST))
    change(said)
    with pytest.raises(DamagedError):
        read_manifest(json.dumps(said).encode(), KEY)


@given(st.integers(0, len(write_manifest(MANIFEST)) - 3))
def test_a_torn_manifest_is_none(length: int) -> None:
    with pytest.raises(DamagedError):
        read_manifest(write_manifest(MANIFEST)[:length], KEY)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"[]", b"null", b"\xff\xfe", b'{"format": 1}'])
def test_nonsense_is_neither_a_manifest_nor_an_index(content: bytes) -> None:
    with pytest.raises(DamagedError):
        read_manifest(content, KEY)
    assert read_index(content) == ()


def line(number: int, *files: str) -> Kept:
    return Kept(f"{number:032x}", 1_790_000_000.0 + number, tuple(sorted(files)) or (f"{number:064x}",))


def test_an_index_is_read_as_it_was_written() -> None:
    index = (line(1), line(2))
    assert read_index(write_index(index)) == index


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(replace(line(2), key="../../darknet"), id="a path for a key"),
        pytest.param(replace(line(2), files=("../../train.txt",)), id="a path for a checksum"),
        pytest.param(replace(line(2), files=("",)), id="no checksum"),
        pytest.param(replace(line(2), at_s=float("inf")), id="no time"),
    ],
)
def test_of_an_index_only_what_is_ours_is_read(foreign: Kept) -> None:
    assert read_index(write_index([line(1), foreign, line(3)])) == (line(1), line(3))


@pytest.mark.parametrize(
    ("before", "after", "old"),
    [
        pytest.param([], [9], [], id="the first"),
        pytest.param([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 9], [], id="as many as are kept"),
        pytest.param([1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 9], [1], id="the oldest goes"),
        pytest.param(list(range(10, 20)), [15, 16, 17, 18, 19, 9], [10, 11, 12, 13, 14], id="far too many"),
        pytest.param([1, 9, 2, 3, 4, 5], [1, 2, 3, 4, 5, 9], [], id="kept again: the newest, and none goes"),
    ],
)
def test_the_newest_are_kept(before: list[int], after: list[int], old: list[int]) -> None:
    kept, gone = add_to_index([line(number) for number in before], line(9))
    assert kept == tuple(line(number) for number in after)
    assert gone == tuple(line(number) for number in old)
    assert len(kept) <= KEPT


def test_files_of_an_earlier_try_are_remembered() -> None:
    kept, _ = add_to_index([line(9, "aa" * 32)], line(9, "bb" * 32))
    assert kept == (line(9, "aa" * 32, "bb" * 32),)
