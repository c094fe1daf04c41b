"""A run is started over once under each name; cut anywhere, nothing is lost, and the next session completes it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.config import Settings
from drivesync.files import Receipt, Verdict
from drivesync.progress import Silence
from drivesync.remotes import open_remote
from drivesync.spooling.receipts import append_receipt, read_receipts
from drivesync.spooling.spool import Spool
from drivesync.testing import TOKEN
from drivesync.testing.entries import Content
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find
from trainer.errors import TreeError
from trainer.fresh import StartingOver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.remotes.base import Remote
    from drivesync.testing import DriveEmulator

RUN = "backup/remote"
NOW_S = 1_790_000_000.0
ARCHIVE = "backup/archive-20260921-141320"
OF_THE_RUN = {
    f"backup/{name}": name.encode()
    for name in (
        "remote_last.weights", "remote.backup", "remote_100.weights", "remote_best.weights", "remote_ema.weights",
        "remote_final.weights", "remote.weights", "metrics.jsonl", "chart.png",
    )
}  # fmt: skip
OTHERS = {"cfg/remote.cfg": b"[net]", "backup/other_last.weights": b"other", "backup/notes.txt": b"mine"}
ARCHIVED = {path.replace("backup", ARCHIVE, 1): content for path, content in OF_THE_RUN.items()}


class Notes(Silence):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


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
        return self._mortal(method) if name in {"move", "write"} else method

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


def lay(tree: Path, files: dict[str, bytes]) -> None:
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)


def read(tree: Path) -> dict[str, bytes]:
    """The tree's files but for those that say how it stands."""
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and not {".trainer", ".drivesync"} & set(path.relative_to(tree).parts)
    }


def without_marker(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path != f"{RUN}_fresh.json"}


