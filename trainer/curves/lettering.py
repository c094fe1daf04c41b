"""What is written around a chart's panels, and how it is made to have room there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from matplotlib.transforms import ScaledTranslation

from drivesync.progress import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend
    from matplotlib.text import Text

    from trainer.curves.palette import Palette

Corner = Literal["lower left", "lower right", "upper left", "upper right"]

SMALL = 10.0
"""Size of most letters, in points; on a picture as wide as a phone, 400 pixels, a point is about a pixel."""
LARGE = 13.0
STAR = "\N{BLACK STAR}"
_DESCENT = 0.236
"""How far the font's letters reach below their line, of their size."""

_HANDLE_EM, _HANDLE_PAD_EM, _COLUMN_PAD_EM = 1.3, 0.5, 1.1
"""Of a list beside a panel: how long its lines are, and how far apart is what stands in a row."""
_ROW_WIDTH = 0.84
"""Of the picture's, for a row below a panel; the rest is for the numbers at its left."""
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_LETTERS_MAX = 100
"""What is longer is cut before it is measured, which takes its time."""


def head(axes: Axes, palette: Palette, name: str, value: str = "", colour: str = "", note: str = "") -> None:
    """Write above a panel what it shows, the last number of that, and a note at the right end."""
    title = axes.set_title(name, loc="left", fontsize=SMALL, color=palette.muted, pad=6)
    if value:
        axes.annotate(
            value,
            (1, 0),
            xycoords=title,
            xytext=(6, _DESCENT * SMALL),
            textcoords="offset points",
            va="baseline",
            fontsize=LARGE,
            fontweight="bold",
            color=colour,
            annotation_clip=False,
        )
    if note:
        axes.set_title(note, loc="right", fontsize=SMALL, color=colour or palette.muted, pad=6)


def list_beside(
    axes: Axes,
    palette: Palette,
    handles: Sequence[Artist],
    names: Sequence[str],
    *,
    corner: Corner,
    away_em: float,
    rows: int = 1,
) -> Legend:
    """Say outside of a panel which line is which, in so many ``rows``.

    Args:
        axes: the panel.
        palette: colours.
        handles: the lines, or what stands for them.
        names: theirs.
        corner: of the list, which lies at that of the panel: a lower one at its upper edge, an upper one at its lower.
        away_em: how far it lies from there, up or down, in heights of a letter.
        rows: how many there are.
    """
    above = corner.startswith("lower")
    shift = ScaledTranslation(0, (1 if above else -1) * away_em * SMALL / 72, axes.figure.dpi_scale_trans)
    legend: Legend = axes.legend(
        handles,
        ["name"] * len(names),
        loc=corner,
        bbox_to_anchor=(float(corner.endswith("right")), float(above)),
        bbox_transform=axes.transAxes + shift,
        ncols=-(-len(names) // rows),
        borderaxespad=0,
        borderpad=0,
        handlelength=_HANDLE_EM,
        handletextpad=_HANDLE_PAD_EM,
        columnspacing=_COLUMN_PAD_EM,
        labelspacing=0.35,
        frameon=False,
        fontsize=SMALL,
        labelcolor=palette.muted,
    )
    # Names may not be ours: a dollar in one begins no formula, and an underscore hides none.
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(printable(name))
    return legend


def fit(text: Text, words: str, room_px: float, after: str = "") -> None:
    """Have ``text`` say ``words``, or as much of their end as has room, and ``after``.

    The end, since names of runs differ there: the date of an archive, a number.
    """
    words = printable(words)
    text.set_text(words + after)
    words = words[-_LETTERS_MAX:]
    while _measure(text) > room_px and len(words) > 1:
        words = words[1:]
        text.set_text(_ELLIPSIS + words + after)


def fit_row(texts: Sequence[Text]) -> None:
    """Shorten the texts of a list beside a panel, the longest ones first, until they have room in one row."""
    for text in texts:
        text.set_text(text.get_text()[:_LETTERS_MAX])
    figure = texts[0].figure
    assert figure is not None  # noqa: S101 - a legend's texts are in its figure
    em_px = SMALL * figure.dpi / 72
    room_px = _ROW_WIDTH * figure.bbox.width + _COLUMN_PAD_EM * em_px
    room_px -= len(texts) * (_HANDLE_EM + _HANDLE_PAD_EM + _COLUMN_PAD_EM) * em_px
    while sum(map(_measure, texts)) > room_px:
        longest = max(texts, key=_measure)
        words = longest.get_text().removesuffix(_ELLIPSIS)
        if len(words) == 1:
            return
        longest.set_text(words[:-1].rstrip() + _ELLIPSIS)


def _measure(text: Text) -> float:
    """Its width in pixels."""
    return float(text.get_window_extent().width)
