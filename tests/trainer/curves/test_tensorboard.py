"""What TensorBoard shows of a run, by its own readers."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError, NotFoundError
from trainer.curves.tensorboard import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.trainer.curves.conftest import Curves, Run


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
