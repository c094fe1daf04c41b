"""From where to where a panel shows its values, and on which scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from trainer.curves.track import Curve, Track

_LOG_FACTOR = 10.0
_MEAN_SPAN_PERCENT = 10.0


def scale_loss(axes: Axes, tracks: Sequence[Track]) -> None:
    """Show all of the averages and most of the rest: one spike must not flatten the curve.

    The scale is logarithmic if the averages span more than a factor of ten.
    """
    average = finite(track.avg_loss.values for track in tracks)
    each = finite(track.loss.values for track in tracks) if len(tracks) == 1 else average
    if not average.size or not each.size:
        axes.set_yticks([])
        return
    low = float(min(np.min(average), np.percentile(each, 2)))
    high = float(max(np.max(average), np.percentile(each, 98)))
    if low > 0 and np.max(average) / np.min(average) > _LOG_FACTOR:
        axes.set_yscale("log", nonpositive="mask")
        axes.set_ylim(low / 1.3, high * 1.3)
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0,) if high / low > 1000 else (1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        axes.set_ylim(low - margin, high + margin)
        axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def scale_mean(axes: Axes, curves: Sequence[Curve]) -> None:
    """Show the percents where they are, not from 0 to 100; but a change of a few as no more than that."""
    percents = finite(curve.values for curve in curves)
    low, high = float(percents.min()), float(percents.max())
    spare = max(_MEAN_SPAN_PERCENT - (high - low), 0.2 * (high - low)) / 2
    low, high = low - spare, high + spare
    # Moved rather than cut at 0 and 100; a little beyond these, the line and its star are seen whole.
    low, high = (-2.0, high - low - 2.0) if low < -2.0 else (low, high)
    low, high = (low - (high - 102.0), 102.0) if high > 102.0 else (low, high)
    axes.set_ylim(max(low, -2.0), high)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))


def finite(columns: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """All numbers of several columns; what is none is left out."""
    values = np.concatenate(list(columns))
    finite: NDArray[np.float64] = values[np.isfinite(values)]
    return finite
