"""How results are put: a few lines for people, one object for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from drivesync.progress import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from drivesync.files import Skipped
    from drivesync.remotes.usage import Spent

SHOWN = 10


def count(number: int, noun: str) -> str:
    """``1 file``, ``2,001 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def print_some(heading: str, lines: Sequence[str], shown: int = SHOWN) -> None:
    """``heading`` and the first of ``lines`` below it; nothing where there are none."""
    if not lines:
        return
    click.echo(f"{heading}:")
    for line in lines[:shown]:
        click.echo(f"  {printable(line)}")
    if len(lines) > shown:
        click.echo(f"  and {len(lines) - shown:,} more (--json lists all)")


def print_skipped(skipped: Sequence[Skipped]) -> None:
    """What cannot be had as a file."""
    are = "is" if len(skipped) == 1 else "are"
    print_some(
        f"{len(skipped):,} {are} left out",
        [f"{entry.path or 'the folder itself'}: {entry.reason}" for entry in skipped],
    )


def describe_skipped(skipped: Iterable[Skipped]) -> list[dict[str, str]]:
    """The same for machines."""
    return [{"path": entry.path, "reason": entry.reason} for entry in skipped]


def describe_usage(usage: Mapping[str, Spent], retries: int) -> dict[str, Any]:
    """Requests and quota units by kind, and both in all."""
    kinds = sorted(usage.items())
    return {
        "requests": {
            **{kind: spent.requests for kind, spent in kinds},
            "total": sum(spent.requests for _, spent in kinds),
        },
        "quota_units": {
            **{kind: spent.units for kind, spent in kinds},
            "total": sum(spent.units for _, spent in kinds),
        },
        "retries": retries,
    }
