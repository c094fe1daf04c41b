"""Builds on a remote: what is fetched is what was kept, or nothing; cut anywhere, nothing false is left."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.config import Settings
from drivesync.errors import DamagedError
from drivesync.remotes import open_remote
from drivesync.testing import TOKEN
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find
from trainer.building.key import BuildKey
from trainer.building.manifest import INDEX_PATH, KEPT, MAX_SAID_BYTES, file_path, manifest_path, read_index
from trainer.building.shelf import fetch_build, keep_build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.remotes.base import Remote
    from drivesync.testing import DriveEmulator
    from trainer.building.fetched import Fetched

NOW_S = 1_790_000_000.0
KEY = BuildKey("ab" * 32, ("GPU=1",), capability="7.5", glibc="2.35")
LIBRARY = "build/src-lib/libdarknet.so"
FILES = {"darknet": b"\x7fELF program" * 1000, LIBRARY: b"\x7fELF library" * 3000}
PROGRAM_PATH = file_path(KEY.name, sha256(FILES["darknet"]).hexdigest())
MANIFEST_PATH = manifest_path(KEY.name)


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """A remote on which the process dies just before, or just after, the ``last``-th change."""

    def __init__(self, remote: Remote, last: int, *, after: bool) -> None:
        self._remote = remote
        self._left = last
        self._after = after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._remote, name)
        return self._mortal(method) if name in {"write", "delete"} else method

    def _mortal(self, method: Callable[..., object]) -> Callable[..., object]:
        def change(*args: Any, **options: Any) -> object:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Killed
            done = method(*args, **options)
            if self._left == 0:
                raise Killed
            return done

        return change


class Busy:
    """A remote on which another session does something just before the first write to a path."""

    def __init__(self, remote: Remote, path: str, meanwhile: Callable[[], None]) -> None:
        self._remote = remote
        self._path = path
        self._meanwhile: Callable[[], None] | None = meanwhile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._remote, name)

    def write(self, path: str, *args: Any, **options: Any) -> object:
        if path == self._path and self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return self._remote.write(path, *args, **options)


def lay(tree: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
        (tree / path).chmod(0o755 if path == "darknet" else 0o644)
    return tree


def keep(remote: Remote, tree: Path, key: BuildKey = KEY, at_s: float = NOW_S) -> None:
    keep_build(remote, key, tree, list(FILES), at_s)


def content_of(fetched: Fetched | None) -> dict[str, bytes] | None:
    if fetched is None:
        return None
    return {product.path: (fetched.folder / product.path).read_bytes() for product in fetched.products}


def number(key: int) -> BuildKey:
    return replace(KEY, source_sha256=f"{key:064x}")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """In which darknet was compiled."""
    return lay(tmp_path / "tree", FILES)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another copy of it, in which it was not."""
    (tmp_path / "other").mkdir()
    return tmp_path / "other"


