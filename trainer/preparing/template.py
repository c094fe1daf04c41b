"""PURE: a .cfg for one's own classes, made from a template that was written for others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def find_template(names: Iterable[str], *, weights: Iterable[str] = ()) -> str | None:
    """Which of the files in a tree's cfg/ to make a .cfg from; None: take ``tiny_cfg_text()``."""
    raise NotImplementedError


def make_cfg(
    template: str,
    source: str,
    *,
    classes: int,
    images: int,
    width_px: int | None = None,
    height_px: int | None = None,
    batch: int | None = None,
    subdivisions: int | None = None,
    anchors: Sequence[tuple[float, float]] | None = None,
) -> str:
    """Set a template's options by darknet's published rules, and leave the rest as it stands there."""
    raise NotImplementedError