def start_over(
    tree: Path, remote: Remote | None, name: str = "", notes: Notes | None = None, *, now_s: float = NOW_S
) -> int:
    """Catch up, and return how often what is only here was saved first."""
    saved: list[None] = []
    over = StartingOver(tree, RUN, remote, notes or Silence(), clock=lambda: now_s)
    over.catch_up(name, save=lambda: saved.append(None))
    return len(saved)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One in which a session has trained, and to which its remote is equal."""
    lay(tmp_path / "tree", OF_THE_RUN | OTHERS)
    start_over(tmp_path / "tree", None)
    return tmp_path / "tree"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    lay(tmp_path / "remote", OF_THE_RUN | OTHERS)
    return tmp_path / "remote"


@pytest.fixture
def remote(kept: Path) -> Iterator[Remote]:
    with open_remote(str(kept), Settings(), print) as remote:
        yield remote


def test_all_of_the_run_goes_to_the_archive_on_both_sides(tree: Path, remote: Remote, kept: Path) -> None:
    assert start_over(tree, remote, "fresh") == 1
    assert without_marker(read(kept)) == ARCHIVED | OTHERS
    assert read(tree) == ARCHIVED | OTHERS


def test_the_same_in_drive(tree: Path, drive_emulator: DriveEmulator) -> None:
    drive_emulator.seed(tree, "darknet")
    settings = Settings(emulator_url=drive_emulator.url, access_token=TOKEN)
    with open_remote("darknet", settings, print) as remote:
        start_over(tree, remote, "fresh")
        start_over(tree, remote, "fresh")
    seen = drive_emulator.read_tree("darknet")
    assert {path: seen[path] for path in ARCHIVED | OTHERS} == ARCHIVED | OTHERS
    assert not OF_THE_RUN.keys() & seen.keys()


def test_of_several_files_with_one_name_none_is_lost(tmp_path: Path, drive_emulator: DriveEmulator) -> None:
    drive_emulator.put("darknet/backup/remote_last.weights", b"one")
    with drive_emulator.locked() as store:
        folder = find(store, "darknet/backup")
        assert folder is not None
        store.create(Metadata(name="remote_last.weights", parents=(folder.id,)), Content.of(b"two"))
    settings = Settings(emulator_url=drive_emulator.url, access_token=TOKEN)
    with open_remote("darknet", settings, print) as remote:
        start_over(tmp_path, remote, "fresh")
    files = drive_emulator.read_tree(f"darknet/{ARCHIVE}")
    assert sorted(files) == ["remote_last-2.weights", "remote_last.weights"]
    assert set(files.values()) == {b"one", b"two"}


def test_the_same_command_again_goes_on(tree: Path, remote: Remote, kept: Path) -> None:
    start_over(tree, remote, "fresh")
    new = {"backup/remote_last.weights": b"of the new run"}
    lay(tree, new)
    lay(kept, new)
    notes = Notes()
    assert start_over(tree, remote, "fresh", notes) == 0
    assert start_over(tree, remote) == 0
    for place in (tree, kept):
        assert without_marker(read(place)) == ARCHIVED | OTHERS | new
    (line,) = notes.lines
    assert f"started over as 'fresh' already, and goes on; what was there before lies in {ARCHIVE}" in line


def test_another_name_starts_over_once_more_into_an_archive_of_its_own(
    tree: Path, remote: Remote, kept: Path
) -> None:
    start_over(tree, remote, "fresh")
    new = {"backup/remote_last.weights": b"of the new run"}
    lay(tree, new)
    lay(kept, new)
    start_over(tree, remote, "second")
    expected = ARCHIVED | OTHERS | {f"{ARCHIVE}-2/remote_last.weights": b"of the new run"}
    assert read(tree) == without_marker(read(kept)) == expected
    start_over(tree, remote, "fresh")
    assert read(tree) == expected


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("again", ["fresh", ""], ids=["same command", "without --fresh"])
def test_killed_at_any_change_of_the_remote(tmp_path: Path, *, after: bool, again: str) -> None:
    """What was written down before the kill is carried out by whoever comes next."""
    changes = 2 + len(OF_THE_RUN)
    for last in range(1, changes + 1):
        tree, place = tmp_path / f"tree {last}", tmp_path / f"remote {last}"
        for folder in (tree, place):
            lay(folder, OF_THE_RUN | OTHERS)
        start_over(tree, None)
        with open_remote(str(place), Settings(), print) as remote:
            mortal: Any = Mortal(remote, last, after=after)
            with pytest.raises(Killed):
                start_over(tree, mortal, "fresh")
            start_over(tree, remote, again)
        is_written_down = last > 1 or after
        expected = ARCHIVED if is_written_down or again else OF_THE_RUN
        assert read(tree) == without_marker(read(place)) == expected | OTHERS


def test_killed_at_any_change_of_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace
    left = 0

    def mortal(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return replace(path, target)

    for last in range(1, len(OF_THE_RUN) + 2):
        tree, place = tmp_path / f"tree {last}", tmp_path / f"remote {last}"
        lay(tree, OF_THE_RUN | OTHERS)
        start_over(tree, None)
        place.mkdir()
        with open_remote(str(place), Settings(), print) as remote:
            start_over(tmp_path / "other machine", remote, f"fresh {last}")
            left = last
            with monkeypatch.context() as patch:
                patch.setattr(Path, "replace", mortal)
                with pytest.raises(Killed):
                    start_over(tree, remote)
            start_over(tree, remote)
            assert read(tree) == ARCHIVED | OTHERS


def test_a_tree_that_was_elsewhere_when_the_run_was_started_over(
    tree: Path, tmp_path: Path, remote: Remote
) -> None:
    start_over(tmp_path / "other machine", remote, "fresh")
    start_over(tree, remote)
    assert read(tree) == ARCHIVED | OTHERS


def test_a_tree_that_was_pulled_afterwards_is_of_the_new_run(tmp_path: Path, remote: Remote) -> None:
    start_over(tmp_path / "other machine", remote, "fresh")
    new = {"backup/remote_last.weights": b"of the new run"}
    lay(tmp_path / "pulled", new)
    os.utime(tmp_path / "pulled/backup/remote_last.weights", (NOW_S + 1, NOW_S + 1))
    start_over(tmp_path / "pulled", remote, "fresh")
    assert read(tmp_path / "pulled") == new


def test_a_tree_that_was_pulled_before_and_never_trained_is_of_the_old_run(
    tmp_path: Path, remote: Remote
) -> None:
    pulled = tmp_path / "pulled"
    lay(pulled, OF_THE_RUN)
    for path in OF_THE_RUN:
        os.utime(pulled / path, (NOW_S - 1, NOW_S - 1))
    start_over(tmp_path / "other machine", remote, "fresh")
    # The pull before has left more files than the one after has replaced.
    os.utime(pulled / "backup/remote_last.weights", (NOW_S + 1, NOW_S + 1))
    start_over(pulled, remote)
    assert read(pulled) == ARCHIVED


def test_what_was_started_over_without_the_remote_is_carried_out_there(
    tree: Path, remote: Remote, kept: Path
) -> None:
    start_over(tree, None, "fresh")
    new = {"backup/remote_100.weights": b"of the new run"}
    lay(tree, new)
    for _ in range(2):
        assert start_over(tree, remote) == 0
        assert read(tree) == ARCHIVED | OTHERS | new
        assert without_marker(read(kept)) == ARCHIVED | OTHERS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_while_that_is_carried_out(tmp_path: Path, *, after: bool) -> None:
    new = {"backup/remote_100.weights": b"of the new run"}
    for last in range(1, 3 + len(OF_THE_RUN)):
        tree, place = tmp_path / f"tree {last}", tmp_path / f"remote {last}"
        for folder in (tree, place):
            lay(folder, OF_THE_RUN)
        start_over(tree, None)
        start_over(tree, None, "fresh")
        lay(tree, new)
        with open_remote(str(place), Settings(), print) as remote:
            mortal: Any = Mortal(remote, last, after=after)
            with pytest.raises(Killed):
                start_over(tree, mortal)
            start_over(tree, remote)
        assert read(tree) == ARCHIVED | new
        assert without_marker(read(place)) == ARCHIVED


@pytest.mark.parametrize("later_here", [True, False], ids=["later here", "later there"])
def test_of_a_start_here_and_one_on_the_remote_the_later_counts(
    tree: Path, tmp_path: Path, remote: Remote, kept: Path, *, later_here: bool
) -> None:
    ours, theirs = {"backup/remote_100.weights": b"ours"}, {"backup/remote_200.weights": b"theirs"}
    here_s, there_s = (NOW_S + 60, NOW_S) if later_here else (NOW_S, NOW_S + 60)
    start_over(tree, None, "ours", now_s=here_s)
    lay(tree, ours)
    start_over(tmp_path / "other machine", remote, "theirs", now_s=there_s)
    lay(kept, theirs)
    here_before, there_before = read(tree), without_marker(read(kept))
    for _ in range(2):
        start_over(tree, remote)
    here, there = read(tree), without_marker(read(kept))
    later = "backup/archive-20260921-141420"
    if later_here:
        assert here == here_before
        del there_before["backup/remote_200.weights"]
        assert there == there_before | {f"{later}/remote_200.weights": b"theirs"}
    else:
        assert there == there_before
        del here_before["backup/remote_100.weights"]
        assert here == here_before | {f"{later}/remote_100.weights": b"ours"}


def test_without_a_remote(tree: Path) -> None:
    start_over(tree, None, "fresh")
    assert read(tree) == ARCHIVED | OTHERS
    lay(tree, {"backup/remote_last.weights": b"of the new run"})
    start_over(tree, None, "fresh")
    assert read(tree) == ARCHIVED | OTHERS | {"backup/remote_last.weights": b"of the new run"}


def test_what_is_only_in_the_spool_goes_to_the_archive_and_nothing_stays_to_resume_from(
    tree: Path, remote: Remote
) -> None:
    with Spool(tree) as spool:
        for path, run in (("backup/remote_last.weights", RUN), ("backup/other_last.weights", "backup/other")):
            verdict = Verdict(accepted=True, iteration=300, run=run)
            spool.take(path, lambda *_, verdict=verdict: verdict)
    for path, run in (("backup/remote_100.weights", RUN), ("backup/other_100.weights", "backup/other")):
        append_receipt(tree, Receipt(path, 1, "", "", "id", "", NOW_S, 100, run))
    lay(tree, {"backup/remote_last.weights": b"torn"})
    start_over(tree, remote, "fresh")
    assert read(tree)[f"{ARCHIVE}/remote_last.weights"] == b"torn"
    assert read(tree)[f"{ARCHIVE}/remote_last-2.weights"] == b"remote_last.weights"
    with Spool(tree) as spool:
        assert [entry.path for entry in spool.entries()] == ["backup/other_last.weights"]
    assert [receipt.path for receipt in read_receipts(tree)] == ["backup/other_100.weights"]


@pytest.mark.parametrize("content", [b"", b"[1]", b'[{"name": "fresh"}]', b"{}x"])
def test_a_record_that_cannot_be_read_is_told(tree: Path, remote: Remote, kept: Path, content: bytes) -> None:
    lay(kept, {f"{RUN}_fresh.json": content})
    with pytest.raises(TreeError, match=r"remote_fresh\.json on .* does not say"):
        start_over(tree, remote, "fresh")
    assert read(tree) == OF_THE_RUN | OTHERS


@pytest.mark.parametrize("content", ["{", "[]", "[1]", "1", '{"backup/remote": 1}', "[" * 100_000])
def test_a_record_here_that_cannot_be_read_is_as_if_there_were_none(
    tree: Path, remote: Remote, content: str
) -> None:
    (tree / ".trainer/fresh.json").write_text(content)
    start_over(tree, remote, "fresh")
    assert read(tree) == ARCHIVED | OTHERS
    assert json.loads((tree / ".trainer/fresh.json").read_text())[RUN][0]["archive"] == ARCHIVE
