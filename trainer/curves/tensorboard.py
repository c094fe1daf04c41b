"""A run's curve for TensorBoard: ``python -m trainer.curves.tensorboard METRICS EVENTS``.

    backup/tensorboard/events.out.tfevents.darknet       one run over all sessions, made of backup/metrics.jsonl

A TensorBoard that is open reads on where it has stopped reading, so what is new is appended. A seam becomes an event
that takes back what training is to go over again, as TensorFlow's own writers have it when they are started again.
TensorBoard's Python reader looks for it; its data server, which Colab uses, does not, and drops of each curve whatever
is not below the next step that comes (both seen in TensorBoard 2.21). Where nothing that is added would set a file
right, or it holds far more than the metrics do, it is written anew; an open TensorBoard sees that when it is started
again.

To import a writer takes a quarter of a second, so the supervisor runs this as a program.
"""

from __future__ import annotations

import argparse
import heapq
import math
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivesync.disk import local_errors
from drivesync.errors import DrivesyncError, NotFoundError
from trainer.curves.curve import Point, Seam, Usage, read_map, settle
from trainer.curves.lines import parse_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType

    from trainer.curves.curve import Record

EVENTS_PATH = "tensorboard/events.out.tfevents.darknet"
"""Beside a run's checkpoints. Readers look for "tfevents" in the name."""

_PACKAGES = {
    "tensorboard": ("tensorboard.compat.proto.event_pb2", "tensorboard.summary.writer.record_writer"),
    "tensorboardX": ("tensorboardX.proto.event_pb2", "tensorboardX.record_writer"),
}
"""Where each has its events, and its writer of records; the first one is taken. None of these loads TensorFlow."""

_VERSION = "brain.Event:2"
"""From it on readers look for the events that take something back."""

_HEADER = struct.Struct("<QI")
_FOOTER_BYTES = 4
"""Before a record stand its length and that one's checksum, behind it its own."""

_POINT, _MAP, _USAGE = "loss", "mAP", "GPU/memory_GiB"
"""The first tag of each kind of event, by which it is known."""

_SPARE_EVENTS = 5_000
"""So many more than twice as many events as there are in the metrics may stand in a file."""

_GIB = 1 << 30


def has_writer() -> bool:
    """Whether there is anything here to write events with."""
    return any(find_spec(package) for package in _PACKAGES)


def update_events(metrics_path: Path, events_path: Path) -> None:
    """Have an event file tell what a metrics file tells; nothing is done where there is no writer.

    Raises:
        NotFoundError: there is no such metrics file.
        LocalWriteError: the event file cannot be written.
    """
    writer = _load_writer()
    if writer is None:
        return
    try:
        curve = _read_curve(metrics_path.read_bytes())
    except OSError as error:
        raise NotFoundError(f"cannot read {metrics_path}: {error.strerror}") from error
    if not curve:
        return
    # A reader would take it for an event file if it were called like one.
    part = events_path.with_name("part")
    with local_errors(events_path):
        events_path.parent.mkdir(parents=True, exist_ok=True)
        told = _read_told(events_path, writer)
        more = None if told is None else _continue(told, curve)
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


@dataclass(frozen=True, slots=True)
class _Entry:
    """Values that belong to one step, by their tags."""

    kind: str
    step: int
    unix_s: float
    values: tuple[tuple[str, float], ...]

    @property
    def key(self) -> tuple[int, float]:
        return self.step, self.unix_s


def _read_curve(content: bytes) -> list[_Entry | Seam]:
    """What a metrics file tells, in its order."""
    points, others = settle(parse_lines(content))
    merged = heapq.merge(points, others, key=itemgetter(0))
    return [entry for _, record in merged if (entry := _to_entry(record)) is not None]


def _to_entry(record: Record) -> _Entry | Seam | None:
    values: dict[str, float]
    match record:
        case Seam():
            return record
        case Point():
            kind, step = _POINT, record.iteration
            values = {_POINT: record.loss, "avg_loss": record.avg_loss}
            values |= {"rate": record.rate, "seconds": record.seconds}
            values |= {} if record.images is None else {"images": record.images}
        case Usage():
            kind, step = _USAGE, record.iteration
            values = {_USAGE: record.used_bytes / _GIB}
            values |= {} if math.isnan(record.busy_percent) else {"GPU/busy_percent": record.busy_percent}
        case _:
            if (found := read_map(record)) is None:
                return None
            kind, step = _MAP, found.iteration
            known = {name: value for name, value in found.classes.items() if not math.isnan(value)}
            values = {_MAP: found.value, **{f"AP/{name}": value for name, value in known.items()}}
    unix_s = 0.0 if math.isnan(record.unix_s) else record.unix_s
    return _Entry(kind, step, unix_s, tuple(values.items()))


