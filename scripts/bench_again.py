"""What a pull takes that is not the first: nothing new, a little new, and one that was killed (numbers 4 and 7)."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from typing import TYPE_CHECKING

from scripts.bench_cases import LATENCY_S, MEGABYTE
from scripts.bench_place import serve
from scripts.bench_report import Case, Row, claim_of, gather
from scripts.bench_tools import RCLONE_TUNED, Child, Run, Tool, measure
from scripts.bench_trees import make_files, make_large_file

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.bench_cases import Bench
    from scripts.bench_place import Place

_FILES = 10_000
_SMALL_BYTES = 200
_CHANGED = 10
_TIMEOUT_S = 300.0
_KILLS = 20
_POLL_S = 0.01
_KILLED_COSTS = {"latency_s": LATENCY_S, "bandwidth_bytes_per_s": 20.0 * MEGABYTE}
"""Slow enough that a kill strikes where it was meant to, at the pace at which the counters are asked."""

_RANGES_AT_ONCE = 8
_CHUNK_BYTES = 4 << 20
"""So many workers read ranges at once, and note as arrived what they have after so many bytes (pulling/fetch)."""


def measure_second_pull(bench: Bench) -> Case:
    """Number 4: 10,000 files that are all here, and then 10 of them changed on Drive."""
    source = bench.scratch / "again"
    for number in range(10):
        make_files(source / "data" / f"{number}", _FILES // 10, _SMALL_BYTES)
    tools: tuple[Tool, ...] = (bench.product, RCLONE_TUNED)
    unchanged: list[Run] = []
    changed: list[Run] = []
    with serve({"again": source}) as place:
        for tool in tools:
            _pull_again(bench, place, tool, "10,000 files, first", latency_s=0.0)
        for number in range(bench.rounds):
            unchanged += [_pull_again(bench, place, tool, "10,000 files, again") for tool in tools]
            _change(place, source, number)
            changed += [_pull_again(bench, place, tool, "10,000 files, 10 changed") for tool in tools]
    rows = gather("10,000 files, again", unchanged) + gather("10,000 files, 10 changed", changed)
    own, own_changed = rows[0], rows[len(tools)]
    allowed_s = 1 + own.most_requests() * LATENCY_S
    note = f"1 s + {own.most_requests()} x 100 ms"
    return Case(
        4,
        "second pull",
        rows,
        (
            claim_of(own, "nothing changed: requests", Row.most_requests, 3),
            claim_of(own, "nothing changed: seconds", lambda row: row.seconds, allowed_s, "s", note),
            claim_of(
                own_changed,
                "10 changed: downloads",
                lambda row: row.most_requests("files.get.media"),
                _CHANGED,
            ),
        ),
    )


def _pull_again(bench: Bench, place: Place, tool: Tool, load: str, latency_s: float = LATENCY_S) -> Run:
    """Pull into the tree that this tool has had from the start."""
    place.set_costs(latency_s=latency_s)
    tree = bench.scratch / f"tree of {tool.name}"
    run = measure(tool, place, "again", bench.scratch / "again", tree, _TIMEOUT_S)
    bench.report(load, run)
    return run


def _change(place: Place, source: Path, number: int) -> None:
    """Give 10 files another content of the same size, here and on Drive."""
    for path in sorted(source.rglob("*.jpg"))[number :: _FILES // _CHANGED][:_CHANGED]:
        data = os.urandom(_SMALL_BYTES)
        path.write_bytes(data)
        place.overwrite(f"again/{path.relative_to(source)}", data)


def measure_kills(bench: Bench) -> Case:
    """Number 7: killed at 20 moments, drawn from all bytes that have to be served, and run once more to the end.

    A moment is a number of bytes that were served in all runs so far, so each kill strikes wherever the pull then is,
    however fast the machine may be; none can come after the end.
    """
    source = bench.scratch / "killed"
    make_files(source / "data", 500, 20_000)
    make_large_file(source / "yolov4.weights", 1_000 * MEGABYTE)
    total = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    moments = sorted(random.Random(7).sample(range(total), _KILLS))  # noqa: S311 - no secret
    tree = bench.scratch / "tree"
    served = 0
    with serve({"killed": source}) as place:
        for number, moment in enumerate(moments, 1):
            served += _pull_until(bench, place, tree, moment - served)
            bench.say(f"kill {number}: {served / MEGABYTE:.0f} MB served so far")
        place.set_costs(**_KILLED_COSTS)
        last = measure(bench.product, place, "killed", source, tree, _TIMEOUT_S)
    shutil.rmtree(tree, ignore_errors=True)
    load = f"1 GB, after {_KILLS} kills"
    bench.report(load, last)
    served += last.usage.media_bytes
    claim = claim_of(
        Row(load, (last,)),
        "fetched again, for each kill",
        lambda _row: (served - total) / _KILLS / MEGABYTE,
        _RANGES_AT_ONCE * _CHUNK_BYTES / MEGABYTE,
        "MB",
        f"{_RANGES_AT_ONCE} ranges at once x {_CHUNK_BYTES >> 20} MiB; what lay in buffers is counted in",
    )
    return Case(7, "killed", (Row(load, (last,)),), (claim,))


def _pull_until(bench: Bench, place: Place, tree: Path, enough: int) -> int:
    """Start a pull, kill it when it has been served so many bytes of files, or a few; returns how many it was."""
    # The counters too begin anew: what the emulator still sends to connections that died goes to the old ones.
    place.set_costs(**_KILLED_COSTS)
    child = Child(bench.product, place, "killed", tree)
    while child.is_running() and place.usage().media_bytes < max(enough, 1):
        time.sleep(_POLL_S)
    child.kill()
    ended = child.wait()
    if ended.status != -signal.SIGKILL:
        raise RuntimeError(f"the pull ended by itself, with status {ended.status}: {ended.words}")
    return place.usage().media_bytes
