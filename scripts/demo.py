"""Loses a Colab session in mid-training, runs the same commands again, and checks that nothing was lost.

`scripts/demo` sets everything up and runs it. It leaves behind, until it is run again:

    .cache/demo/seed/          the tree as the user uploaded it
    .cache/demo/darknet/       the tree on the machine that Colab lends; deleted once, in mid-training
    .cache/demo/emulator.log
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scripts.evidence import CHART, Drive, best_iteration, inspect_end, trained_iterations, visible_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORK = Path(__file__).resolve().parent.parent / ".cache" / "demo"
SEED = WORK / "seed"
TREE = WORK / "darknet"
# Commands find ./darknet by themselves, but where there is a /content they take the user's own tree, which is not ours.
ELSEWHERE = ("darknet", "./darknet") if Path("/content").is_dir() else ()

MAX_BATCHES = 600
LOSE_WHEN_SAFE = 300
PATIENCE_S = 120.0
POLL_INTERVAL_S = 0.3

MARKER = "DRIVESYNC_DEMO"
"""In the environment of every process of the demo; its value says which part of it the process is."""

console = Console(highlight=False, soft_wrap=True)


class BrokenPromiseError(Exception):
    """Something is not as this project promises."""


@dataclass(slots=True)
class Session:
    """One life of the machine that Colab lends: what it pulled, trained and pushed."""

    environment: dict[str, str]
    pulled: list[int] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    trained: list[int] = field(default_factory=list)

    @property
    def checkpoints(self) -> list[int]:
        """The iterations of the checkpoints of which the session has a receipt."""
        return [receipt["iteration"] for receipt in self.receipts if receipt["iteration"] is not None]

    def run_cells(self) -> None:
        """What the user's notebook does, and does again unchanged after a lost session."""
        self.run("python", "-m", "drivesync", "pull", *ELSEWHERE)
        self.pulled = [path.stat().st_size for path in visible_files(TREE)]
        self.run("python", "-m", "trainer", "supervise", "--background", *ELSEWHERE[1:])

    def run(self, *command: str) -> None:
        """Run a command and show it with its output.

        Raises:
            BrokenPromiseError: its exit status is not 0.
        """
        console.print(f"[bold]$ {escape(shlex.join(command))}[/]")
        status = subprocess.run(command, cwd=WORK, env=self.environment, check=False).returncode
        if status:
            raise BrokenPromiseError(f"`{shlex.join(command)}` ended with exit status {status}")

    def follow(self, is_reached: Callable[[dict[str, Any]], bool]) -> None:
        """Show how training goes on until ``is_reached`` says yes to what `trainer status` says.

        Raises:
            BrokenPromiseError: training ended otherwise, or it takes too long.
        """
        give_up_at = time.monotonic() + PATIENCE_S
        shown: object = None
        while time.monotonic() < give_up_at:
            status = self._read_status()
            iteration = status["iteration"] or 0
            if status["safe_iteration"] != shown:
                shown = status["safe_iteration"]
                console.print(f"  iteration {iteration} of {MAX_BATCHES}, safe on Drive: {shown}")
            if is_reached(status):
                return
            if status["state"] in {"finished", "stopped", "gave up", "failed", "dead"}:
                raise BrokenPromiseError(
                    f"the training {status['state']} at iteration {iteration}: {status['message']}"
                )
            time.sleep(POLL_INTERVAL_S)
        raise BrokenPromiseError(f"nothing came of it within {PATIENCE_S:.0f} s: {status}")

    def _read_status(self) -> dict[str, Any]:
        command = ("python", "-m", "trainer", "status", "--json", *ELSEWHERE[1:])
        done = subprocess.run(command, cwd=WORK, env=self.environment, check=False, stdout=subprocess.PIPE)
        try:
            status: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            raise BrokenPromiseError(f"`{shlex.join(command)}` printed no JSON: {done.stdout!r}") from error
        return status

    def take_down(self) -> None:
        """Note what the session trained, and what it has receipts of."""
        lines = (TREE / ".drivesync" / "receipts.jsonl").read_text().splitlines(keepends=True)
        self.receipts = [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be torn
        self.trained = trained_iterations(TREE)


def find_processes(value: str) -> list[int]:
    """The processes whose marker begins with ``value``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # gone meanwhile, or another user's
                variables = (entry / "environ").read_bytes().split(b"\0")
                if any(variable.startswith(f"{MARKER}={value}".encode()) for variable in variables):
                    found.append(int(entry.name))
    return found


def kill_processes(value: str) -> int:
    """SIGKILL the processes whose marker begins with ``value`` until none is left; returns how many there were.

    Raises:
        BrokenPromiseError: one cannot be killed.
    """
    killed: set[int] = set()
    give_up_at = time.monotonic() + 10
    while pids := find_processes(value):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(pids)
        if time.monotonic() > give_up_at:
            raise BrokenPromiseError(f"processes {pids} outlive SIGKILL")
        time.sleep(0.01)
    return len(killed)


@contextlib.contextmanager
def clean_workplace() -> Iterator[None]:
    """An empty folder that no other demo works in, and no process left behind, whatever happens."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BrokenPromiseError("another demo is running in this checkout") from error
        kill_processes(f"{WORK}:")  # of a demo that was itself killed
        shutil.rmtree(WORK)
        WORK.mkdir()
        try:
            yield
        finally:
            kill_processes(f"{WORK}:")


def environment_of(part: str, **variables: str) -> dict[str, str]:
    """The environment in which a part of the demo runs: this Python's commands, no proxy, and the marker."""
    direct = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**direct, **variables, "PATH": path, MARKER: f"{WORK}:{part}"}


