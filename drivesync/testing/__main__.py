"""``python -m drivesync.testing``: serve the emulator until SIGINT or SIGTERM."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from drivesync.testing.costs import QUOTA_UNITS_PER_MINUTE, Costs
from drivesync.testing.emulator import DriveEmulator
from drivesync.testing.faults import Fault, parse_fault
from drivesync.testing.store import FREE_STORAGE_BYTES


def _read_fault(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[Fault, ...]:
    try:
        return tuple(parse_fault(text) for text in texts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _read_seed(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[tuple[Path, str], ...]:
    seeds = []
    for text in texts:
        name, _colon, path = text.partition(":")
        directory = Path(name)
        if not directory.is_dir():
            raise click.BadParameter(f"no directory: {name}")
        seeds.append((directory, path or directory.resolve().name))
    return tuple(seeds)


@click.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 takes a free one."
)
@click.option(
    "--seed",
    "seeds",
    metavar="DIR[:PATH]",
    callback=_read_seed,
    multiple=True,
    help="Copy DIR to PATH in My Drive first; PATH is DIR's own name by default.",
)
@click.option(
    "--latency-s", type=click.FloatRange(min=0), default=0.0, help="Seconds that every request takes."
)
@click.option(
    "--bandwidth", type=click.FloatRange(min=1), help="Bytes a second, per connection and direction."
)
@click.option("--requests-per-s", type=click.FloatRange(min=0.1), help="Beyond it: 403 rateLimitExceeded.")
@click.option(
    "--quota-units",
    is_flag=True,
    help=f"{QUOTA_UNITS_PER_MINUTE} quota units a minute, as Drive has since 2026.",
)
@click.option(
    "--units-burst-s",
    type=click.FloatRange(min=0),
    default=Costs().units_burst_s,
    show_default=True,
    help="Unspent units that can be spent at once, in seconds of their rate.",
)
@click.option(
    "--storage-bytes",
    type=click.IntRange(min=0),
    default=FREE_STORAGE_BYTES,
    show_default=True,
    help="What My Drive can hold.",
)
@click.option(
    "--fault",
    "faults",
    callback=_read_fault,
    multiple=True,
    help="What goes wrong: error,status=503,call=files.get*,times=3 (see drivesync.testing.faults).",
)
@click.option("--random-seed", type=int, default=0, help="Of ids and of chance in faults.")
def main(
    *,
    port: int,
    seeds: tuple[tuple[Path, str], ...],
    latency_s: float,
    bandwidth: float | None,
    requests_per_s: float | None,
    quota_units: bool,
    units_burst_s: float,
    storage_bytes: int,
    faults: tuple[Fault, ...],
    random_seed: int,
) -> None:
    """Serve Google Drive API v3 on loopback.

    Prints DRIVE_EMULATOR_HOST=http://127.0.0.1:PORT and serves until SIGINT or SIGTERM. Any bearer token is good.
    """
    costs = Costs(
        latency_s=latency_s,
        bandwidth_bytes_per_s=bandwidth,
        requests_per_s=requests_per_s,
        units_per_minute=QUOTA_UNITS_PER_MINUTE if quota_units else None,
        units_burst_s=units_burst_s,
    )
    # Blocked before the server's thread starts, which inherits this: the signals wait for sigwait alone.
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    emulator = DriveEmulator(
        port=port, costs=costs, faults=faults, seed=random_seed, storage_limit_bytes=storage_bytes
    )
    for directory, path in seeds:
        emulator.seed(directory, path)
    with emulator:
        click.echo(f"DRIVE_EMULATOR_HOST={emulator.url}")
        signal.sigwait(stops)


if __name__ == "__main__":
    main()
