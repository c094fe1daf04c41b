"""PURE: a run's status -> the rows of its card: what is so, the most important thing first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.filesize import decimal as format_size

from trainer.seeing.rows import Row
from trainer.status.value import AWAY, DEAD, ENDED, describe_age

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from trainer.seeing.rows import Tone
    from trainer.status.value import GpuNote, RestartNote, Status

_TRAINS = frozenset({"training", "restarting"})
_RESTARTS_SHOWN = 3
_FLAT_SHARE = 0.05
"""A smoothed loss that has changed by less than this share is neither falling nor rising."""
_LAST_MOMENT_S = 253_402_300_799.0
"""The end of the year 9999, beyond which there is no date."""
_DAY_S = 86_400.0
_WEEK_DAYS = 6


def list_facts(status: Status, now_s: float, zone: tzinfo) -> tuple[Row, ...]:
    """The rows, as of ``now_s``, in Unix time; what is not known has none."""
    return tuple(_facts(status, now_s, zone))


def _facts(status: Status, now_s: float, zone: tzinfo) -> Iterator[Row]:
    lives = status.state not in {*ENDED, DEAD, AWAY}
    seen_s = status.ended_s or status.updated_s
    if status.state in _TRAINS:
        yield from _speed(status, zone)
    elif not lives and seen_s:
        label = "ended" if status.state in ENDED else "last seen"
        yield Row(label, f"{describe_time(seen_s, now_s, zone)}, {describe_age(now_s - seen_s)} ago")
    yield from _learning(status)
    yield from _attempts(status, now_s, zone)
    yield from _stores(status)
    if lives and status.gpus:
        first, *others = map(_describe_gpu, status.gpus)
        yield Row("GPU", first, more=tuple(others))


def _speed(status: Status, zone: tzinfo) -> Iterator[Row]:
    if status.per_minute is not None:
        yield Row("speed", describe_pace(status.per_minute))
    if status.left_s is not None:
        end = describe_time(status.updated_s + status.left_s, status.updated_s, zone)
        yield Row("time left", f"{describe_age(status.left_s)}, until {end}")


def describe_pace(per_minute: float) -> str:
    """A pace in iterations a minute, or an hour where that is more telling."""
    if per_minute >= 2.0:
        return f"{per_minute:,.{0 if per_minute >= 20.0 else 1}f} iterations a minute"
    return f"{60.0 * per_minute:,.{0 if per_minute >= 1.0 / 3.0 else 1}f} iterations an hour"


def describe_time(unix_s: float, now_s: float, zone: tzinfo) -> str:
    """A time of day, with as much of its date as it takes to know which day is meant."""
    moment, now = (
        datetime.fromtimestamp(min(max(0.0, one), _LAST_MOMENT_S - _DAY_S), zone) for one in (unix_s, now_s)
    )
    days = (moment.date() - now.date()).days
    if days == 0:
        return f"{moment:%H:%M}"
    if abs(days) == 1:
        return f"{'tomorrow' if days > 0 else 'yesterday'} {moment:%H:%M}"
    return f"{moment:%a %H:%M}" if 0 < days <= _WEEK_DAYS else f"{moment:%Y-%m-%d %H:%M}"


def _learning(status: Status) -> Iterator[Row]:
    if status.avg_loss is not None:
        yield Row("avg loss", f"{status.avg_loss:.4g}{_describe_trend(status)}")
    if status.map_best is not None:
        best = f"best {_describe_map(status.map_best, status.map_best_iteration)}"
        is_best = status.map_last_iteration == status.map_best_iteration or status.map_last is None
        last = "" if is_best else f", last {_describe_map(status.map_last or 0.0, status.map_last_iteration)}"
        yield Row("mAP", best + last)
    if status.changes:
        yield Row("changed", f"{status.changes}, other than the cfg says")


def _describe_map(value: float, iteration: int | None) -> str:
    return f"{100.0 * value:.1f} %" + ("" if iteration is None else f" at {iteration:,}")


def _describe_trend(status: Status) -> str:
    earlier, now = status.earlier_loss, status.smooth_loss
    if earlier is None or now is None or earlier <= 0.0:
        return ""
    share = now / earlier - 1.0
    word = "steady" if abs(share) < _FLAT_SHARE else "falling" if share < 0.0 else "rising"
    return f", {word}: {earlier:.4g} at {status.earlier_iteration or 0:,}"


def _attempts(status: Status, now_s: float, zone: tzinfo) -> Iterator[Row]:
    if status.attempts:
        begun = "" if status.resumed_from is None else f", begun at iteration {status.resumed_from + 1:,}"
        yield Row("attempt", f"{status.attempts:,} of this session{begun}")
    if status.restarts:
        shown = status.restarts[: -_RESTARTS_SHOWN - 1 : -1]
        more = tuple(_describe_restart(note, now_s, zone) for note in shown)
        earlier = status.restarted - len(shown)
        last = "" if earlier <= 0 else ", the last of them:"
        yield Row("restarts", f"{status.restarted:,} in this session{last}", more=more)


def _describe_restart(note: RestartNote, now_s: float, zone: tzinfo) -> str:
    back = f"from {note.resumed_from:,}" if note.resumed_from else "from the beginning"
    when = describe_time(note.at_s, now_s, zone)
    return f"{when} at iteration {note.iteration:,}, on {back}: {note.reason}"


def _stores(status: Status) -> Iterator[Row]:
    if status.pushing and (status.pending or status.pushed):
        yield _make_queue(status)
    rooms = (
        ("Drive" if status.proven else "remote", status.remote_free_bytes),
        ("disk", status.disk_free_bytes),
    )
    for label, free_bytes in rooms:
        if free_bytes is not None:
            tone: Tone = "trouble" if status.is_short(free_bytes) else "plain"
            yield Row(label, f"{format_size(free_bytes)} free", tone)


def _make_queue(status: Status) -> Row:
    if not status.pending:
        return Row("queue", f"empty, {_count(status.pushed)} pushed")
    others = status.pending - len(status.waiting)
    more = (f"and {_count(others)} more",) if status.waiting and others > 0 else ()
    return Row("queue", f"{_count(status.pending)} to be pushed", more=status.waiting + more)


def _count(files: int) -> str:
    return f"{files:,} file{'' if files == 1 else 's'}"


def _describe_gpu(gpu: GpuNote) -> str:
    parts = [] if gpu.busy_percent is None else [f"{gpu.busy_percent:.0f} % busy"]
    if gpu.used_bytes is not None and gpu.total_bytes is not None:
        parts.append(f"{format_size(gpu.used_bytes)} of {format_size(gpu.total_bytes)} in use")
    return ", ".join([gpu.name, *parts])
