"""A chart as matplotlib's figure: its panels one above the other, its title, and what its lines stand for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainer.curves.lettering import LARGE, SMALL, STAR, fit, list_beside
from trainer.curves.metrics import Metrics
from trainer.curves.palette import DARK, LIGHT
from trainer.curves.panels import (
    draw_loss,
    draw_losses,
    draw_mean,
    draw_means,
    draw_rates,
    draw_seams,
    run_lines,
    seam_dashes,
    style,
)
from trainer.curves.track import choose_axis, lay_out, make_track

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from trainer.curves.curve import SeamKind
    from trainer.curves.palette import Palette
    from trainer.curves.track import By, Track

WIDTH_PX = 1080
"""Phones show it at a third of this, and as sharp as their own letters."""

# Few inches, so that letters of ten points are a fortieth of the width, and readable on a phone's 400 pixels.
_WIDTH_INCHES = 5.4
_LOSS_INCHES, _MEAN_INCHES, _RATE_INCHES = 2.75, 1.5, 0.55
_ROW_INCHES = 0.22
"""Of a line of letters, and of what is empty around it."""
_EDGE_INCHES = 0.08
_SEAMS: dict[SeamKind, str] = {"resumed": "session", "restarted": "restart"}
_RUN_WIDTH = 0.78
"""Of the picture's, for the name of a run among others."""
_ABOVE_HEAD_EM = 2.3
"""How far a panel's head reaches above it, in heights of a letter."""
_BELOW_NUMBERS_EM = 1.8
"""How far a panel's numbers reach below it, in letters' heights."""


def draw_chart(
    runs: Metrics | Mapping[str, Metrics],
    title: str = "",
    *,
    by: By = "iteration",
    dark: bool = False,
    width_px: int = WIDTH_PX,
) -> Figure:
    """Draw loss, mAP as far as there is one, and learning rate, one above the other.

    Of one run, the average loss is the line and each iteration's own is faint behind it. A new session is a thin
    line, a restart within one a dotted line, and a stretch whose loss is no number is red. Of several there are the
    averages alone, in a colour for each, and their names with the last numbers.

    Args:
        runs: one, or several by their names, in the order of the legend.
        title: stands above all.
        by: what lies below: iterations, or the time trained, without the breaks between sessions.
        dark: light curves on a dark ground.
        width_px: of the picture; the letters grow with it.
    """
    palette = DARK if dark else LIGHT
    named = {"": runs} if isinstance(runs, Metrics) else dict(runs)
    places = {name: lay_out(metrics, by) for name, metrics in named.items()}
    ends = [float(at[-1]) for at in places.values() if at.size]
    axis = choose_axis(by, max(ends, default=0.0))
    tracks = {name: make_track(metrics, places[name] / axis.unit) for name, metrics in named.items()}

    has_mean = any(track.best for track in tracks.values())
    heights = [_LOSS_INCHES, *([_MEAN_INCHES] if has_mean else []), _RATE_INCHES]
    rows = 3 + len(heights) + (len(tracks) if len(tracks) > 1 else 0)
    size = (_WIDTH_INCHES, sum(heights) + rows * _ROW_INCHES)
    layout = ConstrainedLayoutEngine(w_pad=_EDGE_INCHES, h_pad=_EDGE_INCHES)
    figure = Figure(figsize=size, dpi=width_px / _WIDTH_INCHES, facecolor=palette.ground, layout=layout)
    panels = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    for axes in panels:
        style(axes, palette)
    if title:
        _set_title(figure, palette, title)
    if not ends:
        _say_nothing_yet(panels, palette)
        return figure
    _set_axis(panels[-1], palette, axis.name)
    if max(ends) == min(float(at[0]) for at in places.values() if at.size):
        panels[-1].set_xlim(max(ends) / axis.unit - 0.5, max(ends) / axis.unit + 0.5)
    if len(tracks) == 1:
        _draw_one(panels, palette, next(iter(tracks.values())))
    else:
        _draw_several(figure, panels, palette, tracks)
    return figure


def _draw_one(panels: Sequence[Axes], palette: Palette, track: Track) -> None:
    draw_loss(panels[0], palette, track)
    if track.best:
        draw_mean(panels[1], palette, track)
    draw_rates(panels[-1], palette, [track])
    draw_seams(panels, palette, track.marks, float(track.at[-1] - track.at[0]))
    _list_marks(panels[-1], palette, track)


def _list_marks(axes: Axes, palette: Palette, track: Track) -> None:
    """Say what the lines and bands across all panels are, in the row of the axis' name."""
    handles: list[Artist] = []
    names = []
    counts = Counter(mark.kind for mark in track.marks)
    for kind, name in _SEAMS.items():
        if count := counts[kind]:
            handles.append(Line2D([], [], color=palette.seam, linewidth=1.2, linestyle=seam_dashes(kind)))
            names.append(f"{name} \N{MULTIPLICATION SIGN}{count}" if count > 1 else name)
    if track.gaps:
        handles.append(Patch(facecolor=palette.trouble, alpha=0.4, edgecolor="none"))
        names.append("nan")
    if handles:
        list_beside(axes, palette, handles, names, corner="upper right", away_em=_BELOW_NUMBERS_EM)


def _draw_several(
    figure: Figure, panels: Sequence[Axes], palette: Palette, tracks: Mapping[str, Track]
) -> None:
    values = list(tracks.values())
    draw_losses(panels[0], palette, values)
    if any(track.best for track in values):
        draw_means(panels[1], palette, values)
    draw_rates(panels[-1], palette, values)
    lines = run_lines(palette, len(tracks))
    handles = [Line2D([], [], color=colour, linestyle=dashes, linewidth=2.5) for colour, dashes in lines]
    legend = list_beside(
        panels[0],
        palette,
        handles,
        list(tracks),
        corner="lower left",
        away_em=_ABOVE_HEAD_EM,
        rows=len(tracks),
    )
    room_px = _RUN_WIDTH * figure.bbox.width
    for text, (name, track) in zip(legend.get_texts(), tracks.items(), strict=True):
        text.set_color(palette.ink)
        fit(text, name, room_px, after=_describe(track))


def _describe(track: Track) -> str:
    """The last numbers of a run among others."""
    if track.lasts is None:
        return ": no iteration yet"
    best = f", {STAR} {track.best.percent:.1f}%" if track.best else ""
    return f": {track.lasts[0]:.4g}{best}"


def _set_title(figure: Figure, palette: Palette, title: str) -> None:
    text = figure.suptitle(
        "title", x=0.02, ha="left", fontsize=LARGE, fontweight="bold", color=palette.ink, parse_math=False
    )
    fit(text, title, 0.96 * figure.bbox.width)


def _set_axis(axes: Axes, palette: Palette, name: str) -> None:
    axes.set_xlabel(name, loc="left", fontsize=SMALL, color=palette.muted)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=name == "iteration", min_n_ticks=1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _say_nothing_yet(panels: Sequence[Axes], palette: Palette) -> None:
    for axes in panels:
        axes.set_axis_off()
    panels[0].text(
        0.5,
        0.5,
        "no iteration yet",
        transform=panels[0].transAxes,
        ha="center",
        fontsize=LARGE,
        color=palette.muted,
    )
