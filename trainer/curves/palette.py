"""PURE: the colours of a chart, on a light ground and on a dark one.

Text stands out against its ground by 4.5 to 1 at least, and lines by 3 to 1, as WCAG 2.2 asks of what people with
weak eyes, or in the sun, are to read. The grounds are neither white nor black: a light picture in a dark page dazzles
less, and on a page of either kind it is seen where the picture ends.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours, as ``#rrggbb``.

    Attributes:
        ground: what the rest stands on.
        ink: numbers.
        muted: names of what is shown.
        grid: lines to measure by, to be seen only by who looks for them.
        seam: lines where training was interrupted.
        trouble: where the loss is no number.
        loss, mean, rate: the curves of a run that is shown alone.
        classes: its average precisions, class by class.
        runs: one for each run, where several are compared.
    """

    ground: str
    ink: str
    muted: str
    grid: str
    seam: str
    trouble: str
    loss: str
    mean: str
    rate: str
    classes: tuple[str, ...]
    runs: tuple[str, ...]


LIGHT = Palette(
    ground="#f8f9fb",
    ink="#1f2933",
    muted="#566170",
    grid="#e1e5ea",
    seam="#7b8794",
    trouble="#c81e1e",
    loss="#2563eb",
    mean="#9333ea",
    rate="#0f766e",
    classes=("#b45309", "#0369a1", "#be185d", "#4d7c0f"),
    runs=("#2563eb", "#c2410c", "#0f766e", "#9333ea", "#be123c", "#4d7c0f", "#0e7490", "#78543a"),
)

DARK = Palette(
    ground="#161b22",
    ink="#e6edf3",
    muted="#a3aebb",
    grid="#2a323d",
    seam="#76818f",
    trouble="#ff7b72",
    loss="#6ea8fe",
    mean="#d2a8ff",
    rate="#4fd1b5",
    classes=("#f0b429", "#67c7f5", "#f78fb3", "#a5d65c"),
    runs=("#6ea8fe", "#fb923c", "#4fd1b5", "#d2a8ff", "#fb7185", "#a5d65c", "#67c7f5", "#d6b48a"),
)
