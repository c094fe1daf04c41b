"""``plot``: a run's curves as a picture, or several runs' in one, or as a table."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from drivesync.disk import local_errors
from drivesync.errors import DamagedError, LocalWriteError, NotFoundError, UsageError
from drivesync.progress import printable
from trainer.cli.arguments import find_tree
from trainer.config import DEFAULT_BACKUP, trained_backup
from trainer.curves.csv_export import save_csv
from trainer.curves.metrics import METRICS_NAME, read_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainer.curves.metrics import Metrics
    from trainer.curves.track import By

_DEFAULT_OUT = "chart.png"
_ARCHIVES = f"archive-*/{METRICS_NAME}"


def _to_paths(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(path for name in given if (path := _to_path(context, parameter, name)) is not None)


def _to_path(_context: click.Context, parameter: click.Parameter, given: str | None) -> Path | None:
    """A variable that is not set must not stand for the working directory."""
    if given == "":
        raise click.BadParameter("it is empty", param=parameter)
    return None if given is None else Path(given)


@click.command("plot", short_help="The curves of a training as a picture.")
@click.argument("places", metavar="[TREE]...", nargs=-1, callback=_to_paths)
@click.option(
    "--out",
    metavar="FILE",
    callback=_to_path,
    help="The picture: .png, .svg or .pdf.  [default: chart.png here, or chart-2.png if there is one, and so on]",
)
@click.option("--runs", "compare", is_flag=True, help="Compare all runs that are named, in one picture.")
@click.option(
    "--csv", "table", metavar="FILE", callback=_to_path, help="Write the numbers to this file, as CSV."
)
@click.option(
    "--by",
    type=click.Choice(["iteration", "time"]),
    default="iteration",
    show_default=True,
    help="What lies below the curves; the time is that of training, without the breaks.",
)
@click.option("--dark", is_flag=True, help="Light curves on a dark ground.")
@click.option("--title", help="What stands above the curves.  [default: the name of TREE]")
def plot_command(
    places: tuple[Path, ...],
    *,
    out: Path | None,
    compare: bool,
    table: Path | None,
    by: By,
    dark: bool,
    title: str | None,
) -> None:
    """Draw loss, mAP and learning rate of the training in TREE, over all of its sessions.

    A TREE may also be a metrics.jsonl, or a folder with one: backup/archive-.../ of a run that was started over.
    With --runs there may be several of them; of a single TREE the archives are the others. A file named by --out or
    --csv is replaced; --csv without --out draws no picture.

    \b
    trainer plot
    trainer plot mytree --by time --dark --out loss.svg
    trainer plot --runs                                  the run and those that it was started over from
    trainer plot --runs mytree othertree --out both.png
    trainer plot --csv numbers.csv

    Exit status: 0 written; 64 called wrongly; 65 nothing there can be read; 66 nothing has been trained there; 73 the
    file cannot be written.
    """
    if len(places) > 1 and not compare:
        raise UsageError("more than one TREE", hint="Compare them with --runs.")
    if compare and table:
        raise UsageError("--csv writes the numbers of one run", hint="Leave out --runs.")
    paths = _find_all(places) if compare else [_find_metrics(places[0] if places else None)]
    runs = _read_all(_name(paths))
    for file in filter(None, (out, table)):
        if not file.parent.is_dir():
            raise LocalWriteError(f"cannot write {file}: there is no folder {file.parent}")
    if out or not table:
        click.echo(f"drawn: {_draw(runs, out, title=title, by=by, dark=dark)}")
    if table:
        save_csv(next(iter(runs.values())), table)
        click.echo(f"written: {table}")


def _find_metrics(place: Path | None) -> Path:
    """The metrics of what was named, None for the default tree.

    Raises:
        NotFoundError: there are none.
    """
    if place is not None and place.is_file():
        return place
    if place is not None and (place / METRICS_NAME).is_file():
        return place / METRICS_NAME
    tree = find_tree(place)
    path = trained_backup(tree) / METRICS_NAME
    if not path.is_file():
        raise NotFoundError(
            f"nothing has been trained in {tree}: there is no {path}",
            hint="Start it with `trainer supervise`.",
        )
    return path


def _find_all(places: Sequence[Path]) -> list[Path]:
    """The metrics of all runs that are to be compared."""
    if len(places) > 1:
        return [_find_metrics(place) for place in places]
    path = _find_metrics(places[0] if places else None)
    return [path, *sorted(path.parent.glob(_ARCHIVES))]


def _name(paths: Sequence[Path]) -> dict[str, Path]:
    """Each file once, by the end of its path in which it differs from the others: what lies above all is left out."""
    places = {path.resolve(): path for path in paths}
    folders = [place.parent if place.name == METRICS_NAME else place for place in places]
    # A backup folder is called like any other: what a run is known by is the tree.
    folders = [folder.parent if folder.name == DEFAULT_BACKUP else folder for folder in folders]
    common = Path(os.path.commonpath(folders))
    names = [
        folder.relative_to(common).as_posix()
        if common not in folders
        else folder.relative_to(common.parent).as_posix()
        for folder in folders
    ]
    return dict(zip(names, places.values(), strict=True))


def _read_all(paths: Mapping[str, Path]) -> dict[str, Metrics]:
    """What the runs have shown, by their names; of several one that has shown nothing is left out, and that is told.

    Raises:
        DamagedError: nothing can be read of the only one, or of the first where none has shown anything.
        NotFoundError: it holds no iteration.
    """
    found = {name: read_metrics(path) for name, path in paths.items()}
    shown = {name: metrics for name, metrics in found.items() if metrics.iteration.size}
    for name, metrics in found.items():
        path, torn = printable(str(paths[name])), metrics.unreadable
        if torn and name in shown:
            lines = "1 line" if torn == 1 else f"{torn:,} lines"
            click.echo(f"trainer: {lines} of {path} cannot be read", err=True)
        elif name not in shown and torn and not shown:
            raise DamagedError(
                f"nothing in {path} can be read", hint="It is no metrics.jsonl, or a ruin of one."
            )
        elif name not in shown and not shown:
            raise NotFoundError(f"no iteration has been trained yet: {path} holds none")
        elif name not in shown:
            click.echo(f"trainer: {path} holds no iteration that can be read, and is left out", err=True)
    return shown


def _draw(runs: Mapping[str, Metrics], out: Path | None, *, title: str | None, by: By, dark: bool) -> Path:
    """Draw them, to ``out`` or else to a name that nobody has; returned is which."""
    # What a notebook hands down to its children: matplotlib looks for that on import, and need not find it here.
    os.environ["MPLBACKEND"] = "agg"
    from trainer.curves.chart import draw, find_format  # noqa: PLC0415 - it takes a second, and --csv needs none of it

    if out is not None:
        find_format(out)
    drawn: Metrics | Mapping[str, Metrics] = runs
    if len(runs) == 1:
        ((name, drawn),) = runs.items()
        title = name if title is None else title
    place = _reserve() if out is None else out
    try:
        draw(drawn, out=place, title=title or "", by=by, dark=dark)
    except BaseException:
        if out is None:
            place.unlink(missing_ok=True)
        raise
    return place


def _reserve() -> Path:
    """A name in the working directory that nobody has, now taken.

    Raises:
        LocalWriteError: nothing can be written there.
    """
    first = Path(_DEFAULT_OUT)
    for number in itertools.count(1):
        place = first if number == 1 else first.with_stem(f"{first.stem}-{number}")
        with local_errors(place):
            try:
                place.touch(exist_ok=False)
            except FileExistsError:
                continue
            return place
    raise AssertionError