@dataclass(slots=True)
class _Told:
    """What a reader of an event file knows.

    Attributes:
        end: where its last whole record ends.
        events: how many records there are.
        seams: when those were that it tells of.
        keys: step and Unix time of all that stands, by kind, in order.
    """

    end: int = 0
    events: int = 0
    seams: set[float] = field(default_factory=set)
    keys: dict[str, list[tuple[int, float]]] = field(
        default_factory=lambda: {kind: [] for kind in (_POINT, _MAP, _USAGE)}
    )

    def add(self, one: _Entry | Seam) -> None:
        self.events += 1
        if isinstance(one, Seam):
            self.seams.add(one.unix_s)
            for keys in self.keys.values():
                while keys and keys[-1][0] >= one.first_iteration:
                    keys.pop()
        else:
            self.keys[one.kind].append(one.key)

    def last(self, kind: str) -> int:
        return self.keys[kind][-1][0] if self.keys[kind] else -1

    def find_cut(self, first_iteration: int) -> int | None:
        """Where to begin anew so that every reader forgets what it knows of ``first_iteration`` and beyond.

        The data server drops a mAP only when another comes that is not above it; so what is told again begins with
        the last that stands. None where none does.
        """
        cut = first_iteration
        for kind in (_MAP, _USAGE):
            if self.last(kind) >= first_iteration:
                standing = [step for step, _ in self.keys[kind] if step < first_iteration]
                if not standing and kind == _MAP:
                    return None
                cut = min([cut, *standing[-1:]])
        return cut


def _continue(told: _Told, curve: Sequence[_Entry | Seam]) -> list[_Entry | Seam] | None:
    """What is to be added so that the curve is told; None where nothing added would bring that about.

    ``told`` becomes what is told then.
    """
    more: list[_Entry | Seam] = []
    new = [one for one in curve if isinstance(one, Seam) and one.unix_s not in told.seams]
    if new:
        cut = told.find_cut(new[0].first_iteration)
        if cut is None:
            return None
        more.append(replace(new[0], first_iteration=cut))
        told.add(more[0])
    last = {kind: told.last(kind) for kind in told.keys}
    for one in curve:
        if one in new[1:] if isinstance(one, Seam) else one.step > last[one.kind]:
            more.append(one)
            told.add(one)
    entries = [one for one in curve if isinstance(one, _Entry)]
    is_small = told.events <= 2 * len(entries) + _SPARE_EVENTS
    # Points that the metrics have no more, since they were thinned, may stay.
    known = {kind: set(keys) for kind, keys in told.keys.items()}
    is_whole = all(one.key in known[one.kind] for one in entries)
    maps = sum(one.kind == _MAP for one in entries)
    return more if is_small and is_whole and maps == len(told.keys[_MAP]) else None


def _read_told(path: Path, writer: _Writer) -> _Told | None:
    """What an event file tells so far; None where there is none, or none of ours."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    told = _Told()
    for end, record in _split(content):
        try:
            one = writer.parse(record)
        except ValueError:
            return None
        told.end = end
        if one is not None:
            told.add(one)
    return told if told.end else None


def _split(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each whole record, with the place where it ends; the last one of a file may be torn."""
    end = 0
    while end + _HEADER.size < len(content):
        length, _ = _HEADER.unpack_from(content, end)
        begin = end + _HEADER.size
        end = begin + length + _FOOTER_BYTES
        if not length or end > len(content):
            return
        yield end, content[begin : begin + length]


@dataclass(frozen=True, slots=True)
class _Writer:
    """tensorboard's or tensorboardX's."""

    events: ModuleType
    records: ModuleType
    messages: ModuleType

    def write(self, path: Path, curve: Iterable[_Entry | Seam], *, begins: bool) -> None:
        """Write records to a new file; to one that ``begins`` first of all the version."""
        # tensorboard's writer takes a file, tensorboardX's a path.
        target = path.open("wb") if self.records.__name__.startswith("tensorboard.") else str(path)
        writer = self.records.RecordWriter(target)
        try:
            if begins:
                writer.write(self.events.Event(file_version=_VERSION).SerializeToString())
            for one in curve:
                writer.write(self._to_event(one).SerializeToString())
        finally:
            writer.close()

    def _to_event(self, one: _Entry | Seam) -> Any:
        if isinstance(one, Seam):
            event = self.events.Event(wall_time=one.unix_s, step=one.first_iteration)
            event.session_log.status = event.session_log.START
            return event
        event = self.events.Event(wall_time=one.unix_s, step=one.step)
        for tag, value in one.values:
            event.summary.value.add(tag=tag, simple_value=value)
        return event

    def parse(self, record: bytes) -> _Entry | Seam | None:
        """Read a record; None where it is the version.

        Raises:
            ValueError: it is none of ours.
        """
        try:
            event = self.events.Event.FromString(record)
        except self.messages.DecodeError as error:
            raise ValueError(record) from error
        if event.HasField("file_version"):
            return None
        if event.HasField("session_log"):
            return Seam("resumed", event.step, event.wall_time)
        kind = event.summary.value[0].tag if event.summary.value else ""
        if kind not in {_POINT, _MAP, _USAGE}:
            raise ValueError(kind)
        return _Entry(kind, event.step, event.wall_time, ())


def _load_writer() -> _Writer | None:
    for modules in _PACKAGES.values():
        # A TypeError is what an old tensorboard meets in a protobuf that is too new for it.
        with suppress(ImportError, TypeError):
            return _Writer(*map(import_module, (*modules, "google.protobuf.message")))
    return None


if __name__ == "__main__":
    sys.exit(main())
