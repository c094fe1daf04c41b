"""``init``: a tree that darknet can be trained in, from a folder of images with labels."""

from __future__ import annotations

import json
from pathlib import Path

import click

from drivesync.cli.arguments import AS_JSON, TREE
from drivesync.cli.running import interruptible
from drivesync.config import default_tree
from drivesync.progress import TerminalReporter, printable
from trainer.cli.init_report import describe, report_lines
from trainer.preparing.annotations import Format
from trainer.preparing.cfg_choice import BUILT_IN, CfgOrder
from trainer.preparing.folder import read_names
from trainer.preparing.prepare import (
    DEFAULT_TEST,
    Order,
    look_at_tree,
    make_tree,
    plan_tree,
    refuse_obstacles,
)


class _Size(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic in newer versions of click only
    """A side of a square, or ``WIDTHxHEIGHT``; in pixels."""

    name = "size"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read it; refuse what is none."""
        if isinstance(value, tuple):
            return value
        width, _, height = value.lower().partition("x")
        sides = (width, height or width)
        if not all(side.isascii() and side.isdecimal() and len(side) < 6 for side in sides):
            self.fail(f"{value!r} is no size; write 416 or 608x416", param, ctx)
        return int(sides[0]), int(sides[1])


def _to_path(_context: click.Context, parameter: click.Parameter, given: str | None) -> Path | None:
    """A variable that is not set must not stand for the working directory."""
    if given == "":
        raise click.BadParameter("it is empty", param=parameter)
    return Path(given) if given is not None else None


_FORMATS = {"yolo": Format.YOLO, "voc": Format.VOC, "coco": Format.COCO}


@click.command("init", short_help="Make a tree to train in from a folder of images with labels.")
@TREE
@click.option(
    "--images", required=True, callback=_to_path, help="The folder of your images, and of folders of them."
)
@click.option(
    "--names",
    "given_names",
    help="The classes' names, as a,b,c or in a file with one a line; YOLO's labels count them from 0.  "
    "[default: those that the labels name; of YOLO's those in classes.txt beside them]",
)
@click.option(
    "--labels",
    callback=_to_path,
    help="The folder of the labels, or a COCO file.  [default: found by the images]",
)
@click.option(
    "--format", "format_", type=click.Choice(list(_FORMATS)), help="Of the labels.  [default: found out]"
)
@click.option("--negatives", is_flag=True, help="Images without any label show nothing: train on them, too.")
@click.option(
    "--test",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=DEFAULT_TEST,
    show_default=True,
    help="Share of the images to test with, of each class.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the split: one seed, one split.",
)
@click.option(
    "--template",
    help=f"The .cfg to begin with, of TREE or elsewhere, or {BUILT_IN}.  "
    f"[default: the one in TREE/cfg for the weights in TREE, {BUILT_IN}-custom.cfg, ...; else {BUILT_IN}]",
)
@click.option(
    "--size", type=_Size(), help="Of the network's input: 416, or 608x416.  [default: the template's]"
)
@click.option("--batch", type=click.IntRange(min=1), help="Images per iteration.  [default: 64]")
@click.option(
    "--subdivisions",
    type=click.IntRange(min=1),
    help="Parts that a batch is cut into.  [default: 16]",
)
@click.option(
    "--anchors",
    type=click.Choice(["keep", "auto"]),
    default="keep",
    show_default=True,
    help="Keep the template's anchors, or find some by the boxes to train with.",
)
@click.option("--force", is_flag=True, help="Write over files that hold something else.")
@click.option("--dry-run", is_flag=True, help="Say what would be made, and write nothing.")
@AS_JSON
def init_command(
    tree: Path | None,
    *,
    images: Path,
    given_names: str | None,
    labels: Path | None,
    format_: str | None,
    negatives: bool,
    test: float,
    seed: int,
    template: str | None,
    size: tuple[int, int] | None,
    batch: int | None,
    subdivisions: int | None,
    anchors: str,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make, or fill, the darknet tree TREE with what a training needs, from images and their labels.

    Labels are YOLO's (a .txt beside each image, or in a folder labels), Pascal VOC's (.xml, or in Annotations) or
    COCO's (a .json). Images are copied to data/train and data/test under names that no shell and no darknet takes for
    something else; your own are left as they are. What cannot be read is left out, and said.

    An empty label says that an image shows nothing. One without any label has been forgotten, and is left out:
    --negatives says otherwise.

    Nothing is written over without --force. Stopped, the same command goes on.

    \b
    trainer init --images photos --names cat,dog        into TREE /content/darknet or ./darknet
    trainer init mytree --images photos --dry-run       names from the labels; what would be made
    trainer init --images VOC2012/JPEGImages            labels from VOC2012/Annotations
    trainer init --images photos --labels all.json      COCO
    trainer init --images photos --names my.names --size 608 --anchors auto

    Exit status: 0 done; 64 called wrongly; 66 no images, no labels or no such template; 73 cannot write locally, or
    something is in the way; 75 stopped before the end (run again to go on); 78 labels and names do not fit.
    """
    width, height = size or (None, None)
    order = Order(
        tree=tree or default_tree(),
        images=images,
        labels=labels,
        format=_FORMATS[format_] if format_ else None,
        names=_read_names(given_names),
        negatives=negatives,
        test=test,
        seed=seed,
        cfg=CfgOrder(template, width, height, batch, subdivisions, fits_anchors=anchors == "auto"),
    )
    made = None
    with TerminalReporter() as reporter, interruptible():
        plan = plan_tree(order, reporter)
        if dry_run:
            refuse_obstacles(plan, look_at_tree(plan, reporter), reporter, force=force)
        else:
            made = make_tree(plan, reporter, force=force)
    if as_json:
        click.echo(json.dumps(describe(plan, made)))
    else:
        click.echo("\n".join(map(printable, report_lines(plan, made))))


def _read_names(given: str | None) -> tuple[str, ...] | None:
    """A list, or what is in a file of that name."""
    if given is None:
        return None
    if "," not in given and Path(given).is_file():
        return read_names(Path(given))
    return tuple(name.strip() for name in given.split(","))
