"""What TensorBoard shows of a run, by its own readers."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivesync.errors import LocalWriteError, NotFoundError
from trainer.curves import tensorboard
from trainer.curves.metrics import METRICS_NAME, read_metrics
from trainer.curves.tensorboard import EVENTS_PATH, has_writer, main, update_events
from trainer.curves.writer import MetricsWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Curves = dict[str, list[tuple[int, float]]]


class Run:
    """A run in a folder, its clock, and what is told of it."""

    def __init__(self, backup: Path) -> None:
        self.metrics, self.events = backup / METRICS_NAME, backup / EVENTS_PATH
        self.now_s = 1_790_000_000.25

    def clock(self) -> float:
        return self.now_s

    def writer(self) -> MetricsWriter:
        return MetricsWriter(self.metrics, clock=self.clock, wall_clock=self.clock)

    def train(self, first: int, last: int, *, maps: tuple[int, ...] = (), usages: bool = False) -> None:
        """A session, and an update at its end."""
        with self.writer() as writer:
            writer.resume(first)
            for iteration in range(first, last + 1):
                self.now_s += 4
                writer.progress(
                    iteration=iteration,
                    loss=self.now_s % 1009,
                    avg_loss=2.0,
                    rate=0.001,
                    seconds=0.5,
                    images=64 * iteration,
                )
                if usages:
                    writer.usage(used_bytes=iteration << 20, total_bytes=1 << 34, busy_percent=50)
                if iteration in maps:
                    writer.event(
                        "map",
                        iteration=iteration,
                        value=self.now_s % 1013 / 1013,
                        classes={"a b": 0.5, "c": math.nan},
                    )
        self.update()

    def update(self) -> None:
        self.now_s += 1
        update_events(self.metrics, self.events)

    def expected(self) -> Curves:
        read = read_metrics(self.metrics)
        steps = read.iteration.tolist()
        columns = {"loss": read.loss, "avg_loss": read.avg_loss, "rate": read.rate, "seconds": read.seconds}
        curves = {tag: list(zip(steps, column.tolist(), strict=True)) for tag, column in columns.items()}
        curves["images"] = [
            (step, count)
            for step, count in zip(steps, read.images.tolist(), strict=True)
            if not math.isnan(count)
        ]
        curves["mAP"] = [(found.iteration, found.value) for found in read.maps]
        curves["AP/a b"] = [(found.iteration, 0.5) for found in read.maps]
        curves["GPU/memory_GiB"] = [(usage.iteration, usage.used_bytes / (1 << 30)) for usage in read.usages]
        curves["GPU/busy_percent"] = [(usage.iteration, usage.busy_percent) for usage in read.usages]
        return {tag: curve for tag, curve in curves.items() if curve}

    def shown(self) -> Curves:
        """By TensorBoard's reader, which keeps everything if it is told to."""
        readers = import_module("tensorboard.backend.event_processing.event_accumulator")
        reader = readers.EventAccumulator(str(self.events.parent), size_guidance={readers.SCALARS: 0})
        reader.Reload()
        tags = reader.Tags()["scalars"]
        curves = {tag: [(event.step, event.value) for event in reader.Scalars(tag)] for tag in tags}
        # Of what was taken back, and has not come again, only the name is left.
        return {tag: curve for tag, curve in curves.items() if curve}

    def check(self) -> None:
        self.compare(self.shown())

    def compare(self, shown: Curves) -> None:
        expected = self.expected()
        assert shown.keys() == expected.keys()
        for tag, curve in expected.items():
            assert [step for step, _ in shown[tag]] == [step for step, _ in curve], tag
            values = [value for _, value in curve]
            assert [value for _, value in shown[tag]] == pytest.approx(values, rel=1e-5, nan_ok=True), tag


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "backup")


