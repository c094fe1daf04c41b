"""A run's curve as a picture, readable on a phone: ``python -m trainer.curves.chart METRICS PNG [--title TITLE]``.

matplotlib costs a second and much memory, so the supervisor runs this as a program instead of importing it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    # A notebook's children inherit its backend, which matplotlib looks for on import and need not find here.
    os.environ["MPLBACKEND"] = "agg"

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from drivesync.errors import DrivesyncError, LocalWriteError
from trainer.curves.metrics import read_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from trainer.curves.curve import Seam
    from trainer.curves.metrics import Metrics

# Few inches and many dots: 1080 pixels wide, and on a phone's 400 the letters still have a readable size.
_SIZE_INCHES = (5.4, 4.6)
_DOTS_PER_INCH = 200

_INK = "#1f2933"
_MUTED = "#697586"
_GRID = "#e6e9ee"
_SEAM = "#9aa5b1"
_LOSS = "#2563eb"
_RATE = "#0f8f6b"
_TROUBLE = "#c81e1e"

_HALO = [withStroke(linewidth=3.5, foreground="white")]
"""Keeps letters readable on top of curves."""

_LABEL_DISTANCE = 0.05
"""Of the width; seams that are closer together share the first one's label."""


def draw_chart(metrics: Metrics, title: str) -> Figure:
    """Draw loss over iteration, and the learning rate below it.

    The average loss is the line, each iteration's own loss is faint behind it; the scale is logarithmic if the
    average spans more than a factor of ten. A new session is a thin line, a restart within one a dotted line, and a
    stretch whose loss is no number is red.
    """
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, facecolor="white", layout="constrained")
    figure.suptitle(title, x=0.02, ha="left", fontsize=13, fontweight="bold", color=_INK, parse_math=False)
    loss_axes, rate_axes = figure.subplots(2, 1, sharex=True, height_ratios=[6, 1])
    for axes, name in ((loss_axes, "loss"), (rate_axes, "learning rate")):
        _style(axes, name)
    rate_axes.set_xlabel("iteration", fontsize=10, color=_MUTED)
    rate_axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    rate_axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    rate_axes.yaxis.set_major_locator(MaxNLocator(2))
    if metrics.iteration.size:
        _draw_loss(loss_axes, metrics)
        _draw_rate(rate_axes, metrics)
        _draw_seams(loss_axes, rate_axes, metrics)
        if metrics.iteration.size == 1:
            rate_axes.set_xlim(metrics.iteration[0] - 1, metrics.iteration[0] + 1)
    else:
        loss_axes.text(0.5, 0.5, "no iteration yet", transform=loss_axes.transAxes, ha="center", color=_MUTED)
        for axes in (loss_axes, rate_axes):
            axes.set_yticks([])
    return figure


def save_chart(metrics_path: Path, png_path: Path, title: str = "") -> None:
    """Draw the chart of a metrics file into ``png_path``, which is replaced in one step.

    Raises:
        NotFoundError: there is no such metrics file.
        LocalWriteError: the picture cannot be written; an older one is left as it was.
    """
    figure = draw_chart(read_metrics(metrics_path), title)
    part = png_path.with_name(f".{png_path.name}.part")
    try:
        with part.open("wb") as file:
            figure.savefig(file, format="png")
            file.flush()
            os.fsync(file.fileno())
        part.replace(png_path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise LocalWriteError(f"cannot write {png_path}: {error.strerror}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a program; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m trainer.curves.chart", description="Draw a run's curve as a PNG."
    )
    parser.add_argument("metrics", type=Path, help="metrics.jsonl of the run")
    parser.add_argument("png", type=Path, help="picture to write or replace")
    parser.add_argument("--title", default="", help="what stands above the curve")
    arguments = parser.parse_args(argv)
    try:
        save_chart(arguments.metrics, arguments.png, arguments.title)
    except DrivesyncError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _style(axes: Axes, name: str) -> None:
    axes.set_title(name, loc="left", fontsize=10, color=_MUTED, pad=5)
    axes.grid(visible=True, color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=10, labelcolor=_INK, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_SEAM)


def _draw_loss(axes: Axes, metrics: Metrics) -> None:
    # The average starts over at a seam, and what a lost session saw last may be lost too, so a line across it would
    # show something that never was.
    at = np.searchsorted(metrics.iteration, [seam.first_iteration for seam in metrics.seams])
    iteration, avg_loss = metrics.iteration.astype(float), metrics.avg_loss
    broken = np.insert(iteration, at, np.nan)
    each = np.insert(metrics.loss, at, np.nan)
    axes.plot(broken, each, color=_LOSS, alpha=0.28, linewidth=0.7, label="each iteration")
    marker = "o" if iteration.size == 1 else ""
    axes.plot(
        broken,
        np.insert(avg_loss, at, np.nan),
        color=_LOSS,
        linewidth=2.0,
        marker=marker,
        label="average",
    )
    legend = axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=2,
        borderaxespad=0,
        frameon=False,
        fontsize=10,
        labelcolor=_MUTED,
    )
    for line in legend.get_lines():
        line.set_linewidth(2.5)
    not_finite = np.isnan(avg_loss)
    if not_finite.any():
        axes.fill_between(
            iteration,
            0,
            1,
            where=not_finite.tolist(),
            transform=axes.get_xaxis_transform(),
            color=_TROUBLE,
            alpha=0.12,
        )
    _scale_loss(axes, metrics)
    _mark_last(axes, metrics)