@pytest.fixture(params=["folder", "Drive emulator"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    """Each kind of remote that can be written to."""
    name, settings = str(tmp_path / "remote"), Settings(retries=1, retry_wait_s=0.001)
    if request.param == "Drive emulator":
        drive: DriveEmulator = request.getfixturevalue("drive_emulator")
        name, settings = "darknet", replace(settings, emulator_url=drive.url, access_token=TOKEN)
    with open_remote(name, settings, print) as entered:
        yield entered


@pytest.fixture
def drive(drive_emulator: DriveEmulator) -> Iterator[Remote]:
    """Drive alone."""
    settings = Settings(drive_emulator.url, TOKEN, retries=1, retry_wait_s=0.001)
    with open_remote("darknet", settings, print) as entered:
        yield entered


def test_what_was_kept_is_fetched(remote: Remote, tree: Path, other: Path) -> None:
    keep(remote, tree)
    fetched = fetch_build(remote, KEY, other)
    assert content_of(fetched) == FILES
    assert fetched is not None
    assert (fetched.key, fetched.built_at_s) == (KEY, NOW_S)
    assert [product.path for product in fetched.products if product.executable] == ["darknet"]
    assert not any((fetched.folder / path).stat().st_mode & 0o111 for path in FILES)


def test_of_another_key_there_is_nothing(remote: Remote, tree: Path, other: Path) -> None:
    assert fetch_build(remote, KEY, other) is None
    keep(remote, tree)
    assert fetch_build(remote, replace(KEY, glibc="2.39"), other) is None
    assert not (other / ".trainer").exists()


def test_a_file_that_is_there_is_not_sent_again(
    drive: Remote, drive_emulator: DriveEmulator, tree: Path
) -> None:
    versions = []
    for at_s in (NOW_S, NOW_S + 60):
        keep(drive, tree, at_s=at_s)
        with drive_emulator.locked() as store:
            file = find(store, f"darknet/{PROGRAM_PATH}")
            assert file is not None
            versions.append((file.id, file.version))
    assert versions[0] == versions[1]


DAMAGE = [
    pytest.param(PROGRAM_PATH, lambda content: content[:-1], id="a torn file"),
    pytest.param(PROGRAM_PATH, lambda content: content + b"x", id="a longer file"),
    pytest.param(PROGRAM_PATH, lambda content: b"#!/bin/sh"[:4] + content[4:], id="an edited file"),
    pytest.param(PROGRAM_PATH, lambda _content: b"", id="an emptied file"),
    pytest.param(MANIFEST_PATH, lambda content: content[:-9], id="a torn manifest"),
    pytest.param(MANIFEST_PATH, lambda _content: b"x" * (MAX_SAID_BYTES + 1), id="a huge manifest"),
    pytest.param(
        MANIFEST_PATH, lambda content: content.replace(b"darknet", b"../../x"), id="a path out of it"
    ),
    pytest.param(MANIFEST_PATH, lambda content: content.replace(b": 12000", b": 999999999999"), id="a size"),
    pytest.param(
        MANIFEST_PATH,
        lambda content: content.replace(sha256(FILES["darknet"]).hexdigest().encode(), b"0" * 64),
        id="a file that is not there",
    ),
]


@pytest.mark.parametrize(("path", "change"), DAMAGE)
def test_what_is_not_as_it_was_kept_is_not_fetched_and_is_kept_anew(
    remote: Remote,
    tree: Path,
    other: Path,
    request: pytest.FixtureRequest,
    path: str,
    change: Callable[[bytes], bytes],
) -> None:
    keep(remote, tree)
    damage(request, path, change)
    with pytest.raises(DamagedError):
        fetch_build(remote, KEY, other)
    assert not (other / ".trainer" / "fetched").exists()
    keep(remote, tree)
    assert content_of(fetch_build(remote, KEY, other)) == FILES


def damage(request: pytest.FixtureRequest, path: str, change: Callable[[bytes], bytes]) -> None:
    """Have somebody write over a file of the remote, by other ways than ours."""
    if "folder" in request.node.callspec.id.split("-"):
        tmp_path: Path = request.getfixturevalue("tmp_path")
        place = tmp_path / "remote" / path
        place.write_bytes(change(place.read_bytes()))
    else:
        drive: DriveEmulator = request.getfixturevalue("drive_emulator")
        drive.put(f"darknet/{path}", change(drive.read_tree("darknet")[path]))


def test_a_manifest_that_was_edited_with_its_file_is_known_by_its_record(
    drive: Remote, drive_emulator: DriveEmulator, tree: Path, other: Path
) -> None:
    """Somebody who replaces both in the browser leaves what was recorded with the manifest."""
    keep(drive, tree)
    foreign = b"#!/bin/sh\nrm -rf ~\n"
    manifest = json.loads(drive_emulator.read_tree("darknet")[MANIFEST_PATH])
    for file in manifest["files"]:
        if file["path"] == "darknet":
            file.update(size=len(foreign), sha256=sha256(foreign).hexdigest())
    drive_emulator.put(f"darknet/{file_path(KEY.name, sha256(foreign).hexdigest())}", foreign)
    drive_emulator.put(f"darknet/{MANIFEST_PATH}", json.dumps(manifest).encode())
    with pytest.raises(DamagedError, match="not what was recorded with it"):
        fetch_build(drive, KEY, other)


def test_another_builds_manifest_in_its_place_is_not_believed(
    drive: Remote, drive_emulator: DriveEmulator, tree: Path, other: Path
) -> None:
    keep(drive, tree)
    manifest = drive_emulator.read_tree("darknet")[MANIFEST_PATH]
    drive_emulator.put(f"darknet/{manifest_path(number(1).name)}", manifest)
    with pytest.raises(DamagedError, match="of another build"):
        fetch_build(drive, number(1), other)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("last", range(1, 8))
def test_cut_anywhere_nothing_false_is_fetched_and_a_rerun_keeps_it(
    remote: Remote, tree: Path, other: Path, last: int, *, after: bool
) -> None:
    """Six older builds are there, so that one goes: 3 deletions, 4 writes."""
    for key in range(KEPT):
        keep(remote, tree, number(key))
    with pytest.raises(Killed):
        keep(Mortal(remote, last, after=after), tree)
    assert content_of(fetch_build(remote, KEY, other)) == (FILES if (last, after) == (7, True) else None)
    keep(remote, tree)
    assert content_of(fetch_build(remote, KEY, other)) == FILES
    assert fetch_build(remote, number(0), other) is None
    assert content_of(fetch_build(remote, number(1), other)) == FILES


def test_the_newest_are_kept_and_nothing_else_is_deleted(
    drive: Remote, drive_emulator: DriveEmulator, tree: Path
) -> None:
    foreign = {
        ".trainer/builds/notes.txt": b"mine",
        f".trainer/builds/{'0' * 32}.json": b"foreign",
        ".trainer/attempts.jsonl": b"{}",
        "darknet": b"program",
    }
    for path, content in foreign.items():
        drive_emulator.put(f"darknet/{path}", content)
    for key in range(KEPT + 3):
        keep(drive, tree, number(key), NOW_S + key)
    there = drive_emulator.read_tree("darknet")
    assert foreign.items() <= there.items()
    kept = [number(key).name for key in range(3, KEPT + 3)]
    assert [line.key for line in read_index(there[INDEX_PATH])] == kept
    sums = [sha256(content).hexdigest() for content in FILES.values()]
    ours = {path for key in kept for path in (manifest_path(key), *(file_path(key, each) for each in sums))}
    assert there.keys() - foreign.keys() == ours | {INDEX_PATH}


@pytest.mark.parametrize("content", [b"", b"{", b"x" * (MAX_SAID_BYTES + 1)], ids=["empty", "torn", "huge"])
def test_an_index_that_is_none_is_begun_anew(
    drive: Remote, drive_emulator: DriveEmulator, tree: Path, other: Path, content: bytes
) -> None:
    drive_emulator.put(f"darknet/{INDEX_PATH}", content)
    keep(drive, tree)
    assert content_of(fetch_build(drive, KEY, other)) == FILES
    index = read_index(drive_emulator.read_tree("darknet")[INDEX_PATH])
    assert [line.key for line in index] == [KEY.name]


@pytest.mark.parametrize("path", [INDEX_PATH, PROGRAM_PATH, MANIFEST_PATH], ids=["index", "file", "manifest"])
@pytest.mark.parametrize("key", [KEY, number(1)], ids=["the same", "another"])
def test_two_sessions_that_keep_builds_at_once_do_no_harm(
    drive: Remote,
    drive_emulator: DriveEmulator,
    tree: Path,
    other: Path,
    tmp_path: Path,
    path: str,
    key: BuildKey,
) -> None:
    """The other's program has another time stamp in it."""
    theirs = FILES | {"darknet": b"\x7fELF PROGRAM" * 1000}
    second = lay(tmp_path / "second", theirs)
    keep(Busy(drive, path, lambda: keep(drive, second, key)), tree)  # type: ignore[arg-type]
    # Of one key either may be found, and is whole.
    assert content_of(fetch_build(drive, KEY, other)) in ([FILES] if key != KEY else [FILES, theirs])
    assert content_of(fetch_build(drive, key, other)) in ([theirs] if key != KEY else [FILES, theirs])
    index = read_index(drive_emulator.read_tree("darknet")[INDEX_PATH])
    assert {KEY.name} <= {line.key for line in index} <= {KEY.name, key.name}


def test_of_twins_that_two_sessions_have_made_none_is_left(
    drive: Remote, drive_emulator: DriveEmulator, tree: Path
) -> None:
    keep(drive, tree)
    with drive_emulator.locked() as store:
        manifest = find(store, f"darknet/{MANIFEST_PATH}")
        assert manifest is not None
        store.copy(manifest.id, Metadata(name=manifest.name))
    for key in range(KEPT):
        keep(drive, tree, number(key), NOW_S + 1 + key)
    assert MANIFEST_PATH not in drive_emulator.read_tree("darknet")


@pytest.mark.parametrize("paths", [[], ["train.txt"], ["darknet", "Makefile"]])
def test_what_is_no_build_is_not_kept(
    drive: Remote, drive_emulator: DriveEmulator, tree: Path, paths: list[str]
) -> None:
    lay(tree, {"train.txt": b"x", "Makefile": b"x"})
    with pytest.raises(DamagedError):
        keep_build(drive, KEY, tree, paths, NOW_S)
    assert drive_emulator.read_tree("darknet") == {}


def test_a_file_that_changes_while_it_is_sent_is_no_build(drive: Remote, tree: Path, other: Path) -> None:
    def rebuild() -> None:
        (tree / "darknet").write_bytes(b"\x7fELF PROGRAM" * 1000)

    with pytest.raises(DamagedError, match="not as it was sent"):
        keep(Busy(drive, PROGRAM_PATH, rebuild), tree)  # type: ignore[arg-type]
    assert fetch_build(drive, KEY, other) is None
