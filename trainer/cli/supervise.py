"""``supervise``: train a run to its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from drivesync.cli.arguments import GRACE, TAKE_OVER, TREE, settings
from drivesync.config import default_tree
from drivesync.progress import TerminalReporter
from trainer.begin import Terms
from trainer.cli.detach import detach
from trainer.cli.orders import Orders
from trainer.config import DEFAULT_CFG, DEFAULT_DATA, DEFAULT_WEIGHTS, Wishes
from trainer.hooks import Hooks
from trainer.notify import check_address
from trainer.place import resolve_place
from trainer.session import supervise
from trainer.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.cli.arguments import Call

FRESH = "fresh"
"""What --fresh calls its start."""

NOTIFY_VARIABLE = "TRAINER_NOTIFY"


def _refuse_no_name(_context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """A variable that is not set must not stand for going on."""
    if given == "":
        raise click.BadParameter("a start needs a name", param=parameter)
    return given


def _check_address(_context: click.Context, _parameter: click.Parameter, given: str | None) -> str:
    if given is None:
        return ""
    check_address(given)
    return given


@click.command("supervise", short_help="Train to the end, and push each checkpoint on the way.")
@TREE
@click.option("--data", help=f"The .data file, relative to TREE.  [default: {DEFAULT_DATA}]")
@click.option("--cfg", help=f"The .cfg file, relative to TREE.  [default: {DEFAULT_CFG}]")
@click.option(
    "--weights", help=f"Pretrained weights to start from.  [default: {DEFAULT_WEIGHTS} where it exists]"
)
@click.option("--darknet", help="The darknet program.  [default: TREE/darknet if executable, else on PATH]")
@click.option(
    "--remote",
    help="Where the tree comes from and its checkpoints go, as for `drivesync pull`.  "
    "[default: what TREE remembers, else darknet]",
)
@click.option("--no-push", is_flag=True, help="Use no Drive: everything stays on this disk.")
@click.option(
    "--in-place",
    is_flag=True,
    help="Train a TREE on a mounted Drive or a network disk there, and not in a copy on local disk.",
)
@click.option(
    "--fresh", is_flag=True, help="Start the run over, once; what there is of it goes to an archive."
)
@click.option(
    "--fresh-as",
    metavar="NAME",
    callback=_refuse_no_name,
    help="The same under another name, to start over once more.",
)
@TAKE_OVER
@GRACE
@click.option(
    "--notify",
    metavar="URL",
    envvar=NOTIFY_VARIABLE,
    callback=_check_address,
    help="Tell URL, by a POST of JSON, when the run has finished, was given up, has diverged or has lost its lease.  "
    f"[default: {NOTIFY_VARIABLE} in the environment, where `ps` does not show it]",
)
@click.option("--no-check", is_flag=True, help="Start darknet though `trainer check` would find errors.")
@click.option("--unassign", is_flag=True, help="Give Colab's machine back after the verified end.")
@click.option("--background", is_flag=True, help="Detach, and return at once; see `trainer status`.")
@click.pass_obj
def supervise_command(
    call: Call,
    tree: Path | None,
    *,
    data: str | None,
    cfg: str | None,
    weights: str | None,
    darknet: str | None,
    remote: str | None,
    no_push: bool,
    in_place: bool,
    fresh: bool,
    fresh_as: str | None,
    take_over: bool,
    grace_s: float,
    notify: str,
    no_check: bool,
    unassign: bool,
    background: bool,
) -> None:
    """Train the darknet tree TREE to its end; what follows `--` is handed to darknet.

    The tree is pulled from Drive if it is not there. Training starts from the best whole checkpoint, each new one is
    pushed and verified while darknet runs, and darknet is started again when it dies. Run the same command again
    after whatever happened: training goes on. One session at a time trains a run; a second one is refused.

    --background survives the cell, the kernel's Stop and a restart of the kernel, but not the machine. Where the
    training runs already, the same command says so and shows how it stands. Whoever can list the processes of this
    machine can read their command lines: set TRAINER_NOTIFY rather than write a URL there.

    --fresh starts the run over once, and may stay in the command: what there was of the run is moved to
    backup/archive-DATE/, on Drive and here, and the same command run again goes on with the new run. To start over
    once more, give that start a name: --fresh-as second, say.

    Ctrl-C, SIGTERM and SIGHUP stop darknet, push what is queued, and end this with 75; a second Ctrl-C, or SIGQUIT,
    kills darknet, and leaves what is queued to the next session.

    \b
    trainer supervise                          in TREE /content/darknet or ./darknet
    trainer supervise --background             the same, detached
    trainer supervise mytree --cfg cfg/my.cfg --data cfg/my.data -- -map
    trainer supervise --background --unassign  and give the machine back at the end

    Exit status: 0 trained to the end, or detached; 64 called wrongly, or it runs already; 66 no darknet, or no tree;
    69 Drive unreachable; 73 cannot write locally; 75 stopped or given up before the end; 76 another session has the
    run; 77 not allowed; 78 settings or tree wrong.
    """
    wishes = Wishes(tree or default_tree(), data, cfg, weights, darknet, call.extra)
    configured = settings()
    if background:
        in_place = in_place or read_settings(wishes.tree, os.environ).in_place
        place = resolve_place(wishes.tree, in_place=in_place, remote=remote, pushing=not no_push)
        if place.note:
            click.echo(f"trainer: {place.note}", err=True)
        if notify:
            os.environ[NOTIFY_VARIABLE] = notify
        detach(place.tree, _in_foreground(call))
        return
    with Orders() as orders, TerminalReporter() as reporter:
        supervise(
            wishes,
            configured,
            Terms(remote, fresh_as or (FRESH if fresh else ""), take_over, no_check),
            pushing=not no_push,
            grace_s=grace_s,
            reporter=reporter,
            stop=orders.stop,
            hurry=orders.hurry,
            while_pulling=orders.interrupting,
            hooks=Hooks(notify, unassign),
            in_place=in_place,
        )


def _in_foreground(call: Call) -> list[str]:
    """The same command line without --background, and without the URL, which goes by the environment."""
    argv, kept = iter(call.argv), []
    for word in argv:
        if word == "--notify":
            next(argv)
        elif word != "--background" and not word.startswith("--notify="):
            kept.append(word)
    return [*kept, "--", *call.extra] if call.extra else kept
