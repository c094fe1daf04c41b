"""``scripts/bench supervise``: what a supervisor takes of the machine, and what a restart costs.

The real ``trainer supervise`` of a tiny tree, with a darknet that prints AlexeyAB's lines at a given rate and does
nothing else; ``tee``, which keeps the same output in a file and looks at none of it, is there for the scale. A restart
is measured with the real darknet: from SIGKILL to the start of the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from scripts.bench_darknet import LINES, write_printer, write_wrapper
from scripts.bench_report import Case, Claim, show_claims, to_json
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MEGABYTE = 1_000_000
_WIDTH = 160
_TIMEOUT_S = 60.0
_LOOK_S = 0.005
_TEE = shutil.which("tee") or "tee"
_SETTLE_S = 5.0
"""Starting Python, and the first of everything, is not what a run of hours takes."""

_BEHIND = 0.9
"""At less than this share of the asked rate a round does not count."""

_MEMORY_LIMIT_BYTES = 120 * _MEGABYTE
_RESTART_LIMIT_S = 1.0

_CPU_LIMITS = {100: 1.0, 20_000: 25.0}
"""Per cent of a core, by lines a second."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one process took of the machine while so many lines came.

    Attributes:
        tool: which process.
        lines_per_s: asked for.
        seen_per_s: that came.
        seconds: how long was measured.
        cpu_percent: of one core, its own and not its children's.
        memory_bytes: the largest resident set.
        fault: why it does not count; empty if it does.
    """

    tool: str
    lines_per_s: int
    seen_per_s: float
    seconds: float
    cpu_percent: float
    memory_bytes: int
    fault: str = ""


def measure_loads(seconds: float, rounds: int, scratch: Path, say: Callable[[str], None]) -> list[Load]:
    """The supervisor and ``tee`` at each rate."""
    loads = []
    for number in range(rounds):
        for rate in LINES:
            for measure in (_supervise, _tee):
                loads.append(measure(rate, seconds, scratch / f"{measure.__name__}-{rate}-{number}"))
                load = loads[-1]
                say(
                    f"round {number + 1}: {load.tool} at {rate} lines/s: {load.cpu_percent:.2f} % {load.fault}"
                )
    return loads


def _supervise(rate: int, seconds: float, place: Path) -> Load:
    tree = make_tree(place, images=2, negatives=0, max_batches=1_000_000)
    printer = write_printer(place / "printer", rate)
    with _supervisor(tree.root, printer) as process:
        _wait_until(lambda: _iteration(tree.root) > 0, process)
        time.sleep(_SETTLE_S)
        first, began_s, began_cpu_s = _iteration(tree.root), time.monotonic(), cpu_s(process.pid)
        time.sleep(seconds)
        last, spent_s, took_s = _iteration(tree.root), cpu_s(process.pid), time.monotonic() - began_s
        seen_per_s = (last - first) * LINES[rate] / took_s
        return Load(
            "trainer supervise",
            rate,
            seen_per_s,
            took_s,
            100 * (spent_s - began_cpu_s) / took_s,
            _largest_bytes(process.pid),
            "" if seen_per_s > _BEHIND * rate else f"only {seen_per_s:.0f} lines a second came",
        )


def _tee(rate: int, seconds: float, place: Path) -> Load:
    place.mkdir()
    printer = write_printer(place / "printer", rate)
    kept = place / "log"
    with (
        subprocess.Popen([printer], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as source,
        subprocess.Popen([_TEE, kept], stdin=source.stdout, stdout=subprocess.DEVNULL) as tee,
    ):
        try:
            time.sleep(1.0)
            began_s, began_cpu_s, began_bytes = time.monotonic(), cpu_s(tee.pid), kept.stat().st_size
            time.sleep(seconds)
            took_s = time.monotonic() - began_s
            with kept.open("rb") as file:
                file.seek(began_bytes)
                seen = sum(1 for _ in file)
            cpu_percent = 100 * (cpu_s(tee.pid) - began_cpu_s) / took_s
            return Load("tee", rate, seen / took_s, took_s, cpu_percent, _largest_bytes(tee.pid))
        finally:
            source.kill()
            tee.kill()


def measure_restarts(count: int, scratch: Path, say: Callable[[str], None]) -> list[float]:
    """Seconds from darknet's death to the start of the next; a checkpoint was gained before each."""
    darknet = shutil.which("darknet")
    if darknet is None:
        return []
    tree = make_tree(scratch / "restarts", images=4, negatives=0, max_batches=100_000)
    starts = tree.root / "starts"
    wrapper = write_wrapper(tree.root / "wrapper", darknet, starts)
    checkpoint = tree.root / "backup" / f"{tree.base}.backup"
    seconds = []
    with _supervisor(tree.root, wrapper) as process:
        for number in range(1, count + 1):
            _wait_until(partial(_has_lines, starts, number), process)
            pid, started_ns = map(int, starts.read_text().splitlines()[-1].split())
            _wait_until(partial(_is_newer, checkpoint, started_ns), process)
            time.sleep(0.2)  # it is complete, and the snapshot of it is taken
            died_ns = time.time_ns()
            os.kill(pid, signal.SIGKILL)
            _wait_until(partial(_has_lines, starts, number + 1), process)
            seconds.append((int(starts.read_text().splitlines()[-1].split()[1]) - died_ns) / 1e9)
            say(f"restart {number}: {seconds[-1]:.3f} s")
    return seconds


