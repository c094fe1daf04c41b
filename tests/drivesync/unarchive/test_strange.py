"""Archives as other programs make them, and as nobody should."""

from __future__ import annotations

import gzip
import io
import stat
import struct
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import DamagedError, SettingsError
from drivesync.pull import pull
from drivesync.pulling.plan import PullOptions
from tests.drivesync.unarchive.conftest import contents, make_tar, make_zip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from drivesync.pull import PullResult
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes

    Bring = Callable[..., PullResult]
    Unpack = Callable[[str, bytes], PullResult]

_CENTRAL = b"PK\x01\x02"
_LOCAL = b"PK\x03\x04"


@pytest.fixture
def unpack(bring: Bring, drive_emulator: DriveEmulator) -> Unpack:
    """``unpack("a.zip", content)`` pulls a tree in which that lies in a folder."""

    def run(name: str, content: bytes) -> PullResult:
        drive_emulator.put(f"darknet/data/{name}", content)
        return bring(f"data/{name}")

    return run


class Unseekable(io.RawIOBase):
    """A pipe: a zip written to it has its sizes behind its data."""

    def __init__(self) -> None:
        super().__init__()
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        self.content += bytes(data)
        return len(data)


def zip_one(info: zipfile.ZipInfo, data: bytes = b"content") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(info, data)
    return made.getvalue()


def tar_one(info: tarfile.TarInfo, data: bytes = b"") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
        archive.addfile(tarfile.TarInfo("last"))
    return made.getvalue()


def patch(archive: bytes, local: int, central: int, layout: str, value: int) -> bytes:
    """``archive`` with another number in the headers of its only member."""
    patched = bytearray(archive)
    struct.pack_into(layout, patched, patched.index(_LOCAL) + local, value)
    struct.pack_into(layout, patched, patched.index(_CENTRAL) + central, value)
    return bytes(patched)


class TestOtherPrograms:
    def test_a_zip_that_was_streamed(self, unpack: Unpack, here: Path) -> None:
        pipe = Unseekable()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.txt", b"a" * 1000)
            archive.writestr("b.txt", b"b")
        assert unpack("a.zip", pipe.content).failed == []
        assert contents(here) == {"data/a.txt": b"a" * 1000, "data/b.txt": b"b"}

    def test_zip64(self, unpack: Unpack, here: Path) -> None:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive, archive.open("a.txt", "w", force_zip64=True) as member:
            member.write(b"content")
        unpack("a.zip", made.getvalue())
        assert contents(here) == {"data/a.txt": b"content"}

    def test_nothing_in_it(self, unpack: Unpack, here: Path) -> None:
        made = io.BytesIO()
        zipfile.ZipFile(made, "w").close()
        assert unpack("a.zip", made.getvalue()).unpacked[0].is_done
        assert unpack("a.tar", make_tar({})).unpacked[0].is_done
        assert contents(here) == {"data/a.zip": made.getvalue()}

    def test_a_program_before_the_zip(self, unpack: Unpack, here: Path) -> None:
        unpack("a.zip", b"#!/bin/sh\n" * 50 + make_zip({"a.txt": b"content"}))
        assert contents(here) == {"data/a.txt": b"content"}

    def test_a_zip_that_was_added_to(self, unpack: Unpack, here: Path) -> None:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("a.txt", b"old")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("a.txt", b"new")
        assert unpack("a.zip", made.getvalue()).unpacked[0].files == 1
        assert contents(here) == {"data/a.txt": b"new"}

    @pytest.mark.parametrize(("old", "new"), [(b"old", b"new"), (b"long and old", b"new")])
    def test_a_tar_that_was_added_to(self, unpack: Unpack, here: Path, old: bytes, new: bytes) -> None:
        made = io.BytesIO(make_tar({"a.txt": old}))
        with tarfile.open(fileobj=made, mode="a") as archive:
            info = tarfile.TarInfo("a.txt")
            info.size = len(new)
            archive.addfile(info, io.BytesIO(new))
        assert unpack("a.tar", made.getvalue()).failed == []
        assert contents(here) == {"data/a.txt": new}
        result = unpack("a.tar", made.getvalue())
        assert (result.conflicts, result.unpacked[0].files) == ([], 0)

    def test_gzip_by_several_threads(self, unpack: Unpack, here: Path) -> None:
        plain = make_tar({"a.txt": b"a" * 5000})
        unpack("a.tgz", gzip.compress(plain[:3000]) + gzip.compress(plain[3000:]))
        assert contents(here) == {"data/a.txt": b"a" * 5000}

    @pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_every_kind_of_tar(self, unpack: Unpack, here: Path, layout: int) -> None:
        name = "/".join(["folder of a name that is long"] * 4 + ["ü.txt"])
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=layout) as archive:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = 7, 5
            archive.addfile(info, io.BytesIO(b"content"))
        unpack("a.tar", made.getvalue())
        assert contents(here) == {f"data/{name}": b"content"}

    @pytest.mark.parametrize(
        ("raw", "system", "name"),
        [
            pytest.param("日本.jpg".encode(), 3, "日本.jpg", id="UTF-8 that does not say so"),
            pytest.param(b"\x81ber.jpg", 0, "über.jpg", id="cp437"),
            pytest.param(b"obj\\1.jpg", 0, "obj/1.jpg", id="Windows's slashes"),
            pytest.param(b"obj\\1.jpg", 3, "obj\\1.jpg", id="a name on Unix"),
        ],
    )
    def test_names_in_a_zip(self, unpack: Unpack, here: Path, raw: bytes, system: int, name: str) -> None:
        info = zipfile.ZipInfo("x" * len(raw))
        info.create_system = system
        unpack("a.zip", zip_one(info).replace(b"x" * len(raw), raw))
        assert contents(here) == {f"data/{name}": b"content"}

    def test_the_time_that_is_told_exactly(self, unpack: Unpack, here: Path) -> None:
        info = zipfile.ZipInfo("a.txt", (1999, 1, 1, 0, 0, 0))
        info.extra = struct.pack("<HHI", 0x7855, 4, 0) + struct.pack("<HHBi", 0x5455, 5, 1, 1_600_000_000)
        unpack("a.zip", zip_one(info))
        assert (here / "data/a.txt").stat().st_mtime == 1_600_000_000

    @pytest.mark.parametrize("said_s", [-5, 1 << 60])
    def test_a_time_that_no_disk_takes(self, unpack: Unpack, here: Path, said_s: int) -> None:
        info = tarfile.TarInfo("a.txt")
        info.mtime = said_s
        assert unpack("a.tar", tar_one(info)).failed == []
        assert (here / "data/a.txt").stat().st_mtime == 0


