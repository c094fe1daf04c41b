"""Builds the darknet of a tree for the machine at hand, or finds that it was built: here, or on a machine like it.

::

    look ▸ choose ▸ built already? ▸ kept on the remote? ▸ stale objects go ▸ make ▸ prove ▸ put in place ▸ keep
    TREE/.trainer/build.json   what was built last, see ``record``
    TREE/.trainer/build.log    all that the last build printed
    TREE/.trainer/apt.log      what apt-get printed, where OpenCV was installed
    TREE/.trainer/build.lock   one build at a time
    TREE/.trainer/new/         a program that is not yet proven: TREE/darknet is replaced by it at once, or not at all
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from drivesync.daemon import JobLock
from drivesync.disk import local_errors
from drivesync.errors import UnfinishedError
from trainer.background import running_pid
from trainer.building.apt import install_opencv
from trainer.building.compiling import Interrupted, compile_all
from trainer.building.faults import explain
from trainer.building.fetched import allow_run, discard, place
from trainer.building.plan import plan_build, set_switches
from trainer.building.products import PROGRAM, are_unchanged, gather, make_room, put_in_place, sum_up
from trainer.building.project import NEW, Tool, find_project, require_tools
from trainer.building.proof import prove
from trainer.building.record import BuildRecord, State, read_record, write_record
from trainer.building.stale import find_stale, remove, stamp_objects
from trainer.config import STATE_FOLDER, find_program
from trainer.darknet.program import flavour_of
from trainer.errors import NoDarknetError, TreeError
from trainer.machine.look import look_at_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from drivesync.progress import Reporter
    from trainer.building.cache import BuildCache
    from trainer.building.plan import Order, Plan
    from trainer.building.proof import Proof
    from trainer.darknet.program import Flavour

_COLAB = Path("/content")


@dataclass(frozen=True, slots=True)
class Built:
    """What came of it.

    Attributes:
        program: that trains the tree from now on.
        where_from: "compiled"; "cache", compiled in an earlier session; "ready", nothing had to be done; "found", there
            is nothing to build in the tree, and this is the program that trains it.
        flavour: which darknet it is; None where that cannot be told.
        kept: it is kept for the next session, or was.
    """

    program: Path
    where_from: str
    flavour: Flavour | None = None
    kept: bool = False


def build_log(tree: Path) -> Path:
    """What the last build of ``tree`` printed."""
    return tree / STATE_FOLDER / "build.log"


def plan_tree(order: Order, environ: Mapping[str, str]) -> Plan | None:
    """Look at a tree and at this machine: what is to be built; None if there is nothing to build in the tree.

    Raises:
        SettingsError: something was asked for that is not to be had here.
        TreeError: a file of the tree cannot be read, or the Makefile is not a darknet's.
        UsageError: there is no Makefile to edit.
    """
    project = find_project(order.tree)
    if project is None:
        return None
    return plan_build(order, project, look_at_machine(environ), environ, is_colab=_COLAB.is_dir())


def find_darknet(tree: Path) -> Built:
    """What trains a tree in which there is nothing to build: a program of its own, or the one on PATH.

    Raises:
        NoDarknetError: there is none.
    """
    try:
        program = find_program(tree, None)
    except NoDarknetError as error:
        said = f"there is nothing to build in {tree}: no Makefile, no CMakeLists.txt, and no darknet on PATH"
        hint = "Put darknet's source there, from https://github.com/AlexeyAB/darknet say; or install it by apt-get."
        raise NoDarknetError(said, hint=hint) from error
    with local_errors(program, "read"):
        return Built(program, "found", flavour_of(program.read_bytes()))


def build(
    plan: Plan,
    reporter: Reporter,
    open_cache: Callable[[], AbstractContextManager[BuildCache]],
    environ: Mapping[str, str] = os.environ,
) -> Built:
    """Have the tree's program be what the plan says.

    Args:
        plan: of ``plan_tree``.
        reporter: told what is done, and how far it is.
        open_cache: opens where built programs are kept; asked only if something has to be built.
        environ: as for the plan.

    Raises:
        Interrupted: the compilers have ended; the program that was there is as it was.
        LocalWriteError: the disk cannot take it.
        NotFoundError: there is no compiler.
        TreeError: it could not be compiled, or what came of it is not what was asked for.
        UnfinishedError: another build is at work in the tree.
    """
    tree = plan.order.tree
    with JobLock(tree / STATE_FOLDER / "build", lambda pid: _refuse(tree, pid)):
        if plan.installs_opencv:
            plan = _with_opencv(plan, reporter, environ)
        for note in plan.notes:
            reporter.note(note)
        if plan.order.edit_makefile and set_switches(plan):
            reporter.note("the switches are set in Makefile; as it was it is kept as Makefile.orig")
        return _Building(plan, reporter).run(open_cache)


class _Building:
    """One build, under the tree's lock."""

    def __init__(self, plan: Plan, reporter: Reporter) -> None:
        self._plan = plan
        self._tree = plan.order.tree
        self._reporter = reporter
        self._key = plan.key

    def run(self, open_cache: Callable[[], AbstractContextManager[BuildCache]]) -> Built:
        if not self._plan.order.clean and (ready := self._find_ready()):
            return ready
        if running_pid(self._tree):
            self._reporter.note(
                "darknet trains here now: it goes on as it is, and the new program is its next one"
            )
        with open_cache() as cache:
            if not self._plan.order.clean and (fetched := self._fetch(cache)):
                return fetched
            proof, paths = self._compile()
            kept = cache.store(self._key, self._tree, paths)
        return Built(self._tree / PROGRAM, "compiled", proof.flavour, kept)

    def _find_ready(self) -> Built | None:
        """What was built here before, if it still is what it was and what is asked for."""
        record = read_record(self._tree)
        if record is None or record.state is not State.ENDED or record.inputs != self._key.name:
            return None
        if not are_unchanged(self._tree, record.products):
            return None
        proof = self._prove(self._tree, record.products)
        if proof.problem:
            self._reporter.note(f"{self._tree / PROGRAM} was built, but {proof.problem}: it is built anew")
            return None
        return Built(self._tree / PROGRAM, "ready", proof.flavour)

    def _fetch(self, cache: BuildCache) -> Built | None:
        """What was built on another machine like this one, if it does here."""
        fetched = cache.fetch(self._key, self._tree)
        if fetched is None:
            return None
        paths = [product.path for product in fetched.products]
        allow_run(fetched)
        proof = self._prove(fetched.folder, paths)
        if proof.problem:
            self._reporter.note(
                f"what {cache.place} keeps of an earlier build {proof.problem}: it is compiled anew"
            )
            discard(fetched)
            return None
        place(fetched, self._tree)
        # Its objects are not here, and those that are here are not its.
        self._record(paths, {}, where_from="cache")
        return Built(self._tree / PROGRAM, "cache", proof.flavour, kept=True)

    def _compile(self) -> tuple[Proof, tuple[str, ...]]:
        plan, tree, log = self._plan, self._tree, build_log(self._tree)
        require_tools(plan.project, plan.switches, plan.machine)
        self._remove_stale()
        make_room(tree)
        write_record(tree, BuildRecord(State.BUILDING, self._key.name))
        try:
            failed = compile_all(plan.commands, tree, log, self._reporter)
        except Interrupted as interrupted:
            if interrupted.in_order:
                self._record((), self._stamps())
            raise
        paths = gather(plan.project, tree) if not failed else ()
        if not paths:
            self._record((), self._stamps())
            raise _explain(tree, log)
        proof = self._prove(tree / NEW, paths)
        if proof.problem:
            # Objects that give such a program are no better.
            raise TreeError(
                f"the darknet that was built in {tree} {proof.problem}", hint=_hint(proof.remedy, log=log)
            )
        put_in_place(tree, paths)
        self._record(paths, self._stamps())
        return proof, paths

    def _remove_stale(self) -> None:
        plan = self._plan
        folder = self._tree / plan.project.objects
        stale = find_stale(
            self._tree, folder, read_record(self._tree), self._key.name, clean=plan.order.clean
        )
        if stale.objects:
            self._reporter.note(
                f"objects of an earlier build are removed ({len(stale.objects)}): {stale.why}"
            )
        remove(stale.objects)
        if stale.why and plan.project.tool is Tool.CMAKE:
            # Its configuration is as old as they are.
            remove([folder])

    def _prove(self, folder: Path, paths: Iterable[str]) -> Proof:
        companions = [folder / path for path in paths if path != PROGRAM]
        return prove(folder / PROGRAM, self._plan.switches, companions)

    def _stamps(self) -> dict[str, tuple[int, int]]:
        return stamp_objects(self._tree, self._tree / self._plan.project.objects)

    def _record(
        self, paths: Iterable[str], objects: dict[str, tuple[int, int]], where_from: str = "compiled"
    ) -> None:
        products = sum_up(self._tree, paths)
        write_record(self._tree, BuildRecord(State.ENDED, self._key.name, objects, products, where_from))


