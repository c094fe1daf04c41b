"""In a real Jupyter kernel, as the user has it: a training started in a cell outlives all but the machine."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from jupyter_client.manager import KernelManager

from drivesync.daemon import is_alive
from trainer.darknet.output import strip_escapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_client.blocking.client import BlockingKernelClient

    from tests.e2e.conftest import Session

CELL_S = 60.0


class Notebook:
    """Cells that are run one after the other by one kernel."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager = manager
        self._client = client

    def run(self, cell: str, *, stop_at: str | None = None) -> str:
        """Run a cell and return what it printed; press Stop when it has printed ``stop_at``."""
        request = self._client.execute(cell, store_history=False)
        said = ""
        while True:
            message = self._client.get_iopub_msg(timeout=CELL_S)
            content = message["content"]
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "stream":
                said += content["text"]
                if stop_at is not None and stop_at in said:
                    self._manager.interrupt_kernel()
                    stop_at = None
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                self._client.get_shell_msg(timeout=CELL_S)
                return said

    def restart(self) -> None:
        """Press Restart."""
        self._manager.restart_kernel(now=True)
        self._client.wait_for_ready(timeout=CELL_S)


@contextmanager
def open_notebook(session: Session) -> Iterator[Notebook]:
    manager = KernelManager(kernel_name="python3", connection_file=str(session.home / "kernel.json"))
    # Else it would keep a history in the home directory of whoever runs the tests.
    environment = session.environment | {"IPYTHONDIR": str(session.home / "ipython")}
    manager.start_kernel(env=environment, cwd=str(session.home))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=CELL_S)
        yield Notebook(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_training_outlives_stop_and_kernel(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=50_000)
    session.halt_darknet_at(10)
    with open_notebook(session) as notebook:
        said = notebook.run("!trainer supervise --background darknet")
        assert "supervising darknet as process" in said
        supervisor, darknet = session.status.pid, session.wait_for_halt()
        said = notebook.run("!trainer status --watch darknet", stop_at="training at iteration")
        assert said.endswith("^C\r\n")
        notebook.restart()
        assert f"process {supervisor} supervises darknet already" in notebook.run(
            "!trainer supervise --background darknet"
        )
    with open_notebook(session) as notebook:
        before = json.loads(notebook.run("!trainer status --json darknet"))
        session.let_darknet_go_on()
        session.wait_for_iteration(before["iteration"] + 10)
        now = json.loads(notebook.run("!trainer status --json darknet"))
        assert (now["state"], now["pid"], now["attempts"]) == ("training", supervisor, 1)
        assert session.processes("darknet") == [darknet]
        said = notebook.run("!trainer stop darknet")
        assert re.search(r"^stopped at iteration \d+ of 50,000", strip_escapes(said), re.MULTILINE)
        assert not is_alive(supervisor)
        assert not session.processes("darknet")
    session.wait_until_gone()
    assert session.safe_iteration() == max(session.iterations) // 100 * 100
