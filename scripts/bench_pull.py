"""``scripts/bench pull``: this project's pull and rclone side by side, and what issue 3 asks for.

Every run is a process as a user starts it, timed from its start to its end; the tree that it brings is compared with
what was put on the emulator, and a run that brings another one does not count.
"""

from __future__ import annotations

import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from scripts.bench_again import measure_kills, measure_second_pull
from scripts.bench_cases import (
    Bench,
    measure_cpu,
    measure_large_files,
    measure_listing,
    measure_quota_units,
    measure_small_files,
)
from scripts.bench_report import Case, show_claims, show_measurements, to_json
from scripts.bench_tools import Product

if TYPE_CHECKING:
    from collections.abc import Callable

_CASES: dict[int, Callable[[Bench], Case]] = {
    1: measure_small_files,
    2: measure_quota_units,
    3: measure_large_files,
    4: measure_second_pull,
    5: measure_listing,
    6: measure_cpu,
    7: measure_kills,
}

_WIDTH = 160


@click.command()
@click.option(
    "--case",
    "numbers",
    type=click.IntRange(min(_CASES), max(_CASES)),
    multiple=True,
    help="A number of issue 3's list; may be given several times. All by default.",
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Of each pair of tools.")
@click.option("--full", is_flag=True, help="Also what takes rclone minutes.")
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
    default=Path("build/bench-pull.json"),
    show_default=True,
)
def pull(
    *, numbers: tuple[int, ...], rounds: int, full: bool, strict: bool, checkout: Path, report: Path
) -> None:
    """This project's pull beside rclone: seconds, CPU, memory, requests."""
    cases = []
    with tempfile.TemporaryDirectory(prefix="drivesync-bench-") as scratch:
        bench = Bench(Product(checkout.resolve()), rounds, full, Path(scratch), partial(click.echo, err=True))
        for number in sorted(set(numbers)) or _CASES:
            cases.append(_CASES[number](bench))
            # After each, so that what was measured is kept where a later case is stopped.
            report.parent.mkdir(parents=True, exist_ok=True)
            report.write_text(json.dumps(to_json(cases), indent=2) + "\n", encoding="utf-8")
    # A table is wider than the 80 columns that a pipe is taken for.
    output = Console(width=None if sys.stdout.isatty() else _WIDTH)
    output.print(show_measurements(cases))
    output.print(show_claims(cases))
    claims = [claim for case in cases for claim in case.claims]
    if strict and not all(claim.is_met for claim in claims):
        sys.exit(1)
