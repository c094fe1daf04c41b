"""A tree that was packed comes out of its packs; whatever became of it or of them since, it is the tree on Drive.

Packs are made here by tarfile, as anybody might make them.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import shutil
import signal
import subprocess
import sys
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from drivesync.config import Settings
from drivesync.pull import PullResult, pull
from drivesync.pulling import finding, pieces
from drivesync.pulling.manifest import MANIFEST, PACKS_FOLDER, Manifest, Member, Pack, write_manifest
from drivesync.pulling.plan import PullOptions
from drivesync.remotes.drive.remote import DriveRemote
from drivesync.testing import TOKEN, Costs, CutDownload, DriveEmulator, ErrorAnswer, Fault, file_calls
from drivesync.testing.entries import Content
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find, make_folders, put_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from drivesync.testing.entries import Entry
    from drivesync.testing.service import Request
    from drivesync.testing.store import Store
    from drivesync.testing.wire import Answer
    from tests.drivesync.conftest import Ended, Notes

RANDOM = random.Random(8)
FILES = {
    **{f"data/obj/{number:03}.jpg": RANDOM.randbytes(2000 + number) for number in range(80)},
    **{f"data/obj/{number:03}.txt": b"0 0.5 0.5 0.1 0.%d\n" % number for number in range(80)},
    "data/obj/empty.txt": b"",
    "cfg/run.cfg": b"[net]",
    "darknet": b"#!/bin/sh",
}
NAME = f"{'a' * 32}.tar"


@dataclass
class Packing:
    """What is packed of a Drive, before it is put there; a test may spoil any of it.

    Attributes:
        raw: the pack.
        pack: what the manifest is to say of it.
    """

    store: Store
    raw: bytes
    pack: Pack

    def put(self) -> None:
        """Put it beside the tree."""
        pack_id = put_file(self.store, f"darknet/{PACKS_FOLDER}/{self.pack.name}", self.raw).id
        self.put_manifest(replace(self.pack, file_id=pack_id))

    def put_manifest(self, *packs: Pack) -> None:
        """Put the manifest of ``packs`` there."""
        put_file(self.store, f"darknet/{MANIFEST}", write_manifest(Manifest(packs)))


def entries_of(store: Store, folder: Entry | None, path: str = "") -> Iterator[tuple[str, Entry]]:
    """Every file of a tree, by its path."""
    assert folder is not None
    for child in store.children(folder.id):
        if child.is_folder and child.name != ".drivesync":
            yield from entries_of(store, child, f"{path}{child.name}/")
        elif child.head is not None:
            yield path + child.name, child


def pack_tree(store: Store, name: str = NAME, names: Callable[[str], str] = str) -> Packing:
    """All of the tree in one tar, whose members are called as ``names`` says."""
    raw, members = io.BytesIO(), []
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, entry in sorted(entries_of(store, find(store, "darknet"))):
            assert entry.head is not None
            content = entry.head.content
            info = tarfile.TarInfo(names(path))
            info.size = content.size_bytes
            members.append(Member(path, content.size_bytes, content.md5, entry.id, tar.offset + 512))
            tar.addfile(info, io.BytesIO(content.data))
    md5 = hashlib.md5(raw.getvalue(), usedforsecurity=False).hexdigest()
    return Packing(store, raw.getvalue(), Pack(name, len(raw.getvalue()), md5, "id", tuple(members)))


def contents(tree: Path) -> dict[str, bytes]:
    return {
        file.relative_to(tree).as_posix(): file.read_bytes()
        for file in tree.rglob("*")
        if file.is_file() and ".drivesync" not in file.parts
    }


def tree_on(store: Store) -> dict[str, bytes]:
    """What the tree on Drive holds."""
    return {
        path: bytes(entry.head.content.data)
        for path, entry in entries_of(store, find(store, "darknet"))
        if entry.head is not None
    }


@pytest.fixture(autouse=True)
def _small_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any file is worth asking for packs here, and 50 kB are much."""
    monkeypatch.setattr("drivesync.pull.WORTH_IT", 0)
    monkeypatch.setattr(pieces, "_PIECE_BYTES", 50_000)


@pytest.fixture
def store(drive_emulator: DriveEmulator) -> Store:
    """A Drive that holds FILES."""
    for path, content in FILES.items():
        drive_emulator.put(f"darknet/{path}", content)
    return drive_emulator.store


