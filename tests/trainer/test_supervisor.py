"""The loop on the real darknet, without a Drive; with one in tests/e2e."""

from __future__ import annotations

import queue
import re
import shutil
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.acceptance import find_accept
from drivesync.config import Settings
from drivesync.errors import LeaseError, LocalWriteError
from drivesync.files import Receipt
from drivesync.leasing.lease import Lease
from drivesync.leasing.leases import Leases
from drivesync.progress import Silence
from drivesync.remotes import open_remote
from drivesync.watch import keep_pushed
from trainer.candidates import Candidates
from trainer.config import Wishes, resolve_run
from trainer.curves.writer import MetricsWriter
from trainer.darknet.program import Flavour
from trainer.deciding.endings import Ending
from trainer.errors import GaveUpError, NoDarknetError, StoppedError, TreeError
from trainer.learning.history import read_attempts
from trainer.status import Status, StatusWriter
from trainer.supervisor import Supervisor
from trainer.surroundings import Surroundings
from trainer.testing import leave_chart, make_tree
from trainer.testing.stand_in import install
from trainer.testing.transcript import expand, read_transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivesync.pushing.background import BackgroundPusher
    from drivesync.remotes.base import Remote


class Notes(Silence):
    """Keeps what it was told, and calls ``on_note`` with it."""

    def __init__(self, on_note: Callable[[str], object]) -> None:
        self.lines: list[str] = []
        self._on_note = on_note

    def note(self, line: str) -> None:
        self.lines.append(line)
        self._on_note(line)


class Training:
    """A run of the real darknet under a supervisor, in this process."""

    def __init__(self, tree: Path, *, charts: bool = False) -> None:
        max_batches = 120
        make_tree(tree, images=4, negatives=1, size_px=32, max_batches=max_batches)
        if not charts:
            leave_chart(tree)
        self.run = resolve_run(Wishes(tree))
        self.stop = threading.Event()
        self.notes = Notes(self.hear)
        self.on_note: Callable[[str], object] = lambda _line: None
        self.lease: Callable[[], Lease | None] = lambda: None
        self.safe: queue.SimpleQueue[Receipt] = queue.SimpleQueue()
        self.pusher: BackgroundPusher | None = None
        self.hurry = threading.Event()
        self.grace_s = 20.0
        status = Status("starting", 1, 2.0, max_batches=max_batches, run=self.run.name)
        self.status = StatusWriter(tree, status)

    def hear(self, line: str) -> None:
        self.on_note(line)

    def train(self) -> None:
        with ExitStack() as stack:
            metrics = stack.enter_context(MetricsWriter(self.backup / "metrics.jsonl"))
            around = Surroundings(
                self.pusher,
                self.safe,
                self.status,
                metrics,
                self.notes,
                self.stop,
                hurry=self.hurry,
                grace_s=self.grace_s,
                lease=self.lease,
                jitter=lambda: 0.0,
            )
            Supervisor(self.run, around, Candidates(self.run)).train()

    @property
    def backup(self) -> Path:
        return self.run.tree / "backup"

    @property
    def log(self) -> str:
        path = self.run.tree / ".trainer/darknet.log"
        return path.read_text() if path.exists() else ""

    @property
    def iterations(self) -> list[int]:
        return [int(number) for number in re.findall(r"^(\d+): .* avg", self.log, re.MULTILINE)]

    def replace_darknet(self, script: str) -> None:
        program = self.run.tree / "stand-in"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        self.run = replace(self.run, program=program)

    def snapshot(self, source: Path, name: str = "remote.backup") -> Path:
        """Put a file into the spool as if drivesync had taken it."""
        place = self.run.tree / ".drivesync/spool/00000007"
        place.mkdir(parents=True)
        return Path(shutil.copy(source, place / name))


@pytest.fixture
def training(tmp_path: Path) -> Training:
    return Training(tmp_path / "tree")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Training:
    """One that has come to its end."""
    training = Training(tmp_path_factory.mktemp("trained") / "tree", charts=True)
    training.train()
    return training


@pytest.fixture
def checkpoint(trained: Training) -> Path:
    """A whole checkpoint of iteration 100."""
    return trained.backup / "remote_100.weights"


def test_from_nothing_to_the_end(trained: Training) -> None:
    value = trained.status.value
    assert (value.state, value.exit_code, value.iteration, value.attempts) == ("finished", 0, 120, 1)
    assert (value.resumed_from, value.restarts) == (0, ())
    assert trained.iterations == list(range(1, 121))
    assert value.message == "the training is finished; backup/remote_final.weights holds iteration 120"
    assert (trained.backup / "chart.png").is_file()


def test_the_end_is_the_end(training: Training, trained: Training) -> None:
    shutil.copy(trained.backup / "remote_final.weights", training.backup)
    training.train()
    assert training.log == ""
    assert training.status.value.state == "finished"
    assert training.status.value.message.startswith("the training was finished already")


