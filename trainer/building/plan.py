"""What a build of a tree would do on this machine, before it does any of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from drivesync.disk import local_errors, write_atomically
from drivesync.errors import UsageError
from trainer.building.apt import may_install
from trainer.building.key import make_key
from trainer.building.makefile import edit_makefile
from trainer.building.project import MAKEFILE, Tool, choose_jobs, make_commands, name_folders, read_text
from trainer.building.recipe import ARCH, SWITCHES
from trainer.building.source import hash_source
from trainer.building.switches import Wishes, choose_switches
from trainer.machine.parts import OpenCv

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from trainer.building.key import BuildKey
    from trainer.building.project import Commands, Project
    from trainer.building.switches import Switches
    from trainer.machine.parts import Machine

_ASSIGNMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for.

    Attributes:
        tree: the darknet tree, absolute.
        wishes: switches that are not to be left to the machine.
        apt: whether packages may be installed; None for where the machine is thrown away anyway.
        extra: further words for make or cmake.
        edit_makefile: set the switches in the file, too.
        clean: compile all of it anew.
        jobs: how many compilers at once; None for as many as the machine takes.
    """

    tree: Path
    wishes: Wishes = field(default_factory=Wishes)
    apt: bool | None = None
    extra: tuple[str, ...] = ()
    edit_makefile: bool = False
    clean: bool = False
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be built, and how.

    Attributes:
        order: what was asked for.
        project: how the tree is built.
        machine: what it is built for; with the OpenCV that is still to be installed.
        switches: see there.
        commands: see there.
        notes: for people, why something is off that could be on, say.
        installs_opencv: its development files are to be installed first.
    """

    order: Order
    project: Project
    machine: Machine
    switches: Switches
    commands: Commands
    notes: tuple[str, ...]
    installs_opencv: bool = False

    @property
    def key(self) -> BuildKey:
        """Names all that the program depends on; reads the sources as they are now.

        Raises:
            LocalWriteError: one cannot be read.
        """
        return make_key(hash_source(self.order.tree), self.commands.meaning, self.machine)


def plan_build(
    order: Order, project: Project, machine: Machine, environ: Mapping[str, str], *, is_colab: bool
) -> Plan:
    """Choose what to build with.

    Raises:
        SettingsError: something was asked for that is not to be had here.
        UsageError: there is no Makefile to edit.
    """
    if order.edit_makefile and project.tool is not Tool.MAKE:
        raise UsageError(
            f"{order.tree} is built by cmake: there is no Makefile to edit", hint="Leave --edit-makefile out."
        )
    wishes = read_wishes(order.wishes, order.extra)
    machine = name_folders(machine)
    recipe = project.recipe
    wants_opencv = (
        wishes.opencv is not False and recipe.opencv4 and (recipe.needs_opencv or "OPENCV" in recipe.known)
    )
    installs = machine.opencv is None and wants_opencv and may_install(machine, order.apt, is_colab=is_colab)
    if installs:
        # As if it were there; what is really there is looked at once it is.
        machine = replace(machine, opencv=OpenCv("", "opencv4"))
    choice = choose_switches(machine, recipe, wishes)
    jobs = order.jobs or choose_jobs(machine)
    commands = make_commands(project, choice.switches, machine, environ, jobs=jobs, extra=order.extra)
    return Plan(order, project, machine, choice.switches, commands, choice.notes, installs)


def read_wishes(wishes: Wishes, extra: tuple[str, ...]) -> Wishes:
    """The same with the switches that are among the user's words for make: GPU=0, say, or ARCH=..."""
    chosen: dict[str, Any] = {}
    for word in extra:
        match = _ASSIGNMENT.fullmatch(word)
        if match and match[1] in SWITCHES and match[2] in {"0", "1"}:
            chosen[match[1].lower()] = match[2] == "1"
        elif match and match[1] == ARCH:
            chosen["arch"] = match[2]
    return replace(wishes, **chosen)


def set_switches(plan: Plan) -> bool:
    """Set the switches in the tree's Makefile, the original of which becomes Makefile.orig; whether that changed it.

    Raises:
        TreeError: it cannot be read.
        LocalWriteError: the disk cannot take it.
    """
    path = plan.order.tree / MAKEFILE
    before = read_text(path)
    after = edit_makefile(before, plan.switches.settings(plan.project.recipe.known))
    if after == before:
        return False
    original = path.with_name(f"{MAKEFILE}.orig")
    with local_errors(original):
        if not original.exists():
            write_atomically(original, before.encode("utf-8", "surrogateescape"))
    write_atomically(path, after.encode("utf-8", "surrogateescape"))
    return True