class TestNoFiles:
    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
    )
    def test_in_a_tar(self, unpack: Unpack, here: Path, kind: bytes) -> None:
        info = tarfile.TarInfo("x")
        info.type, info.linkname = kind, "/etc/passwd"
        (skipped,) = unpack("a.tar", tar_one(info)).skipped
        assert skipped.path == "data/a.tar: x"
        assert skipped.reason in {"it is a link", "it is no file"}
        assert contents(here) == {"data/last": b""}
        assert not (here / "data/x").is_symlink()

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO])
    def test_in_a_zip(self, unpack: Unpack, here: Path, kind: int) -> None:
        info = zipfile.ZipInfo("x")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        (skipped,) = unpack("a.zip", zip_one(info)).skipped
        assert skipped.reason in {"it is a link", "it is no file"}
        assert contents(here) == {}

    def test_a_link_and_a_file_below_it(self, unpack: Unpack, here: Path, tmp_path: Path) -> None:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            link = tarfile.TarInfo("out")
            link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
            archive.addfile(link)
            archive.addfile(tarfile.TarInfo("out/x"))
        unpack("a.tar", made.getvalue())
        assert contents(here) == {"data/out/x": b""}
        assert not (tmp_path / "x").exists()


ESCAPES = ["../x", "/etc/x", "a/../../x", "C:\\x", ".drivesync/index.sqlite", ".trainer/x", "x" * 300]


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_escapes(
    bring: Bring, drive_emulator: DriveEmulator, here: Path, tmp_path: Path, name: str, kind: str
) -> None:
    bad = zip_one(zipfile.ZipInfo(name)) if kind == "zip" else tar_one(tarfile.TarInfo(name))
    drive_emulator.put(f"darknet/a.{kind}", bad)
    (skipped,) = bring(f"a.{kind}").skipped
    assert skipped.path == f"a.{kind}: {name}"
    assert contents(here).keys() <= {"last"}
    assert list(tmp_path.iterdir()) == [here]


def test_nul_ends_no_name(unpack: Unpack, here: Path) -> None:
    (skipped,) = unpack("a.zip", zip_one(zipfile.ZipInfo("a.jpg_.exe")).replace(b"_", b"\0")).skipped
    assert skipped.path == "data/a.zip: a.jpg\0.exe"
    assert contents(here) == {}