def test_run_again_after_the_end_it_stands_as_before(training: Training, trained: Training) -> None:
    for path in ("backup/remote_final.weights", "backup/metrics.jsonl", ".trainer/attempts.jsonl"):
        (training.run.tree / path).parent.mkdir(exist_ok=True)
        shutil.copy(trained.run.tree / path, training.run.tree / path)
    training.train()
    now, then = training.status.value, trained.status.value
    assert (now.avg_loss, now.life, now.iteration) == (then.avg_loss, then.life, then.iteration)
    assert now.ended_s is not None
    assert now.ended_s == pytest.approx(then.updated_s, abs=60.0)


def test_on_from_a_checkpoint(training: Training, checkpoint: Path) -> None:
    shutil.copy(checkpoint, training.backup)
    training.train()
    assert training.status.value.resumed_from == 100
    assert training.iterations == list(range(101, 121))


def test_on_from_a_snapshot_where_the_file_was_torn(training: Training, checkpoint: Path) -> None:
    (training.backup / "remote.backup").touch()
    training.snapshot(checkpoint)
    training.train()
    assert "Loading weights from .drivesync/spool/00000007/remote.backup...Done!" in training.log
    assert training.iterations == list(range(101, 121))


def test_what_was_rejected_is_set_aside_before_a_start_from_nothing(training: Training) -> None:
    (training.backup / "remote_100.weights").write_bytes(b"of another network")
    training.train()
    assert (training.backup / "remote_100.weights.rejected").read_bytes() == b"of another network"
    assert training.iterations[0] == 1


def test_stopped_while_training(training: Training) -> None:
    training.on_note = lambda line: training.stop.set() if line.startswith("iteration ") else None
    with pytest.raises(StoppedError, match=r"stopped at iteration \d+$"):
        training.train()
    assert not (training.backup / "remote_final.weights").exists()


def test_stopped_before_darknet_starts_again(training: Training) -> None:
    training.replace_darknet("exit 3")
    training.on_note = lambda line: training.stop.set() if "starting again" in line else None
    with pytest.raises(StoppedError, match="stopped at iteration 0"):
        training.train()
    assert training.status.value.attempts == 1


class Contest:
    """Two sessions that want one run; the first has it."""

    def __init__(self, remotes: list[Remote], stack: ExitStack) -> None:
        self._stack = stack
        self._other = remotes[1]
        self.first = stack.enter_context(Lease(remotes[0], "backup/remote"))

    def take_over(self) -> None:
        """The second takes it, and the first finds out."""
        self._stack.enter_context(Lease(self._other, "backup/remote", take_over=True))
        with suppress(LeaseError):
            self.first.check()


@pytest.fixture
def remotes(tmp_path: Path) -> Iterator[list[Remote]]:
    """One, as two sessions have it."""
    place = tmp_path / "remote"
    place.mkdir()
    with ExitStack() as stack:
        yield [stack.enter_context(open_remote(str(place), Settings(), print)) for _ in range(2)]


@pytest.fixture
def contest(remotes: list[Remote]) -> Iterator[Contest]:
    with ExitStack() as stack:
        yield Contest(remotes, stack)


def test_a_run_that_another_session_has_taken_is_lost_and_not_given_up(
    training: Training, contest: Contest
) -> None:
    training.lease = lambda: contest.first
    training.on_note = lambda line: contest.take_over() if line.startswith("iteration ") else None
    with pytest.raises(LeaseError, match=r"stopped at iteration \d+: another session has taken"):
        training.train()
    (only,) = read_attempts(training.run.tree)
    assert only.ending == Ending.LOST_LEASE.name


def test_what_happens_between_two_starts_of_darknet_is_taken_in(training: Training, contest: Contest) -> None:
    """Here that another session takes the run when it is told that a checkpoint is safe."""
    training.replace_darknet("echo 'Calloc error - possibly out of CPU RAM'; exit 1")
    training.lease = lambda: contest.first if training.status.value.pushed else None
    receipt = Receipt("backup/remote.backup", 1, "", "", "id", "", 2.0, 100)
    contest.take_over()
    training.on_note = lambda line: training.safe.put(receipt) if "starting again" in line else None
    began_s = time.monotonic()
    with pytest.raises(LeaseError):
        training.train()
    assert time.monotonic() - began_s < 10.0  # it was to be 15 s until the next start
    assert (training.status.value.attempts, training.status.value.safe_iteration) == (1, 100)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        pytest.param("rm cfg/remote.cfg", TreeError, id="its cfg is gone"),
        pytest.param('rm "$0"', NoDarknetError, id="the program is gone"),
    ],
)
def test_what_cannot_be_started_again_is_pushed_all_the_same(
    training: Training, script: str, error: type[Exception]
) -> None:
    training.replace_darknet(f"{script}; exit 3")
    with pytest.raises(error):
        training.train()
    assert training.status.value.state == "pushing"