@pytest.fixture
def packing(store: Store) -> Packing:
    return pack_tree(store)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where the tree is made; nothing else may be there afterwards."""
    place = tmp_path / "home"
    place.mkdir()
    yield place
    assert [path.name for path in place.iterdir()] == ["tree"]


@pytest.fixture
def tree(home: Path) -> Path:
    """Not there yet."""
    return home / "tree"


@pytest.fixture
def bring(remote: DriveRemote, tree: Path, notes: Notes) -> Callable[..., PullResult]:
    return lambda **options: pull(remote, tree, reporter=notes, options=PullOptions(**options))


def downloads(drive: DriveEmulator) -> int:
    return drive.counters()["files.get.media"].requests


class TestWhole:
    def test_it_comes_in_a_few_requests(
        self,
        packing: Packing,
        bring: Callable[..., PullResult],
        drive_emulator: DriveEmulator,
        tree: Path,
        notes: Notes,
    ) -> None:
        packing.put()
        result = bring()
        assert contents(tree) == FILES
        assert result.packed_files == result.downloaded_files == result.planned_files == len(FILES)
        assert result.downloaded_bytes == notes.size_bytes == sum(map(len, FILES.values()))
        assert notes.files == len(FILES)
        assert downloads(drive_emulator) < 10
        assert notes.lines == []
        entry = find(packing.store, "darknet/darknet")
        assert entry is not None
        status = (tree / "darknet").stat()
        assert status.st_mtime_ns == entry.modified_ms * 1_000_000
        assert status.st_mode & 0o100
        assert not (tree / PACKS_FOLDER).exists()

    def test_a_second_pull_asks_for_no_packs(
        self, packing: Packing, bring: Callable[..., PullResult], drive_emulator: DriveEmulator
    ) -> None:
        packing.put()
        bring()
        drive_emulator.counters().reset()
        assert bring().kept_files == len(FILES)
        assert drive_emulator.counters().total().requests == 2

    def test_a_few_files_are_not_worth_asking(
        self,
        packing: Packing,
        bring: Callable[..., PullResult],
        drive_emulator: DriveEmulator,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        packing.put()
        bring()
        monkeypatch.setattr("drivesync.pull.WORTH_IT", 1)
        put_file(packing.store, "darknet/new", b"new")
        drive_emulator.counters().reset()
        assert (bring().downloaded_files, downloads(drive_emulator)) == (1, 1)

    def test_what_is_here_is_not_fetched_again(
        self, packing: Packing, bring: Callable[..., PullResult], drive_emulator: DriveEmulator, tree: Path
    ) -> None:
        packing.put()
        bring()
        lost = [tree / f"data/obj/{number:03}.jpg" for number in (3, 4, 5, 70)]
        for path in lost:
            path.unlink()
        drive_emulator.counters().reset()
        result = bring()
        assert contents(tree) == FILES
        assert result.packed_files == result.downloaded_files == len(lost)
        assert downloads(drive_emulator) == 3, "the manifest, and the pack in two places"

    def test_what_a_dry_run_says(self, packing: Packing, drivesync: Callable[..., Ended], tree: Path) -> None:
        packing.put()
        put_file(packing.store, "darknet/data/new.txt", b"new")
        tree.mkdir()
        said = json.loads(drivesync("pull", "darknet", tree, "--dry-run", "--json").out)
        assert said["expected_packed"] == {"files": len(FILES), "packs": 1}
        count = len(pieces.plan_pieces(packing.pack, packing.pack.members))
        assert said["expected_seconds"] == pytest.approx((count + 1) * 200 * 60 / 325_000)
        told = drivesync("pull", "darknet", tree, "--dry-run").out
        assert f"{len(FILES)} files out of 1 pack, 1 one by one" in told
        assert "by the quota of a new Drive project that takes under a second" in told

    @pytest.mark.parametrize(
        ("settings", "variable", "packed"),
        [
            pytest.param('packs = "off"', "", False, id="the settings that are coming"),
            pytest.param('packs = "off"', "auto", True, id="the environment goes before them"),
            pytest.param('packs = "manual"', "", True, id="they may be made by a command only"),
            pytest.param("", "off", False, id="the environment"),
        ],
    )
    def test_no_pack_is_read_where_they_are_off(
        self,
        packing: Packing,
        drivesync: Callable[..., Ended],
        tree: Path,
        monkeypatch: pytest.MonkeyPatch,
        settings: str,
        variable: str,
        *,
        packed: bool,
    ) -> None:
        packing.put()
        put_file(packing.store, "darknet/drivesync.toml", settings.encode())
        monkeypatch.setattr("drivesync.pull.WORTH_IT", 2)  # more than the first folder holds
        pulled = drivesync("pull", "darknet", tree, DRIVESYNC_PACKS=variable)
        assert ("out of packs" in pulled.out) is packed
        assert contents(tree) == FILES | {"drivesync.toml": settings.encode()}

    def test_what_a_pull_says(self, packing: Packing, drivesync: Callable[..., Ended], tree: Path) -> None:
        packing.put()
        said = drivesync("pull", "darknet", tree)
        assert f"{len(FILES)} files of these came out of packs" in said.out

    def test_a_connection_that_breaks_goes_on_where_it_was(
        self,
        packing: Packing,
        bring: Callable[..., PullResult],
        drive_emulator: DriveEmulator,
        tree: Path,
        notes: Notes,
    ) -> None:
        packing.put()
        drive_emulator.inject(
            Fault(CutDownload(20_000), "files.get.media", skip=1, times=2),
            Fault(ErrorAnswer(503), "files.get.media", skip=1, times=2),
        )
        assert bring().packed_files == len(FILES)
        assert contents(tree) == FILES
        assert notes.lines == []


def cut(packing: Packing) -> None:
    packing.raw = packing.raw[: len(packing.raw) // 2]


def cut_and_say_so(packing: Packing) -> None:
    """A manifest that was made for what is left, but names what was."""
    cut(packing)
    end = len(packing.raw)
    members = tuple(
        replace(member, offset=min(member.offset, end - member.size)) for member in packing.pack.members[:1]
    )
    packing.pack = replace(packing.pack, size=end, members=members)


def flip(packing: Packing) -> None:
    raw = bytearray(packing.raw)
    for at in range(5000, len(raw), 9000):
        raw[at] ^= 1
    packing.raw = bytes(raw)


def fill_with_nothing(packing: Packing) -> None:
    packing.raw = bytes(len(packing.raw))


def shift(packing: Packing) -> None:
    packing.raw = packing.raw[1:] + b"\0"


def say_other_sizes(packing: Packing) -> None:
    packing.pack = replace(
        packing.pack,
        members=tuple(replace(member, size=max(member.size - 1, 0)) for member in packing.pack.members),
    )


def say_other_offsets(packing: Packing) -> None:
    packing.pack = replace(
        packing.pack,
        members=tuple(replace(member, offset=member.offset - 100) for member in packing.pack.members),
    )


def swap_ids(packing: Packing) -> None:
    """Of equal size, so that only the content tells."""
    put_file(packing.store, "darknet/data/one", b"1111")
    put_file(packing.store, "darknet/data/two", b"2222")
    packed = pack_tree(packing.store)
    packing.raw = packed.raw.replace(b"1111", b"xxxx").replace(b"2222", b"1111").replace(b"xxxx", b"2222")
    packing.pack = packed.pack


def leave(packing: Packing) -> None:
    """As it is."""
    del packing


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(cut, id="truncated"),
        pytest.param(cut_and_say_so, id="truncated, and the manifest knows"),
        pytest.param(flip, id="bytes flipped"),
        pytest.param(fill_with_nothing, id="only zeros"),
        pytest.param(shift, id="a byte is missing"),
        pytest.param(say_other_sizes, id="sizes that lie"),
        pytest.param(say_other_offsets, id="offsets that lie"),
        pytest.param(swap_ids, id="one file's content is another's"),
        pytest.param(leave, id="as it should be"),
    ],
)
def test_a_spoilt_pack_brings_the_right_tree(
    packing: Packing, bring: Callable[..., PullResult], tree: Path, spoil: Callable[[Packing], None]
) -> None:
    spoil(packing)
    packing.put()
    result = bring()
    assert contents(tree) == tree_on(packing.store)
    assert result.failed == []


@pytest.mark.parametrize(
    "name", ["../{}", "/etc/{}", "../../../../{}", "data/../../{}", "-rf", ".drivesync/{}", "tree/{}"]
)
def test_what_members_are_called_makes_no_difference(
    store: Store, bring: Callable[..., PullResult], tree: Path, name: str
) -> None:
    pack_tree(store, names=lambda path: name.format(path.rpartition("/")[2])).put()
    assert bring().packed_files == len(FILES)
    assert contents(tree) == FILES


def test_a_pack_of_links(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    packing = pack_tree(store)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for member in packing.pack.members:
            info = tarfile.TarInfo(member.path)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info)
    packing.raw = raw.getvalue().ljust(len(packing.raw), b"\0")
    packing.put()
    bring()
    assert contents(tree) == FILES
    assert not [path for path in tree.rglob("*") if path.is_symlink()]


def test_a_manifest_of_another_tree(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    with DriveEmulator(seed=1) as other:
        for path, content in FILES.items():
            other.put(f"darknet/{path}", content)
        packing = pack_tree(other.store)
    Packing(store, packing.raw, packing.pack).put()
    assert bring().packed_files == 0
    assert contents(tree) == FILES


def test_a_pack_that_is_not_there(
    packing: Packing, bring: Callable[..., PullResult], tree: Path, notes: Notes
) -> None:
    packing.put_manifest(packing.pack)
    result = bring()
    assert contents(tree) == FILES
    # Empty files need no pack.
    assert result.packed_files == sum(not content for content in FILES.values())
    (line,) = notes.lines
    assert line.startswith(f"a pack is of no use, its files come one by one: reading {PACKS_FOLDER}/{NAME}: ")


def test_what_is_no_manifest(
    store: Store, bring: Callable[..., PullResult], tree: Path, notes: Notes
) -> None:
    put_file(store, f"darknet/{MANIFEST}", b"no manifest")
    bring()
    assert contents(tree) == FILES
    assert len(notes.lines) == 1


class TestWhileItIsRead:
    @pytest.fixture
    def at_second_piece(
        self, monkeypatch: pytest.MonkeyPatch, packing: Packing
    ) -> Callable[[Callable[[Store, str], None]], None]:
        """``at_second_piece(act)`` has ``act`` change the pack as its second request comes."""

        def arrange(act: Callable[[Store, str], None]) -> None:
            packing.put()
            entry = find(packing.store, f"darknet/{PACKS_FOLDER}/{NAME}")
            assert entry is not None
            answer_media, seen = file_calls.answer_media, []

            def answer(request: Request, data: Sequence[int], mime_type: str) -> Answer:
                if len(data) == len(packing.raw):
                    seen.append(request)
                    if len(seen) == 2:
                        act(packing.store, entry.id)
                return answer_media(request, data, mime_type)  # type: ignore[arg-type]

            monkeypatch.setattr(file_calls, "answer_media", answer)

        return arrange

    @pytest.mark.parametrize(
        "act",
        [
            pytest.param(lambda store, pack: store.delete(pack), id="it is deleted"),
            pytest.param(
                lambda store, pack: store.update(pack, Metadata(), Content.of(b"shorter")), id="it is shorter"
            ),
            pytest.param(
                lambda store, pack: store.update(
                    pack, Metadata(), Content.of(bytes(len(store.get(pack).head.content.data)))
                ),
                id="it is another of its size",
            ),
        ],
    )
    def test_the_rest_comes_singly(
        self,
        at_second_piece: Callable[[Callable[[Store, str], None]], None],
        bring: Callable[..., PullResult],
        tree: Path,
        notes: Notes,
        act: Callable[[Store, str], None],
    ) -> None:
        at_second_piece(act)
        result = bring()
        assert contents(tree) == FILES
        assert result.packed_files < len(FILES) == result.downloaded_files
        assert len(notes.lines) == 1


KINDS = ("change", "add", "delete", "rename", "move", "twin", "swap")


def alter(store: Store, kind: str, number: int) -> None:
    """Do to the tree on Drive what people do; no two files get one path."""
    files = sorted(entries_of(store, find(store, "darknet")))
    path, entry = files[number % len(files)]
    assert entry.head is not None
    content = bytes(entry.head.content.data)
    if kind == "change":
        put_file(store, f"darknet/{path}", content[:-1] + bytes([number % 256]))
    elif kind == "add":
        put_file(store, f"darknet/data/obj/new-{number}.txt", b"%d" % number)
    elif kind == "delete":
        store.delete(entry.id)
    elif kind == "rename":
        store.update(entry.id, Metadata(name=f"renamed-{entry.id}-{entry.version}"))
    elif kind == "move":
        folder = make_folders(store, f"darknet/moved/{entry.id}-{entry.version}")
        store.update(entry.id, Metadata(), add_parents=(folder.id,), remove_parents=entry.parents)
    elif kind == "twin":
        # The same content again, under another id.
        put_file(store, f"darknet/twin-{number}", content)
    else:
        other = files[(number + 1) % len(files)][1]
        names = entry.name, other.name
        places = entry.parents, other.parents
        store.update(entry.id, Metadata(name=names[1]), add_parents=places[1], remove_parents=places[0])
        store.update(other.id, Metadata(name=names[0]), add_parents=places[0], remove_parents=places[1])


@hypothesis_settings(
    max_examples=25,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(
    before=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 999)), max_size=3),
    after=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 999)), max_size=12),
    meanwhile=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 999)), max_size=6),
)
def test_whatever_changes_after_packing_the_tree_is_the_one_on_drive(
    notes: Notes,
    before: list[tuple[str, int]],
    after: list[tuple[str, int]],
    meanwhile: list[tuple[str, int]],
) -> None:
    with DriveEmulator() as drive, TemporaryDirectory() as scratch:
        store, tree = drive.store, Path(scratch) / "tree"
        for number in range(20):
            put_file(store, f"darknet/data/{number}.jpg", b"%d" % number * 300)
            put_file(store, f"darknet/data/{number}.txt", b"%d" % number)
        for change in before:
            alter(store, *change)
        pack_tree(store).put()
        for change in after:
            alter(store, *change)
        settings = Settings(
            emulator_url=drive.url, access_token=TOKEN, retries=4, retry_wait_s=0.001, settle_s=0.0
        )
        with DriveRemote("darknet", settings, first_wait_s=0.001) as remote:
            pull(remote, tree, reporter=notes).raise_failure()
            assert contents(tree) == tree_on(store)
            for change in meanwhile:
                alter(store, *change)
            gone = contents(tree).keys() - tree_on(store).keys()
            for path in gone:
                (tree / path).unlink()
            pull(remote, tree, reporter=notes).raise_failure()
            assert contents(tree) == tree_on(store)


def test_one_in_a_hundred_of_each_kind(store: Store, bring: Callable[..., PullResult], tree: Path) -> None:
    pack_tree(store).put()
    for number, kind in enumerate(("change", "add", "delete", "rename", "move")):
        for one in range(2):
            alter(store, kind, number * 30 + one * 7)
    result = bring()
    assert contents(tree) == tree_on(store)
    assert result.downloaded_files - result.packed_files == 4, "what was changed or added"


def test_members_that_no_pack_should_hold(
    store: Store, bring: Callable[..., PullResult], tree: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "MOST_MEMBER_BYTES", 1000)
    pack_tree(store).put()
    assert bring().packed_files == 0
    assert contents(tree) == FILES
    assert len(notes.lines) == 1


KILLS = 12


def test_killed_at_random_it_goes_on(
    packing: Packing, drive_emulator: DriveEmulator, environment: dict[str, str], tree: Path
) -> None:
    packing.put()
    drive_emulator.set_costs(Costs(bandwidth_bytes_per_s=2e6))
    killed = 0
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("pulls.py"), "darknet", tree],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as pulls:
        assert pulls.stdin is not None
        assert pulls.stdout is not None
        while killed < KILLS:
            before = contents(tree)
            times = {path: (tree / path).stat().st_ctime_ns for path in before}
            pulls.stdin.write(f"0 {RANDOM.uniform(0.0, 0.6)}\n")
            pulls.stdin.flush()
            status = int(pulls.stdout.readline().split()[0])
            killed += status == -signal.SIGKILL
            # What is there is whole, and what was there is not fetched again.
            assert contents(tree).items() <= FILES.items()
            assert times == {path: (tree / path).stat().st_ctime_ns for path in times}
            if status == 0:
                assert contents(tree) == FILES
                shutil.rmtree(tree)
        pulls.stdin.write("inf 0\n")
        pulls.stdin.flush()
        assert pulls.stdout.readline().split()[0] == "0"
        pulls.stdin.close()
    assert contents(tree) == FILES
