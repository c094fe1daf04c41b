"""Whatever a pack does, each file comes, and none comes wrong.

What a whole pull makes of packs is shown in test_pull_packed.py.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from typing import TYPE_CHECKING

import pytest

from drivesync.disk import look
from drivesync.errors import DiskFullError, DrivesyncError, LocalWriteError, RemoteError, TransientError
from drivesync.files import LocalFile, RemoteFile
from drivesync.pulling import pieces
from drivesync.pulling.fetch import Wanted
from drivesync.pulling.manifest import Manifest, Member, Pack
from drivesync.pulling.packed import Packed
from drivesync.pulling.parts import Parts
from drivesync.pulling.pieces import CONNECTIONS
from drivesync.pulling.transfers import Transfers
from drivesync.pulling.unpacking import Unpacking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.drivesync.conftest import Notes, Scripted


class Bench:
    """A tree that files are brought to out of one pack, and what was heard of them."""

    def __init__(self, remote: Scripted, tree: Path, notes: Notes) -> None:
        self.tree = tree
        self.remote = remote
        self.notes = notes
        self.done: list[str] = []
        self.failed: dict[str, DrivesyncError] = {}
        self.on_done: Callable[[LocalFile], None] = lambda local: self.done.append(local.path)

    def pack(self, files: Sequence[RemoteFile], contents: Sequence[bytes]) -> Pack:
        """Put a real tar with ``contents`` on the remote, as the pack of ``files``."""
        raw, members = io.BytesIO(), []
        with tarfile.open(fileobj=raw, mode="w") as tar:
            for file, content in zip(files, contents, strict=True):
                info = tarfile.TarInfo(file.path)
                info.size = len(content)
                members.append(Member(file.path, file.size, file.md5, file.id, tar.offset + 512))
                tar.addfile(info, io.BytesIO(content))
        name = f"{hashlib.md5(raw.getvalue(), usedforsecurity=False).hexdigest()}.tar"
        put = self.remote.put(f".drivesync/packs/{name}", raw.getvalue())
        return Pack(name, put.size, put.md5, put.id, tuple(members))

    def bring(self, files: Sequence[RemoteFile], pack: Pack) -> int:
        """The number of files that came out of ``pack``."""
        with (
            Transfers(
                self.remote,
                self.tree,
                Parts(self.tree),
                self.notes,
                lambda local: self.on_done(local),  # noqa: PLW0108 - a test may change it meanwhile
                lambda path, error: self.failed.update({path: error}),
            ) as transfers,
            Unpacking(self.remote, transfers, self.notes.note) as running,
        ):
            for one in Packed(Manifest((pack,))).take(files):
                running.add(one, Wanted(one.file, look(self.tree, one.file.path)))
            running.add_no_more()
            transfers.finish()
        return running.files

    def is_whole(self, contents: dict[str, bytes]) -> bool:
        return {
            path.relative_to(self.tree).as_posix(): path.read_bytes()
            for path in self.tree.rglob("*")
            if path.is_file() and ".drivesync" not in path.parts
        } == contents


CONTENTS = {f"data/{number:03}": b"%d " % number * (number % 7 * 100) for number in range(60)}
"""Some of them are empty."""


@pytest.fixture
def bench(scripted: Scripted, tmp_path: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(pieces, "_PIECE_BYTES", 10_000)
    scripted.block_bytes = 777
    return Bench(scripted, tmp_path / "tree", notes)


@pytest.fixture
def files(scripted: Scripted) -> list[RemoteFile]:
    return [scripted.put(path, content) for path, content in CONTENTS.items()]


@pytest.fixture
def pack(bench: Bench, files: list[RemoteFile]) -> Pack:
    return bench.pack(files, list(CONTENTS.values()))


def test_all_of_it_comes_in_a_few_requests(bench: Bench, files: list[RemoteFile], pack: Pack) -> None:
    assert bench.bring(files, pack) == len(files)
    assert bench.is_whole(CONTENTS)
    assert sorted(bench.done) == sorted(CONTENTS)
    assert {path for path, _, _ in bench.remote.reads} == {pack.path}
    assert len(bench.remote.reads) < 15
    assert bench.remote.most_at_once <= CONNECTIONS
    assert bench.notes.size_bytes == sum(map(len, CONTENTS.values()))
    assert bench.notes.lines == []
    status = (bench.tree / "data" / "001").stat()
    assert status.st_mtime_ns == 1_500_000_000
    assert list((bench.tree / ".drivesync" / "partial").iterdir()) == []


def test_a_file_of_two_paths(bench: Bench, files: list[RemoteFile], pack: Pack) -> None:
    twin = RemoteFile("data/twin", files[6].id, files[6].size, files[6].md5, 1.5)
    assert bench.bring([*files, twin], pack) == len(files) + 1
    assert bench.is_whole(CONTENTS | {"data/twin": CONTENTS["data/006"]})


def test_a_piece_of_which_all_is_wanted_is_read_before_the_listing_ends(
    bench: Bench, files: list[RemoteFile], pack: Pack
) -> None:
    begun = threading.Event()
    bench.remote.on_read = lambda *_: begun.set()
    parts, ignore = Parts(bench.tree), lambda *_: None
    with (
        Transfers(bench.remote, bench.tree, parts, bench.notes, ignore, ignore) as transfers,
        Unpacking(bench.remote, transfers, bench.notes.note) as running,
    ):
        for one in Packed(Manifest((pack,))).take(files[:-1]):
            running.add(one, Wanted(one.file, None))
        assert begun.wait(20)
        for one in Packed(Manifest((pack,))).take(files[-1:]):
            running.add(one, Wanted(one.file, None))
        running.add_no_more()
        transfers.finish()
    assert bench.is_whole(CONTENTS)


class TestNotAsItSays:
    def test_a_member_with_another_content_comes_alone(self, bench: Bench, files: list[RemoteFile]) -> None:
        contents = [
            content[:-1] + b"?" if number == 9 else content
            for number, content in enumerate(CONTENTS.values())
        ]
        pack = bench.pack(files, contents)
        assert bench.bring(files, pack) == len(files) - 1
        assert bench.is_whole(CONTENTS)
        assert {path for path, _, _ in bench.remote.reads} == {pack.path, "data/009"}
        assert bench.notes.lines == [
            f"a pack is of no use, its files come one by one: {pack.path} does not hold what its manifest says"
        ]
        assert bench.notes.size_bytes == sum(map(len, CONTENTS.values()))

    def test_nothing_of_it_is_right(self, bench: Bench, files: list[RemoteFile]) -> None:
        pack = bench.pack(files, [content[::-1] for content in CONTENTS.values()])
        empty = sum(not content for content in CONTENTS.values())
        assert bench.bring(files, pack) == empty
        assert bench.is_whole(CONTENTS)
        assert len(bench.notes.lines) == 1

    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(TransientError("the connection broke"), id="it broke off for good"),
            pytest.param(RemoteError("gone"), id="it is gone"),
        ],
    )
    def test_what_a_request_did_not_bring_comes_alone(
        self, bench: Bench, files: list[RemoteFile], pack: Pack, error: DrivesyncError
    ) -> None:
        reads: list[int] = []

        def fail_second(file: RemoteFile, first: int, _last: int) -> bytes | None:
            if file.path == pack.path:
                reads.append(first)
                if len(reads) == 2:
                    raise error
            return None

        bench.remote.on_read = fail_second
        assert 0 < bench.bring(files, pack) < len(files)
        assert bench.is_whole(CONTENTS)
        assert bench.notes.lines == [f"a pack is of no use, its files come one by one: {error}"]

    def test_fewer_bytes_than_were_asked_for(self, bench: Bench, files: list[RemoteFile], pack: Pack) -> None:
        bench.remote.on_read = lambda file, *_: b"x" * 100 if file.path == pack.path else None
        bench.bring(files, pack)
        assert bench.is_whole(CONTENTS)


class TestHere:
    def test_what_was_changed_meanwhile_is_kept(
        self, bench: Bench, files: list[RemoteFile], pack: Pack
    ) -> None:
        def write(*_: object) -> None:
            (bench.tree / "data").mkdir(exist_ok=True)
            (bench.tree / "data" / "008").write_bytes(b"mine")

        bench.remote.on_read = write
        bench.bring(files, pack)
        assert bench.is_whole(CONTENTS | {"data/008": b"mine"})
        assert list(bench.failed) == ["data/008"]

    def test_one_that_cannot_be_written_hinders_no_other(
        self, bench: Bench, files: list[RemoteFile], pack: Pack
    ) -> None:
        (bench.tree / "data" / "008").mkdir(parents=True)
        bench.bring(files, pack)
        assert [type(error) for error in bench.failed.values()] == [LocalWriteError]
        assert bench.is_whole({path: content for path, content in CONTENTS.items() if path != "data/008"})

    def test_a_link_that_leads_out_is_not_followed(
        self, bench: Bench, files: list[RemoteFile], pack: Pack, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        bench.tree.mkdir()
        (bench.tree / "data").symlink_to(outside)
        bench.bring(files, pack)
        assert len(bench.failed) == len(files)
        assert list(outside.iterdir()) == []

    def test_a_full_disk_ends_it(
        self, bench: Bench, files: list[RemoteFile], pack: Pack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fill(*_: object, **_more: object) -> None:
            raise DiskFullError("no room")

        monkeypatch.setattr(Parts, "open", fill)
        with pytest.raises(DiskFullError, match="no room"):
            bench.bring(files, pack)
        assert bench.failed == {}
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("unpack")]

    def test_what_is_interrupted_ends_soon(
        self, bench: Bench, files: list[RemoteFile], pack: Pack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun = threading.Event()

        def wait(*_: object) -> None:
            begun.set()
            bench.remote.cancelled.wait(20)

        def interrupt(_transfers: Transfers) -> None:
            assert begun.wait(20)
            raise KeyboardInterrupt

        bench.remote.on_read = wait
        monkeypatch.setattr(Transfers, "finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            bench.bring(files, pack)
        assert bench.remote.cancelled.is_set()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("unpack")]
        assert {path for path, _, _ in bench.remote.reads} == {pack.path}