def _scale_loss(axes: Axes, metrics: Metrics) -> None:
    """Show all of the average and most of the rest: one spike must not flatten the curve."""
    average = metrics.avg_loss[np.isfinite(metrics.avg_loss)]
    each = metrics.loss[np.isfinite(metrics.loss)]
    if not average.size or not each.size:
        return
    low = float(min(np.min(average), np.percentile(each, 2)))
    high = float(max(np.max(average), np.percentile(each, 98)))
    if low > 0 and np.max(average) / np.min(average) > 10:
        axes.set_yscale("log", nonpositive="mask")
        axes.set_ylim(low / 1.3, high * 1.5)
        axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0,) if high / low > 1000 else (1.0, 2.0, 5.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        axes.set_ylim(low - margin, high + 2 * margin)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _mark_last(axes: Axes, metrics: Metrics) -> None:
    finite = np.flatnonzero(np.isfinite(metrics.avg_loss))
    if not finite.size:
        return
    last = metrics.avg_loss[-1]
    place = (metrics.iteration[finite[-1]], metrics.avg_loss[finite[-1]])
    axes.plot(*place, marker="o", markersize=5, color=_LOSS, markeredgecolor="white", zorder=4)
    axes.annotate(
        f"{last:.4g}",
        place,
        xytext=(0, 9),
        textcoords="offset points",
        ha="right",
        fontsize=13,
        fontweight="bold",
        color=_LOSS if np.isfinite(last) else _TROUBLE,
        path_effects=_HALO,
        zorder=5,
    )


def _draw_rate(axes: Axes, metrics: Metrics) -> None:
    axes.plot(metrics.iteration, metrics.rate, color=_RATE, linewidth=1.6)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if np.isfinite(metrics.rate).any():
        axes.set_ylim(0, float(np.nanmax(metrics.rate)) * 1.15 or 1.0)


def _draw_seams(loss_axes: Axes, rate_axes: Axes, metrics: Metrics) -> None:
    iteration: NDArray[np.int64] = metrics.iteration
    width = max(1, int(iteration[-1] - iteration[0]))
    labelled = -np.inf
    for at, seams in _group_seams(metrics.seams).items():
        is_session = any(seam.kind == "resumed" for seam in seams)
        for axes in (loss_axes, rate_axes):
            axes.axvline(at, color=_SEAM, linewidth=1.0, linestyle="-" if is_session else ":", zorder=1)
        if (at - labelled) / width < _LABEL_DISTANCE:
            continue
        labelled = at
        times = f" \N{MULTIPLICATION SIGN}{len(seams)}" if len(seams) > 1 else ""
        loss_axes.annotate(
            ("resumed" if is_session else "restarted") + times,
            (at, 1),
            xycoords=loss_axes.get_xaxis_transform(),
            xytext=(3, -3),
            textcoords="offset points",
            rotation=90,
            ha="left",
            va="top",
            fontsize=8.5,
            color=_MUTED,
            path_effects=_HALO,
        )


def _group_seams(seams: Sequence[Seam]) -> dict[int, list[Seam]]:
    groups: dict[int, list[Seam]] = {}
    for seam in seams:
        groups.setdefault(seam.first_iteration, []).append(seam)
    return groups


if __name__ == "__main__":
    sys.exit(main())
