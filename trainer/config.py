"""What is to be trained: the names that the user gave, or the tutorial's, resolved once against a tree."""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from drivesync.disk import local_errors, write_atomically
from drivesync.files import STATE_FOLDER as DRIVESYNC_FOLDER
from trainer.checkpoint import RUN_FILE, name_run, read_network, read_recorded
from trainer.darknet.data import parse_data
from trainer.darknet.program import Flavour, flavour_of, refuse_weights
from trainer.errors import NoDarknetError, TreeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainer.darknet.cfg import Network
    from trainer.darknet.data import DataFile

STATE_FOLDER = ".trainer"
"""What trainer keeps in a tree for itself."""

DEFAULT_DATA = "cfg/remote.data"
DEFAULT_CFG = "cfg/remote.cfg"
DEFAULT_BACKUP = "backup"
DEFAULT_WEIGHTS = "yolov4-tiny.conv.29"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for; None and empty stand for the defaults.

    Attributes:
        tree: the darknet tree.
        data, cfg: relative to the tree, or absolute within it.
        weights: pretrained, to start from where there is no checkpoint.
        darknet: the program.
        extra: further flags for darknet.
    """

    tree: Path
    data: str | None = None
    cfg: str | None = None
    weights: str | None = None
    darknet: str | None = None
    extra: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """What is being trained. ``data``, ``cfg``, ``backup`` and ``pretrained`` are POSIX paths relative to the tree.

    Attributes:
        tree: absolute.
        data: the .data file.
        cfg: the .cfg file.
        network: what the cfg says.
        said: what the .data file says.
        backup: the directory for checkpoints, which the .data file names.
        pretrained: weights to start from where there is no checkpoint; None starts from random ones.
        program: the darknet program, absolute.
        flavour: which darknet it is.
        extra: the user's own flags for it.
        flavour_known: False where the program's bytes do not tell, and ``flavour`` is what it is taken for until it
            says something that only another one says.
    """

    tree: Path
    data: str
    cfg: str
    network: Network
    said: DataFile
    backup: str
    pretrained: str | None
    program: Path
    flavour: Flavour
    extra: tuple[str, ...]
    flavour_known: bool = True

    @property
    def base(self) -> str:
        """What the names of the run's weights files begin with."""
        return PurePosixPath(self.cfg).stem

    @property
    def name(self) -> str:
        """What drivesync calls the run: only one session at a time may push what is of it."""
        return name_run(self.backup, self.base)

    @property
    def best(self) -> str:
        """Where darknet keeps its best weights."""
        return f"{self.backup}/{self.base}_best.weights"

    @property
    def patterns(self) -> tuple[str, ...]:
        """The run's checkpoints, as globs below the tree."""
        return checkpoint_patterns(self.name)


def checkpoint_patterns(run: str) -> tuple[str, ...]:
    """Globs of a run's checkpoints, and of no other run's: those may be another session's."""
    begin = escape(run)
    return f"{begin}_*.weights", f"{begin}.weights", f"{begin}.backup"


def resolve_run(wishes: Wishes) -> Run:
    """Find everything that a training needs, and read what it says.

    Raises:
        TreeError: a file is missing or wrong.
        NoDarknetError: there is no darknet program.
    """
    tree = wishes.tree.resolve()
    data = _inside(tree, wishes.data or DEFAULT_DATA, "--data", "*.data")
    cfg = _inside(tree, wishes.cfg or DEFAULT_CFG, "--cfg", "*.cfg")
    _check_name(cfg)
    network = read_network(tree / cfg, cfg)
    if network.max_batches < 1:
        raise TreeError(
            f"{cfg} has no max_batches", hint="Give it one in [net]: classes * 2000, at least 6000."
        )
    try:
        said = parse_data((tree / data).read_text("utf-8", "replace"), data)
    except OSError as error:
        raise TreeError(f"{data} cannot be read: {error.strerror}") from error
    program = find_program(tree, wishes.darknet)
    told = _read_flavour(program)
    # A script around darknet, most likely; AlexeyAB's is the one that this project's users build.
    flavour = told or Flavour.AX
    return Run(
        tree=tree,
        data=data,
        cfg=cfg,
        network=network,
        said=said,
        backup=_backup(tree, data, said.backup),
        pretrained=_pretrained(tree, wishes.weights, flavour),
        program=program,
        flavour=flavour,
        extra=wishes.extra,
        flavour_known=told is not None,
    )


def recognise(run: Run, flavour: Flavour) -> Run:
    """The run, now that its program has said which darknet it is; what that does not load is left out."""
    usable = not (run.pretrained == DEFAULT_WEIGHTS and refuse_weights(flavour, run.pretrained))
    pretrained = run.pretrained if usable else None
    return replace(run, flavour=flavour, flavour_known=True, pretrained=pretrained)


