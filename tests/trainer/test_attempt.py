"""One run of darknet as values; of the real one, and of scripts for what that does not do."""

from __future__ import annotations

import struct
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from trainer.attempt import Outcome, Start, run_attempt
from trainer.config import Run, Wishes, resolve_run
from trainer.darknet.output import Cause, Progress
from trainer.darknet.program import Flavour
from trainer.errors import NoDarknetError, TreeError
from trainer.settings import DEFAULT_SETTINGS, TrainerSettings
from trainer.testing import make_tree

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.darknet.output import Event

WEIGHTS = struct.pack("<iii", 0, 2, 0)


class Heard:
    """What an attempt calls, noted; sets ``stop`` at an iteration if it is to."""

    def __init__(self, stop_at: int = 0, settings: TrainerSettings = DEFAULT_SETTINGS) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self.hurry = threading.Event()
        self.pids: list[int] = []
        self.events: list[Event] = []
        self.flavours: list[Flavour] = []
        self.measured: list[float] = []
        self.ticks = 0
        self._stop_at = stop_at

    def note_start(self, pid: int) -> None:
        self.pids.append(pid)

    def recognise(self, flavour: Flavour) -> None:
        self.flavours.append(flavour)

    def hear(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Progress) and event.iteration == self._stop_at:
            self.stop.set()

    def measure(self, iteration_s: float) -> None:
        self.measured.append(iteration_s)

    def tick(self) -> None:
        self.ticks += 1

    def attempt(self, run: Run, weights: Path | None = None, resumed_from: int = 0) -> Outcome:
        start = Start(weights, resumed_from, run.data, run.cfg)
        return run_attempt(
            run, start, self.settings, self, is_over=self.stop.is_set, in_hurry=self.hurry.is_set
        )

    @property
    def iterations(self) -> list[int]:
        return [event.iteration for event in self.events if isinstance(event, Progress)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return resolve_run(Wishes(make_tree(tmp_path / "a tree", images=4, negatives=1, max_batches=30).root))


def scripted(run: Run, script: str, flavour: Flavour = Flavour.AX) -> Run:
    """The run with a shell script for its darknet."""
    program = run.tree / "stand-in"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return replace(run, program=program, flavour=flavour)


def log_of(run: Run) -> str:
    return (run.tree / ".trainer/darknet.log").read_text()


def test_the_real_one_to_its_end(run: Run) -> None:
    heard = Heard()
    outcome = heard.attempt(run)
    assert (outcome.first_iteration, outcome.last_iteration, outcome.refused) == (1, 30, "")
    assert outcome.complaint is None
    assert heard.iterations == list(range(1, 31))
    assert len(heard.pids) == 1
    assert heard.ticks >= 30
    assert (run.tree / "backup/remote_final.weights").exists()


def test_stopped(run: Run) -> None:
    heard = Heard(stop_at=3)
    outcome = heard.attempt(replace(run, extra=()))
    assert outcome.exit_status == -15
    assert outcome.first_iteration == 1
    assert not (run.tree / "backup/remote_final.weights").exists()


def test_stopped_before_it_began(run: Run) -> None:
    heard = Heard()
    heard.stop.set()
    outcome = heard.attempt(scripted(run, "sleep 30"))
    assert outcome == Outcome(None, None, -15, None)
    assert len(heard.pids) == 1


def test_one_that_began_anew_instead_of_resuming_is_ended_at_once(run: Run) -> None:
    line = "1: 2.000000, 2.500000 avg loss, 0.001000 rate, 0.010000 seconds, 4 images, 0.1 hours left"
    outcome = Heard().attempt(scripted(run, f"echo ' {line}'; sleep 30"), run.tree / "w.weights", 20)
    assert outcome.refused == "darknet began at iteration 1 though it was to resume from 20"
    assert (outcome.first_iteration, outcome.exit_status) == (1, -15)


def test_who_is_in_a_hurry_does_not_wait_for_it(run: Run) -> None:
    line = "1: 2.000000, 2.500000 avg loss, 0.001000 rate, 0.010000 seconds, 4 images, 0.1 hours left"
    heard = Heard(stop_at=1)
    heard.hurry.set()
    stubborn = scripted(run, f"trap '' TERM; echo ' {line}'; while :; do sleep 1; done")
    assert heard.attempt(stubborn).exit_status == -9


def test_one_that_is_silent_for_too_long_is_ended(run: Run) -> None:
    silent = TrainerSettings(stall_floor_s=1.0, stall_first_s=0.3)
    outcome = Heard(settings=silent).attempt(scripted(run, "echo begun; sleep 30"))
    assert outcome.stalled_s is not None
    assert 1.0 < outcome.stalled_s < 10.0
    assert outcome.exit_status == -15


def test_one_whose_loss_is_no_number_is_ended(run: Run) -> None:
    lines = "".join(
        f" {number}: -nan, -nan avg loss, 0.001000 rate, 0.010000 seconds, 4 images, 0.1 hours left\\n"
        for number in range(7, 11)
    )
    outcome = Heard().attempt(scripted(run, f"printf '{lines}'; sleep 30"))
    assert (outcome.diverged_at, outcome.last_iteration, outcome.exit_status) == (7, 10, -15)


def test_what_an_iteration_takes(run: Run) -> None:
    line = "avg loss, 0.001000 rate, 0.010000 seconds, 4 images, 0.1 hours left"
    said = "; sleep 0.2; ".join(f"echo ' {number}: 2.0, 2.5 {line}'" for number in (1, 3, 5))
    heard = Heard()
    outcome = heard.attempt(scripted(run, said))
    assert outcome.iteration_s == pytest.approx(0.1, abs=0.05)
    assert len(heard.measured) == 2
    assert heard.measured[-1] == outcome.iteration_s
    assert Heard().attempt(scripted(run, "true")).iteration_s is None


@pytest.mark.parametrize(
    ("known", "heard"),
    [
        pytest.param(False, [Flavour.PJ], id="a script around it: told once"),
        pytest.param(True, [], id="its bytes have told"),
    ],
)
def test_which_it_says_to_be(run: Run, heard: list[Flavour], *, known: bool) -> None:
    listener = Heard()
    outcome = listener.attempt(replace(run, flavour_known=known))
    assert (outcome.flavour, outcome.last_iteration) == (heard[0] if heard else None, 30)
    assert listener.flavours == heard


def test_what_it_complained_of_last(run: Run) -> None:
    (run.tree / "data/train.txt").unlink()
    outcome = Heard().attempt(run)
    assert outcome.complaint is not None
    assert (outcome.complaint.cause, outcome.complaint.path) == (Cause.NO_FILE, "data/train.txt")


@pytest.mark.parametrize(
    ("flavour", "weights", "resumed_from", "extra", "arguments"),
    [
        pytest.param(Flavour.AX, None, 0, ("-map",), "-dont_show -map", id="from nothing"),
        pytest.param(Flavour.PJ, None, 0, (), "", id="the original"),
        pytest.param(Flavour.AX, 400, 100, ("-clear",), "w.weights -dont_show", id="a checkpoint goes on"),
        pytest.param(Flavour.AX, 0, 0, (), "w.weights -dont_show", id="pretrained, counting nothing"),
        pytest.param(Flavour.AX, 400, 0, (), "w.weights -dont_show -clear", id="pretrained, counting"),
        pytest.param(Flavour.PJ, 400, 0, (), "w.weights -clear", id="pretrained, for the original"),
        pytest.param(
            Flavour.AX, 400, 0, ("-clear",), "w.weights -dont_show -clear", id="-clear is the user's"
        ),
    ],
)
def test_how_it_is_called(
    run: Run,
    flavour: Flavour,
    weights: int | None,
    resumed_from: int,
    extra: tuple[str, ...],
    arguments: str,
) -> None:
    path = run.tree / "w.weights"
    path.write_bytes(WEIGHTS + struct.pack("<Q", weights or 0))
    called = scripted(replace(run, extra=extra), 'echo "$@"', flavour)
    Heard().attempt(called, None if weights is None else path, resumed_from)
    assert log_of(run) == f"detector train cfg/remote.data cfg/remote.cfg {arguments}".rstrip() + "\n"


@pytest.mark.parametrize("content", [None, b"", b"no header at all....."])
def test_pretrained_weights_that_cannot_be_read_are_darknets_affair(run: Run, content: bytes | None) -> None:
    path = run.tree.parent / "w.weights"
    if content is not None:
        path.write_bytes(content)
    Heard().attempt(scripted(run, 'echo "$@"'), path)
    assert log_of(run) == f"detector train cfg/remote.data cfg/remote.cfg {path} -dont_show\n"


def test_a_flag_that_it_does_not_know(run: Run) -> None:
    heard = Heard()
    with pytest.raises(TreeError, match="does not know -map"):
        heard.attempt(replace(run, extra=("-map",)))
    assert not heard.pids


def test_the_program_has_gone(run: Run) -> None:
    with pytest.raises(NoDarknetError):
        Heard().attempt(replace(run, program=run.tree / "gone"))
