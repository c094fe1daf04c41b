"""What a first pull takes: many small files, rates, quota units, large files (numbers 1, 2, 3, 5 and 6)."""

from __future__ import annotations

import math
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.testing.costs import QUOTA_UNITS_PER_MINUTE
from scripts.bench_place import serve
from scripts.bench_report import Case, Claim, Row, claim_beside, claim_of, gather
from scripts.bench_tools import RCLONE, RCLONE_TUNED, Product, Tool, measure
from scripts.bench_trees import make_files, make_large_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts.bench_place import Place
    from scripts.bench_tools import Run

LATENCY_S = 0.1
REQUESTS_PER_S = 200.0
MEGABYTE = 1_000_000

_FOLDERS = 4
_FILES = 2_000
_SMALL_BYTES = 20_000
_LARGE_BYTES = 64 * MEGABYTE
_LISTED_A_PAGE = 1_000
_MEMORY_BOUND_MB = 300.0


@dataclass(slots=True)
class Bench:
    """What all cases share.

    Attributes:
        product: this project's pull.
        rounds: of each pair of tools.
        is_full: also what takes minutes.
        scratch: an empty directory for trees.
        say: told a line after each run.
    """

    product: Product
    rounds: int
    is_full: bool
    scratch: Path
    say: Callable[[str], None]
    _limited: tuple[Row, ...] = field(default=(), init=False)

    def compare(
        self,
        load: str,
        place: Place,
        remote: str,
        tools: tuple[Tool, ...],
        costs: Mapping[str, float],
        *,
        rounds: int = 0,
        timeout_s: float = 300.0,
    ) -> tuple[Row, ...]:
        """Run the tools in turn on the folder ``remote``, made from ``scratch/remote``.

        Each run has full allowances and a new tree. The trees stay until the end of the bench: ext4 searches long for
        the inode of a new file where many have just been deleted, and it would be the next run that pays.
        """
        measured: list[Run] = []
        for number in range(rounds or self.rounds):
            for tool in tools:
                tree = Path(tempfile.mkdtemp(prefix="tree-", dir=self.scratch))
                place.set_costs(**costs)
                run = measure(tool, place, remote, self.scratch / remote, tree, timeout_s)
                self.report(f"{load}, round {number + 1}", run)
                measured.append(run)
        return gather(load, measured)

    def report(self, load: str, run: Run) -> None:
        """Tell of one run."""
        self.say(
            f"{load}: {run.tool} {run.seconds:.2f} s, CPU {run.cpu_s:.2f} s, "
            f"{run.memory_bytes / MEGABYTE:.0f} MB, {run.usage.total} requests, {run.usage.rate_limited} refused"
            + (f": {run.fault}" if run.fault else "")
        )

    @contextmanager
    def small_files(self) -> Iterator[Place]:
        """Serve 2,000 files of 20 KB in 4 folders as ``small``, and the same with one of 64 MB as ``mixed``."""
        for remote in ("small", "mixed"):
            for number in range(_FOLDERS):
                folder = self.scratch / remote / "data" / f"{number}"
                if not folder.exists():
                    make_files(folder, _FILES // _FOLDERS, _SMALL_BYTES)
        large = self.scratch / "mixed" / "yolov4.weights"
        if not large.exists():
            make_large_file(large, _LARGE_BYTES)
        with serve({remote: self.scratch / remote for remote in ("small", "mixed")}) as place:
            yield place

    def limited(self) -> tuple[Row, ...]:
        """The rows of number 1, which number 6 needs as well."""
        if not self._limited:
            costs = {"latency_s": LATENCY_S, "requests_per_s": REQUESTS_PER_S}
            load = "2,000 x 20 KB, 64 MB; 200/s"
            with self.small_files() as place:
                self._limited = self.compare(load, place, "mixed", (self.product, RCLONE_TUNED), costs)
                if self.is_full:
                    self._limited += self.compare(load, place, "mixed", (RCLONE,), costs, rounds=1)
        return self._limited


def measure_small_files(bench: Bench) -> Case:
    """Number 1: 100 ms a request, 200 requests a second."""
    own, tuned, *rest = rows = bench.limited()
    floor_s = (_FILES + 1) / REQUESTS_PER_S
    if rest:
        by_default = claim_beside(own, rest[0], "seconds / rclone default", _seconds, 0.07)
    else:
        note = "takes rclone minutes: only with --full"
        by_default = Claim("seconds / rclone default", None, 0.07, note=note)
    return Case(
        1,
        "small files, 200 requests a second",
        rows,
        (
            claim_of(
                own, "seconds", _seconds, 1.1 * floor_s, "s", f"1.1 x {_FILES + 1:,} files / 200 a second"
            ),
            claim_beside(own, tuned, "seconds / rclone tuned", _seconds, 1.0),
            by_default,
        ),
    )


def measure_quota_units(bench: Bench) -> Case:
    """Number 2: 325,000 quota units a minute in place of the requests a second; a project has one or the other."""
    per_s = QUOTA_UNITS_PER_MINUTE / 60
    needed = 200 * (_FILES + 1) + 100 * math.ceil((_FILES + 1 + _FOLDERS + 1) / _LISTED_A_PAGE)
    rows: list[Row] = []
    claims = []
    with bench.small_files() as place:
        for burst_s, rounds in ((1.0, bench.rounds if bench.is_full else 1), (60.0, bench.rounds)):
            costs = {
                "latency_s": LATENCY_S,
                "units_per_minute": float(QUOTA_UNITS_PER_MINUTE),
                "units_burst_s": burst_s,
            }
            load = f"the same; 325,000 units/min, burst {burst_s:.0f} s"
            tools = (bench.product, RCLONE_TUNED)
            own, tuned = compared = bench.compare(load, place, "mixed", tools, costs, rounds=rounds)
            rows.extend(compared)
            floor_s = (needed - per_s * burst_s) / per_s
            note = f"1.05 x ({needed:,} units - burst) / {per_s:,.0f} a second"
            claims += [
                claim_of(own, f"seconds, burst {burst_s:.0f} s", _seconds, 1.05 * floor_s, "s", note),
                claim_beside(own, tuned, f"seconds / rclone tuned, burst {burst_s:.0f} s", _seconds, 1.0),
            ]
    return Case(2, "small files, quota units", tuple(rows), tuple(claims))


def measure_large_files(bench: Bench) -> Case:
    """Number 3: one file, 100 MB a second for each connection."""
    sizes_mb = (240, 1_000)
    for size_mb in sizes_mb:
        make_large_file(bench.scratch / f"{size_mb}MB" / "yolov4.weights", size_mb * MEGABYTE)
    costs = {"latency_s": LATENCY_S, "bandwidth_bytes_per_s": 100.0 * MEGABYTE}
    rows: list[Row] = []
    claims = []
    with serve({f"{size_mb}MB": bench.scratch / f"{size_mb}MB" for size_mb in sizes_mb}) as place:
        for size_mb, bound in zip(sizes_mb, (0.6, 1.0), strict=True):
            remote = f"{size_mb}MB"
            load = f"one file of {size_mb:,} MB"
            own, other = compared = bench.compare(load, place, remote, (bench.product, RCLONE), costs)
            rows.extend(compared)
            claims += [
                claim_beside(own, other, f"{load}: seconds / rclone default", _seconds, bound),
                claim_of(own, f"{load}: memory", _memory_mb, _MEMORY_BOUND_MB, "MB"),
            ]
    return Case(3, "large files", tuple(rows), tuple(claims))


def measure_listing(bench: Bench) -> Case:
    """Number 5: 600 folders with 6 files each."""
    top, below, files = 24, 24, 6
    folders = top + top * below
    for number in range(top):
        make_files(bench.scratch / "wide" / f"{number}", files, 200)
        for inner in range(below):
            make_files(bench.scratch / "wide" / f"{number}" / f"{inner}", files, 200)
    pages = math.ceil((folders + folders * files) / _LISTED_A_PAGE)
    with serve({"wide": bench.scratch / "wide"}) as place:
        tools = (bench.product, RCLONE_TUNED)
        rows = bench.compare("600 folders, 3,600 files", place, "wide", tools, {"latency_s": LATENCY_S})
    note = f"{folders} folders / 20 + {pages} pages"
    claim = claim_of(rows[0], "listing requests", _listing_requests, folders / 20 + pages, "", note)
    return Case(5, "many folders", rows, (claim,))


def measure_cpu(bench: Bench) -> Case:
    """Number 6: what the small files cost in CPU, at the limit of number 1 and without any limit."""
    limited = bench.limited()
    with bench.small_files() as place:
        tools = (bench.product, RCLONE_TUNED)
        free = bench.compare("2,000 x 20 KB; no limit", place, "small", tools, {"latency_s": LATENCY_S})
    claims = []
    for rows, where in ((limited, "as in 1"), (free, "no limit")):
        own, tuned = rows[:2]
        per_thousand = [row.cpu_s / (_FILES / 1_000) for row in (own, tuned)]
        note = f"{per_thousand[0]:.2f} and {per_thousand[1]:.2f} CPU s per 1,000 files"
        claims.append(claim_beside(own, tuned, f"CPU / rclone tuned, {where}", _cpu_s, 1.5, note))
    return Case(6, "CPU", free, tuple(claims))


def _seconds(row: Row) -> float:
    return row.seconds


def _cpu_s(row: Row) -> float:
    return row.cpu_s


def _memory_mb(row: Row) -> float:
    return row.memory_bytes / MEGABYTE


def _listing_requests(row: Row) -> float:
    return row.most_requests("files.list")