def _with_opencv(plan: Plan, reporter: Reporter, environ: Mapping[str, str]) -> Plan:
    """The plan once OpenCV's development files are installed; or, where that failed, one that does without."""
    order = replace(plan.order, apt=False)
    reporter.note("OpenCV's development files are installed by apt-get, which may take minutes")
    problem = install_opencv(plan.machine, order.tree, order.tree / STATE_FOLDER / "apt.log")
    if problem:
        reporter.note(problem)
    return plan_build(order, plan.project, look_at_machine(environ), environ, is_colab=False)


def _explain(tree: Path, log: Path) -> TreeError:
    """What the output of a failed build says of it."""
    try:
        lines = log.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    fault = explain(lines)
    what = fault.error if fault.place in fault.error else f"{fault.place}: {fault.error}"
    said = f"darknet in {tree} could not be built: {what or 'no program came of it'}"
    return TreeError(said, hint=_hint(fault.cause, fault.remedy, log=log))


def _hint(*sentences: str, log: Path) -> str:
    return " ".join([*filter(None, sentences), f"All that was printed is in {log}."])


def _refuse(tree: Path, pid: int | None) -> UnfinishedError:
    who = f" (process {pid})" if pid else ""
    return UnfinishedError(
        f"another build{who} is at work in {tree}", hint="Wait for it to end, and run this again."
    )