def test_a_run_over_several_sessions_is_one(run: Run) -> None:
    run.train(1, 340, maps=(100, 200, 300), usages=True)
    run.check()
    first = run.events.read_bytes()
    run.train(301, 320, usages=True)
    run.check()
    assert run.events.read_bytes().startswith(first), "an open TensorBoard reads on"
    run.train(321, 400, maps=(400,))
    run.train(401, 410)
    run.check()
    assert len(list(run.events.parent.iterdir())) == 1
    before = run.events.stat()
    run.update()
    assert run.events.stat() == before, "nothing was new"


@pytest.mark.parametrize(
    ("maps", "anew"),
    [
        pytest.param((290, 310), False, id="an older one stands"),
        pytest.param((250, 290, 310, 340), False, id="two are lost"),
        pytest.param((310,), True, id="the only one"),
    ],
)
def test_a_mean_average_precision_that_is_lost_is_forgotten(
    run: Run, maps: tuple[int, ...], *, anew: bool
) -> None:
    run.train(1, 340, maps=maps)
    first = run.events.read_bytes()
    run.train(301, 320, usages=True)
    run.check()
    assert run.events.read_bytes().startswith(first) is not anew


@pytest.mark.parametrize("kept_bytes", [0, 5, 40, 200, -1, -30, -200])
def test_a_torn_file_is_continued(run: Run, kept_bytes: int) -> None:
    run.train(1, 50, maps=(20,))
    run.events.write_bytes(run.events.read_bytes()[:kept_bytes])
    run.train(51, 60)
    run.check()


@pytest.mark.parametrize(
    "alien",
    [
        pytest.param(b"\xff" * 100, id="no records"),
        pytest.param(b"\x05" + bytes(11) + b"\xff" * 9, id="a record of nonsense"),
        pytest.param(b"\x00" * 100, id="zeros"),
    ],
)
def test_a_file_that_is_none_is_written_anew(run: Run, alien: bytes) -> None:
    run.train(1, 10)
    run.events.write_bytes(alien)
    run.update()
    run.check()


def test_a_file_that_knows_another_past_is_written_anew(run: Run, tmp_path: Path) -> None:
    run.train(1, 50)
    other = Run(tmp_path / "other")
    other.now_s += 500
    other.train(1, 40)
    run.events.write_bytes(other.events.read_bytes())
    run.update()
    run.check()


def test_a_file_that_has_been_thinned_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.train(1, 150, maps=(75,))
    monkeypatch.setattr("trainer.curves.writer.POINTS_LIMIT", 100)
    run.train(151, 160)
    assert len(read_metrics(run.metrics).iteration) < 100
    steps = [step for step, _ in run.shown()["loss"]]
    assert steps == list(range(1, 161)), "what has been told stays"
    monkeypatch.setattr(tensorboard, "_SPARE_EVENTS", 0)
    run.train(161, 165)
    run.check()


def test_a_loss_that_is_no_number_is_shown_as_none(run: Run) -> None:
    with run.writer() as writer:
        for iteration, loss in enumerate((1.0, math.nan, math.inf), 1):
            writer.progress(iteration=iteration, loss=loss, avg_loss=loss, rate=0.1, seconds=1)
    run.update()
    run.check()
    assert math.isnan(run.shown()["loss"][2][1])


@settings(max_examples=25)
@given(
    sessions=st.lists(
        st.tuples(st.integers(1, 30), st.integers(0, 15), st.booleans(), st.booleans()), max_size=6
    ),
    torn=st.integers(0, 90),
)
def test_each_step_stands_once_whatever_happened(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[tuple[int, int, bool, bool]], torn: int
) -> None:
    run = Run(tmp_path_factory.mktemp("run"))
    run.train(1, 30, maps=(10, 20, 25, 28), usages=True)
    for first, length, usages, tears in sessions:
        run.train(first, first + length, maps=(10, 20, 25, 28), usages=usages)
        run.check()
        if tears:
            run.events.write_bytes(run.events.read_bytes()[: -torn or None])


