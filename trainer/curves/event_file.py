"""An event file, TensorBoard's own format: records with a length before each, written by the package that is there.

To import a writer takes a quarter of a second, so nothing does before ``load_writer`` is called.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from trainer.curves.curve import Seam
from trainer.curves.events import MAP, POINT, USAGE, Entry, Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import ModuleType

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


def has_writer() -> bool:
    """Whether there is anything here to write events with."""
    return any(find_spec(package) for package in _PACKAGES)


def load_writer() -> EventWriter | None:
    """The first one that works; None where none does."""
    for modules in _PACKAGES.values():
        # A TypeError is what an old tensorboard meets in a protobuf that is too new for it.
        with suppress(ImportError, TypeError):
            return EventWriter(*map(import_module, (*modules, "google.protobuf.message")))
    return None


@dataclass(frozen=True, slots=True)
class EventWriter:
    """tensorboard's or tensorboardX's, which also knows how to read what was written."""

    events: ModuleType
    records: ModuleType
    messages: ModuleType

    def write(self, path: Path, curve: Iterable[Entry | Seam], *, begins: bool) -> None:
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

    def _to_event(self, one: Entry | Seam) -> Any:
        if isinstance(one, Seam):
            event = self.events.Event(wall_time=one.unix_s, step=one.first_iteration)
            event.session_log.status = event.session_log.START
            return event
        event = self.events.Event(wall_time=one.unix_s, step=one.step)
        for tag, value in one.values:
            event.summary.value.add(tag=tag, simple_value=value)
        return event

    def parse(self, record: bytes) -> Entry | Seam | None:
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
        if kind not in {POINT, MAP, USAGE}:
            raise ValueError(kind)
        return Entry(kind, event.step, event.wall_time, ())


def read_told(path: Path, writer: EventWriter) -> Told | None:
    """What an event file tells so far; None where there is none, or none of ours."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    told = Told()
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