def foresee_run(wishes: Wishes, read: Callable[[str], bytes | None]) -> str:
    """The run's name as ``resolve_run`` will find it, before the tree is here; empty where it cannot be told.

    Args:
        wishes: as for ``resolve_run``.
        read: the content of a file of the tree, given by its path there; None if there is none.
    """
    tree = wishes.tree.resolve()
    data = _relative(tree, Path(os.path.normpath(tree / (wishes.data or DEFAULT_DATA))))
    content = read(data) if data else None
    if data is None or content is None:
        return ""
    try:
        backup = _backup(tree, data, parse_data(content.decode("utf-8", "replace"), data).backup)
    except TreeError:
        return ""  # to be said once the tree is here
    return name_run(backup, PurePosixPath(wishes.cfg or DEFAULT_CFG).stem)


def record_run(run: Run) -> None:
    """Leave word in the tree of what is trained there, so that its checkpoints can be judged by others.

    Raises:
        LocalWriteError: the disk cannot take it.
    """
    path = run.tree / RUN_FILE
    with local_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(
        path, json.dumps({"data": run.data, "cfg": run.cfg, "backup": run.backup}).encode() + b"\n"
    )


def trained_backup(tree: Path) -> Path:
    """The folder for the checkpoints of what is trained in ``tree``, or was last; metrics and chart lie there, too."""
    return tree / (read_recorded(tree, "backup") or DEFAULT_BACKUP)


def _inside(tree: Path, name: str, option: str, pattern: str) -> str:
    path = Path(os.path.normpath(tree / name))
    if not os.path.isfile(path):  # noqa: PTH113 - a Path raises where the name is none, a byte 0 in it, say
        others = sorted(other.relative_to(tree).as_posix() for other in (tree / "cfg").glob(pattern))
        there = f"; there are {', '.join(others[:5])}" if others else ""
        raise TreeError(f"there is no {name} in {tree}{there}", hint=f"Name the file with {option}.")
    relative = _relative(tree, path)
    if relative is None:
        raise TreeError(f"{path} lies outside {tree}", hint=f"{option} names a file in the tree.")
    return relative


def _check_name(cfg: str) -> None:
    # darknet cuts the name at its first dot (basecfg in its utils.c), and two cfgs would share their weights files.
    path = PurePosixPath(cfg)
    if "." in path.stem:
        base = path.name.partition(".")[0]
        hint = f"Call it {path.stem.replace('.', '-')}.cfg, say."
        raise TreeError(
            f"{cfg} has a dot in its name, and darknet would call its weights {base}_last", hint=hint
        )


def _relative(tree: Path, path: Path) -> str | None:
    """``path``, absolute and normal, as seen from the resolved ``tree``; None if it is the tree, outside or no name."""
    try:
        path.lstat()
    except ValueError:  # a byte 0 in it
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return None
    # The user may have named the tree by a link; and a folder in it may be one, and lead anywhere.
    for place in (path, path.parent.resolve() / path.name):
        if place != tree and place.is_relative_to(tree):
            return place.relative_to(tree).as_posix()
    return None


def _backup(tree: Path, data: str, backup: str) -> str:
    # darknet joins the path with a slash of its own, and resolves it against its working directory, the tree.
    place = _relative(tree, Path(os.path.normpath(tree / backup)))
    if place is None:
        raise TreeError(
            f"{data}: backup = {backup} is not a directory within the tree, so checkpoints could not be kept safe",
            hint="Write `backup = backup/` there.",
        )
    if (first := PurePosixPath(place).parts[0]) in {DRIVESYNC_FOLDER, STATE_FOLDER}:
        raise TreeError(
            f"{data}: backup = {backup} lies in {first}, of which no checkpoint is ever pushed",
            hint="Write `backup = backup/` there.",
        )
    return place


def _pretrained(tree: Path, weights: str | None, flavour: Flavour) -> str | None:
    if weights is None:
        usable = (tree / DEFAULT_WEIGHTS).is_file() and not refuse_weights(flavour, DEFAULT_WEIGHTS)
        return DEFAULT_WEIGHTS if usable else None
    if not (tree / weights).is_file():
        raise TreeError(
            f"there is no {weights} in {tree}", hint="Name the pretrained weights with --weights."
        )
    if refused := refuse_weights(flavour, weights):
        raise TreeError(refused)
    return weights


def find_program(tree: Path, given: str | None) -> Path:
    """The darknet that trains ``tree``: the one that is ``given``, else the tree's own, else the one on PATH.

    Raises:
        NoDarknetError: there is none.
    """
    own = tree / "darknet"
    if given is not None:
        found = shutil.which(given) if "/" not in given else str(Path(given).resolve())
        if found is None or not os.access(found, os.X_OK) or not Path(found).is_file():
            raise NoDarknetError(f"{given} is no program that can be run")
        return Path(found).resolve()
    if own.is_file() and os.access(own, os.X_OK):
        return own
    found = shutil.which("darknet")
    if found is None:
        raise NoDarknetError(
            f"there is no darknet program in {tree} and none on PATH",
            hint="Build it with make in the tree, install the package darknet, or name one with --darknet.",
        )
    return Path(found).resolve()


def _read_flavour(program: Path) -> Flavour | None:
    try:
        return flavour_of(program.read_bytes())
    except OSError as error:
        raise NoDarknetError(f"{program} cannot be read: {error.strerror}") from error
