"""PURE: a darknet .cfg as darknet reads it.

darknet deletes every space and tab of a line, takes ``#`` and ``;`` at its start for comments, uses the first of two
options of one name, and reads a number up to the first character that cannot belong to it (source: its parser).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WHOLE = re.compile(r"[-+]?[0-9]+")
"""What darknet reads at the beginning of a whole number."""

REAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
"""Likewise of another number."""

_LONGEST_NUMBER = 40
LARGEST_WHOLE = 2**31 - 1
"""The largest number that darknet keeps: an ``int`` of C."""
_LONGEST_QUOTE = 60

_SHORT_KINDS = {
    "network": "net",
    "conv": "convolutional",
    "deconv": "deconvolutional",
    "conn": "connected",
    "max": "maxpool",
    "avg": "avgpool",
    "soft": "softmax",
    "lrn": "normalization",
    "silence": "empty",
}


@dataclass(frozen=True, slots=True)
class Layer:
    """One section of a cfg.

    Attributes:
        kind: its name without brackets, short forms spelled out ("conv" is "convolutional").
        options: as written, without spaces.
        line: the number of its ``[...]`` line, from 1.
        source: the file's name, for messages.
        lines: the number of each option's line.
    """

    kind: str
    options: Mapping[str, str] = field(hash=False)
    line: int
    source: str
    lines: Mapping[str, int] = field(hash=False, compare=False, default_factory=dict)

    def integer(self, key: str, default: int) -> int:
        """The option as a whole number.

        Raises:
            TreeError: it is written but is none, or is beyond ``LARGEST_WHOLE``.
        """
        return self._whole(key, self._number(key, str(default), WHOLE))

    def real(self, key: str, default: float) -> float:
        """The option as a number.

        Raises:
            TreeError: it is written but is none.
        """
        return float(self._number(key, str(default), REAL))

    def integers(self, key: str) -> tuple[int, ...]:
        """The option as a list of whole numbers, empty where it is not written.

        Raises:
            TreeError: one of them is none, or is beyond ``LARGEST_WHOLE``.
        """
        parts = [part for part in self.options.get(key, "").split(",") if part]
        found = [WHOLE.match(part[:_LONGEST_NUMBER]) for part in parts]
        if not all(found):
            written = self.options[key][:_LONGEST_QUOTE]
            raise self.wrong(
                f"{key}={written} is no list of numbers", key, hint="Write whole numbers, parted by commas."
            )
        return tuple(self._whole(key, match.group()) for match in found if match)

    def wrong(self, what: str, key: str = "", *, hint: str = "") -> TreeError:
        """An error that names its place in the file.

        Args:
            what: is wrong.
            key: the option that it is about: its own line is named, where it has one; else the section's.
            hint: what to do about it, as a sentence.
        """
        line = self.lines.get(key, self.line)
        return TreeError(f"{self.source}:{line}: [{self.kind}] {what}", hint=hint)

    def _number(self, key: str, default: str, pattern: re.Pattern[str]) -> str:
        text = self.options.get(key, default)
        match = pattern.match(text)
        if match is None or len(match.group()) > _LONGEST_NUMBER:
            raise self.wrong(f"{key}={text[:_LONGEST_NUMBER]} is no number", key, hint="Write a number.")
        return match.group()

    def _whole(self, key: str, digits: str) -> int:
        number = int(digits)
        if abs(number) > LARGEST_WHOLE:
            raise self.wrong(
                f"{key}={digits} is beyond {LARGEST_WHOLE}, the most that darknet keeps",
                key,
                hint="Write a smaller number.",
            )
        return number


@dataclass(frozen=True, slots=True)
class Network:
    """A parsed cfg.

    Attributes:
        net: the [net] section, with all its options.
        layers: the sections after it, in order; darknet numbers them from 0.
        batch: images per iteration, as written.
        subdivisions: in how many parts a batch goes through the network.
        max_batches: iterations to train; 0 where the cfg does not say.
        learning_rate: as written, before policy and burn-in.
        width: of the input, in pixels; 0 where the input is no image.
        height: likewise.
        channels: likewise.
    """

    net: Layer
    layers: tuple[Layer, ...]
    batch: int
    subdivisions: int
    max_batches: int
    learning_rate: float
    width: int
    height: int
    channels: int

    @property
    def images_per_iteration(self) -> int:
        """By how much ``seen`` in a weights file grows per iteration.

        Not quite ``batch``: darknet divides it by the subdivisions and drops the remainder.
        """
        return max(1, self.batch // self.subdivisions) * self.subdivisions * self.net.integer("time_steps", 1)


def parse_cfg(text: str, source: str = "cfg") -> Network:
    """Read a cfg.

    Carriage returns are let pass here; the original darknet does not let them pass.

    Args:
        text: of the file.
        source: its name, for messages.

    Raises:
        TreeError: this is no cfg that darknet could train; the message names file and line.
    """
    if text.startswith("\ufeff"):
        raise TreeError(
            f"{source}: begins with a byte order mark, which darknet cannot read",
            hint="Save it as UTF-8 without one.",
        )
    sections = list(_sections(text, source))
    if not sections or sections[0].kind != "net":
        raise TreeError(
            f"{source}: does not begin with a [net] section",
            hint="Take a whole cfg: [net] is its first section.",
        )
    if len(sections) == 1:
        raise TreeError(f"{source}: has no layers", hint="Take a whole cfg: after [net] come the layers.")
    net, *layers = sections
    batch, subdivisions = net.integer("batch", 1), net.integer("subdivisions", 1)
    if batch < 1 or subdivisions < 1:
        key = "batch" if batch < 1 else "subdivisions"
        raise net.wrong(
            f"{key}={net.options[key]} must be at least 1", key, hint="Set batch=64 and subdivisions=16, say."
        )
    return Network(
        net=net,
        layers=tuple(layers),
        batch=batch,
        subdivisions=subdivisions,
        max_batches=net.integer("max_batches", 0),
        learning_rate=net.real("learning_rate", 0.001),
        width=net.integer("width", 0),
        height=net.integer("height", 0),
        channels=net.integer("channels", 0),
    )


def _sections(text: str, source: str) -> Iterator[Layer]:
    kind, line, options, lines = "", 0, dict[str, str](), dict[str, int]()
    for number, raw in enumerate(text.split("\n"), start=1):
        row = "".join(raw.split())
        if not row or row[0] in "#;":
            continue
        if row[0] == "[":
            if kind:
                yield Layer(kind, options, line, source, lines)
            if "]" not in row[2:]:
                raise TreeError(
                    f"{source}:{number}: {row[:_LONGEST_QUOTE]!r} is no section",
                    hint="Write its name in brackets.",
                )
            name = row[1 : row.index("]", 2)]
            kind, line, options, lines = _SHORT_KINDS.get(name, name), number, {}, {}
            continue
        key, _, value = row.partition("=")
        if not kind:
            raise TreeError(
                f"{source}:{number}: {row[:_LONGEST_QUOTE]!r} stands before the first section",
                hint="Begin with [net], or put a # before the line.",
            )
        if value and key not in options:  # darknet passes over ``key=``, too
            options[key], lines[key] = value, number
    if kind:
        yield Layer(kind, options, line, source, lines)
