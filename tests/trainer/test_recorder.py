"""What happens to a run becomes status, metrics, a picture and words."""

from __future__ import annotations

import json
import queue
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import NotAllowedError, RemoteFullError, TransientError, UsedUpError
from drivesync.files import Receipt
from drivesync.progress import Silence
from trainer.background import RunLock
from trainer.config import Run, Wishes, resolve_run
from trainer.curves.metrics import read_metrics
from trainer.curves.writer import MetricsWriter
from trainer.darknet.output import MeanAveragePrecision, NewBest, Progress, Saving
from trainer.darknet.size import weights_size
from trainer.deciding.endings import NO_CHANGES, AttemptEnd, Changes, Diagnosis, Ending
from trainer.deciding.policy import Restart
from trainer.gauges import NO_READING, Reading
from trainer.learning.facts import read_facts
from trainer.learning.history import AttemptRecord, append_attempt
from trainer.recorder import Recorder, describe_trouble
from trainer.status import GpuNote, RestartNote, Status, StatusWriter, read_status, to_json
from trainer.surroundings import Surroundings
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Notes(Silence):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


@dataclass
class Bench:
    """A recorder without a Drive, and all that it works with."""

    run: Run
    status: StatusWriter
    metrics: MetricsWriter
    notes: Notes = field(default_factory=Notes)
    safe: queue.SimpleQueue[Receipt] = field(default_factory=queue.SimpleQueue)
    kept: list[tuple[float | None, float | None]] = field(default_factory=list)
    now_s: float = 1000.0
    reading: Reading = NO_READING
    hurry: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        around = Surroundings(
            None,
            self.safe,
            self.status,
            self.metrics,
            self.notes,
            threading.Event(),
            hurry=self.hurry,
            clock=lambda: self.now_s,
            steady=lambda: self.now_s,
            gauges=lambda: self.reading,
        )
        self.recorder = Recorder(self.run, around, lambda *times: self.kept.append(times))

    @property
    def backup(self) -> Path:
        return self.run.tree / self.run.backup

    def is_drawing(self) -> bool:
        return self.recorder._papers._drawing is not None

    def tick_until(self, condition: Callable[[], bool]) -> None:
        """Let the time of day stand still, and that which others take pass."""
        give_up_s = time.monotonic() + 20.0
        while not condition():
            assert time.monotonic() < give_up_s
            time.sleep(0.01)
            self.recorder.tick()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    tree = make_tree(tmp_path / "tree", images=4, negatives=1).root
    with ExitStack() as stack:
        stack.enter_context(RunLock(tree))
        metrics = stack.enter_context(MetricsWriter(tree / "backup/metrics.jsonl"))
        status = StatusWriter(tree, Status("starting", 1, 2.0, max_batches=300), clock=lambda: 5.0)
        yield Bench(resolve_run(Wishes(tree)), status, metrics)


def progress(iteration: int, loss: float = 2.0) -> Progress:
    return Progress(iteration, loss, 3.0, 0.001, 0.01, 4 * iteration)


def receipt(iteration: int | None, at_s: float = 900.0) -> Receipt:
    return Receipt("backup/x.weights", 1, "", "", "id", "", at_s, iteration)


def test_what_waited_while_the_batch_was_changed_is_counted_anew(bench: Bench) -> None:
    images = 50 * bench.run.network.images_per_iteration
    bench.safe.put(replace(receipt(400), progress=images))
    bench.safe.put(replace(receipt(60), progress=images + bench.run.network.images_per_iteration))
    bench.recorder.take_receipts()
    assert bench.status.value.safe_iteration == 51


def test_training_is_what_darknet_does_and_not_what_is_about_to_be_done(bench: Bench) -> None:
    bench.recorder.begin_attempt(1, 100, NO_CHANGES)
    assert (bench.status.value.state, bench.status.value.iteration) == ("starting", 100)
    bench.recorder.note_start(77)
    assert bench.status.value.state == "training"
    assert bench.notes.lines == ["darknet runs as process 77: the original darknet (2018)"]


