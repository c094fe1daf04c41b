"""A run's curves as a picture, readable on a phone: ``python -m trainer.curves.chart METRICS PNG [--title TITLE]``.

matplotlib costs a second and much memory, so the supervisor runs this as a program instead of importing it.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    # A notebook's children inherit its backend, which matplotlib looks for on import and need not find here.
    os.environ["MPLBACKEND"] = "agg"

from drivesync.disk import write_atomically
from drivesync.errors import DrivesyncError, UsageError
from trainer.curves.figure import WIDTH_PX, draw_chart
from trainer.curves.metrics import read_metrics
from trainer.curves.tensorboard import update_events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainer.curves.metrics import Metrics
    from trainer.curves.track import By

FORMATS = ("png", "svg", "pdf")
"""What a picture may be, by the ending of its name."""


def draw(
    runs: Metrics | Mapping[str, Metrics],
    *,
    out: Path,
    title: str = "",
    by: By = "iteration",
    dark: bool = False,
    width_px: int = WIDTH_PX,
) -> None:
    """Draw the chart of a run, or of several, into ``out``, which is replaced in one step; see ``draw_chart``.

    Raises:
        UsageError: no picture has a name that ends like this.
        LocalWriteError: the picture cannot be written; an older one is left as it was.
    """
    write_atomically(out, render(runs, find_format(out), title=title, by=by, dark=dark, width_px=width_px))


def render(
    runs: Metrics | Mapping[str, Metrics],
    form: str = "png",
    *,
    title: str = "",
    by: By = "iteration",
    dark: bool = False,
    width_px: int = WIDTH_PX,
) -> bytes:
    """The same as the content of a file, in one of :data:`FORMATS`."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        # A name in letters that the font does not have is drawn with boxes; there is nothing to be done about it.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = draw_chart(runs, title, by=by, dark=dark, width_px=width_px)
        figure.savefig(content, format=form)
    return content.getvalue()


def find_format(out: Path) -> str:
    """Which one of :data:`FORMATS` a file of this name is.

    Raises:
        UsageError: none.
    """
    form = out.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        hint = f"Let its name end in {', '.join(f'.{known}' for known in FORMATS)}."
        raise UsageError(f"{out} is not called like a picture", hint=hint)
    return form


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a program; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m trainer.curves.chart", description="Draw a run's curves as a picture."
    )
    parser.add_argument("metrics", type=Path, help="metrics.jsonl of the run")
    parser.add_argument("out", type=Path, help="picture to write or replace: .png, .svg or .pdf")
    parser.add_argument("--title", default="", help="what stands above the curves")
    parser.add_argument("--dark", action="store_true", help="light curves on a dark ground")
    parser.add_argument("--events", type=Path, help="TensorBoard's file, to be continued as well")
    arguments = parser.parse_args(argv)
    try:
        metrics = read_metrics(arguments.metrics)
        draw(metrics, out=arguments.out, title=arguments.title, dark=arguments.dark)
        if arguments.events is not None:
            update_events(arguments.metrics, arguments.events)
    except DrivesyncError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
