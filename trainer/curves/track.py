"""What of a run's metrics a chart shows, as curves over iterations or over the time trained."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from trainer.curves.curve import MapPoint, SeamKind
    from trainer.curves.metrics import Metrics

By = Literal["iteration", "time"]
"""What lies below the curves."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What lies below: its name, and how many iterations or seconds its unit is."""

    name: str
    unit: float


ITERATIONS = Axis("iteration", 1.0)
_TIMES = (
    (3 * 60.0, Axis("seconds trained", 1.0)),
    (3 * 3600.0, Axis("minutes trained", 60.0)),
    (float("inf"), Axis("hours trained", 3600.0)),
)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values over places on the axis, of one length, from left to right."""

    at: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mark:
    """Where training was interrupted: by the end of a session, if ``kind`` is "resumed", or within one."""

    at: float
    kind: SeamKind


@dataclass(frozen=True, slots=True)
class Best:
    """The best mAP of a run, in per cent; the first one, if there are several."""

    at: float
    iteration: int
    percent: float


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What is drawn of a run.

    Attributes:
        at: where its iterations lie, from left to right.
        loss, avg_loss, rate: over these, the first two broken by a nan at each seam.
        mean: mAP in per cent.
        best: of these; None while there is none.
        classes: average precision in per cent, for each class; empty where there is only one.
        marks: its seams, from left to right.
        gaps: stretches whose average loss is no number, from and to.
        lasts: the last average loss, nan where it is no number, and the last rate; None while there is no iteration.
    """

    at: NDArray[np.float64]
    loss: Curve
    avg_loss: Curve
    rate: Curve
    mean: Curve
    best: Best | None
    classes: Mapping[str, Curve]
    marks: tuple[Mark, ...]
    gaps: tuple[tuple[float, float], ...]
    lasts: tuple[float, float] | None


def lay_out(metrics: Metrics, by: By) -> NDArray[np.float64]:
    """Where each iteration lies: at its number, or at the seconds that were trained until it was done."""
    return metrics.iteration.astype(np.float64) if by == "iteration" else _add_up_time(metrics)


def choose_axis(by: By, end: float) -> Axis:
    """The axis on which ``end``, in iterations or seconds, is a number to read."""
    return ITERATIONS if by == "iteration" else next(axis for below, axis in _TIMES if end < below)


def make_track(metrics: Metrics, at: NDArray[np.float64]) -> Track:
    """What is to be drawn of ``metrics``, whose iterations lie ``at`` these places."""
    breaks = np.searchsorted(metrics.iteration, [seam.first_iteration for seam in metrics.seams])
    maps = metrics.maps
    places = _find_places(metrics, at, [measured.iteration for measured in maps])
    seams = _find_places(metrics, at, [seam.first_iteration for seam in metrics.seams])
    broken = np.insert(at, breaks, np.nan)
    return Track(
        at=at,
        loss=Curve(broken, np.insert(metrics.loss, breaks, np.nan)),
        avg_loss=Curve(broken, np.insert(metrics.avg_loss, breaks, np.nan)),
        rate=Curve(at, metrics.rate),
        mean=Curve(places, np.array([100 * measured.value for measured in maps])),
        best=_find_best(metrics, places),
        classes=_read_classes(maps, places),
        marks=tuple(Mark(float(place), seam.kind) for place, seam in zip(seams, metrics.seams, strict=True)),
        gaps=_find_gaps(at, metrics.avg_loss),
        lasts=(float(metrics.avg_loss[-1]), float(metrics.rate[-1])) if at.size else None,
    )


def _add_up_time(metrics: Metrics) -> NDArray[np.float64]:
    """Seconds of training up to each iteration; the breaks between sessions, and what was lost in them, left out."""
    at = np.empty(metrics.iteration.size)
    total_s = 0.0
    seams = np.searchsorted(metrics.iteration, [seam.first_iteration for seam in metrics.seams])
    bounds = sorted({0, *seams.tolist(), at.size})
    for start, end in pairwise(bounds):
        first_s = float(np.nan_to_num(metrics.seconds[start]))
        at[start:end] = total_s + first_s + _spread(metrics.unix_s[start:end])
        total_s = float(at[end - 1])
    return at


def _spread(unix_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds since the first; the file knows only whole ones, over each of which its iterations are spread.

    The clock of a new machine is set while we run; that it goes back is no time at all.
    """
    known = unix_s[np.isfinite(unix_s)]
    if not known.size:
        return np.zeros(unix_s.size)
    filled = np.interp(np.arange(unix_s.size), np.flatnonzero(np.isfinite(unix_s)), known)
    elapsed = np.concatenate([[0.0], np.cumsum(np.maximum(np.diff(filled), 0.0))])
    seconds, firsts = np.unique(elapsed, return_index=True)
    spread: NDArray[np.float64] = np.interp(
        np.arange(unix_s.size), [*firsts, unix_s.size], [*seconds, seconds[-1] + 1.0]
    )
    return spread


def _find_places(metrics: Metrics, at: NDArray[np.float64], iterations: Sequence[int]) -> NDArray[np.float64]:
    """Where iterations lie that need not be among those of ``metrics``; what is yet to come, at the end."""
    if not at.size:
        return np.array(iterations, dtype=np.float64)
    places: NDArray[np.float64] = np.interp(iterations, metrics.iteration, at)
    return places


def _find_best(metrics: Metrics, places: NDArray[np.float64]) -> Best | None:
    best = metrics.best_map
    if best is None:
        return None
    return Best(float(places[metrics.maps.index(best)]), best.iteration, 100 * best.value)


def _read_classes(maps: Sequence[MapPoint], places: NDArray[np.float64]) -> dict[str, Curve]:
    """Average precisions in per cent; a class that was not measured each time has a nan where it was not."""
    names = dict.fromkeys(name for measured in maps for name in measured.classes)
    return {
        name: Curve(places, np.array([100 * measured.classes.get(name, np.nan) for measured in maps]))
        for name in (names if len(names) > 1 else ())
    }


def _find_gaps(at: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """Stretches without a number, from the middle between it and what lies before, to the middle to what follows."""
    middles = np.concatenate([at[:1], (at[1:] + at[:-1]) / 2, at[-1:]])
    gaps = []
    start = 0
    for is_gap, group in groupby(np.isnan(values).tolist()):
        end = start + len(list(group))
        if is_gap:
            gaps.append((float(middles[start]), float(middles[end])))
        start = end
    return tuple(gaps)