def test_the_first_loss_is_known_to_others_at_once(bench: Bench) -> None:
    bench.recorder.note_start(77)
    bench.recorder.hear(progress(1))
    status = read_status(bench.run.tree)
    assert status is not None
    assert (status.iteration, status.avg_loss) == (1, 3.0)


def test_what_darknet_says_is_kept(bench: Bench) -> None:
    bench.recorder.begin_attempt(1, 0, NO_CHANGES)
    for event in (progress(1), progress(2, loss=1.5), NewBest(), MeanAveragePrecision(0.25)):
        bench.recorder.hear(event)
    bench.metrics.flush()
    curve = read_metrics(bench.backup / "metrics.jsonl")
    assert curve.iteration.tolist() == [1, 2]
    assert curve.loss.tolist() == [2.0, 1.5]
    (happening,) = curve.happenings
    assert (happening.name, happening.iteration, happening.fields["value"]) == ("map", 2, 0.25)
    assert curve.images.tolist() == [4.0, 8.0]


def test_how_far_it_is_and_when_it_will_be_done(bench: Bench) -> None:
    bench.recorder.begin_attempt(1, 0, NO_CHANGES)
    for iteration in range(1, 51):
        bench.now_s += 3.0
        bench.recorder.hear(progress(iteration))
    bench.recorder.tick()
    assert (bench.status.value.per_minute, bench.status.value.left_s) == (20.0, 750.0)
    # A restart, and what it takes, is no sign of how fast it goes on.
    bench.now_s += 600.0
    bench.recorder.begin_attempt(2, 40, NO_CHANGES)
    assert (bench.status.value.per_minute, bench.status.value.left_s) == (20.0, 780.0)


def test_what_the_machine_has_to_do_and_to_spare(bench: Bench) -> None:
    bench.recorder.begin_attempt(1, 0, NO_CHANGES)
    bench.recorder.hear(progress(1))
    bench.reading = Reading((GpuNote("T4", 5, 16, 90.0), GpuNote("T4", 7, 16, None)), 1000, 2000)
    bench.recorder.tick()
    status = bench.status.value
    assert (status.gpus, status.disk_free_bytes, status.remote_free_bytes) == (bench.reading.gpus, 1000, 2000)
    assert status.checkpoint_bytes == weights_size(bench.run.network, flavour=bench.run.flavour)
    bench.metrics.flush()
    (usage,) = read_metrics(bench.backup / "metrics.jsonl").usages
    assert (usage.used_bytes, usage.total_bytes, usage.busy_percent) == (12, 32, 90.0)


def test_a_machine_without_a_gpu_uses_none(bench: Bench) -> None:
    bench.recorder.hear(progress(1))
    bench.recorder.tick()
    bench.metrics.flush()
    assert read_metrics(bench.backup / "metrics.jsonl").usages == ()


def test_without_a_remote_nothing_is_pushed_and_that_is_said(bench: Bench) -> None:
    bench.recorder.tick()
    assert not bench.status.value.pushing


def test_the_life_of_the_run_is_told_and_of_no_other(bench: Bench) -> None:
    facts = read_facts(bench.run.network)
    end = AttemptEnd(1_790_000_000.0, 1_790_000_060.0, 0, 0, 100, 1, 130, -9)
    for name in (bench.run.name, "backup/other"):
        record = AttemptRecord(name, 1.0, "host", facts, end, "UNKNOWN", "killed", "restart")
        append_attempt(bench.run.tree, record)
    bench.recorder.begin_attempt(1, 100, NO_CHANGES)
    attempts, restarts, _ = bench.status.value.life
    assert attempts.startswith("1 attempt in 1 session since 2026-09-21")
    assert restarts == "1 restart: 1 x darknet was killed from outside"