def test_of_many_that_are_left_out_some_are_named(unpack: Unpack) -> None:
    skipped = unpack("a.zip", make_zip({f"../{number}": b"" for number in range(250)})).skipped
    assert len(skipped) == 101
    assert skipped[0].reason == "150 more of its members are left out"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(patch(zip_one(zipfile.ZipInfo("a")), 6, 8, "<H", 1), "encrypted", id="encrypted"),
        pytest.param(patch(zip_one(zipfile.ZipInfo("a")), 8, 10, "<H", 9), "Deflate64", id="Deflate64"),
        pytest.param(patch(zip_one(zipfile.ZipInfo("a")), 8, 10, "<H", 77), "method 77", id="unheard of"),
        pytest.param(make_zip({"a": b"x"}, zipfile.ZIP_LZMA), "LZMA", id="fills the memory"),
    ],
)
def test_not_supported(unpack: Unpack, here: Path, content: bytes, said: str) -> None:
    ((_path, error),) = unpack("a.zip", content).failed
    assert isinstance(error, SettingsError)
    assert said in str(error)
    assert error.hint
    assert contents(here) == {}


def overlapping() -> bytes:
    """A zip in which one member lies within another."""
    inner = zip_one(zipfile.ZipInfo("b"), b"bb")
    inner_member = inner[: inner.index(_CENTRAL)]
    outer = zip_one(zipfile.ZipInfo("a"), inner_member)
    begin = outer.index(_CENTRAL)
    within = bytearray(inner[inner.index(_CENTRAL) : inner.index(b"PK\x05\x06")])
    struct.pack_into("<I", within, 42, outer.index(inner_member))
    directory = outer[begin : outer.index(b"PK\x05\x06", begin)] + bytes(within)
    return (
        outer[:begin]
        + directory
        + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2, 2, len(directory), begin, 0)
    )


def long_name_of(size: int) -> bytes:
    """A tar whose first member has a name of so many bytes."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, size
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(8 << 20)


TAR = make_tar({"a": b"a" * 600, "b": b"b"})
WHOLE = [("data/a", b"a" * 600), ("data/a", zip_one(zipfile.ZipInfo("b"), b"bb").partition(_CENTRAL)[0])]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("a.zip", overlapping(), "place|Overlap", id="members that overlap"),
        pytest.param(
            "a.zip",
            patch(zip_one(zipfile.ZipInfo("a")), 22, 24, "<I", 3),
            "CRC",
            id="stored, longer than declared",
        ),
        pytest.param(
            "a.zip",
            patch(zip_one(zipfile.ZipInfo("a")), 22, 24, "<I", 9),
            "shorter",
            id="stored, and shorter",
        ),
        pytest.param(
            "a.zip", patch(zip_one(zipfile.ZipInfo("a")), 14, 16, "<I", 3), "CRC", id="another checksum"
        ),
        pytest.param(
            "a.zip", zip_one(zipfile.ZipInfo("a")).replace(b"PK\x01\x02", b"PKXX"), "magic", id="directory"
        ),
        pytest.param(
            "a.zip", zip_one(zipfile.ZipInfo("a")).replace(b"PK\x03\x04", b"PKXX"), "magic", id="member"
        ),
        pytest.param("a.zip", b"", "not a zip", id="empty zip"),
        pytest.param("a.tar", b"", "empty", id="empty tar"),
        pytest.param("a.tar", b"x" * 2000, "", id="no tar"),
        pytest.param("a.tgz", b"x" * 2000, "gzip", id="no gzip"),
        pytest.param("a.tgz", make_tar(mode="w:gz")[:-100], "end", id="gzip, cut"),
        pytest.param("a.tar", TAR[: TAR.index(b"a" * 600) + 550], "", id="tar, cut in a member"),
        pytest.param(
            "a.tar", TAR.replace(b"./b\0", b"./c\0"), "header", id="a damaged header between others"
        ),
        pytest.param("a.tar", long_name_of(8 << 30), "header of it is", id="a name that fills the memory"),
        pytest.param("a.tar", long_name_of(4 << 20), "header of it is", id="a name that nobody needs"),
    ],
)
def test_makes_no_sense(unpack: Unpack, here: Path, name: str, content: bytes, said: str) -> None:
    result = unpack(name, content)
    ((path, error),) = result.failed
    assert path == f"data/{name}"
    assert isinstance(error, DamagedError)
    assert f"data/{name} cannot be unpacked: " in str(error)
    assert any(part in str(error) for part in said.split("|"))
    assert not result.unpacked[0].is_done
    # What came before the trouble is whole.
    assert all((path, data) in WHOLE for path, data in contents(here).items())


def test_on_a_disk_without_case(
    case_blind_disk: Path, remote: DriveRemote, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.put(
        "darknet/a.tar", make_tar({"obj/A.txt": b"A", "obj/a.txt": b"a", ".DRIVESYNC/x": b"x"})
    )
    tree = case_blind_disk / "here"
    result = pull(remote, tree, reporter=notes, options=PullOptions(unpack=("a.tar",)))
    assert (tree / "obj/A.txt").read_bytes() == b"A"
    assert [entry.reason for entry in result.skipped] == [
        "it would lie in what drivesync or the trainer keeps for itself",
        "this disk cannot tell its name from 'obj/A.txt'",
    ]
