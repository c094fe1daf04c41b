"""What a bench shows: measurements, and claims that they bear out or do not."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table

from scripts.bench_tools import rclone_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scripts.bench_tools import Run

_MEGABYTE = 1_000_000
_NOTE_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Row:
    """All runs of one tool under one load.

    Attributes:
        load: what had to be done.
        runs: in the order in which they were made.
    """

    load: str
    runs: tuple[Run, ...]

    @property
    def tool(self) -> str:
        """Whose runs these are."""
        return self.runs[0].tool

    @property
    def fault(self) -> str:
        """Why one of the runs does not count; empty if all do."""
        return next((run.fault for run in self.runs if run.fault), "")

    @property
    def seconds(self) -> float:
        """Median."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def cpu_s(self) -> float:
        """Median."""
        return statistics.median(run.cpu_s for run in self.runs)

    @property
    def memory_bytes(self) -> int:
        """The most of any run."""
        return max(run.memory_bytes for run in self.runs)

    def most_requests(self, kinds: str = "") -> int:
        """The most of any run; ``kinds`` is how the kinds of call begin that are counted."""
        return max(
            sum(count for kind, count in run.usage.requests.items() if kind.startswith(kinds))
            for run in self.runs
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that must be shown.

    Attributes:
        text: what is claimed.
        figure: what was measured; None if nothing was.
        bound: the most that it may be.
        unit: of both.
        note: how the bound comes about, or why nothing was measured.
        is_broken: the product failed at it, so that there is no figure to be had.
    """

    text: str
    figure: float | None
    bound: float
    unit: str = ""
    note: str = ""
    is_broken: bool = False

    @property
    def is_met(self) -> bool | None:
        """None where nothing was measured."""
        if self.is_broken:
            return False
        return None if self.figure is None else self.figure <= self.bound


@dataclass(frozen=True, slots=True)
class Case:
    """One number of an issue's list."""

    number: int
    title: str
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]


def gather(load: str, runs: Iterable[Run]) -> tuple[Row, ...]:
    """A row for each tool, in the order of their first runs."""
    by_tool: dict[str, list[Run]] = {}
    for run in runs:
        by_tool.setdefault(run.tool, []).append(run)
    return tuple(Row(load, tuple(measured)) for measured in by_tool.values())


def claim_of(
    row: Row, text: str, measure: Callable[[Row], float], bound: float, unit: str = "", note: str = ""
) -> Claim:
    """A claim about what the product's ``row`` measured; not met where a run failed."""
    if row.fault:
        return Claim(text, None, bound, unit, row.fault, is_broken=True)
    return Claim(text, measure(row), bound, unit, note)


def claim_beside(
    row: Row, peer: Row, text: str, measure: Callable[[Row], float], bound: float, note: str = ""
) -> Claim:
    """A claim about how often the product's ``row`` takes what ``peer`` takes."""
    if peer.fault:
        return Claim(text, None, bound, note=f"{peer.tool}: {peer.fault}", is_broken=bool(row.fault))
    return claim_of(row, text, lambda own: measure(own) / measure(peer), bound, note=note)


def show_measurements(cases: Iterable[Case], what: str = "pull") -> Table:
    """Every row, with medians, and the ratio of each to the product's."""
    table = Table(
        title=f"{what}, over TLS, on the emulator",
        caption="Medians of whole processes; memory and requests are the most of any round. Of the other peers, gdown "
        "knows public links only, PyDrive2 speaks Drive's API v2, and `cp -r` needs Colab's mount: the emulator "
        "serves none of them.",
    )
    for heading in ("", "load", "tool"):
        table.add_column(heading)
    for heading in ("seconds", "rounds", "of drivesync's", "CPU s", "MB", "requests", "listing", "403s"):
        table.add_column(heading, justify="right")
    for case in cases:
        own: Row | None = None
        for row in case.rows:
            own = row if own is None or own.load != row.load else own
            table.add_row(str(case.number), row.load, row.tool, *_cells(row, own))
        table.add_section()
    return table


def _cells(row: Row, own: Row) -> tuple[str, ...]:
    rounds = " ".join(f"{run.seconds:.1f}" for run in row.runs)
    if row.fault:
        return f"[red]{row.fault.splitlines()[-1][:60]}[/]", rounds, "", "", "", "", "", ""
    return (
        f"{row.seconds:.2f}",
        rounds,
        "" if row is own else f"{row.seconds / own.seconds:.2f}",
        f"{row.cpu_s:.2f}",
        f"{row.memory_bytes / _MEGABYTE:.0f}",
        str(row.most_requests()),
        str(row.most_requests("files.list")),
        str(max(run.usage.rate_limited for run in row.runs)),
    )


def show_claims(cases: Iterable[Case], issue: int = 3) -> Table:
    """Every claim of an issue, with what was measured."""
    table = Table(title=f"what issue {issue} asks for")
    for heading in ("", "claim"):
        table.add_column(heading)
    for heading in ("figure", "at most"):
        table.add_column(heading, justify="right")
    table.add_column("")
    table.add_column("")
    verdicts = {True: "[green]met[/]", False: "[red]not met[/]", None: "[yellow]not measured[/]"}
    for case in cases:
        for claim in case.claims:
            figure = "" if claim.figure is None else f"{claim.figure:.3g} {claim.unit}"
            bound = f"{claim.bound:.3g} {claim.unit}"
            table.add_row(
                str(case.number), claim.text, figure, bound, verdicts[claim.is_met], claim.note[-_NOTE_WIDTH:]
            )
        table.add_section()
    return table


def to_json(cases: Iterable[Case]) -> dict[str, Any]:
    """Everything, run by run."""
    return {
        "cases": [
            {
                "number": case.number,
                "title": case.title,
                "rows": [
                    {"load": row.load, "tool": row.tool, "runs": [asdict(run) for run in row.runs]}
                    for row in case.rows
                ],
                "claims": [{**asdict(claim), "is_met": claim.is_met} for claim in case.claims],
            }
            for case in cases
        ],
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "rclone": rclone_version(),
    }