@pytest.mark.parametrize(
    ("trouble", "said", "remedy"),
    [
        pytest.param(TransientError("503", hint="Wait."), "503. Wait.", "", id="passes by itself"),
        pytest.param(TransientError("503"), "503", "", id="likewise, without a word more"),
        pytest.param(
            UsedUpError("for today", hint="Wait."), "for today. Wait.", "", id="passes within a day"
        ),
        pytest.param(
            RemoteFullError("no room", hint="Make some."), "no room", "Make some.", id="needs the user"
        ),
        pytest.param(
            NotAllowedError("expired", hint="Log in."), "expired", "Log in.", id="likewise: a login"
        ),
        pytest.param(RuntimeError("oh"), "oh", "", id="an error in the program"),
        pytest.param("no room on this disk", "no room on this disk", "", id="of the disk"),
    ],
)
def test_what_the_user_can_do_is_told_apart(trouble: Exception | str, said: str, remedy: str) -> None:
    assert describe_trouble(trouble) == (f"waiting to push: {said}", remedy)


def test_of_many_restarts_the_last_are_told_in_the_status(bench: Bench) -> None:
    """Which is written every second; a run that is killed every minute has more than a thousand a day."""
    end = AttemptEnd(900.0, 1000.0, 1, 1, 1, 2, 3, -9)
    killed = Diagnosis(Ending.UNKNOWN, "darknet was ended by signal 9")
    for iteration in range(1, 1001):
        restart = Restart(0.0, None, NO_CHANGES, None, killed.reason, killed)
        bench.recorder.note_decision(replace(end, last_iteration=iteration), restart)
    value = bench.status.value
    assert (value.restarted, value.restarts[-1].iteration) == (1000, 1000)
    assert len(json.dumps(to_json(value))) < 10_000


def test_how_long_things_take_is_told_now_and_then(bench: Bench) -> None:
    bench.recorder.begin_attempt(1, 0, NO_CHANGES)
    bench.recorder.measure(1.5)
    bench.recorder.tick()
    assert bench.kept == []
    bench.now_s += 60.0
    bench.recorder.tick()
    bench.recorder.begin_attempt(2, 0, NO_CHANGES)
    bench.now_s += 60.0
    bench.recorder.tick()
    assert bench.kept == [(1.5, None), (None, None)]


def test_a_clock_that_is_set_back_holds_nothing_up(bench: Bench) -> None:
    bench.now_s = 1e6
    bench.recorder.hear(progress(1))
    bench.recorder.tick()
    bench.now_s = 1000.0
    bench.recorder.hear(progress(2))
    bench.recorder.tick()
    assert [line.partition(",")[0] for line in bench.notes.lines] == [
        "iteration 1 of 300",
        "iteration 2 of 300",
    ]
    assert len((bench.backup / "metrics.jsonl").read_text().splitlines()) == 2


def test_a_restart_takes_back_what_is_trained_again(bench: Bench) -> None:
    bench.recorder.begin_attempt(1, 0, NO_CHANGES)
    for iteration in (1, 2, 3):
        bench.recorder.hear(progress(iteration))
    end = AttemptEnd(900.0, 1000.0, 1, 1, 1, 2, 3, -9)
    killed = Diagnosis(Ending.UNKNOWN, "darknet was ended by signal 9")
    restart = Restart(0.5, None, Changes(8, 0.5), None, killed.reason, killed)
    bench.recorder.note_decision(end, restart)
    bench.recorder.begin_attempt(2, 1, Changes(8, 0.5))
    bench.metrics.flush()
    curve = read_metrics(bench.backup / "metrics.jsonl")
    assert curve.iteration.tolist() == [1]
    assert [(seam.kind, seam.first_iteration) for seam in curve.seams] == [("restarted", 2)]
    assert bench.status.value.state == "restarting"
    assert bench.status.value.restarts == (RestartNote(1000.0, 3, "darknet was ended by signal 9", 0),)
    assert (bench.status.value.ending, bench.status.value.changes) == (
        "unknown",
        "subdivisions=8, learning_rate=0.0005",
    )
    assert bench.notes.lines == [
        "darknet was ended by signal 9; starting again in 0.5 s",
        "with subdivisions=8, learning_rate=0.0005, other than cfg/remote.cfg says",
    ]


