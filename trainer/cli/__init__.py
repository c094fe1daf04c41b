"""The commands; the one place of this package that prints and exits."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from drivesync.cli import interruptible, run_command
from drivesync.cli.arguments import GRACE, TAKE_OVER, TREE
from drivesync.config import Settings, default_tree
from drivesync.daemon import is_alive, launch
from drivesync.errors import DrivesyncError, NotFoundError, UnfinishedError
from drivesync.progress import TerminalReporter
from trainer.background import running_pid, signal_supervisor
from trainer.begin import Terms
from trainer.config import DEFAULT_CFG, DEFAULT_DATA, DEFAULT_WEIGHTS, STATE_FOLDER, Wishes
from trainer.session import supervise
from trainer.status import DEAD, ENDED, Status, describe, read_status, to_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FRESH = "fresh"
"""What --fresh calls its start."""

LOG_NAME = "supervisor.log"

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_START_WAIT_S = 15.0
_FIRST_ITERATION_WAIT_S = 2.0
_STOP_WAIT_S = 60.0
_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Call:
    """A command line, without the program's name; ``extra`` is what follows ``--``."""

    argv: tuple[str, ...]
    extra: tuple[str, ...]


def _refuse_no_name(_context: click.Context, parameter: click.Parameter, given: str | None) -> str | None:
    """A variable that is not set must not stand for going on."""
    if given == "":
        raise click.BadParameter("a start needs a name", param=parameter)
    return given


@click.group(context_settings=_CONTEXT)
@click.version_option(package_name="darknet-drivesync")
def cli() -> None:
    """Run darknet and keep it running, from the last good checkpoint to the end, with nothing lost on the way.

    \b
    trainer supervise --background    train; run it again after a dropped session, and training goes on
    trainer status                    what is safe, how far it is
    trainer stop                      stop darknet, push what is queued

    Exit status: 0 done, 64 usage, 65 damaged data, 66 not found, 69 Drive unreachable after retries, 73 cannot
    write locally, 75 stopped before the end (run again to go on), 76 another session has the run, 77 not allowed,
    78 settings or tree wrong.
    """


@cli.command("supervise")
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
    fresh: bool,
    fresh_as: str | None,
    take_over: bool,
    grace_s: float,
    background: bool,
) -> None:
    """Train the darknet tree TREE to its end; what follows `--` is handed to darknet.

    The tree is pulled from Drive if it is not there. Training starts from the best whole checkpoint, each new one is
    pushed and verified while darknet runs, and darknet is started again when it dies. Run the same command again
    after whatever happened: training goes on. One session at a time trains a run; a second one is refused.

    --fresh starts the run over once, and may stay in the command: what there was of the run is moved to
    backup/archive-DATE/, on Drive and here, and the same command run again goes on with the new run. To start over
    once more, give that start a name: --fresh-as second, say.

    \b
    trainer supervise                          in TREE /content/darknet or ./darknet
    trainer supervise --background             the same, detached
    trainer supervise mytree --cfg cfg/my.cfg --data cfg/my.data -- -map
    """
    wishes = Wishes(tree or default_tree(), data, cfg, weights, darknet, call.extra)
    settings = Settings.from_environment(os.environ)
    if background:
        _start_in_background(wishes.tree, call.argv)
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    with TerminalReporter() as reporter:
        supervise(
            wishes,
            settings,
            Terms(remote, fresh_as or (FRESH if fresh else ""), take_over),
            pushing=not no_push,
            grace_s=grace_s,
            reporter=reporter,
            stop=stop,
            while_pulling=interruptible,
        )


def _start_in_background(tree: Path, argv: Sequence[str]) -> None:
    """Start this same command line detached, and wait until it trains or has said why it does not."""
    if (pid := running_pid(tree)) is not None:
        _say_running(tree, pid)
        return
    place = argv.index("--background")
    command = [sys.executable, "-m", "trainer", *argv[:place], *argv[place + 1 :]]
    pid = launch(command, tree / STATE_FOLDER / LOG_NAME)
    give_up_s = time.monotonic() + _START_WAIT_S
    while time.monotonic() < give_up_s:
        status = read_status(tree)
        if status is not None and status.pid == pid:
            if status.state in {"finished", "waiting"} or status.avg_loss is not None:
                break
            if status.state in {"training", "restarting", "pushing"}:
                # darknet says what it misses before its first iteration, which a large network may take long for.
                give_up_s = min(give_up_s, time.monotonic() + _FIRST_ITERATION_WAIT_S)
            if status.state in {*ENDED, DEAD}:
                raise _as_error(status)
        elif not is_alive(pid):
            if (other := running_pid(tree)) is not None:
                _say_running(tree, other)
                return
            raise DrivesyncError(
                "the supervisor ended before it began", hint=f"{tree / STATE_FOLDER / LOG_NAME} says why."
            )
        time.sleep(_LOOK_EVERY_S)
    click.echo(f"trainer: supervising {tree} as process {pid}; log: {tree / STATE_FOLDER / LOG_NAME}")
    _print_status(tree)


def _say_running(tree: Path, pid: int) -> None:
    click.echo(f"trainer: process {pid} supervises {tree} already")
    _print_status(tree)


def _print_status(tree: Path) -> None:
    if (status := read_status(tree)) is not None:
        click.echo(describe(status, time.time()))


def _as_error(status: Status) -> DrivesyncError:
    """The error with which another process ended."""
    error = DrivesyncError(status.message)
    error.exit_code = status.exit_code or DrivesyncError.exit_code
    return error


@cli.command("status")
@TREE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status_command(tree: Path | None, *, as_json: bool) -> None:
    """Say how the training in TREE stands: what is safe first.

    \b
    trainer status
    trainer status --json mytree
    """
    tree = tree or default_tree()
    status = read_status(tree)
    if status is None:
        raise NotFoundError(f"nothing has been trained in {tree}", hint="Start it with `trainer supervise`.")
    click.echo(json.dumps(to_json(status)) if as_json else describe(status, time.time()))


@cli.command("stop")
@TREE
def stop_command(tree: Path | None) -> None:
    """Stop the training in TREE: darknet first, then what is queued is pushed.

    \b
    trainer stop
    """
    tree = tree or default_tree()
    pid = signal_supervisor(tree, signal.SIGTERM)
    if pid is None:
        raise NotFoundError(f"no supervisor runs in {tree}")
    give_up_s = time.monotonic() + _STOP_WAIT_S
    while is_alive(pid):
        if time.monotonic() > give_up_s:
            raise UnfinishedError(f"process {pid} is still pushing", hint="Look again with `trainer status`.")
        time.sleep(_LOOK_EVERY_S)
    _print_status(tree)


def run(argv: Sequence[str]) -> int:
    """Run a command line; returns the exit status. What follows ``--`` is darknet's."""
    cut = argv.index("--") if "--" in argv else len(argv)
    return run_command(cli, list(argv[:cut]), Call(tuple(argv), tuple(argv[cut + 1 :])))


def main() -> None:
    """The console command."""
    sys.exit(run(sys.argv[1:]))