def start_emulator() -> str:
    """Put the seed on an emulated Drive; returns its address."""
    log = WORK / "emulator.log"
    with log.open("w") as output:
        emulator = subprocess.Popen(
            [sys.executable, "-u", "-m", "drivesync.testing", "--seed", "seed:darknet"],
            cwd=WORK,
            env=environment_of("emulator"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    give_up_at = time.monotonic() + 30
    while not (said := re.search(r"DRIVE_EMULATOR_HOST=(\S+)", log.read_text())):
        if emulator.poll() is not None or time.monotonic() > give_up_at:
            raise BrokenPromiseError(f"the Drive emulator did not start:\n{log.read_text()}")
        time.sleep(0.05)
    return said[1]


def lose(session: Session) -> None:
    """Do what Colab does: everything stops at once, and the disk is gone."""
    count = kill_processes(session.environment[MARKER])
    session.take_down()
    shutil.rmtree(TREE)
    console.print(f"\n[bold red]Session lost:[/] {count} processes killed, {TREE.name}/ deleted.\n")


def report(lost: Session, resumed: Session, seconds: float) -> Table:
    """The short table at the end."""
    table = Table("", "lost session", "resumed session", title=f"{seconds:.0f} s in all")
    sessions = (lost, resumed)
    rows = {
        "iterations": [f"{one.trained[0]} to {one.trained[-1]}" for one in sessions],
        "of them lost": [str(lost.trained[-1] - resumed.trained[0] + 1), "0"],
        "pulled": [_amount(one.pulled) for one in sessions],
        "pushed": [_amount([receipt["size"] for receipt in one.receipts]) for one in sessions],
        "checkpoints verified": [str(len(one.checkpoints)) for one in sessions],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def _amount(sizes: list[int]) -> str:
    return f"{len(sizes)} files, {sum(sizes):,} bytes"


def play() -> dict[str, bool]:
    """Tell the story; returns what must be so at its end, in words, each with whether it is."""
    started = time.monotonic()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "trainer.testing",
            str(SEED),
            "--batch",
            "16",
            "--max-batches",
            str(MAX_BATCHES),
        ],
        env=environment_of("generator"),
        check=True,
    )
    url = start_emulator()
    drive = Drive(url)
    cfg = (SEED / "cfg" / "remote.cfg").read_text()
    account = {"DRIVE_EMULATOR_HOST": url, "GOOGLE_OAUTH_ACCESS_TOKEN": "demo"}

    lost = Session(environment_of("session-1", **account))
    lost.run_cells()
    lost.follow(lambda status: (status["safe_iteration"] or 0) >= LOSE_WHEN_SAFE)
    lose(lost)
    on_drive = best_iteration(drive, cfg)

    resumed = Session(environment_of("session-2", **account))
    resumed.run_cells()
    resumed.follow(lambda _status: bool(trained_iterations(TREE)))
    console.print(f"  [bold green]resumed at iteration {trained_iterations(TREE)[0]}[/]")
    resumed.follow(lambda status: bool(status["state"] == "finished"))
    resumed.run("python", "-m", "trainer", "status", *ELSEWHERE[1:])
    resumed.take_down()

    console.print(report(lost, resumed, time.monotonic() - started))
    console.print(f"loss chart: {TREE / CHART}")
    safe, first = max(lost.checkpoints), resumed.trained[0]
    receipts = lost.receipts + resumed.receipts
    return {
        f"iteration {safe} was called safe, and Drive held {on_drive}": on_drive >= safe >= LOSE_WHEN_SAFE,
        f"the same commands went on at iteration {first}": first > on_drive,
        **inspect_end(drive, seed=SEED, tree=TREE, max_batches=MAX_BATCHES, receipts=receipts),
    }


def show_logs() -> None:
    """What there is to read when a promise was broken."""
    for log in sorted(TREE.glob(".trainer/*.log")):
        last_lines = log.read_text(errors="replace").splitlines()[-20:]
        console.print(f"{log} ends with:", *last_lines, sep="\n", markup=False)


def main() -> int:
    """Play it; the exit status is 0 only if every promise was kept."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with clean_workplace():
            try:
                findings = play()
            except BrokenPromiseError:
                show_logs()
                raise
    except BrokenPromiseError as error:
        console.print(f"[bold red]demo failed:[/] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        return 130
    for claim, holds in findings.items():
        console.print(f"[green]yes[/]  {claim}" if holds else f"[bold red]NO[/]   {claim}")
    if not all(findings.values()):
        console.print("[bold red]demo failed:[/] a promise was broken, see above")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
