"""``scripts/bench push``: this project's push and the real rclone side by side, and what issue 4 asks for.

A checkpoint of 256 MB, at 300 ms a request and 100 MB/s a connection: as `push` and `rclone copy` take it there, each a
process from its start to its end, and as `watch` does, from the moment in which darknet closes its file to the receipt.
Drive holds an older one of the same name.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.console import Console

from drivesync.disk import hash_stream
from drivesync.spooling.spool import read_receipts
from scripts.bench_place import serve
from scripts.bench_report import Case, claim_beside, claim_of, gather, show_claims, show_measurements, to_json
from scripts.bench_tools import RCLONE, Child, Product, Run, Tool, touch_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts.bench_place import Place

MEGABYTE = 1_000_000

_LATENCY_S = 0.3
_BYTES_PER_S = 100.0 * MEGABYTE
_COSTS = {"latency_s": _LATENCY_S, "bandwidth_bytes_per_s": _BYTES_PER_S}
_POLL_S = 0.002
_BLOCK = 1 << 20
_TIMEOUT_S = 120.0
_WIDTH = 160
_REMOTE = "bench"
_NAME = "backup/large_last.weights"

_CFG = """[net]
batch=64
width=416
height=416
channels=3
max_batches=1000000

[convolutional]
filters={first}
size=1
stride=1
pad=0
activation=linear

