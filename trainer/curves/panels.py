"""The panels of a chart, each over one axis, with its name and the last number in the row above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.lines import Line2D

from trainer.curves.lettering import SMALL, STAR, fit_row, head, list_beside
from trainer.curves.scales import finite, scale_loss, scale_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from trainer.curves.curve import SeamKind
    from trainer.curves.palette import Palette
    from trainer.curves.track import Curve, Mark, Track

Dashes = Literal["-", "--", "-.", ":"]

_FAINT = 0.38
_FEW_POINTS, _MANY_POINTS = 40, 3000
"""Few are seen each for itself; of many the line is thin, lest it be a band."""
_FEW_CLASSES = 4
_SEAM_DISTANCE = 0.004
"""Of the width; seams that are closer together are one line."""


def style(axes: Axes, palette: Palette) -> None:
    """Leave of a panel's frame only what helps to read it."""
    axes.set_facecolor(palette.ground)
    axes.grid(visible=True, color=palette.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", labelsize=SMALL, labelcolor=palette.ink, length=0)
    axes.margins(x=0.015)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(palette.seam)


def draw_loss(axes: Axes, palette: Palette, track: Track) -> None:
    """Draw the average loss of one run, and each iteration's own faintly behind it."""
    last = track.lasts[0] if track.lasts else None
    colour = palette.trouble if last is not None and np.isnan(last) else palette.loss
    head(axes, palette, "avg loss", "" if last is None else f"{last:.4g}", colour)
    axes.plot(track.loss.at, track.loss.values, color=palette.loss, alpha=_FAINT, linewidth=0.7, gid="each")
    _draw_curve(axes, track.avg_loss, palette.loss, gid="average")
    for start, end in track.gaps:
        axes.axvspan(start, end, facecolor=palette.trouble, edgecolor="none", alpha=0.16, gid="gap")
        # However short: a single iteration of thousands has no width to be seen by.
        for edge in {start, end}:
            axes.axvline(edge, color=palette.trouble, linewidth=0.8, alpha=0.6)
    handles = [
        Line2D([], [], color=palette.loss, linewidth=2.5),
        Line2D([], [], color=palette.loss, linewidth=2.5, alpha=_FAINT),
    ]
    list_beside(axes, palette, handles, ["average", "each iteration"], corner="lower right", away_em=0.42)
    scale_loss(axes, [track])


def draw_losses(axes: Axes, palette: Palette, tracks: Sequence[Track]) -> None:
    """Draw the average loss of several runs, each in its colour."""
    head(axes, palette, "avg loss")
    for (colour, dashes), track in zip(run_lines(palette, len(tracks)), tracks, strict=True):
        _draw_curve(axes, track.avg_loss, colour, gid="average", linestyle=dashes, linewidth=1.6)
    scale_loss(axes, tracks)


def draw_mean(axes: Axes, palette: Palette, track: Track) -> None:
    """Draw the mAP of one run with its best, and of few classes theirs."""
    best, curve = track.best, track.mean
    if best is None:
        return
    note = f"{STAR} best {best.percent:.1f}% at {best.iteration:,}"
    head(axes, palette, "mAP", f"{curve.values[-1]:.1f}%", palette.mean, note)
    few = dict(track.classes) if len(track.classes) <= _FEW_CLASSES else {}
    for colour, of_class in zip(palette.classes, few.values(), strict=False):
        _draw_curve(axes, of_class, colour, gid="class", linewidth=1.1, alpha=0.85)
    _draw_curve(axes, curve, palette.mean, gid="mean")
    if curve.at.size <= _FEW_POINTS:
        axes.plot(
            curve.at, curve.values, color=palette.mean, marker="o", markersize=4, linestyle="", gid="dots"
        )
    _mark_best(axes, palette, track, palette.mean)
    if few:
        handles = [Line2D([], [], color=colour, linewidth=2) for colour in palette.classes[: len(few)]]
        legend = list_beside(axes, palette, handles, list(few), corner="upper left", away_em=0.6)
        fit_row(legend.get_texts())
    scale_mean(axes, [curve, *few.values()])


def draw_means(axes: Axes, palette: Palette, tracks: Sequence[Track]) -> None:
    """Draw the mAP of several runs, with the best of each."""
    head(axes, palette, "mAP", note=f"{STAR} best")
    for (colour, dashes), track in zip(run_lines(palette, len(tracks)), tracks, strict=True):
        _draw_curve(axes, track.mean, colour, gid="mean", linestyle=dashes, linewidth=1.6)
        _mark_best(axes, palette, track, colour)
    scale_mean(axes, [track.mean for track in tracks])


def draw_rates(axes: Axes, palette: Palette, tracks: Sequence[Track]) -> None:
    """Draw the learning rate of one run or several."""
    alone = tracks[0] if len(tracks) == 1 else None
    last = f"{alone.lasts[1]:.4g}" if alone and alone.lasts else ""
    head(axes, palette, "learning rate", last, palette.rate)
    lines: list[tuple[str, Dashes]] = [(palette.rate, "-")] if alone else run_lines(palette, len(tracks))
    for (colour, dashes), track in zip(lines, tracks, strict=True):
        _draw_curve(axes, track.rate, colour, gid="rate", linestyle=dashes, linewidth=1.6)
    rates = finite(track.rate.values for track in tracks)
    highest = float(rates.max()) if rates.size else 0.0
    axes.set_ylim(0, 1.15 * highest or 1.0)
    # The one number to be known of it, rather than round ones.
    axes.set_yticks([0, highest] if highest else [0], ["0", f"{highest:.3g}"] if highest else ["0"])


def draw_seams(panels: Sequence[Axes], palette: Palette, marks: Sequence[Mark], width: float) -> None:
    """Draw a thin line where a session went on, and a dotted one where darknet was started again within one."""
    drawn: list[Mark] = []
    # Sessions first: where both are at one place, theirs is the line to be seen.
    for mark in sorted(marks, key=lambda mark: mark.kind != "resumed"):
        if all(abs(mark.at - other.at) > _SEAM_DISTANCE * width for other in drawn):
            drawn.append(mark)
    for mark in drawn:
        dashes = seam_dashes(mark.kind)
        for axes in panels:
            axes.axvline(
                mark.at, color=palette.seam, linewidth=0.9, linestyle=dashes, zorder=1, gid=mark.kind
            )


def seam_dashes(kind: SeamKind) -> Dashes:
    """How the line of a seam is drawn."""
    return "-" if kind == "resumed" else ":"


def run_lines(palette: Palette, count: int) -> list[tuple[str, Dashes]]:
    """A colour and a kind of line for each run; the colours come again with other dashes."""
    dashes: tuple[Dashes, ...] = ("-", "--", "-.", ":")
    colours = palette.runs
    return [
        (colours[index % len(colours)], dashes[index // len(colours) % len(dashes)]) for index in range(count)
    ]


def _draw_curve(
    axes: Axes,
    curve: Curve,
    colour: str,
    *,
    gid: str,
    linestyle: Dashes = "-",
    linewidth: float = 2.0,
    alpha: float = 1.0,
) -> None:
    axes.plot(
        curve.at,
        curve.values,
        color=colour,
        linestyle=linestyle,
        linewidth=linewidth if curve.at.size < _MANY_POINTS else 0.65 * linewidth,
        alpha=alpha,
        gid=gid,
        solid_joinstyle="round",
    )
    # A line has two ends: what has no neighbour is no line.
    there = np.concatenate([[False], np.isfinite(curve.values), [False]])
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    if alone.any():
        axes.plot(
            curve.at[alone],
            curve.values[alone],
            color=colour,
            marker="o",
            markersize=4,
            linestyle="",
            gid="alone",
        )


def _mark_best(axes: Axes, palette: Palette, track: Track, colour: str) -> None:
    if track.best is not None:
        axes.plot(
            track.best.at,
            track.best.percent,
            marker="*",
            markersize=13,
            color=colour,
            markeredgecolor=palette.ground,
            zorder=4,
            clip_on=False,
            gid="best",
        )
