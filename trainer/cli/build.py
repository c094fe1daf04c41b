"""``build``: compile the tree's darknet for this machine's GPU, or bring the one that was compiled before."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from drivesync.cli.arguments import AS_JSON, TREE, existing_tree, open_source, settings
from drivesync.cli.running import interruptible
from drivesync.progress import TerminalReporter, printable
from drivesync.pull import pull
from drivesync.tally import format_duration
from trainer.background import RunLock, running_pid
from trainer.building.arch import Target, gencode, read_gencode, spell
from trainer.building.build import build, build_log, find_darknet, plan_tree
from trainer.building.cache import BuildCache, open_cache
from trainer.building.plan import Order
from trainer.building.switches import Wishes
from trainer.place import remember_place, resolve_place

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from drivesync.progress import Reporter
    from trainer.building.build import Built
    from trainer.building.plan import Plan
    from trainer.building.switches import Switches
    from trainer.cli.arguments import Call

_SAID = {
    "compiled": "compiled",
    "cache": "compiled in an earlier session, and brought from there",
    "ready": "built already, nothing had to be done",
    "found": "there is nothing to build in the tree",
}


def _to_gencode(_context: click.Context, parameter: click.Parameter, given: str | None) -> str:
    """75, 7.5, or several with commas, as nvcc wants them."""
    if given is None:
        return ""
    numbers = [re.fullmatch(r"(\d{1,2})\.?(\d)", word.strip()) for word in given.split(",")]
    if not all(numbers):
        raise click.BadParameter(f"{given!r} is no compute capability; write 75, say", param=parameter)
    return gencode(Target((int(number[1]), int(number[2]))) for number in numbers if number)


@click.command("build", short_help="Compile the tree's darknet for this machine's GPU.")
@TREE
@click.option("--cpu", is_flag=True, help="Build for the CPU, whatever GPU there is.")
@click.option(
    "--opencv/--no-opencv", default=None, help="With OpenCV, or without.  [default: where it is installed]"
)
@click.option(
    "--apt/--no-apt",
    default=None,
    help="Whether apt-get may install OpenCV's files.  [default: in Colab it may]",
)
@click.option(
    "--arch",
    metavar="75",
    callback=_to_gencode,
    help="Compile for GPUs of these compute capabilities, whatever is found here.",
)
@click.option(
    "--edit-makefile", is_flag=True, help="Set the switches in the Makefile, too; the original is kept."
)
@click.option("--clean", is_flag=True, help="Compile everything anew, whatever was built before.")
@click.option("--jobs", type=click.IntRange(min=1), help="Compilers at once.  [default: by cores and memory]")
@click.option(
    "--remote",
    help="Where built programs are kept, as for `drivesync push`.  [default: what TREE remembers, if anything]",
)
@click.option("--no-cache", is_flag=True, help="Bring no program from there, and keep none.")
@click.option("--in-place", is_flag=True, help="Build a TREE on a mounted Drive or a network disk there.")
@click.option("--dry-run", is_flag=True, help="Show what would be built, and do nothing.")
@AS_JSON
@click.pass_obj
def build_command(
    call: Call,
    tree: Path | None,
    *,
    cpu: bool,
    opencv: bool | None,
    apt: bool | None,
    arch: str,
    edit_makefile: bool,
    clean: bool,
    jobs: int | None,
    remote: str | None,
    no_cache: bool,
    in_place: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compile the darknet of the tree TREE for this machine; what follows `--` is handed to make or cmake.

    The switches follow from what is found: GPU, CUDNN, CUDNN_HALF from compute capability 7.0 on, OPENCV, OPENMP and
    AVX on a CPU, and ARCH for exactly this GPU. They are passed on make's command line; the Makefile stays as it is.
    Objects that make would wrongly take for fresh are removed first. The new program takes the place of the old one
    only once it was seen to run and to be what was asked for.

    It is kept beside the tree in Drive: on a machine of the same kind the next session brings it in seconds, and
    compiles nothing. Where Drive cannot be reached it is compiled.

    \b
    trainer build                        in TREE /content/darknet or ./darknet
    trainer build --dry-run              what would be done, and why something is off
    trainer build --cpu mytree           without the GPU
    trainer build --arch 75,80           for a T4 and an A100, whichever comes
    trainer build -- CUDNN_HALF=0        with another variable for make

    Exit status: 0 built, now or before; 64 called wrongly; 66 no tree, nothing to build or no compiler; 73 cannot write
    locally; 75 stopped, or another build is at work; 78 it could not be built: the message says what failed, and why.
    """
    began_s = time.monotonic()
    if cpu and arch:
        raise click.UsageError("--arch is for GPUs, and --cpu for none: leave one of them out")
    wishes = Wishes(gpu=False if cpu else bool(arch) or None, opencv=opencv, arch=arch)
    with TerminalReporter() as reporter, interruptible():
        order = Order(
            _find_place(existing_tree(tree), reporter, in_place=in_place, brings=not dry_run),
            wishes,
            apt,
            call.extra,
            edit_makefile=edit_makefile,
            clean=clean,
            jobs=jobs,
        )
        plan = plan_tree(order, os.environ)
        built = _carry_out(plan, order.tree, remote, reporter, no_cache=no_cache, dry_run=dry_run)
    took_s = time.monotonic() - began_s
    if as_json:
        click.echo(json.dumps(_to_json(order.tree, plan, built, took_s)))
    else:
        click.echo("\n".join(map(printable, _describe(plan, built, took_s))))


