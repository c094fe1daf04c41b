"""PURE: a curve's records as lines of JSON, which is what a metrics file holds.

One compact object a line, in the order in which it happened:

    {"i":101,"loss":2.31,"avg":2.84,"rate":0.001,"s":0.41,"img":6464,"t":1790000000}         an iteration
    {"event":"pushed","i":200,"t":1790000044}                                       something that happened at one
    {"event":"map","i":200,"value":0.18,"classes":{"circle":0.03,"square":0.33},"t":1790000050}      what was measured
    {"event":"gpu","i":210,"used":3221225472,"total":16106127360,"busy":97.0,"t":1790000054}         what was in use
    {"event":"resumed","from":201,"t":1790000300.125}                     a seam: a new session went on with 201
    {"event":"restarted","from":201,"reason":"darknet hung","t":1790000300.125}          a seam within a session

``t`` is seconds since 1970, ``s`` the seconds that the iteration took, and ``img`` how many images darknet had counted;
``null`` stands for nan and infinity, which JSON does not have.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from trainer.curves.curve import Happening, Point, Seam, Usage, stands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.curves.curve import Record, SeamKind

_SEAM_KINDS: dict[str, SeamKind] = {"resumed": "resumed", "restarted": "restarted"}
_GPU = "gpu"
_LIMIT = 2**53
"""Whole numbers up to this one are floats, too."""

_BEGINNINGS = re.compile(rb'^\{("i"|"event":"(?:resumed|restarted)","from"):(\d{1,16})', re.MULTILINE)
"""Of the lines of points and of seams."""


def to_line(record: Record) -> bytes:
    """The record as one line, its end included."""
    said: dict[str, object]
    match record:
        case Point():
            said = {"i": record.iteration, "loss": record.loss, "avg": record.avg_loss}
            said |= {"rate": record.rate, "s": record.seconds}
            said |= {} if record.images is None else {"img": record.images}
        case Seam():
            said = {"event": record.kind, "from": record.first_iteration}
            said |= {"reason": record.reason} if record.reason else {}
        case Usage():
            said = {"event": _GPU, "i": record.iteration, "used": record.used_bytes}
            said |= {"total": record.total_bytes, "busy": record.busy_percent}
        case Happening():
            said = {"event": record.name} | ({} if record.iteration is None else {"i": record.iteration})
            said |= record.fields
    # Of two seams it matters whether they are the same one.
    said["t"] = _round(record.unix_s, 3 if isinstance(record, Seam) else 0)
    return json.dumps(_without_nan(said), separators=(",", ":")).encode() + b"\n"


def _round(unix_s: float, digits: int) -> float:
    if math.isnan(unix_s):
        return unix_s
    rounded = round(unix_s, digits)
    return int(rounded) if rounded.is_integer() else rounded


def _without_nan(value: object) -> object:
    if isinstance(value, float):
        return _or_null(value)
    if isinstance(value, Mapping):
        return {key: _without_nan(one) for key, one in value.items()}
    return value


def _or_null(value: float) -> float | None:
    return value if math.isfinite(value) else None


def parse_lines(content: bytes) -> Iterator[Record]:
    """Read a file's lines, in order; those that are torn or not ours are passed over."""
    return (record for line in content.split(b"\n") if (record := parse_line(line)) is not None)


def parse_line(line: bytes) -> Record | None:
    """Read one line; None where it is torn or not ours."""
    try:
        return _from_json(json.loads(line, parse_constant=_finite_or_null, parse_float=_finite_or_null))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _finite_or_null(text: str) -> float | None:
    return _or_null(float(text))


def _from_json(said: dict[str, object]) -> Record:
    """Read one line's object; raises one of several errors if it is none of ours."""
    if "event" not in said:
        loss, avg_loss, rate, seconds, unix_s = (
            _number(said[key]) for key in ("loss", "avg", "rate", "s", "t")
        )
        images = said.get("img")
        counted = images if isinstance(images, int) and abs(images) < _LIMIT else None
        return Point(_iteration(said["i"]), loss, avg_loss, rate, seconds, unix_s, counted)
    name, unix_s = str(said["event"]), _number(said["t"])
    if (kind := _SEAM_KINDS.get(name)) is not None:
        return Seam(kind, _iteration(said["from"]), unix_s, str(said.get("reason", "")))
    if name == _GPU:
        used_bytes, total_bytes = _iteration(said["used"]), _iteration(said["total"])
        return Usage(_iteration(said["i"]), used_bytes, total_bytes, _number(said["busy"]), unix_s)
    iteration = _iteration(said["i"]) if "i" in said else None
    fields = {key: value for key, value in said.items() if key not in ("event", "i", "t")}
    return Happening(name, iteration, unix_s, fields)


def _iteration(value: object) -> int:
    if isinstance(value, int) and 0 <= value < _LIMIT:
        return value
    raise ValueError(value)


def _number(value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, int | float):
        return float(value)
    raise ValueError(value)


def survey(content: bytes) -> tuple[int, int | None, bool]:
    """How many points a file holds, the last one's iteration, and whether nothing in it is superseded.

    To look at the beginnings of its lines is ten times as fast as to read them all.
    """
    points, last, in_order = 0, None, True
    for match in _BEGINNINGS.finditer(content):
        iteration = int(match[2])
        if match[1] == b'"i"':
            in_order = in_order and (last is None or last < iteration)
            points, last = points + 1, iteration
        else:
            in_order = in_order and (last is None or last < iteration)
            last = max(0, iteration - 1)
    return points, last, in_order


def find_superseded(content: bytes, first_iteration: int) -> tuple[int, bytes]:
    """What a seam at ``first_iteration``, the last line of a file that was in order before, takes away.

    Returns:
        The place of the first byte that is not to stay where it is, and what is to stand from there on.
    """
    place, kept, end = len(content), list[tuple[int, bytes]](), len(content)
    while end:
        begin = content.rfind(b"\n", 0, end - 1) + 1
        record = parse_line(line := content[begin:end])
        if isinstance(record, Point) and record.iteration < first_iteration:
            break
        if record is None or isinstance(record, Point) or not stands(record, first_iteration):
            place = begin
        else:
            kept.append((begin, line))
        end = begin
    return place, b"".join(line for begin, line in reversed(kept) if begin > place)
