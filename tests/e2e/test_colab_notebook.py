"""Colab's notebook as it lies in git: all of it run, lost with its machine in mid-training, and run again unchanged."""

from __future__ import annotations

import ast
import asyncio
import builtins
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from tests.e2e.conftest import Session

NOTEBOOK = Path(__file__).parents[2] / "scripts/darknet_colab.ipynb"
CELLS = ("install", "log-in", "train", "watch")
CELL_LIMIT_BYTES = 200_000
MAX_BATCHES = 400
SAFE = re.compile(r"safe up to iteration ([1-9]\d*)")
_PICTURE = re.compile(r'<img [^>]*src="data:image/png;base64,iVBOR')


def read_cells() -> dict[str, str]:
    """The source of each cell of code, by its id."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return {cell["id"]: "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"}


def translate(cell: str) -> str:
    """What Python sees of a cell: its magic lines become calls."""
    manager = TransformerManager()  # type: ignore[no-untyped-call]
    translated: str = manager.transform_cell(read_cells()[cell])
    return translated


def test_what_lies_in_git_is_valid_and_nobodys() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    nbformat.validate(notebook)
    assert tuple(read_cells()) == CELLS
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert not cell["metadata"]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_needs_no_other_cell(cell: str) -> None:
    tree = ast.parse(translate(cell))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    made |= {alias.asname or alias.name for node in imports for alias in node.names}
    assert {node.id for node in names} <= made | vars(builtins).keys() | {"get_ipython"}


def run_cell(cell: str, **names: object) -> None:
    """Run a cell in this process, with no kernel around it."""
    exec(translate(cell), dict(names))  # noqa: S102 - the notebook's own


def test_in_colab_the_user_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    auth = SimpleNamespace(authenticate_user=lambda: asked.append("user"))
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(auth=auth))
    run_cell("log-in")
    assert asked == ["user"]


@pytest.mark.parametrize(("is_here", "installed"), [(True, []), (False, ["-q darknet-drivesync"])])
def test_it_is_installed_once(
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_here: bool,
    installed: list[str],
) -> None:
    done: list[str] = []
    shell = SimpleNamespace(
        run_line_magic=lambda magic, line: done.append(
            line.removeprefix(f"{magic} ").removeprefix("install ")
        )
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object() if is_here else None)
    run_cell("install", get_ipython=lambda: shell)
    assert done == installed


class Opened:
    """The notebook, opened anew, and what stands in it once its cells are run by a kernel."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
        resources = {"metadata": {"path": str(session.home)}}
        self._client = NotebookClient(
            self.notebook, timeout=100, resources=resources, ipython_hist_file=":memory:"
        )
        # Else it would keep a profile in the home directory of whoever runs the tests.
        self._environment = session.environment | {"IPYTHONDIR": str(session.home / "ipython")}

    def run_all(self) -> None:
        """Run all cells to their end."""
        asyncio.run(self._client.async_execute(env=self._environment))

    @contextmanager
    def being_run(self) -> Iterator[Future[None]]:
        """Run all cells while the block lasts; it must see to their end."""
        with ThreadPoolExecutor(1) as thread:
            try:
                yield thread.submit(self.run_all)
            except BaseException:
                # Nothing would ever come to the end that is waited for.
                self._session.kill_everything()
                raise

    def press_stop(self) -> None:
        """Interrupt the cell that is run."""
        manager = self._client.km
        assert isinstance(manager, AsyncKernelManager)

        async def interrupt() -> None:
            await manager.interrupt_kernel()

        asyncio.run(interrupt())

    def outputs(self, cell: str, kind: str) -> list[Any]:
        """What stands below a cell, of one kind."""
        found = next(one for one in self.notebook.cells if one.id == cell).get("outputs", [])
        return [output for output in found if output.output_type == kind]

    def said(self, cell: str) -> str:
        """What a cell printed."""
        return "".join(output.text for output in self.outputs(cell, "stream"))

    @property
    def card(self) -> str:
        """The card below the last cell; empty as long as there is none."""
        cards = [output.data["text/html"] for output in self.outputs("watch", "display_data")]
        assert len(cards) <= 1
        return cards[0] if cards else ""

    @property
    def errors(self) -> list[Any]:
        return [output for cell in CELLS for output in self.outputs(cell, "error")]


def test_run_all_and_again_after_a_loss(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=MAX_BATCHES, charts=True)
    # A card is drawn every three seconds, in which darknet would come to its end.
    session.halt_darknet_at(110)
    lost = Opened(session)
    with lost.being_run() as run:
        session.wait_until(lambda: SAFE.search(lost.card) or run.done(), "something safe on the card")
        session.lose()
        with pytest.raises(DeadKernelError):
            run.result()
    assert SAFE.findall(lost.card) == ["100"]
    assert session.safe_iteration() == 100
    assert "not Colab" in lost.said("log-in")
    assert "pull: " in lost.said("train")

    session.halt_darknet_at(120)
    again = Opened(session)
    with again.being_run() as run:
        session.wait_until(lambda: again.card or run.done(), "the card")
        again.press_stop()
        run.result()
    assert not again.errors
    assert "the training goes on" in again.card
    assert session.iterations[0] == 101
    supervisor = session.status.pid

    to_the_end = Opened(session)
    with to_the_end.being_run() as run:
        session.wait_until(lambda: to_the_end.card or run.done(), "the card")
        session.let_darknet_go_on()
        run.result()
    assert not to_the_end.errors
    assert f"process {supervisor} supervises" in to_the_end.said("train")
    assert f"finished at iteration {MAX_BATCHES:,} of {MAX_BATCHES:,}" in to_the_end.card
    assert f"safe up to iteration {MAX_BATCHES:,}" in to_the_end.card
    assert _PICTURE.search(to_the_end.card)
    assert len(json.dumps(to_the_end.notebook)) < CELL_LIMIT_BYTES
    assert session.iterations_on_drive()["remote_final.weights"] == MAX_BATCHES