def build_tree(tree: Path, remote: str | None, reporter: Reporter, *, no_cache: bool = False) -> None:
    """Build the darknet of ``tree``, where that is needed, with all that the machine has, and print what it is.

    Args:
        tree: where it is trained.
        remote: where built programs are kept; None for what the tree remembers.
        reporter: hears how it goes.
        no_cache: bring no program from there, and keep none.

    Raises:
        DrivesyncError: see ``plan_tree`` and ``build``.
    """
    began_s = time.monotonic()
    plan = plan_tree(Order(tree.resolve()), os.environ)
    built = _carry_out(plan, tree, remote, reporter, no_cache=no_cache)
    click.echo("\n".join(map(printable, _describe(plan, built, time.monotonic() - began_s))))


def _find_place(tree: Path, reporter: Reporter, *, in_place: bool, brings: bool) -> Path:
    """Where ``tree`` is trained, absolute: that is where its darknet has to be.

    Args:
        tree: as the user named it.
        reporter: told where that is, and how the copy of a tree on a mount comes there.
        in_place: it is trained where it is.
        brings: a copy is brought up to date first, unless it is being trained; else the mount is looked at.
    """
    place = resolve_place(tree, in_place=in_place)
    if place.note:
        reporter.note(place.note)
    if place.source and brings and running_pid(place.tree) is None:
        with RunLock(place.tree):
            remember_place(place)
        with open_source(place.tree, None, reporter.note) as source:
            pull(source, place.tree, reporter=reporter).raise_failure()
    is_only_there = not brings and not place.tree.is_dir()
    return existing_tree(tree if is_only_there else place.tree).resolve()


def _carry_out(
    plan: Plan | None,
    tree: Path,
    remote: str | None,
    reporter: Reporter,
    *,
    no_cache: bool = False,
    dry_run: bool = False,
) -> Built | None:
    """Do what is planned for ``tree``, or nothing (None); where nothing is to be built, find what trains it."""
    if plan is None:
        return find_darknet(tree)
    if dry_run:
        return None
    return build(plan, reporter, lambda: _open_cache(plan.order.tree, remote, reporter, none=no_cache))


def _open_cache(
    tree: Path, remote: str | None, reporter: Reporter, *, none: bool
) -> AbstractContextManager[BuildCache]:
    if none:
        return nullcontext(BuildCache(None, reporter.note, time.time))
    return open_cache(tree, remote, settings(), reporter.note)


def _describe(plan: Plan | None, built: Built | None, took_s: float) -> list[str]:
    if built is None:
        return _describe_plan(plan) if plan is not None else []
    what = built.flavour.value if built.flavour else "darknet"
    with_what = f", {_describe_switches(plan.switches)}" if plan is not None else ""
    kept = "; kept for the next session" if built.kept and built.where_from == "compiled" else ""
    took = f" in {format_duration(took_s)}" if built.where_from in {"compiled", "cache"} else ""
    return [f"build: {built.program} is {what}{with_what}: {_SAID[built.where_from]}{took}{kept}"]


def _describe_switches(switches: Switches) -> str:
    names = ("cudnn", "cudnn_half", "opencv", "openmp", "avx")
    on = [name.upper() for name in names if getattr(switches, name)]
    exact = [spell(target.capability) for target in read_gencode(switches.arch)]
    gpu = f"GPU (compute capability {', '.join(exact)})" if exact else "GPU"
    return f"for the {gpu if switches.gpu else 'CPU'}{' with ' if on else ''}{', '.join(on)}"


def _describe_plan(plan: Plan) -> list[str]:
    commands = [shlex.join(command) for command in (plan.commands.configure, plan.commands.build) if command]
    installed = ["OpenCV's development files would be installed by apt-get"] if plan.installs_opencv else []
    return [
        *plan.notes,
        *installed,
        f"build: {plan.order.tree} {_describe_switches(plan.switches)}, by",
        *commands,
    ]


def _to_json(tree: Path, plan: Plan | None, built: Built | None, took_s: float) -> dict[str, Any]:
    done: dict[str, Any] = {"tree": str(tree), "program": None, "from": None, "darknet": None, "kept": False}
    if built is not None:
        name = built.flavour.name if built.flavour else None
        done |= {"program": str(built.program), "from": built.where_from, "darknet": name, "kept": built.kept}
    if plan is None:
        return {**done, "took_s": round(took_s, 1)}
    return {
        **done,
        "switches": plan.switches.settings(plan.project.recipe.known),
        "configure": list(plan.commands.configure),
        "command": list(plan.commands.build),
        "notes": list(plan.notes),
        "installs_opencv": plan.installs_opencv,
        "log": str(build_log(tree)),
        "took_s": round(took_s, 1),
    }
