"""``scripts/bench packs``: a data set of small files comes out of packs, and what issue 8 asks for.

10,000 images of 20 KB and their labels, at 100 ms a request, 60 MB/s a connection, and the quota of 2026. The first
pull has to fetch them one by one; then ``drivesync pack`` runs on what it brought; then the same is pulled to a fresh
disk. Each is a process from its start to its end, and what it brings is compared with what is on Drive.

One by one takes 11 minutes and more by the quota, whoever does it. Without ``--full`` it is not waited for: the time
is the one that the quota allows at best.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from drivesync.pulling.pieces import CONNECTIONS
from drivesync.testing.costs import QUOTA_UNITS_PER_MINUTE
from scripts.bench_cases import LATENCY_S, MEGABYTE, Bench
from scripts.bench_place import serve
from scripts.bench_report import Case, Claim, Row, claim_of, show_claims, show_measurements, to_json
from scripts.bench_tools import TUNED_FLAGS, Child, Ended, Product, Rclone, Run, touch_memory
from scripts.bench_trees import make_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts.bench_place import Place

_REMOTE = "set"
_IMAGE_BYTES = 20_000
_BYTES_PER_S = 60.0 * MEGABYTE
_BURST_S = 60.0
_COSTS = {
    "latency_s": LATENCY_S,
    "bandwidth_bytes_per_s": _BYTES_PER_S,
    "units_per_minute": float(QUOTA_UNITS_PER_MINUTE),
    "units_burst_s": _BURST_S,
}
_DOWNLOAD_UNITS = 200
_ONE_BY_ONE_TIMEOUT_S = 1_800.0
_MEMORY_BOUND_MB = 300.0
_WIDTH = 160

RCLONE_TUNED = Rclone("rclone tuned", (*TUNED_FLAGS, "--exclude", "/.drivesync/**"))
"""At its best on the tree itself: packs are nothing to it."""


@dataclass(frozen=True, slots=True)
class _Command:
    """Another of the product's commands, as a tool; its words stand before the remote's name, or around it."""

    name: str
    product: Product
    words: tuple[str, ...]

    def command(self, remote: str, tree: Path) -> list[str]:
        """``python -m drivesync WORDS``, with REMOTE and TREE filled in."""
        filled = [word.format(remote=remote, tree=tree) for word in self.words]
        return [sys.executable, "-m", "drivesync", *filled]

    def environment(self, place: Place) -> Mapping[str, str]:
        """See ``Tool.environment``."""
        return self.product.environment(place)


def _make_set(folder: Path, images: int) -> int:
    """Put so many images, and a label for each, into ``folder``; returned is the size of all in bytes."""
    make_files(folder, images, _IMAGE_BYTES)
    size_bytes = images * _IMAGE_BYTES
    for number in range(images):
        label = f"{number % 80} 0.5 0.5 0.{number:06} 0.2\n"
        (folder / f"{number:06}.txt").write_text(label, encoding="ascii")
        size_bytes += len(label)
    return size_bytes


def _run(bench: Bench, place: Place, tool: _Command, tree: Path) -> Run:
    """Run one of the product's commands that brings no tree."""
    os.sync()
    touch_memory()
    ended: Ended = Child(tool, place, _REMOTE, tree).wait()
    fault = f"exit status {ended.status}: {ended.words}" if ended.status else ""
    usage = place.usage()
    run = Run(tool.name, ended.seconds, ended.cpu_s, ended.memory_bytes, ended.status, usage, fault)
    bench.report(tool.name, run)
    return run


