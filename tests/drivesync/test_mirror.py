"""A whole tree goes up, byte for byte, and nothing that others put there is lost."""

from __future__ import annotations

import math
import os
import random
import threading
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.disk import lock_state
from drivesync.errors import (
    DamagedError,
    LocalWriteError,
    NotAllowedError,
    RemoteFullError,
    TransientError,
    UnfinishedError,
)
from drivesync.mirror import WRITES_AT_ONCE, WRITES_PER_S, MirrorResult, push_all
from drivesync.mirroring.sending import LARGE_BYTES
from drivesync.mirroring.upload_plan import MirrorOptions, UploadPlan
from drivesync.mirroring.write_rate import WriteRate
from drivesync.pull import pull
from drivesync.remotes.folder.remote import FolderRemote
from drivesync.testing import CorruptUpload, Delay, ErrorAnswer, ExpiredToken, Fault, LostAnswer
from drivesync.tree import TreeState, read_tree_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.files import RemoteFile
    from drivesync.remotes.drive.remote import DriveRemote
    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Notes

LARGE = random.Random(4).randbytes(9 << 20)
FILES = {
    'cfg/it\'s "remote".cfg': b"[net]",
    "data/obj/empty.txt": b"",
    "data/obj/日本語 🦊.png": b"\x89PNG" * 1000,
    "large.conv.74": LARGE,
    "darknet": b"\x7fELF program",
    "deep/er/and/deeper/file": b"x",
}
CREATE, UPDATE, LAST = "files.create.resumable", "files.update.resumable", "upload.final"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A tree that holds FILES."""
    top = tmp_path / "here"
    for path, content in FILES.items():
        put(top, path, content)
    (top / "darknet").chmod(0o755)
    return top


@pytest.fixture
def send(remote: DriveRemote, here: Path, notes: Notes) -> Callable[..., MirrorResult]:
    """``send(ours=True)`` pushes with that option, as fast as it goes."""
    return lambda **options: push_all(
        remote, here, reporter=notes, options=MirrorOptions(**options), rate=WriteRate(math.inf, 1)
    )


def put(tree: Path, path: str, content: bytes) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_bytes(content)


def contents(tree: Path) -> dict[str, bytes]:
    return {
        file.relative_to(tree).as_posix(): file.read_bytes()
        for file in tree.rglob("*")
        if file.is_file() and ".drivesync" not in file.parts
    }


def sent(drive: DriveEmulator) -> int:
    """So many uploads were begun."""
    return drive.counters()[CREATE].requests + drive.counters()[UPDATE].requests


def files_of(drive: DriveEmulator, path: str) -> list[str]:
    """The paths of all files and folders below ``path``, twins included."""

    def walk(folder_id: str, prefix: str) -> Iterator[str]:
        for child in store.children(folder_id):
            yield prefix + child.name
            if child.is_folder:
                yield from walk(child.id, f"{prefix}{child.name}/")

    with drive.locked() as store:
        (top,) = [child for child in store.children(store.get("root").id) if child.name == path]
        return sorted(walk(top.id, ""))


def test_everything_goes(
    send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator, notes: Notes
) -> None:
    result = send()
    result.raise_failure()
    assert drive_emulator.read_tree("darknet") == FILES
    assert result.uploaded_files == result.planned_files == notes.files == len(FILES)
    assert result.uploaded_bytes == result.planned_bytes == notes.size_bytes == sum(map(len, FILES.values()))
    assert read_tree_state(here) == TreeState("darknet", complete=True, target="darknet")
    assert list((here / ".drivesync" / "uploads").iterdir()) == []
    assert result.seconds > 0


def test_pulled_elsewhere_it_is_the_same_tree(
    send: Callable[..., MirrorResult], remote: DriveRemote, here: Path, tmp_path: Path, notes: Notes
) -> None:
    for number, path in enumerate(FILES):
        os.utime(here / path, ns=(0, 1_600_000_000_000_000_000 + number * 1_234_567_000_000))
    for number in range(200):
        put(here, f"data/obj/{number}.txt", str(number).encode() * (number % 3))
    send().raise_failure()
    there = tmp_path / "there"
    pull(remote, there, reporter=notes).raise_failure()
    assert contents(there) == contents(here)
    for path in contents(here):
        ours, theirs = (here / path).stat(), (there / path).stat()
        assert os.access(here / path, os.X_OK) == os.access(there / path, os.X_OK)
        # Drive's clock has milliseconds.
        assert abs(ours.st_mtime_ns - theirs.st_mtime_ns) < 1_000_000


def test_a_second_one_sends_and_reads_nothing(
    send: Callable[..., MirrorResult], drive_emulator: DriveEmulator
) -> None:
    send()
    for requests in (10, 4):
        drive_emulator.counters().reset()
        result = send()
        assert (result.planned_files, result.uploaded_files, result.kept_files) == (0, 0, len(FILES))
        assert sent(drive_emulator) == drive_emulator.counters()["files.get.media"].requests == 0
        # The second one lists the tree, since there was none before; from then on only changes are asked for.
        assert drive_emulator.counters().total().requests <= requests


def test_what_is_there_is_not_sent_whoever_sent_it(
    send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.seed(here, "darknet")
    result = send()
    result.raise_failure()
    assert (result.uploaded_files, result.kept_files) == (0, len(FILES))
    assert sent(drive_emulator) == 0


def test_only_what_changed_here_goes_and_keeps_its_id(
    send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator
) -> None:
    send()
    before = files_of(drive_emulator, "darknet")
    put(here, "darknet", b"\x7fELF newer")
    put(here, "large.conv.74", LARGE[::-1])
    put(here, "new", b"")
    os.utime(here / "data/obj/empty.txt", ns=(1, 1))
    drive_emulator.counters().reset()
    assert send().uploaded_files == 3
    assert sent(drive_emulator) == 3
    assert drive_emulator.read_tree("darknet") == contents(here)
    assert files_of(drive_emulator, "darknet") == sorted([*before, "new"])


def test_what_is_gone_here_stays_on_drive_and_what_is_gone_there_comes_back(
    send: Callable[..., MirrorResult], here: Path, remote: DriveRemote, drive_emulator: DriveEmulator
) -> None:
    send()
    (here / "darknet").unlink()
    found = remote.find("large.conv.74")
    assert found is not None
    remote.delete(found)
    assert send().uploaded_files == 1
    assert drive_emulator.read_tree("darknet") == FILES


def test_a_dry_run_says_what_would_go_and_leaves_no_trace(
    remote: DriveRemote, here: Path, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    plans: list[UploadPlan] = []
    result = push_all(remote, here, reporter=notes, options=MirrorOptions(dry_run=True), on_plan=plans.append)
    assert {upload.here.path for plan in plans for upload in plan.upload} == FILES.keys()
    assert (result.planned_files, result.uploaded_files) == (len(FILES), 0)
    assert not (here / ".drivesync").exists()
    assert drive_emulator.read_tree("darknet") == {}
    with drive_emulator.locked() as store:
        assert list(store.children(store.get("root").id)) == []


def test_checkpoints_go_another_way(
    send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator
) -> None:
    for path in ("backup/run_last.weights", "backup/run.backup", "backup/chart.png", "backup/old/1.weights"):
        put(here, path, path.encode())
    result = send()
    assert result.apart == ["backup/run.backup", "backup/run_last.weights"]
    assert drive_emulator.read_tree("darknet").keys() == {
        *FILES,
        "backup/chart.png",
        "backup/old/1.weights",
    }


def test_what_is_not_sent_is_told_with_the_reason(send: Callable[..., MirrorResult], here: Path) -> None:
    (here / ".git").mkdir()
    (here / "out").symlink_to("/etc")
    skipped = [(entry.path, entry.reason) for entry in send().skipped]
    assert skipped == [
        (".git", "git keeps it for itself; git pushes it"),
        ("out", "it is a link to a place that is not in the tree"),
    ]


class TestChangesThere:
    def test_what_both_changed_is_kept_there(
        self, send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator
    ) -> None:
        send()
        put(here, "darknet", b"mine")
        drive_emulator.put("darknet/darknet", b"theirs")
        for _ in range(2):
            result = send()
            assert (result.conflicts, result.behind) == (["darknet"], [])
            assert drive_emulator.read_tree("darknet")["darknet"] == b"theirs"
        assert send(ours=True).uploaded_files == 1
        assert drive_emulator.read_tree("darknet")["darknet"] == b"mine"

    def test_what_only_they_changed_is_kept_there(
        self, send: Callable[..., MirrorResult], drive_emulator: DriveEmulator
    ) -> None:
        send()
        drive_emulator.put("darknet/darknet", b"theirs")
        result = send()
        assert (result.conflicts, result.behind) == ([], ["darknet"])
        assert drive_emulator.read_tree("darknet")["darknet"] == b"theirs"

    def test_what_was_there_before_us_is_kept_there(
        self, send: Callable[..., MirrorResult], drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.put("darknet/darknet", b"theirs")
        assert send().conflicts == ["darknet"]
        assert drive_emulator.read_tree("darknet") == FILES | {"darknet": b"theirs"}

    @pytest.mark.parametrize("path", ["darknet", "large.conv.74"])
    def test_what_they_change_while_it_is_sent_is_kept_there(
        self,
        send: Callable[..., MirrorResult],
        remote: DriveRemote,
        here: Path,
        drive_emulator: DriveEmulator,
        notes: Notes,
        monkeypatch: pytest.MonkeyPatch,
        path: str,
    ) -> None:
        send()
        put(here, path, FILES[path][::-1])
        renew = remote.renew

        def change_and_renew(file: RemoteFile) -> RemoteFile | None:
            drive_emulator.put(f"darknet/{path}", b"theirs")
            return renew(file)

        monkeypatch.setattr(remote, "renew", change_and_renew)
        result = send()
        assert result.conflicts == [path]
        assert (result.uploaded_files, result.failed) == (0, [])
        assert drive_emulator.read_tree("darknet")[path] == b"theirs"
        assert f"{path} was changed on the remote meanwhile, and kept as it is there" in notes.lines
        assert send().conflicts == [path]

    def test_a_folder_and_a_file_of_one_name_are_not_put_beside_each_other(
        self, send: Callable[..., MirrorResult], drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.put("darknet/deep/er", b"a file")
        drive_emulator.put("darknet/darknet/file", b"in a folder")
        assert [(entry.path, entry.reason) for entry in send().skipped] == [
            ("darknet", "a folder is in its place on the remote"),
            ("deep/er/and/deeper/file", "deep/er is a file on the remote, not a folder"),
        ]


class TestChangesHere:
    @pytest.fixture
    def on_write(
        self, remote: DriveRemote, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[Callable[[str], None]], None]:
        """``on_write(act)`` has ``act(path)`` called as each write begins."""

        def set_up(act: Callable[[str], None]) -> None:
            write = remote.write

            def act_and_write(path: str, *arguments: Any, **more: Any) -> RemoteFile:
                act(path)
                return write(path, *arguments, **more)

            monkeypatch.setattr(remote, "write", act_and_write)

        return set_up

    @pytest.mark.parametrize("kind", ["longer", "shorter", "as long"])
    def test_a_large_file_that_is_written_to_while_it_is_sent_is_sent_again(
        self,
        send: Callable[..., MirrorResult],
        here: Path,
        drive_emulator: DriveEmulator,
        on_write: Callable[[Callable[[str], None]], None],
        kind: str,
    ) -> None:
        new = {"longer": LARGE + b"x", "shorter": LARGE[:-5_000_000], "as long": LARGE[::-1]}[kind]
        begun: list[str] = []

        def act(path: str) -> None:
            if path == "large.conv.74" and path not in begun:
                put(here, path, new)
            begun.append(path)

        on_write(act)
        result = send()
        result.raise_failure()
        assert begun.count("large.conv.74") == 2
        assert drive_emulator.read_tree("darknet") == FILES | {"large.conv.74": new}
        assert send().uploaded_files == 0

    def test_a_small_file_that_is_written_to_while_it_is_sent_goes_as_it_was_and_next_time_as_it_is(
        self,
        send: Callable[..., MirrorResult],
        here: Path,
        drive_emulator: DriveEmulator,
        on_write: Callable[[Callable[[str], None]], None],
    ) -> None:
        on_write(lambda path: put(here, path, b"newer") if path == "darknet" else None)
        send().raise_failure()
        assert drive_emulator.read_tree("darknet") == FILES
        assert send().uploaded_files == 1
        assert drive_emulator.read_tree("darknet") == FILES | {"darknet": b"newer"}

    def test_what_is_written_to_all_the_time_is_told_and_the_others_go(
        self,
        send: Callable[..., MirrorResult],
        here: Path,
        drive_emulator: DriveEmulator,
        on_write: Callable[[Callable[[str], None]], None],
    ) -> None:
        moments = count(1)
        on_write(lambda path: os.utime(here / path, ns=(0, next(moments))))
        result = send()
        with pytest.raises(
            UnfinishedError, match=r"1 file.*large\.conv\.74 is being written to all the time"
        ):
            result.raise_failure()
        assert drive_emulator.read_tree("darknet").keys() == FILES.keys() - {"large.conv.74"}

    def test_what_is_gone_when_its_turn_comes_is_told_and_the_others_go(
        self, remote: DriveRemote, here: Path, notes: Notes, drive_emulator: DriveEmulator
    ) -> None:
        result = push_all(
            remote, here, reporter=notes, on_plan=lambda _plan: (here / "darknet").unlink(missing_ok=True)
        )
        with pytest.raises(
            LocalWriteError, match=r"1 file\(s\) were not sent; the first is darknet: cannot read"
        ):
            result.raise_failure()
        assert drive_emulator.read_tree("darknet").keys() == FILES.keys() - {"darknet"}


class TestTrouble:
    def test_what_arrives_damaged_is_sent_again_and_makes_no_twin(
        self, send: Callable[..., MirrorResult], drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.inject(Fault(CorruptUpload(), LAST, times=1))
        send().raise_failure()
        assert drive_emulator.read_tree("darknet") == FILES
        listed = files_of(drive_emulator, "darknet")
        assert len(listed) == len(set(listed))

    def test_what_arrives_damaged_every_time_is_told(
        self, send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator
    ) -> None:
        for path in FILES.keys() - {"darknet"}:
            (here / path).unlink()
        drive_emulator.inject(Fault(CorruptUpload(), LAST, times=2))
        with pytest.raises(
            DamagedError, match=r"darknet is not on the remote as it was sent: expected 12 bytes"
        ):
            send().raise_failure()

    @pytest.mark.parametrize("kind", [CREATE, LAST])
    def test_an_answer_that_is_lost_makes_no_twin(
        self, send: Callable[..., MirrorResult], drive_emulator: DriveEmulator, kind: str
    ) -> None:
        drive_emulator.inject(Fault(LostAnswer(), kind, times=4))
        send().raise_failure()
        assert drive_emulator.read_tree("darknet") == FILES
        listed = files_of(drive_emulator, "darknet")
        assert len(listed) == len(set(listed))

    def test_one_file_cannot_be_taken_and_the_others_go(
        self, send: Callable[..., MirrorResult], drive_emulator: DriveEmulator, notes: Notes
    ) -> None:
        drive_emulator.inject(Fault(ErrorAnswer(400, "badRequest"), CREATE, times=1))
        result = send()
        assert len(result.failed) == 1
        assert len(drive_emulator.read_tree("darknet")) == len(FILES) - 1
        assert notes.size_bytes == result.uploaded_bytes
        drive_emulator.counters().reset()
        send().raise_failure()
        assert sent(drive_emulator) == 1
        assert drive_emulator.read_tree("darknet") == FILES

    def test_a_drive_that_takes_nothing_is_not_asked_for_each(
        self, send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator
    ) -> None:
        for number in range(300):
            put(here, f"many/{number}", b"x")
        drive_emulator.inject(Fault(ErrorAnswer(503), CREATE, times=None))
        with pytest.raises(TransientError):
            send()
        assert drive_emulator.counters()[CREATE].requests < 200

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            pytest.param(ExpiredToken(), NotAllowedError, id="the token dies"),
            pytest.param(ErrorAnswer(403, "storageQuotaExceeded"), RemoteFullError, id="Drive is full"),
        ],
    )
    def test_what_concerns_all_ends_it_and_a_rerun_goes_on(
        self,
        send: Callable[..., MirrorResult],
        remote: DriveRemote,
        drive_emulator: DriveEmulator,
        fault: ExpiredToken | ErrorAnswer,
        kind: type[Exception],
    ) -> None:
        drive_emulator.inject(Fault(fault, CREATE, times=None, skip=2))
        with pytest.raises(kind):
            send()
        drive_emulator.reset()
        remote.__exit__(None, None, None)
        with remote:
            send().raise_failure()
        assert drive_emulator.read_tree("darknet") == FILES
        listed = files_of(drive_emulator, "darknet")
        assert len(listed) == len(set(listed))

    def test_what_does_not_fit_is_said_before_the_first_byte(
        self, send: Callable[..., MirrorResult], drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.store.storage_limit_bytes = 5_000_000
        with pytest.raises(RemoteFullError, match=r"9\.4 MB are to go, and darknet has room for 5\.0 MB"):
            send()
        assert sent(drive_emulator) == 0

    @pytest.mark.parametrize("job", ["push-all", "pull"])
    def test_nothing_else_is_at_work_in_the_tree(
        self, send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator, job: str
    ) -> None:
        with (
            lock_state(here, job),
            pytest.raises(UnfinishedError, match=f"another {job} is at work in .*here"),
        ):
            send()
        assert sent(drive_emulator) == 0
        send().raise_failure()

    def test_interrupted_it_ends_soon_and_a_rerun_goes_on(
        self,
        send: Callable[..., MirrorResult],
        remote: DriveRemote,
        here: Path,
        notes: Notes,
        drive_emulator: DriveEmulator,
        interrupt_soon: Callable[[], None],
    ) -> None:
        drive_emulator.inject(Fault(Delay(30), LAST, times=None))
        result = MirrorResult()
        with pytest.raises(KeyboardInterrupt):
            push_all(remote, here, reporter=notes, on_plan=lambda _plan: interrupt_soon(), result=result)
        assert (result.planned_files, result.uploaded_files) == (len(FILES), 0)
        assert result.failed == [], "they did not fail: they were stopped"
        assert notes.lines == []
        assert notes.size_bytes == 0
        drive_emulator.reset()
        remote.__exit__(None, None, None)
        with remote:
            send().raise_failure()
        assert drive_emulator.read_tree("darknet") == FILES


def test_eight_small_files_go_beside_three_large_ones(
    remote: DriveRemote, tmp_path: Path, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    for number in range(11):
        put(tree, f"a/{number}", b"x" * (LARGE_BYTES if number < 3 else 1))
    together = threading.Barrier(11, timeout=20)
    write = remote.write

    def write_together(*arguments: Any, **more: Any) -> RemoteFile:
        together.wait()
        return write(*arguments, **more)

    monkeypatch.setattr(remote, "write", write_together)
    push_all(remote, tree, reporter=notes).raise_failure()


def test_each_folder_is_made_once(
    send: Callable[..., MirrorResult], here: Path, drive_emulator: DriveEmulator
) -> None:
    for number in range(40):
        put(here, f"data/obj/{number}.txt", b"x")
    send().raise_failure()
    listed = files_of(drive_emulator, "darknet")
    assert len(listed) == len(set(listed))
    folders = ["darknet", "cfg", "data", "obj", "deep", "er", "and", "deeper"]
    assert drive_emulator.counters()["files.create"].requests == len(folders)


def test_writes_and_folders_keep_to_the_rate(
    remote: DriveRemote, here: Path, notes: Notes, drive_emulator: DriveEmulator
) -> None:
    now_s = 0.0
    lock = threading.Lock()

    def wait(_event: threading.Event, wait_s: float) -> None:
        nonlocal now_s
        with lock:
            now_s += wait_s

    rate = WriteRate(1.0, 1, lambda: now_s, wait)
    result = push_all(remote, here, reporter=notes, rate=rate)
    writes = len(FILES) + drive_emulator.counters()["files.create"].requests
    assert result.least_s == writes - 1 <= now_s


def test_how_long_it_takes_at_least_is_known_before(
    remote: DriveRemote, here: Path, notes: Notes, settings: Settings, tmp_path: Path
) -> None:
    for number in range(100):
        put(here, f"many/{number}", b"x")
    options = MirrorOptions(dry_run=True)
    folders = 9
    writes = len(FILES) + 100 + folders
    least_s = push_all(remote, here, reporter=notes, options=options).least_s
    assert least_s == pytest.approx((writes - WRITES_AT_ONCE) / WRITES_PER_S)
    with FolderRemote(str(tmp_path / "there"), settings) as folder:
        assert push_all(folder, here, reporter=notes, options=options).least_s == 0.0


class TestFolder:
    """A directory tells no checksums before it has read its files."""

    @pytest.fixture
    def folder(self, settings: Settings, tmp_path: Path) -> Iterator[FolderRemote]:
        with FolderRemote(str(tmp_path / "there"), settings) as entered:
            yield entered

    def test_there_and_there_again(
        self, folder: FolderRemote, here: Path, tmp_path: Path, notes: Notes
    ) -> None:
        push_all(folder, here, reporter=notes).raise_failure()
        assert contents(tmp_path / "there") == FILES
        put(here, "darknet", b"newer")
        put(tmp_path / "there", "large.conv.74", b"theirs")
        reads = folder.usage.by_kind["read"].requests
        result = push_all(folder, here, reporter=notes)
        result.raise_failure()
        assert (result.uploaded_files, result.behind, result.kept_files) == (1, ["large.conv.74"], 4)
        # Only what is replaced: twice before, for its properties and as the last check, and once afterwards.
        assert folder.usage.by_kind["read"].requests - reads == 3
        assert contents(tmp_path / "there") == FILES | {"darknet": b"newer", "large.conv.74": b"theirs"}

    def test_what_is_there_already_is_read_once_and_not_written(
        self, folder: FolderRemote, here: Path, tmp_path: Path, notes: Notes
    ) -> None:
        for path, content in FILES.items():
            put(tmp_path / "there", path, content)
        for reads in (len(FILES), len(FILES)):
            result = push_all(folder, here, reporter=notes)
            assert (result.uploaded_files, result.kept_files) == (0, len(FILES))
            assert folder.usage.by_kind["read"].requests == reads


def test_what_is_told_to_machines(send: Callable[..., MirrorResult], here: Path) -> None:
    (here / "out").symlink_to("/etc")
    put(here, "backup/run.backup", b"x")
    said = send().describe()
    assert said.pop("seconds") > 0
    size_bytes = sum(map(len, FILES.values()))
    assert said == {
        "planned": {"files": len(FILES), "bytes": size_bytes, "least_seconds": 0.0},
        "uploaded": {"files": len(FILES), "bytes": size_bytes},
        "kept": 0,
        "conflicts": [],
        "behind": [],
        "checkpoints": ["backup/run.backup"],
        "skipped": [{"path": "out", "reason": "it is a link to a place that is not in the tree"}],
        "failed": [],
        "unpacked": [],
    }
