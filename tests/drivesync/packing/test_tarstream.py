"""A pack's bytes: a tar that everybody reads, and in it only what the remote has, too."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import UnfinishedError
from drivesync.files import RemoteFile
from drivesync.packing.pace import FullSpeed
from drivesync.packing.tarstream import MemberChangedError, TarStream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTENTS = {
    "data/a.png": b"\x89PNG" * 5000,
    "data/a.txt": b"0 0.5 0.5 1 1\n",
    "data/block": bytes(512),
    "data/it's 日本語 🦊.txt": b"x",
    f"{'deep/' * 60}long": b"y" * 700,
}


@pytest.fixture
def files(tmp_path: Path) -> list[RemoteFile]:
    """CONTENTS, in the tree ``tmp_path`` as on the remote."""
    made: list[RemoteFile] = []
    for path, content in CONTENTS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        made.append(RemoteFile(path, f"id of {path}", len(content), md5, 1_790_000_000.25))
    return made


@pytest.fixture
def open_tar(tmp_path: Path, files: list[RemoteFile]) -> Callable[..., TarStream]:
    return lambda **options: TarStream(tmp_path, files, FullSpeed(), **options)


def test_every_member_lies_where_it_is_said_to(open_tar: Callable[..., TarStream]) -> None:
    with open_tar() as stream:
        pack = stream.read()
    assert len(pack) == stream.size
    for member in stream.members:
        content = pack[member.offset : member.offset + member.size]
        assert content == CONTENTS[member.path]
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == member.md5
        assert member.file_id == f"id of {member.path}"
    assert [member.path for member in stream.members] == list(CONTENTS)


def test_it_is_a_tar(open_tar: Callable[..., TarStream], tmp_path: Path) -> None:
    with open_tar() as stream, tarfile.open(fileobj=stream) as tar:
        found = {entry.name: tar.extractfile(entry) for entry in tar}
        assert {name: content.read() for name, content in found.items() if content} == CONTENTS
    place = tmp_path / "pack.tar"
    with open_tar() as stream:
        place.write_bytes(stream.read())
    program = shutil.which("tar")
    assert program
    listed = subprocess.run(
        [program, "--list", "--quoting-style=literal", "--file", place],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (listed.stdout.splitlines(), listed.stderr) == (list(CONTENTS), "")


def test_no_files_are_an_empty_tar(tmp_path: Path) -> None:
    with TarStream(tmp_path, [], FullSpeed()) as stream:
        assert stream.read() == bytes(1024)
        assert stream.md5() == hashlib.md5(bytes(1024), usedforsecurity=False).hexdigest()


def test_read_in_any_order_it_is_the_same(open_tar: Callable[..., TarStream]) -> None:
    chance = random.Random(5)
    advanced: list[int] = []
    with open_tar() as stream:
        pack = stream.read()
    expected = hashlib.md5(pack, usedforsecurity=False).hexdigest()
    with open_tar(advance=advanced.append) as stream:
        for _ in range(100):
            at, size = chance.randrange(len(pack)), chance.choice([1, 511, 512, 9000])
            assert stream.seek(at) == stream.tell() == at
            assert stream.read(size) == pack[at : at + size]
        assert stream.seek(-10, io.SEEK_END) == len(pack) - 10
        assert stream.read() == pack[-10:]
        assert stream.md5() == expected
        assert stream.md5() == expected
    assert sum(advanced) == len(pack), "each byte is told of once"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda place: place.write_bytes(bytes(20_000)), id="changed"),
        pytest.param(lambda place: place.write_bytes(CONTENTS["data/a.png"] + b"x"), id="grown"),
        pytest.param(lambda place: place.write_bytes(b""), id="emptied"),
        pytest.param(lambda place: place.unlink(), id="deleted"),
    ],
)
def test_nothing_of_a_file_that_was_changed_is_given_away(
    open_tar: Callable[..., TarStream], tmp_path: Path, change: Callable[[Path], object]
) -> None:
    with open_tar() as stream:
        change(tmp_path / "data/a.png")
        with pytest.raises(MemberChangedError, match=r"data/a\.png was changed here while") as changed:
            stream.read(1)
    assert isinstance(changed.value, UnfinishedError)
    assert changed.value.file.path == "data/a.png"