def test_a_run_that_another_session_has_keeps_no_other_from_its_end(
    training: Training, remotes: list[Remote], checkpoint: Path, tmp_path: Path
) -> None:
    """What it once left here stays here."""
    tree, (ours, theirs) = training.run.tree, remotes
    shutil.copy(tree / "cfg/remote.cfg", tree / "cfg/other.cfg")
    shutil.copy(checkpoint, tree / "backup/other_100.weights")
    patterns = (*training.run.patterns, "backup/other_*.weights")
    with (
        Lease(theirs, "backup/other"),
        Leases(ours) as leases,
        keep_pushed(
            tree,
            ours,
            patterns,
            find_accept(),
            reporter=training.notes,
            on_safe=training.safe.put,
            leases=leases,
        ) as pusher,
    ):
        training.pusher = pusher
        training.train()
        assert [entry.path for entry in pusher.pending] == ["backup/other_100.weights"]
    assert training.status.value.state == "finished"
    assert (tmp_path / "remote/backup/remote_final.weights").is_file()


def test_who_is_in_a_hurry_after_all_waits_for_no_push(
    training: Training, remotes: list[Remote], checkpoint: Path, tmp_path: Path
) -> None:
    training.grace_s = 60.0
    shutil.copy(checkpoint, training.backup)
    training.on_note = lambda line: training.stop.set() if line.startswith("iteration ") else None

    def lose_patience() -> None:
        while training.status.value.state != "pushing":
            time.sleep(0.01)
        training.hurry.set()

    (tmp_path / "remote").rmdir()
    with keep_pushed(
        training.run.tree,
        remotes[0],
        training.run.patterns,
        find_accept(),
        reporter=training.notes,
        on_safe=training.safe.put,
    ) as training.pusher:
        threading.Thread(target=lose_patience, daemon=True).start()
        began_s = time.monotonic()
        with pytest.raises(StoppedError, match=r"are kept in \.drivesync"):
            training.train()
        assert time.monotonic() - began_s < 20.0


def test_the_original_behind_a_script_is_called_anew_as_it_wants_it(training: Training) -> None:
    """It takes the flag that the others get for its weights file, and trains nothing."""
    training.replace_darknet(f'exec {training.run.program} "$@"')
    training.run = resolve_run(Wishes(training.run.tree, darknet=str(training.run.program)))
    training.train()
    assert [line.partition(": ")[2] for line in training.notes.lines if "darknet runs" in line] == [
        f"taken for {Flavour.AX.value}",
        Flavour.PJ.value,
    ]
    assert f"by what it says it is {Flavour.PJ.value}" in training.notes.lines
    assert training.iterations == list(range(1, 121))
    (only,) = read_attempts(training.run.tree)
    assert (only.ending, training.status.value.attempts) == (Ending.FINISHED.name, 1)


def test_another_behind_a_script_is_judged_and_called_as_what_it_says_to_be(training: Training) -> None:
    """An image that cannot be read ends hank-ai's, whatever it says after it; AlexeyAB's goes on."""
    tree = training.run.tree
    ends = 'err * Error message: failed to load image file "data/train/0.png"\nexit 1'
    begins = "include hk/start.txt\ninclude hk/each.txt\n"
    first = f"when attempt 1\ntrain 20\nexit 1\nalways\ntrain 30\n{ends}\n"
    install(tree, Flavour.HK, expand(begins + first, read_transcript))
    training.replace_darknet(f'echo "$@" >> arguments; exec {tree}/darknet "$@"')
    (tree / "yolov4-tiny.conv.29").touch()
    training.run = resolve_run(Wishes(tree, darknet=str(training.run.program)))
    with pytest.raises(TreeError, match="failed to load image file"):
        training.train()
    called = [line.split()[4:] for line in (tree / "arguments").read_text().splitlines()]
    assert called == [["yolov4-tiny.conv.29", "-dont_show"], ["-dont_show", "-nocolour"]]
    assert any(
        line.startswith(f"by what it says it is {Flavour.HK.value}; ") for line in training.notes.lines
    )


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        pytest.param(
            "exit 3", GaveUpError, "darknet ended 3 times before its first", id="the same each time"
        ),
        pytest.param("kill -8 $$", TreeError, "list of training images is empty", id="division by zero"),
        pytest.param("echo Couldn\\'t open file: data/x", TreeError, "cannot open data/x", id="a file lacks"),
        pytest.param(
            "echo '1: 2.0, 3.0 avg, 0.0 rate, 0.1 seconds, 4 images'; sleep 0.3;"
            "echo Couldn\\'t open file: backup//remote.backup",
            LocalWriteError,
            "cannot write backup//remote.backup",
            id="no room for weights",
        ),
    ],
)
def test_given_up(training: Training, script: str, error: type[Exception], message: str) -> None:
    training.replace_darknet(script)
    with pytest.raises(error, match=message):
        training.train()
    assert training.status.value.state == "pushing"
