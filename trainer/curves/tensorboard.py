"""A run's curve for TensorBoard: ``python -m trainer.curves.tensorboard METRICS EVENTS``.

    backup/tensorboard/events.out.tfevents.darknet       one run over all sessions, made of backup/metrics.jsonl

A TensorBoard that is open reads on where it has stopped reading, so what is new is appended. Where nothing that is
added would set a file right, or it holds far more than the metrics do (see ``events``), it is written anew; an open
TensorBoard sees that when it is started again.

To import a writer takes a quarter of a second, so the supervisor runs this as a program.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.disk import local_errors
from drivesync.errors import DrivesyncError, NotFoundError
from trainer.curves.event_file import load_writer, read_told
from trainer.curves.events import find_more, read_curve

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS_PATH = "tensorboard/events.out.tfevents.darknet"
"""Beside a run's checkpoints. Readers look for "tfevents" in the name."""


def update_events(metrics_path: Path, events_path: Path) -> None:
    """Have an event file tell what a metrics file tells; nothing is done where there is no writer.

    Raises:
        NotFoundError: there is no such metrics file.
        LocalWriteError: the event file cannot be written.
    """
    writer = load_writer()
    if writer is None:
        return
    try:
        curve = read_curve(metrics_path.read_bytes())
    except OSError as error:
        raise NotFoundError(f"cannot read {metrics_path}: {error.strerror}") from error
    if not curve:
        return
    # A reader would take it for an event file if it were called like one.
    part = events_path.with_name("part")
    with local_errors(events_path):
        events_path.parent.mkdir(parents=True, exist_ok=True)
        told = read_told(events_path, writer)
        more = None if told is None else find_more(told, curve)
        if told is None or more is None:
            writer.write(part, curve, begins=True)
            part.replace(events_path)
        elif more:
            writer.write(part, more, begins=False)
            with events_path.open("r+b") as file:
                file.truncate(told.end)
                file.seek(told.end)
                file.write(part.read_bytes())
            part.unlink()


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a program; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m trainer.curves.tensorboard", description="Write a run's curve for TensorBoard."
    )
    parser.add_argument("metrics", type=Path, help="metrics.jsonl of the run")
    parser.add_argument("events", type=Path, help="event file to write or continue")
    arguments = parser.parse_args(argv)
    try:
        update_events(arguments.metrics, arguments.events)
    except DrivesyncError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