def test_safe_is_the_furthest_that_has_a_receipt(bench: Bench) -> None:
    for one in (receipt(100, 901.0), receipt(200, 902.0), receipt(100, 903.0), receipt(None, 904.0)):
        bench.safe.put(one)
    bench.recorder.tick()
    value = bench.status.value
    assert (value.safe_iteration, value.safe_at_s, value.pushed) == (200, 902.0, 4)


def test_a_line_every_ten_seconds(bench: Bench) -> None:
    bench.recorder.tick()
    assert bench.notes.lines == []
    bench.recorder.hear(progress(7))
    bench.recorder.tick()
    bench.now_s += 9.9
    bench.recorder.tick()
    assert bench.notes.lines == ["iteration 7 of 300, avg loss 3"]
    bench.safe.put(receipt(5))
    bench.now_s += 0.1
    bench.recorder.tick()
    assert bench.notes.lines[1:] == ["iteration 7 of 300, avg loss 3, safe up to 5"]


def test_metrics_and_picture_once_a_minute_if_there_is_anything_new(bench: Bench) -> None:
    chart = bench.backup / "chart.png"
    for iteration in range(1, 6):
        bench.recorder.hear(progress(iteration))
    bench.now_s += 59.9
    bench.recorder.tick()
    assert not chart.exists()
    bench.now_s += 0.1
    bench.recorder.tick()
    assert bench.is_drawing(), "nobody waits for it"
    bench.tick_until(chart.exists)
    bench.tick_until(lambda: not bench.is_drawing())
    drawn_ns = chart.stat().st_mtime_ns
    bench.now_s += 60.0
    bench.recorder.tick()
    assert not bench.is_drawing()
    bench.recorder.hear(progress(6))
    bench.now_s += 60.0
    bench.recorder.tick()
    bench.tick_until(lambda: chart.stat().st_mtime_ns > drawn_ns)


def test_metrics_go_with_the_checkpoints_that_they_lead_to(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered: list[tuple[int, ...]] = []

    def note(_recorder: Recorder, *paths: str) -> str:
        assert paths == ("backup/metrics.jsonl",)
        offered.append(tuple(read_metrics(bench.backup / "metrics.jsonl").iteration.tolist()))
        return ""

    monkeypatch.setattr(Recorder, "offer", note)
    for iteration, later_s in ((1, 9.9), (2, 0.1), (3, 5.0), (4, 5.0)):
        bench.now_s += later_s
        bench.recorder.hear(progress(iteration))
        bench.recorder.hear(Saving("backup/remote_last.weights"))
    assert offered == [(1, 2), (1, 2, 3, 4)], "not each time, where they come fast"


def test_one_in_a_hurry_ends_the_drawing_of_the_picture(bench: Bench) -> None:
    bench.recorder.hear(progress(1))
    bench.now_s += 60.0
    bench.recorder.tick()
    assert bench.is_drawing()
    bench.hurry.set()
    bench.recorder.take_receipts()
    assert not bench.is_drawing()
    assert bench.notes.lines == ["iteration 1 of 300, avg loss 3"]


def test_no_picture_of_nothing_and_none_twice(bench: Bench) -> None:
    chart = bench.backup / "chart.png"
    bench.recorder.wrap_up()
    assert not chart.exists()
    for iteration in range(1, 6):
        bench.recorder.hear(progress(iteration))
    bench.recorder.wrap_up()
    assert chart.read_bytes().startswith(b"\x89PNG")
    drawn_ns = chart.stat().st_mtime_ns
    bench.recorder.wrap_up()
    assert chart.stat().st_mtime_ns == drawn_ns
    assert bench.notes.lines == []


def test_a_picture_that_cannot_be_drawn_is_said_and_no_more(bench: Bench) -> None:
    bench.recorder.hear(progress(1))
    (bench.backup / "chart.png").mkdir()
    (bench.backup / "metrics.jsonl").touch()
    bench.recorder.wrap_up()
    (line,) = bench.notes.lines
    assert line.startswith("no chart could be drawn: ")
