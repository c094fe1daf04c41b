"""``doctor``: whether this machine, this tree and its Drive are fit for a training."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from drivesync.cli.arguments import AS_JSON, TREE, settings
from drivesync.cli.running import interruptible
from drivesync.cli.words import count
from drivesync.config import default_tree
from drivesync.errors import SettingsError
from drivesync.progress import printable
from trainer.config import DEFAULT_CFG, DEFAULT_DATA, Wishes
from trainer.doctoring.doctor import examine
from trainer.doctoring.lines import Level

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainer.doctoring.lines import Line


@click.command("doctor", short_help="Look whether machine, tree and Drive are fit for a training.")
@TREE
@click.option("--data", help=f"The .data file, relative to TREE.  [default: {DEFAULT_DATA}]")
@click.option("--cfg", help=f"The .cfg file, relative to TREE.  [default: {DEFAULT_CFG}]")
@click.option("--darknet", help="The darknet program.  [default: TREE/darknet if executable, else on PATH]")
@click.option("--remote", help="Where checkpoints go.  [default: what TREE remembers, else darknet]")
@click.option("--no-drive", is_flag=True, help="Look at this machine only, and ask no remote.")
@AS_JSON
def doctor_command(
    tree: Path | None,
    *,
    data: str | None,
    cfg: str | None,
    darknet: str | None,
    remote: str | None,
    no_drive: bool,
    as_json: bool,
) -> None:
    """Look at all that a training needs here, a line each: good, warning or bad, with what to do about it.

    The GPU and its driver, CUDA, cuDNN, OpenCV, the compiler, cores and memory; darknet and which one it is; Python's
    packages; TREE, what it lies on, and whether the checkpoints to come fit there; and whether Drive can be reached,
    what it allows, what is left of it, its clock, and whether another session has the run. TREE need not be there yet.
    Nothing is changed. It takes seconds, and half a minute at most where something does not answer.

    What is bad keeps a training from working; a warning does not, the lack of a GPU say.

    \b
    trainer doctor                what `trainer build` and `trainer supervise` will find
    trainer doctor --no-drive     this machine only
    trainer doctor --json | jq '.lines[] | select(.level == "bad")'

    Exit status: 0 nothing is bad; 64 called wrongly; 78 something is.
    """
    wishes = Wishes(tree or default_tree(), data, cfg, None, darknet)
    with interruptible():
        lines = examine(wishes, os.environ, None if no_drive else settings, remote=remote)
    bad = sum(line.level is Level.BAD for line in lines)
    if as_json:
        click.echo(
            json.dumps(
                {"tree": str(wishes.tree), "passed": not bad, "lines": [_describe(line) for line in lines]}
            )
        )
    else:
        click.echo("\n".join(_lay_out(lines)))
    if bad:
        raise SettingsError(f"{count(bad, 'line')} of {len(lines)} {'is' if bad == 1 else 'are'} bad")


def _describe(line: Line) -> dict[str, str]:
    return {"level": line.level.value, "topic": line.topic, "what": line.what, "remedy": line.remedy}


def _lay_out(lines: Sequence[Line]) -> list[str]:
    level_width = max(len(level.value) for level in Level)
    topic_width = max((len(line.topic) for line in lines), default=0)
    page = []
    for line in lines:
        page.append(printable(f"{line.level.value:{level_width}}  {line.topic:{topic_width}}  {line.what}"))
        if line.remedy:
            page.append(printable(f"{'':{level_width + topic_width + 4}}{line.remedy}"))
    return page