@contextmanager
def _supervisor(tree: Path, darknet: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [
        sys.executable,
        "-m",
        "trainer",
        "supervise",
        "--no-push",
        "--darknet",
        str(darknet),
        str(tree),
    ]
    with (tree / "supervisor.out").open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _iteration(tree: Path) -> int:
    """How far the supervisor has heard; it writes that once a second."""
    with suppress(OSError, ValueError):
        return int(json.loads((tree / ".trainer" / "status.json").read_bytes())["iteration"] or 0)
    return 0


def _has_lines(path: Path, count: int) -> bool:
    return path.is_file() and path.read_bytes().count(b"\n") >= count


def _is_newer(path: Path, time_ns: int) -> bool:
    return path.is_file() and path.stat().st_mtime_ns > time_ns


def _wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    give_up_s = time.monotonic() + _TIMEOUT_S
    while not condition():
        if process.poll() is not None or time.monotonic() > give_up_s:
            raise click.ClickException(f"the supervisor does not get on: {process.args!r}")
        time.sleep(_LOOK_S)


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    numbers = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def _largest_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _claims(loads: Iterable[Load], restarts_s: list[float]) -> tuple[Claim, ...]:
    own = [load for load in loads if load.tool == "trainer supervise"]
    fault = next((load.fault for load in own if load.fault), "")
    claims = [
        Claim(
            f"CPU at {rate:,} lines a second",
            statistics.median(load.cpu_percent for load in own if load.lines_per_s == rate),
            bound,
            "% of a core",
            fault,
            is_broken=bool(fault),
        )
        for rate, bound in _CPU_LIMITS.items()
    ]
    memory_bytes = max(load.memory_bytes for load in own)
    return (
        *claims,
        Claim("largest resident set", memory_bytes / _MEGABYTE, _MEMORY_LIMIT_BYTES / _MEGABYTE, "MB"),
        Claim(
            "from darknet's death to the next one's start",
            max(restarts_s, default=None),
            _RESTART_LIMIT_S,
            "s",
            f"the longest of {len(restarts_s)}" if restarts_s else "there is no darknet here",
        ),
    )


def _show_loads(loads: list[Load]) -> Table:
    table = Table(
        title="supervise", caption="CPU: own, not that of children. Medians; memory is the most of any."
    )
    for heading in ("tool",):
        table.add_column(heading)
    for heading in ("lines/s", "seen", "% of a core", "rounds", "MB"):
        table.add_column(heading, justify="right")
    for tool, rate in dict.fromkeys((load.tool, load.lines_per_s) for load in loads):
        rows = [load for load in loads if (load.tool, load.lines_per_s) == (tool, rate)]
        table.add_row(
            tool,
            f"{rate:,}",
            f"{statistics.median(load.seen_per_s for load in rows):,.0f}",
            f"{statistics.median(load.cpu_percent for load in rows):.2f}",
            " ".join(f"{load.cpu_percent:.2f}" for load in rows),
            f"{max(load.memory_bytes for load in rows) / _MEGABYTE:.0f}",
        )
    return table


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Of each rate and tool.")
@click.option("--seconds", default=20.0, show_default=True, help="How long each is measured.")
@click.option("--restarts", type=click.IntRange(0), default=5, show_default=True, help="Of the real darknet.")
@click.option("--strict", is_flag=True, help="Exit status 1 where a claim is not met.")
@click.option(
    "--json",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/bench-supervise.json"),
    show_default=True,
)
def supervise(*, rounds: int, seconds: float, restarts: int, strict: bool, report: Path) -> None:
    """What a supervisor takes of the machine, and what a restart costs."""
    say = partial(click.echo, err=True)
    with tempfile.TemporaryDirectory(prefix="trainer-bench-") as scratch:
        loads = measure_loads(seconds, rounds, Path(scratch), say)
        restarts_s = measure_restarts(restarts, Path(scratch), say)
    case = Case(7, "supervising", (), _claims(loads, restarts_s))
    report.parent.mkdir(parents=True, exist_ok=True)
    measured = {"loads": [asdict(load) for load in loads], "restarts_s": restarts_s}
    report.write_text(json.dumps(to_json([case]) | measured, indent=2) + "\n", encoding="utf-8")
    # A table is wider than the 80 columns that a pipe is taken for.
    output = Console(width=None if sys.stdout.isatty() else _WIDTH)
    output.print(_show_loads(loads))
    output.print(show_claims([case], issue=5))
    if strict and not all(claim.is_met for claim in case.claims):
        sys.exit(1)