def measure_packs(bench: Bench, images: int) -> Case:
    """Number 1."""
    size_bytes = _make_set(bench.scratch / _REMOTE / "data" / "obj", images)
    size = f"{images:,} x 20 KB, and labels"
    dry_run = _Command("drivesync pull --dry-run", bench.product, ("pull", "{remote}", "{tree}", "--dry-run"))
    packing = _Command("drivesync pack", bench.product, ("pack", "{tree}", "{remote}"))
    with serve({_REMOTE: bench.scratch / _REMOTE}) as place:
        singly = _pull_singly(bench, place, size)
        tree = max(bench.scratch.glob("tree-*"), key=lambda path: path.stat().st_mtime_ns)
        place.set_costs(**_COSTS)
        listing = Row("listing", (_run(bench, place, dry_run, bench.scratch / "none"),))
        place.set_costs(**_COSTS)
        packed = Row("packing", (_run(bench, place, packing, tree),))
        (own,) = bench.compare(f"{size}; packed", place, _REMOTE, (bench.product,), _COSTS)
    return Case(
        1,
        "a data set out of packs",
        (*singly, listing, packed, own),
        _claims(own, listing, singly, files=2 * images, size_bytes=size_bytes),
    )


def _pull_singly(bench: Bench, place: Place, size: str) -> tuple[Row, ...]:
    """What the first session pays, if that is to be waited for; a tree is left behind in any case."""
    if bench.is_full:
        return bench.compare(
            f"{size}; singly",
            place,
            _REMOTE,
            (RCLONE_TUNED, bench.product),
            _COSTS,
            rounds=1,
            timeout_s=_ONE_BY_ONE_TIMEOUT_S,
        )
    bench.compare(f"{size}; singly, no quota", place, _REMOTE, (bench.product,), {}, rounds=1)
    return ()


def _claims(
    own: Row, listing: Row, singly: tuple[Row, ...], *, files: int, size_bytes: int
) -> tuple[Claim, ...]:
    bandwidth_s = size_bytes / (CONNECTIONS * _BYTES_PER_S)
    units_per_s = QUOTA_UNITS_PER_MINUTE / 60
    quota_s = files * _DOWNLOAD_UNITS / units_per_s - _BURST_S
    measured = [row for row in singly if row.tool == own.tool]
    first_s = measured[0].seconds if measured else quota_s
    first = "measured" if measured else "by the quota; --full waits for it"
    rclone_s = next((row.seconds for row in singly if row.tool != own.tool), None)
    return (
        claim_of(
            own,
            "seconds / first pull's",
            lambda row: row.seconds / first_s,
            1 / 20,
            note=f"{first_s:.0f} s {first}",
        ),
        claim_of(
            own,
            "seconds",
            lambda row: row.seconds,
            1.5 * bandwidth_s + listing.seconds,
            "s",
            f"1.5 x {size_bytes / MEGABYTE:.0f} MB / ({CONNECTIONS} x 60 MB/s) + listing {listing.seconds:.1f} s",
        ),
        claim_of(own, "memory", lambda row: row.memory_bytes / MEGABYTE, _MEMORY_BOUND_MB, "MB"),
        Claim("seconds / rclone tuned", None, 1.0, note=f"takes it {quota_s:.0f} s at best: only with --full")
        if rclone_s is None
        else claim_of(own, "seconds / rclone tuned", lambda row: row.seconds / rclone_s, 1.0),
    )


@click.command()
@click.option(
    "--images", type=click.IntRange(1), default=10_000, show_default=True, help="So many, with labels."
)
@click.option(
    "--rounds", type=click.IntRange(1), default=3, show_default=True, help="Of the pull out of packs."
)
@click.option("--full", is_flag=True, help="Also the first pull and rclone, 12 minutes each.")
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
    default=Path("build/bench-packs.json"),
    show_default=True,
)
def packs(*, images: int, rounds: int, full: bool, strict: bool, checkout: Path, report: Path) -> None:
    """What packs make of a pull of small files: seconds, CPU, memory, requests."""
    with tempfile.TemporaryDirectory(prefix="drivesync-bench-") as scratch:
        bench = Bench(Product(checkout.resolve()), rounds, full, Path(scratch), partial(click.echo, err=True))
        case = measure_packs(bench, images)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(to_json([case]), indent=2) + "\n", encoding="utf-8")
    # A table is wider than the 80 columns that a pipe is taken for.
    output = Console(width=None if sys.stdout.isatty() else _WIDTH)
    output.print(show_measurements([case]))
    output.print(show_claims([case], issue=8))
    if strict and not all(claim.is_met for claim in case.claims):
        sys.exit(1)