@contextmanager
def open_tensorboard(run: Run) -> Iterator[Callable[[], Curves]]:
    """What an open TensorBoard shows, by the data server that Colab's starts; it looks for more once a second."""
    server = import_module("tensorboard.data.server_ingester")
    try:
        binary = server.get_server_binary().path
    except server.NoDataServerError:
        pytest.skip("there is no data server for this machine")
    port_file = run.metrics.with_name("port")
    options = [
        f"--logdir={run.events.parent}",
        f"--port-file={port_file}",
        "--samples-per-plugin=scalars=all",
    ]
    command = [binary, *options, "--port=0", "--reload=1", "--die-after-stdin"]
    credentials, wishes = import_module("tensorboard.util.grpc_util").ChannelCredsType.LOCAL.channel_config()
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        wait_for(lambda: port_file.is_file() and port_file.read_text().endswith("\n"))
        address = f"localhost:{port_file.read_text().strip()}"
        with import_module("grpc").secure_channel(address, credentials, options=wishes) as channel:
            providers = import_module("tensorboard.data.grpc_provider")
            provider = providers.GrpcDataProvider(address, providers.make_stub(channel))

            def show() -> Curves:
                context = import_module("tensorboard.context").RequestContext()
                read = provider.read_scalars(
                    context, experiment_id="", plugin_name="scalars", downsample=10_000
                ).get(".", {})
                return {tag: [(one.step, one.value) for one in curve] for tag, curve in read.items()}

            yield show
        assert process.stdin is not None
        process.stdin.close()


def wait_for(condition: Callable[[], object]) -> None:
    give_up_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def test_an_open_tensorboard_follows(run: Run) -> None:
    run.train(1, 40, maps=(10, 30), usages=True)
    with open_tensorboard(run) as show:
        wait_for(lambda: show().get("loss", [(0, 0)])[-1][0] == 40)
        run.compare(show())
        # Of the mAP that is lost none comes again, and yet it is forgotten.
        run.train(21, 42, usages=True)
        wait_for(lambda: show()["loss"][-1][0] == 42)
        run.compare(show())


def test_without_a_writer_nothing_happens(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_writer()
    monkeypatch.setattr(
        tensorboard, "_PACKAGES", {"nobody_has_this": ("nobody_has_this.a", "nobody_has_this.b")}
    )
    assert not has_writer()
    run.train(1, 2)
    assert not run.events.exists()


def test_a_writer_that_does_not_fit_its_protobuf_is_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "too_old.py").write_text("raise TypeError('Descriptors cannot be created directly.')")
    monkeypatch.syspath_prepend(tmp_path)
    whole = tensorboard._PACKAGES["tensorboard"]
    monkeypatch.setattr(tensorboard, "_PACKAGES", {"too_old": ("too_old", "too_old"), "whole": whole})
    run.train(1, 2)
    run.check()


def test_by_tensorboard_x(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboardX")
    # Both tell protobuf of the same events, which it takes from one of them: so not in this process.
    chosen = "from trainer.curves import tensorboard as t; t._PACKAGES.pop('tensorboard'); t.main()"
    for first, last in ((1, 40), (21, 50)):
        with monkeypatch.context() as silent:
            silent.setattr(tensorboard, "_PACKAGES", {})
            run.train(first, last, maps=(10, 30), usages=True)
        command = [sys.executable, "-c", chosen, str(run.metrics), str(run.events)]
        subprocess.run(command, check=True)
        run.check()


def test_as_a_program(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with run.writer() as writer:
        writer.progress(iteration=1, loss=1, avg_loss=1, rate=1, seconds=1)
    command = [sys.executable, "-m", "trainer.curves.tensorboard", str(run.metrics), str(run.events)]
    ran = subprocess.run(command, capture_output=True, check=True)
    assert ran.stdout + ran.stderr == b""
    run.check()
    assert main([str(run.metrics.with_name("x")), str(run.events)]) == NotFoundError("").exit_code
    assert "cannot read" in capsys.readouterr().err
    assert main([str(run.metrics), str(run.metrics / "x")]) == LocalWriteError("").exit_code


def test_before_the_first_iteration_there_is_nothing(run: Run) -> None:
    with run.writer():
        pass
    run.update()
    assert not run.events.exists()
