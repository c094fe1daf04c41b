"""A disk that is too full for snapshots: files are sent as they lie in the tree, and nothing is said that is not so."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.disk import write_atomically
from drivesync.errors import MovedError
from drivesync.files import Receipt, Role, Verdict
from drivesync.spooling.outcome import Refused
from drivesync.spooling.spool import Entry, Spool, read_pending, read_receipts

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
LAST = "backup/run_last.weights"


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A tree on a disk of 20 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "none", place], capture_output=True, check=False, text=True
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be made here: {made.stderr.strip()}")
    (place / "backup").mkdir()
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def spool(tree: Path) -> Iterator[Spool]:
    with Spool(tree) as opened:
        yield opened


def save(tree: Path, name: str, iteration: int, size: int = 3 * MIB) -> bytes:
    """As darknet does, which does not notice that a disk is full."""
    content = iteration.to_bytes(4, "little") * (size // 4)
    with (tree / "backup" / name).open("wb", buffering=0) as file:
        left = memoryview(content)
        with suppress(OSError):
            while left:
                left = left[file.write(left) :]
    return content


def judge(_tree: Path, path: str, snapshot: Path) -> Verdict:
    content = snapshot.read_bytes()
    run, _, kind = Path(path).stem.rpartition("_")
    if len(content) != 3 * MIB:
        return Verdict(accepted=False, reason="it is torn")
    role = Role.NUMBERED if kind.isdigit() else Role(kind)
    return Verdict(accepted=True, iteration=int.from_bytes(content[:4], "little"), run=run, role=role)


def fill(tree: Path, *, but: int) -> None:
    """Leave only so many bytes free."""
    filling = tree / "filling"
    filling.unlink(missing_ok=True)
    with filling.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(tree).free - but)


def take(spool: Spool, path: str = LAST) -> Entry:
    outcome = spool.take(path, judge)
    assert isinstance(outcome, Entry)
    return outcome


def read(spool: Spool, entry: Entry) -> bytes:
    with spool.open(entry) as file:
        return file.read()


def settle(spool: Spool, entry: Entry) -> None:
    spool.settle(entry, Receipt(entry.path, entry.size, "", "", "id", "revision", 0.0, entry.iteration))


def snapshots(tree: Path) -> list[str]:
    return sorted(place.name for place in (tree / ".drivesync" / "spool").iterdir())


@pytest.mark.parametrize(
    ("free", "direct"),
    [
        pytest.param(11 * MIB, False, id="enough"),
        pytest.param(9 * MIB, True, id="enough for a copy, but not for darknet's next save beside it"),
        pytest.param(2 * MIB, True, id="not enough"),
        pytest.param(0, True, id="nothing"),
    ],
)
def test_without_room_for_a_copy_the_file_itself_is_taken(
    tree: Path, spool: Spool, free: int, *, direct: bool
) -> None:
    content = save(tree, "run_last.weights", 100)
    fill(tree, but=free)
    entry = take(spool)
    here = (tree / LAST).stat()
    assert entry == Entry(
        entry.sequence, LAST, 3 * MIB, here.st_mtime_ns, 100, "run", Role.LAST, direct=direct
    )
    assert read(spool, entry) == content
    spool.check(entry)
    assert snapshots(tree) == ([] if direct else [f"{entry.sequence:08}"])
    assert spool.pending() == (entry,)
    note = spool.note_of(entry)
    note.write("https://example.org/session")
    assert spool.note_of(entry).read() == "https://example.org/session"
    with spool.claim() as claimed:
        assert claimed == entry
        settle(spool, entry)
    assert [receipt.iteration for receipt in read_receipts(tree)] == [100]
    assert spool.pending() == ()
    assert len(spool.entries()) == (0 if direct else 1)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["copy_file_range", "fsync", "mkdir", "replace", "write"])
def test_wherever_the_disk_turns_out_to_be_full(
    tree: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch, call: str, error: int
) -> None:
    """Another process, or a quota, which nobody can look up beforehand."""

    def fail(*_arguments: object, **_more: object) -> None:
        raise OSError(error, os.strerror(error))

    content = save(tree, "run_last.weights", 100)
    with monkeypatch.context() as patch:
        if call == "write":
            patch.setattr(
                "drivesync.spooling.shelf.write_atomically",
                lambda path, _content: write_atomically(path, bytes(21 * MIB)),
            )
        else:
            # Before Python 3.11 pathlib keeps functions of os as they were when it was imported.
            patch.setattr(Path if call in {"mkdir", "replace"} else os, call, fail)
        entry = take(spool)
    assert entry.direct
    assert read(spool, entry) == content
    assert snapshots(tree) == []


@pytest.mark.parametrize("change", ["saved anew", "touched", "replaced", "removed"])
def test_one_that_moved_is_not_sent(tree: Path, spool: Spool, change: str) -> None:
    place = tree / LAST
    save(tree, "run_last.weights", 100)
    fill(tree, but=4 * MIB)
    entry = take(spool)
    with spool.claim() as claimed:
        assert claimed == entry
        if change == "saved anew":
            save(tree, "run_last.weights", 200)
        elif change == "touched":
            os.utime(place, ns=(1, 1))
        elif change == "replaced":
            place.rename(tree / "other")
            shutil.copy2(tree / "other", place)
        else:
            place.unlink()
        with pytest.raises(MovedError, match="saved anew before it was sent"):
            spool.check(entry)
        with pytest.raises(MovedError):
            spool.open(entry)
        spool.drop(entry)
    assert spool.entries() == ()
    with pytest.raises(MovedError):
        spool.check(entry)


def test_one_that_moved_before_its_turn_is_not_even_claimed(tree: Path, spool: Spool) -> None:
    save(tree, "run_100.weights", 100)
    fill(tree, but=0)
    take(spool, "backup/run_100.weights")
    os.utime(tree / "backup" / "run_100.weights", ns=(1, 1))
    with spool.claim() as entry:
        assert entry is None
    assert spool.entries() == ()
    # It is in the tree, so a scan offers it.
    assert take(spool, "backup/run_100.weights").mtime_ns == 1


def test_a_newer_one_replaces_an_older_one_of_its_kind(tree: Path, spool: Spool) -> None:
    fill(tree, but=3 * MIB)
    for iteration in range(1, 20):
        save(tree, "run_last.weights", iteration)
        take(spool)
    assert [(entry.iteration, entry.direct) for entry in spool.pending()] == [(19, True)]


def test_a_snapshot_stays_until_the_newer_one_that_has_none_is_safe(tree: Path, spool: Spool) -> None:
    save(tree, "run_last.weights", 100)
    take(spool)
    fill(tree, but=0)
    newer = save(tree, "run_last.weights", 200)
    take(spool)
    assert [(entry.iteration, entry.direct) for entry in spool.pending()] == [(200, True), (100, False)]
    with spool.claim() as entry:
        assert entry is not None
        assert read(spool, entry) == newer
        settle(spool, entry)
    assert spool.pending() == ()
    assert [(entry.iteration, entry.dropped) for entry in spool.entries()] == [(100, True)]


def test_the_next_process_takes_what_is_in_the_tree(tree: Path) -> None:
    fill(tree, but=6 * MIB)
    with Spool(tree) as spool:
        for iteration in (100, 200):
            save(tree, f"run_{iteration}.weights", iteration)
            take(spool, f"backup/run_{iteration}.weights")
        assert len(spool.pending()) == 2
        assert read_pending(tree) == ()
    with Spool(tree) as spool:
        assert spool.entries() == ()
        for iteration in (100, 200):
            assert take(spool, f"backup/run_{iteration}.weights").iteration == iteration


def test_a_file_that_is_being_saved_or_torn_is_refused_as_ever(tree: Path, spool: Spool) -> None:
    fill(tree, but=1 * MIB)
    save(tree, "run_last.weights", 100)
    assert spool.take(LAST, judge) == Refused(LAST, "it is torn")
    assert snapshots(tree) == []

    def save_meanwhile(root: Path, path: str, snapshot: Path) -> Verdict:
        save(root, "run_last.weights", 200)
        return judge(root, path, snapshot)

    fill(tree, but=0)
    assert spool.take(LAST, save_meanwhile) == Refused(LAST, "it is being written to", moved=True)
    assert spool.take("backup/gone.weights", judge) == Refused(
        "backup/gone.weights", "it is gone", moved=True
    )


def test_what_was_refused_goes_before_a_snapshot_is_gone_without(tree: Path, spool: Spool) -> None:
    save(tree, "run_last.weights", 100)
    refused = spool.take(LAST, lambda *_: Verdict(accepted=False, reason="it holds NaN"))
    assert isinstance(refused, Refused)
    assert (tree / refused.kept).is_file()
    fill(tree, but=9 * MIB)
    assert not take(spool).direct
    assert not (tree / refused.kept).exists()


def test_with_room_again_there_are_snapshots_again(tree: Path, spool: Spool) -> None:
    save(tree, "run_last.weights", 100)
    fill(tree, but=0)
    assert take(spool).direct
    # What is written on a full disk nevertheless, has room.
    assert not (tree / ".drivesync" / "ballast").exists()
    (tree / "filling").unlink()
    entry = take(spool)
    assert not entry.direct
    assert spool.entries() == (entry,)
    assert (tree / ".drivesync" / "ballast").exists()


def test_the_spool_on_a_disk_of_its_own(tree: Path, tmp_path: Path) -> None:
    """What counts is the room where the snapshots are."""
    own = tmp_path / "tree"
    (own / ".drivesync" / "spool").mkdir(parents=True)
    (own / "backup").mkdir()
    subprocess.run(["mount", "--bind", tree, own / ".drivesync" / "spool"], check=True)
    try:
        with Spool(own) as spool:
            save(own, "run_last.weights", 100)
            assert not take(spool).direct
            fill(tree, but=0)
            save(own, "run_last.weights", 200)
            assert take(spool).direct
    finally:
        subprocess.run(["umount", own / ".drivesync" / "spool"], check=True)
