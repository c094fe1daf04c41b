"""A session leaves word of how it ended, whatever that was; on the real darknet, with and without an emulated Drive."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import DrivesyncError, LeaseError, NotFoundError, UsageError
from drivesync.leasing.leases import Leases
from drivesync.progress import Silence
from drivesync.remotes import open_remote
from drivesync.spooling.receipts import read_receipts
from drivesync.testing import TOKEN, DriveEmulator
from drivesync.testing.metadata import Metadata
from drivesync.testing.trees import find
from drivesync.tree import read_tree_state
from trainer import session
from trainer.background import RunLock, running_pid
from trainer.begin import Terms
from trainer.candidates import Candidates
from trainer.checkpoint import read_checkpoint
from trainer.config import Wishes
from trainer.errors import AlreadyRunningError, StoppedError, TreeError
from trainer.hooks import NO_HOOKS, Hooks
from trainer.learning.history import read_attempts
from trainer.session import supervise
from trainer.status import Status, read_status
from trainer.testing import leave_chart, make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.progress import Reporter
    from trainer.config import Run
    from trainer.darknet.cfg import Network
    from trainer.darknet.weights import Checkpoint

SECRET = "T0KEN-that-nobody-may-see"
ATTEMPTS = ".trainer/attempts.jsonl"


def begin(
    wishes: Wishes,
    drive: DriveEmulator | None = None,
    *,
    remote: str | None = None,
    fresh: str = "",
    take_over: bool = False,
    stopped: bool = False,
    while_pulling: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
    hooks: Hooks = NO_HOOKS,
    reporter: Reporter | None = None,
) -> None:
    stop = threading.Event()
    if stopped:
        stop.set()
    supervise(
        wishes,
        Settings(emulator_url=drive.url if drive else "", access_token=TOKEN, retries=0, settle_s=0.0),
        Terms(remote, fresh, take_over),
        pushing=drive is not None,
        grace_s=20.0,
        reporter=reporter or Silence(),
        stop=stop,
        while_pulling=while_pulling,
        hooks=hooks,
    )


class Interrupted(contextlib.nullcontext[None]):
    """Ctrl-C as soon as the pull begins."""

    def __enter__(self) -> None:
        raise KeyboardInterrupt


class Notes(Silence):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


class Listener:
    """A server on loopback that keeps what is posted to it.

    Attributes:
        address: as ``host:port``.
        posts: path and body of each, in order.
        on_post: called with the path before it is answered.
    """

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.on_post: Callable[[str], None] = lambda _path: None
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                listener.on_post(self.path)
                listener.posts.append((self.path, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_port}"

    @property
    def notices(self) -> list[dict[str, object]]:
        return [json.loads(body) for path, body in self.posts if path == f"/{SECRET}"]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """It is both the webhook and what manages the machine."""
    made = Listener()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("TBE_RUNTIME_ADDR", made.address)
    with made.http:
        thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.http.shutdown()
        thread.join()


def all_hooks(listener: Listener) -> Hooks:
    return Hooks(f"http://{listener.address}/{SECRET}", unassign=True)


def status_of(tree: Path) -> Status:
    status = read_status(tree)
    assert status is not None
    return status


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = make_tree(tmp_path / "tree", images=4, negatives=1, max_batches=30)
    leave_chart(made.root)
    return made.root


def test_finished_without_a_drive(tree: Path) -> None:
    begin(Wishes(tree))
    status = status_of(tree)
    assert (status.state, status.exit_code, status.pid, status.max_batches) == (
        "finished",
        0,
        os.getpid(),
        30,
    )
    assert not (tree / ".drivesync").exists()


def test_safe_before_anything_is_trained_is_what_drive_holds_already(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.seed(tree, "work/shapes")
    first, second = tmp_path / "first", tmp_path / "second"
    begin(Wishes(first), drive_emulator, remote="work/shapes")
    assert (status_of(first).safe_iteration, status_of(first).pushed > 0) == (30, True)
    begin(Wishes(second), drive_emulator, remote="work/shapes")
    status = status_of(second)
    assert (status.safe_iteration, status.safe_at_s, status.attempts) == (30, None, 0)


def test_each_checkpoint_is_read_once(
    tree: Path, drive_emulator: DriveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For what Drive holds, and for what to go on from: each may be large, and not yet have been read from disk."""
    begin(Wishes(tree), drive_emulator)
    read: list[str] = []

    def note_and_read(path: Path, network: Network) -> Checkpoint:
        read.append(path.name)
        return read_checkpoint(path, network)

    def look(run: Run) -> Candidates:
        # What was written just now is read again, for it could be written to once more within a tick of its clock.
        return Candidates(run, clock=lambda: time.time() + 60.0, read=note_and_read)

    monkeypatch.setattr(session, "Candidates", look)
    begin(Wishes(tree), drive_emulator)
    assert (status_of(tree).safe_iteration, status_of(tree).attempts) == (30, 0)
    assert read == ["remote_final.weights"]


