"""What this project measures of itself; each command prints a table and writes the same as JSON.

Timings need a machine of their own: none of this is part of the test suite.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import click
from rich.console import Console
from rich.table import Table

from scripts.bench_check import check
from scripts.bench_packs import packs
from scripts.bench_pull import pull
from scripts.bench_push import push
from scripts.bench_supervise import cpu_s, supervise

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_TOKEN = "bench"  # noqa: S105 - the emulator takes any token


@click.group()
def main() -> None:
    """Measure this project."""


main.add_command(check)
main.add_command(packs)
main.add_command(pull)
main.add_command(push)
main.add_command(supervise)


@main.command()
@click.option("--files", default=500, show_default=True, help="Different files that are fetched in turn.")
@click.option("--size-bytes", default=20_000, show_default=True, help="Size of each.")
@click.option("--connections", default=16, show_default=True, help="Connections that are kept busy.")
@click.option("--seconds", default=3.0, show_default=True, help="How long a round lasts.")
@click.option("--rounds", default=3, show_default=True, help="Rounds; the median counts.")
@click.option(
    "--json",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/bench-emulator.json"),
)
def emulator(
    *, files: int, size_bytes: int, connections: int, seconds: float, rounds: int, report: Path
) -> None:
    """Small downloads a second that the emulator serves on one core.

    The emulator runs on the first core, the load on the others, so that neither takes the other's time. The load is a
    loop over raw sockets: a real client would be slower than the server it is to measure.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        _pinned_emulator(_make_files(Path(scratch), files, size_bytes)) as (
            host,
            pid,
        ),
    ):
        ids = _list_ids(host)
        measured = []
        for _ in range(rounds):
            cpu_before_s = cpu_s(pid)
            count, elapsed_s = _load(host, ids, connections, seconds)
            measured.append((count / elapsed_s, (cpu_s(pid) - cpu_before_s) / count))
    result = {
        "connections": connections,
        "cpu_us_per_request": round(statistics.median(cpu for _, cpu in measured) * 1e6, 1),
        "requests_per_s": round(statistics.median(rate for rate, _ in measured), 1),
        "rounds": [round(rate, 1) for rate, _ in measured],
        "size_bytes": size_bytes,
    }
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    table = Table(title=f"GET alt=media, {size_bytes} bytes, {connections} connections, emulator on one core")
    table.add_column("requests/s (median)")
    table.add_column("rounds")
    table.add_column("server CPU per request")
    rates = ", ".join(f"{rate:.0f}" for rate, _ in measured)
    table.add_row(f"{result['requests_per_s']:.0f}", rates, f"{result['cpu_us_per_request']} µs")
    Console().print(table)


def _make_files(directory: Path, count: int, size_bytes: int) -> Path:
    for number in range(count):
        (directory / f"{number:06}.jpg").write_bytes(os.urandom(size_bytes))
    return directory


@contextmanager
def _pinned_emulator(directory: Path) -> Iterator[tuple[str, int]]:
    """The emulator's process, on a core of its own where there are two: its ``host:port`` and process id."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])
    server = subprocess.Popen(
        [sys.executable, "-m", "drivesync.testing", "--seed", f"{directory}:bench"],
        stdout=subprocess.PIPE,
        text=True,
    )
    os.sched_setaffinity(0, cores[1:] or cores)
    try:
        assert server.stdout is not None
        line = server.stdout.readline().strip()
        yield line.removeprefix("DRIVE_EMULATOR_HOST=http://"), server.pid
    finally:
        server.terminate()
        server.wait()


def _list_ids(host: str) -> list[str]:
    url = f"http://{host}/drive/v3/files?q=mimeType!='application/vnd.google-apps.folder'&pageSize=1000&fields=files/id"
    request = Request(url, headers={"Authorization": f"Bearer {_TOKEN}"})
    with urlopen(request) as answer:  # noqa: S310 - http on loopback
        return [item["id"] for item in json.load(answer)["files"]]


def _load(host: str, ids: list[str], connections: int, seconds: float) -> tuple[int, float]:
    """Downloads done and the seconds they took: every connection always has one request under way."""
    name, _, port = host.partition(":")
    sockets = [socket.create_connection((name, int(port))) for _ in range(connections)]
    requests = [
        f"GET /drive/v3/files/{file_id}?alt=media HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {_TOKEN}\r\n\r\n"
        for file_id in ids
    ]
    encoded = [request.encode() for request in requests]
    buffer = bytearray(1 << 20)
    sent = 0
    for connection in sockets:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(encoded[sent % len(encoded)])
        sent += 1
    done = 0
    started_s = time.perf_counter()
    while (elapsed_s := time.perf_counter() - started_s) < seconds:
        for connection in sockets:
            _read_answer(connection, buffer)
            connection.sendall(encoded[sent % len(encoded)])
            sent += 1
        done += connections
    for connection in sockets:
        connection.close()
    return done, elapsed_s


def _read_answer(connection: socket.socket, buffer: bytearray) -> None:
    view = memoryview(buffer)
    got = end = 0
    while not end or got < end:
        received = connection.recv_into(view[got:])
        if not received:
            raise ConnectionError("the emulator closed a connection")
        got += received
        if not end and (head := buffer.find(b"\r\n\r\n", 0, got)) >= 0:
            if not buffer.startswith(b"HTTP/1.1 200"):
                raise ConnectionError(bytes(view[:got]).decode("latin-1"))
            length = _CONTENT_LENGTH.search(buffer, 0, head + 2)
            assert length is not None
            end = head + 4 + int(length[1])


if __name__ == "__main__":
    main()