[convolutional]
filters={second}
size=1
stride=1
pad=0
activation=linear
"""
_FIRST, _SECOND = 4000, 15_997
"""Filters: 4 x 4,000 + 4,001 x 15,997 numbers are the 256 MB that a yolov4 has."""


def make_tree(tree: Path) -> None:
    """A tree with a cfg, and two checkpoints that fit it, under names that nobody watches."""
    (tree / "cfg").mkdir(parents=True)
    (tree / "backup").mkdir()
    (tree / "cfg" / "large.cfg").write_text(_CFG.format(first=_FIRST, second=_SECOND))
    numbers = 4 * _FIRST + (_FIRST + 1) * _SECOND
    for iteration in (1_000, 2_000):
        with (tree / f"checkpoint-{iteration}").open("wb") as file:
            file.write(struct.pack("<iiiQ", 0, 2, 5, 64 * iteration))
            random = np.random.default_rng(iteration)
            # Not all at once: the kernel counts this process's memory as the children's (getrusage, ru_maxrss).
            for at in range(0, numbers, _BLOCK):
                random.standard_normal(min(_BLOCK, numbers - at), dtype="<f4").tofile(file)


@dataclass(frozen=True, slots=True)
class PushTool:
    """A program that takes ``backup`` of a tree to the emulator; ``tool`` says how it is led there."""

    name: str
    tool: Tool
    arguments: Callable[[str, Path], list[str]]

    def command(self, remote: str, tree: Path) -> list[str]:
        """The command line."""
        return self.arguments(remote, tree)

    def environment(self, place: Place) -> Mapping[str, str]:
        """See ``Tool.environment``."""
        return self.tool.environment(place)


def _product(checkout: Path, *words: str) -> PushTool:
    def arguments(remote: str, tree: Path) -> list[str]:
        return [sys.executable, "-m", "drivesync", *words, str(tree), remote]

    return PushTool(f"drivesync {words[0]}", Product(checkout), arguments)


def _rclone(remote: str, tree: Path) -> list[str]:
    program = RCLONE.command(remote, tree)[0]
    return [program, "copy", f"{tree}/backup", f"drive:{remote}/backup"]


def measure_large_push(checkout: Path, rounds: int, scratch: Path, say: Callable[[str], None]) -> Case:
    """Number 1: 256 MB."""
    make_tree(scratch / "made")
    size_bytes = (scratch / "made" / "checkpoint-1000").stat().st_size
    pushes: list[Run] = []
    watches: list[Run] = []
    for number in range(rounds):
        for tool in (_product(checkout, "push"), PushTool("rclone default", RCLONE, _rclone)):
            pushes.append(_push(tool, _fresh_tree(scratch, f"{tool.name}-{number}")))
            say(f"round {number + 1}: {pushes[-1].tool} {pushes[-1].seconds:.2f} s {pushes[-1].fault}")
        watches.append(_watch(_product(checkout, "watch"), _fresh_tree(scratch, f"watch-{number}")))
        say(f"round {number + 1}: close to receipt {watches[-1].seconds:.2f} s {watches[-1].fault}")
    rows = gather("256 MB, whole process", pushes) + gather("256 MB, close to receipt", watches)
    own, peer, watched = rows
    floor_s = size_bytes / _BYTES_PER_S
    return Case(
        1,
        "a checkpoint of 256 MB",
        rows,
        (
            claim_of(
                watched,
                "close to receipt",
                _seconds,
                1.15 * floor_s + 1,
                "s",
                "1.15 x size / bandwidth + 1 s",
            ),
            claim_beside(own, peer, "seconds / rclone default", _seconds, 0.5),
            claim_beside(watched, peer, "close to receipt / rclone default", _seconds, 0.5),
        ),
    )


def _seconds(row: object) -> float:
    seconds: float = row.seconds  # type: ignore[attr-defined]
    return seconds


def _fresh_tree(scratch: Path, name: str) -> Path:
    tree = scratch / name.replace(" ", "-")
    (tree / "backup").mkdir(parents=True)
    (tree / "cfg").mkdir()
    (tree / "cfg" / "large.cfg").write_bytes((scratch / "made" / "cfg" / "large.cfg").read_bytes())
    for iteration in (1_000, 2_000):
        (tree / f"checkpoint-{iteration}").hardlink_to(scratch / "made" / f"checkpoint-{iteration}")
    return tree


def _save(tree: Path, iteration: int) -> None:
    """What darknet does: open the file under its name, write, close."""
    with (tree / f"checkpoint-{iteration}").open("rb") as source, (tree / _NAME).open("wb") as file:
        while block := source.read(1 << 20):
            file.write(block)


def _push(tool: PushTool, tree: Path) -> Run:
    with serve({}) as place:
        # A run's first push is no measure: Drive has nothing of it yet, nor a lease on it.
        _save(tree, 1_000)
        Child(tool, place, _REMOTE, tree).wait()
        _save(tree, 2_000)
        os.sync()
        touch_memory()
        place.set_costs(**_COSTS)
        child = Child(tool, place, _REMOTE, tree)
        ended = child.wait()
        fault = f"exit status {ended.status}: {ended.words}" if ended.status else _compare(place, tree)
        return Run(
            tool.name, ended.seconds, ended.cpu_s, ended.memory_bytes, ended.status, place.usage(), fault
        )


def _watch(tool: PushTool, tree: Path) -> Run:
    with serve({}) as place:
        child = Child(tool, place, _REMOTE, tree)
        # It watches from the moment in which the folder's first scan is over.
        _wait_until((tree / ".drivesync" / "watch.json").exists, child)
        _save(tree, 1_000)
        _wait_until(lambda: len(read_receipts(tree)) == 1, child)
        os.sync()
        touch_memory()
        place.set_costs(**_COSTS)
        _save(tree, 2_000)
        closed_s = time.perf_counter()
        has_receipt = _wait_until(lambda: len(read_receipts(tree)) == 2, child)
        seconds = time.perf_counter() - closed_s
        usage = place.usage()
        child.process.terminate()
        ended = child.wait()
        fault = _compare(place, tree) if has_receipt else f"no receipt: {ended.words}"
        return Run(tool.name, seconds, ended.cpu_s, ended.memory_bytes, ended.status, usage, fault)


def _wait_until(condition: Callable[[], bool], child: Child) -> bool:
    give_up_s = time.perf_counter() + _TIMEOUT_S
    while not condition():
        if not child.is_running() or time.perf_counter() > give_up_s:
            return False
        time.sleep(_POLL_S)
    return True


def _compare(place: Place, tree: Path) -> str:
    with (tree / _NAME).open("rb") as file:
        expected = hash_stream(file).md5
    got = place.md5_of(f"{_REMOTE}/{_NAME}")
    return "" if got == expected else f"the emulator holds md5 {got}, expected {expected}"


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Of each tool.")
@click.option("--strict", is_flag=True, help="Exit status 1 where a claim is not met.")
@click.option(
    "--checkout",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(__file__).resolve().parent.parent,
    help="Measure the drivesync that is there.",
)
@click.option(
    "--json",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/bench-push.json"),
    show_default=True,
)
def push(*, rounds: int, strict: bool, checkout: Path, report: Path) -> None:
    """This project's push beside rclone: a checkpoint of 256 MB."""
    with tempfile.TemporaryDirectory(prefix="drivesync-bench-") as scratch:
        case = measure_large_push(checkout.resolve(), rounds, Path(scratch), partial(click.echo, err=True))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(to_json([case]), indent=2) + "\n", encoding="utf-8")
    # A table is wider than the 80 columns that a pipe is taken for.
    output = Console(width=None if sys.stdout.isatty() else _WIDTH)
    output.print(show_measurements([case], "push"))
    output.print(show_claims([case], issue=4))
    if strict and not all(claim.is_met for claim in case.claims):
        sys.exit(1)