def test_a_run_that_another_session_has_is_not_touched(tree: Path, drive_emulator: DriveEmulator) -> None:
    drive_emulator.seed(tree, "darknet")
    settings = Settings(emulator_url=drive_emulator.url, access_token=TOKEN, settle_s=0.0)
    with open_remote("darknet", settings, print) as remote, Leases(remote, who="somebody") as leases:
        theirs = leases.hold("backup/remote")
        with pytest.raises(LeaseError, match="somebody"):
            begin(Wishes(tree), drive_emulator)
        assert (status_of(tree).state, status_of(tree).exit_code) == ("stopped", 76)
        assert "--take-over takes the run from it" in status_of(tree).message
        begin(Wishes(tree), drive_emulator, take_over=True)
        with pytest.raises(LeaseError):
            theirs.check()
    assert (status_of(tree).state, status_of(tree).run) == ("finished", "backup/remote")


def test_started_over_without_a_drive(tree: Path) -> None:
    for name in ("", "fresh", "fresh"):
        begin(Wishes(tree), fresh=name)
    (archive,) = (tree / "backup").glob("archive-*")
    assert (archive / "remote_final.weights").is_file()
    assert (tree / "backup/remote_final.weights").is_file()


def test_a_tree_that_was_made_here_goes_to_drive_and_nothing_comes(
    tree: Path, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.put("darknet/cfg/other.cfg", b"of another tree")
    begin(Wishes(tree), drive_emulator)
    assert not (tree / "cfg/other.cfg").exists()
    assert "backup/remote_final.weights" in drive_emulator.read_tree("darknet")


def test_what_this_remote_does_not_hold_is_not_safe_whatever_was_proven_before(
    tree: Path, drive_emulator: DriveEmulator
) -> None:
    def trash(path: str) -> None:
        with drive_emulator.locked() as store:
            entry = find(store, path)
            assert entry is not None
            store.update(entry.id, Metadata(trashed=True))

    begin(Wishes(tree), drive_emulator)
    there = drive_emulator.read_tree("darknet")
    weights = sorted(path for path in there if path.endswith((".weights", ".backup")))
    assert weights
    before = read_receipts(tree)
    begin(Wishes(tree), drive_emulator)
    assert [receipt for receipt in read_receipts(tree) if receipt.path in weights] == [
        receipt for receipt in before if receipt.path in weights
    ], "what is there stays as it is"
    for path in weights:
        trash(f"darknet/{path}")
    begin(Wishes(tree), drive_emulator)
    assert {path: drive_emulator.read_tree("darknet").get(path) for path in weights} == {
        path: there[path] for path in weights
    }
    begin(Wishes(tree), drive_emulator, remote="other")
    assert {path: drive_emulator.read_tree("other").get(path) for path in weights} == {
        path: there[path] for path in weights
    }
    assert (status_of(tree).state, status_of(tree).safe_iteration) == ("finished", 30)
    trash("other")
    begin(Wishes(tree), drive_emulator)
    assert drive_emulator.read_tree("other").keys() >= set(weights)


def test_a_relative_folder_is_remembered_so_that_it_is_found_from_anywhere(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begin(Wishes(tree), drive_emulator, remote="./kept")
    state = read_tree_state(tree)
    assert state is not None
    assert state.target == str(tmp_path / "kept")
    assert (tmp_path / "kept/backup/remote_final.weights").is_file()


def test_what_was_pulled_in_part_is_pulled_to_its_end(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.seed(tree, "darknet")
    half = make_tree(tmp_path / "half", images=4, negatives=1, max_batches=30).root
    (half / "data/train/3.png").unlink()
    (half / ".drivesync").mkdir()
    (half / ".drivesync/remote.json").write_text('{"remote": "darknet", "complete": false}')
    begin(Wishes(half), drive_emulator)
    assert (half / "data/train/3.png").read_bytes() == (tree / "data/train/3.png").read_bytes()
    assert status_of(half).state == "finished"


@pytest.mark.parametrize(
    ("wishes", "error", "state", "code"),
    [
        pytest.param({"cfg": "cfg/no.cfg"}, TreeError, "failed", 78, id="the tree is wrong"),
        pytest.param({"darknet": "/no/darknet"}, NotFoundError, "failed", 66, id="no darknet"),
    ],
)
def test_failed(
    tree: Path, wishes: dict[str, str], error: type[DrivesyncError], state: str, code: int
) -> None:
    with pytest.raises(error) as caught:
        begin(Wishes(tree, **wishes))  # type: ignore[arg-type]  # extra is not among them
    status = status_of(tree)
    assert (status.state, status.exit_code) == (state, code)
    assert status.message == f"{caught.value}. {caught.value.hint}".removesuffix(". ")


def test_no_folder_on_drive(tmp_path: Path, drive_emulator: DriveEmulator) -> None:
    with pytest.raises(NotFoundError):
        begin(Wishes(tmp_path / "new"), drive_emulator)
    assert (status_of(tmp_path / "new").state, status_of(tmp_path / "new").exit_code) == ("failed", 66)


def test_stopped(tree: Path) -> None:
    with pytest.raises(StoppedError):
        begin(Wishes(tree), stopped=True)
    assert (status_of(tree).state, status_of(tree).exit_code) == ("stopped", 75)


def test_interrupted_while_pulling(tmp_path: Path, drive_emulator: DriveEmulator) -> None:
    with pytest.raises(KeyboardInterrupt):
        begin(Wishes(tmp_path / "new"), drive_emulator, while_pulling=Interrupted)
    assert (status_of(tmp_path / "new").state, status_of(tmp_path / "new").exit_code) == ("stopped", 75)


def test_an_error_in_the_program_is_not_hidden(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_run: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(session, "record_run", fail)
    with pytest.raises(ZeroDivisionError):
        begin(Wishes(tree))
    assert (status_of(tree).state, status_of(tree).exit_code) == ("failed", 70)
    assert "a bug" in status_of(tree).message


def test_a_second_one_leaves_the_status_of_the_first_alone(tree: Path) -> None:
    with pytest.raises(TreeError):
        begin(Wishes(tree, cfg="cfg/no.cfg"))
    before = status_of(tree)
    with RunLock(tree), pytest.raises(AlreadyRunningError):
        begin(Wishes(tree))
    assert status_of(tree) == before


def test_after_the_verified_end_people_are_told_once_and_the_machine_is_given_back_last(
    tree: Path, drive_emulator: DriveEmulator, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(emulator_url=drive_emulator.url, access_token=TOKEN, settle_s=0.0)
    free: list[bool] = []

    def look(path: str) -> None:
        if path == "/unassign":
            free.append(running_pid(tree) is None and status_of(tree).state == "finished")
            with open_remote("darknet", settings, print) as remote, Leases(remote, who="the next") as leases:
                leases.hold("backup/remote")

    listener.on_post = look
    notes = Notes()
    begin(Wishes(tree), drive_emulator, hooks=all_hooks(listener), reporter=notes)
    assert [path for path, _ in listener.posts] == [f"/{SECRET}", "/unassign"]
    assert free == [True]
    (notice,) = listener.notices
    assert {key: notice[key] for key in ("event", "run", "tree", "iteration", "safe_iteration")} == {
        "event": "finished",
        "run": "backup/remote",
        "tree": "tree",
        "iteration": 30,
        "safe_iteration": 30,
    }
    kept = [path.read_bytes() for path in tree.glob(".*/**/*") if path.is_file()]
    assert kept
    assert not any(SECRET.encode() in content for content in kept)
    assert SECRET not in caplog.text + "".join(notes.lines)


def test_a_failure_is_told_and_the_machine_is_kept(
    tree: Path, drive_emulator: DriveEmulator, listener: Listener
) -> None:
    with pytest.raises(TreeError):
        begin(Wishes(tree, cfg="cfg/no.cfg"), drive_emulator, hooks=all_hooks(listener))
    (notice,) = listener.notices
    assert (notice["event"], notice["run"], notice["iteration"]) == ("gave up", "backup/no", None)
    assert "there is no cfg/no.cfg" in str(notice["message"])
    assert len(listener.posts) == 1
    assert SECRET not in (tree / ".trainer/status.json").read_text()


def test_a_lost_lease_is_told_and_the_machine_is_kept(
    tree: Path, drive_emulator: DriveEmulator, listener: Listener
) -> None:
    settings = Settings(emulator_url=drive_emulator.url, access_token=TOKEN, settle_s=0.0)
    with open_remote("darknet", settings, print) as remote, Leases(remote, who="somebody") as leases:
        leases.hold("backup/remote")
        with pytest.raises(LeaseError):
            begin(Wishes(tree), drive_emulator, hooks=all_hooks(listener))
    (notice,) = listener.notices
    assert notice["event"] == "lost lease"
    assert "somebody" in str(notice["message"])
    assert len(listener.posts) == 1


def test_who_stops_it_himself_need_not_be_told(tree: Path, listener: Listener) -> None:
    with pytest.raises(StoppedError):
        begin(Wishes(tree), stopped=True, hooks=Hooks(all_hooks(listener).notify))
    assert not listener.posts


def test_the_machine_is_kept_where_nothing_proves_that_drive_has_it(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator, listener: Listener
) -> None:
    notes = Notes()
    begin(
        Wishes(tree),
        drive_emulator,
        remote=str(tmp_path / "kept"),
        hooks=Hooks(unassign=True),
        reporter=notes,
    )
    assert (status_of(tree).state, status_of(tree).proven) == ("finished", False)
    assert notes.lines[-1] == "Colab's machine is kept: nothing proves that the checkpoints are on Drive"
    assert not listener.posts


def test_the_machine_is_not_given_back_with_the_training_on_it(tree: Path, listener: Listener) -> None:
    with pytest.raises(UsageError, match="--no-push") as caught:
        begin(Wishes(tree), hooks=Hooks(unassign=True))
    assert caught.value.exit_code == 64
    assert not (tree / ".trainer").exists()
    assert not listener.posts


def test_the_history_lies_on_drive_and_goes_on_in_another_tree(
    tree: Path, tmp_path: Path, drive_emulator: DriveEmulator
) -> None:
    drive_emulator.seed(tree, "darknet")
    first, second = tmp_path / "first", tmp_path / "second"
    begin(Wishes(first), drive_emulator)
    (before,) = read_attempts(first)
    assert drive_emulator.read_tree("darknet")[ATTEMPTS] == (first / ATTEMPTS).read_bytes()

    cfg = (tree / "cfg/remote.cfg").read_text()
    drive_emulator.put("darknet/cfg/remote.cfg", cfg.replace("max_batches=30", "max_batches=40").encode())
    begin(Wishes(second), drive_emulator)
    ends = [(record.end.resumed_from, record.end.last_iteration) for record in read_attempts(second)]
    assert ends == [(0, 30), (30, 40)]
    assert read_attempts(second)[0] == before
    assert drive_emulator.read_tree("darknet")[ATTEMPTS] == (second / ATTEMPTS).read_bytes()
