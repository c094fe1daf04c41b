"""What ``supervise`` and ``run`` have in common: the options of a training, and its start, detached or not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from drivesync.cli.arguments import GRACE, TAKE_OVER
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
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeVar

    from drivesync.config import Settings
    from trainer.place import Place

    Command = TypeVar("Command", bound=Callable[..., object])

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


_OPTIONS = (
    click.option("--data", help=f"The .data file, relative to TREE.  [default: {DEFAULT_DATA}]"),
    click.option("--cfg", help=f"The .cfg file, relative to TREE.  [default: {DEFAULT_CFG}]"),
    click.option(
        "--weights", help=f"Pretrained weights to start from.  [default: {DEFAULT_WEIGHTS} where it exists]"
    ),
    click.option(
        "--darknet", help="The darknet program.  [default: TREE/darknet if executable, else on PATH]"
    ),
    click.option("--no-push", is_flag=True, help="Use no Drive: everything stays on this disk."),
    click.option(
        "--in-place",
        is_flag=True,
        help="Train a TREE on a mounted Drive or a network disk there, and not in a copy on local disk.",
    ),
    click.option(
        "--fresh",
        is_flag=True,
        help="Start the run over, once; what there is of it goes to an archive.",
    ),
    click.option(
        "--fresh-as",
        metavar="NAME",
        callback=_refuse_no_name,
        help="The same under another name, to start over once more.",
    ),
    TAKE_OVER,
    GRACE,
    click.option(
        "--notify",
        metavar="URL",
        envvar=NOTIFY_VARIABLE,
        callback=_check_address,
        help="Tell URL, by a POST of JSON, when the run has finished, was given up, has diverged or has lost its "
        f"lease.  [default: {NOTIFY_VARIABLE} in the environment, where `ps` does not show it]",
    ),
    click.option("--no-check", is_flag=True, help="Start darknet though `trainer check` would find errors."),
    click.option("--unassign", is_flag=True, help="Give Colab's machine back after the verified end."),
    click.option("--background", is_flag=True, help="Detach, and return at once; see `trainer status`."),
)


def training_options(command: Command) -> Command:
    """Give a command the options whose values ``Training`` has, by the same names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What the user wants of a training, option by option; their help says what each means."""

    data: str | None
    cfg: str | None
    weights: str | None
    darknet: str | None
    no_push: bool
    in_place: bool
    fresh: bool
    fresh_as: str | None
    take_over: bool
    grace_s: float
    notify: str
    no_check: bool
    unassign: bool
    background: bool

    def wishes(self, tree: Path, extra: tuple[str, ...]) -> Wishes:
        """What is to be trained."""
        return Wishes(tree, self.data, self.cfg, self.weights, self.darknet, extra)

    def place(self, tree: Path, remote: str | None) -> Place:
        """Where ``tree`` is to be trained; errors as ``resolve_place``."""
        in_place = self.in_place or read_settings(tree, os.environ).in_place
        return resolve_place(tree, in_place=in_place, remote=remote, pushing=not self.no_push)

    def words(self, tree: Path, remote: str | None, extra: tuple[str, ...]) -> list[str]:
        """The command line of ``supervise`` that does so in the foreground, without the URL to tell.

        That one goes by the environment: whoever can list the processes of a machine can read their command lines.
        """
        named = {
            "--data": self.data,
            "--cfg": self.cfg,
            "--weights": self.weights,
            "--darknet": self.darknet,
            "--remote": remote,
            "--fresh-as": self.fresh_as,
            "--grace": f"{self.grace_s}s",
        }
        flags = {
            "--no-push": self.no_push,
            "--in-place": self.in_place,
            "--fresh": self.fresh,
            "--take-over": self.take_over,
            "--no-check": self.no_check,
            "--unassign": self.unassign,
        }
        # With an equals sign: what a value begins with, a dash say, makes no option of it.
        words = [f"{name}={value}" for name, value in named.items() if value is not None]
        words += [flag for flag, is_set in flags.items() if is_set]
        return ["supervise", str(tree.absolute()), *words, *(["--", *extra] if extra else [])]

    def start(self, tree: Path, remote: str | None, extra: tuple[str, ...], settings: Settings) -> None:
        """Train ``tree``, or see to it that another process does.

        Args:
            tree: as the user named it.
            remote: where it comes from and its checkpoints go; None for what it remembers.
            extra: further flags for darknet.
            settings: drivesync's.

        Raises:
            DrivesyncError: see ``trainer.session.supervise`` and ``detach``.
        """
        if self.background:
            place = self.place(tree, remote)
            if place.note:
                click.echo(f"trainer: {place.note}", err=True)
            if self.notify:
                os.environ[NOTIFY_VARIABLE] = self.notify
            detach(place.tree, self.words(tree, remote, extra))
            return
        with Orders() as orders, TerminalReporter() as reporter:
            supervise(
                self.wishes(tree, extra),
                settings,
                Terms(remote, self.fresh_as or (FRESH if self.fresh else ""), self.take_over, self.no_check),
                pushing=not self.no_push,
                grace_s=self.grace_s,
                reporter=reporter,
                stop=orders.stop,
                hurry=orders.hurry,
                while_pulling=orders.interrupting,
                hooks=Hooks(self.notify, self.unassign),
                in_place=self.in_place,
            )
