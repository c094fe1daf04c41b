"""Look at all that a training here needs: the machine, darknet, the tree, and the place that checkpoints go to."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from drivesync.config import DEFAULT_REMOTE
from drivesync.errors import SettingsError
from drivesync.tree import target_of
from trainer.checkpoint import name_run
from trainer.config import DEFAULT_BACKUP, DEFAULT_CFG, find_program, foresee_run
from trainer.darknet.program import Flavour, flavour_of
from trainer.doctoring.hardware import judge_machine
from trainer.doctoring.packages import judge_packages
from trainer.doctoring.probing import Probe, run_probes
from trainer.doctoring.program import judge_program
from trainer.doctoring.remote import Question, judge_remote
from trainer.doctoring.room import judge_disk, read_keep_numbered, read_savings
from trainer.doctoring.tree import judge_tree
from trainer.errors import NoDarknetError
from trainer.machine.asking import TIMEOUT_S
from trainer.machine.look import look_at_machine
from trainer.mounted import find_mount
from trainer.place import training_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from drivesync.config import Settings
    from trainer.config import Wishes
    from trainer.doctoring.lines import Line
    from trainer.doctoring.room import Savings

Found = TypeVar("Found")

LOCAL_TIMEOUT_S = 30.0
REMOTE_TIMEOUT_S = 30.0
_MOUNT_HINT = "See whether what it lies on still answers."
_RETRIES = 2
"""Of one request to Drive: a doctor is asked how things stand now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long it may take, in seconds.

    Attributes:
        program_s: each program of this machine that is asked what it is, see ``look_at_machine``.
        local_s: all that lies on this machine.
        remote_s: all that does not.
    """

    program_s: float = TIMEOUT_S
    local_s: float = LOCAL_TIMEOUT_S
    remote_s: float = REMOTE_TIMEOUT_S


def examine(
    wishes: Wishes,
    environ: Mapping[str, str],
    read_settings: Callable[[], Settings] | None,
    *,
    remote: str | None = None,
    limits: Limits = Limits(),
) -> tuple[Line, ...]:
    """All lines, those of one topic together: the machine first, then the tree, then the remote. Never raises.

    Args:
        wishes: what is, or would be, trained; the tree need not be there.
        environ: of this process.
        read_settings: drivesync's settings; None to leave the remote out.
        remote: where checkpoints go; None for what the tree remembers.
        limits: see there.
    """
    machine = _begin(lambda: look_at_machine(environ, timeout_s=limits.program_s))
    home = _begin(lambda: _find_home(wishes.tree))
    local_s = limits.local_s

    def has_darknet() -> bool:
        return _read_flavour(home.result(), wishes) is not None

    here = [
        Probe("machine", lambda: judge_machine(machine.result(), has_darknet), local_s),
        Probe(
            "darknet",
            lambda: [judge_program(home.result(), wishes.darknet, machine.result(), environ)],
            local_s,
        ),
        Probe("Python", judge_packages, local_s),
        Probe("tree", lambda: judge_tree(wishes.tree), local_s, _MOUNT_HINT),
        Probe("disk", lambda: [judge_disk(home.result(), _read_savings(home.result(), wishes))], local_s),
    ]
    if read_settings is None:
        return run_probes(here)

    def look_at_remote() -> Iterator[Line]:
        settings = read_settings()
        settings = replace(settings, retries=min(settings.retries, _RETRIES))
        return judge_remote(_ask(home.result(), wishes, environ, remote), settings)

    there = Probe("remote", look_at_remote, limits.remote_s, "See whether this machine has a network.")
    return run_probes([*here, there])


def _begin(look: Callable[[], Found]) -> Future[Found]:
    """Look aside, for several probes that want the same."""
    found: Future[Found] = Future()

    def run() -> None:
        try:
            found.set_result(look())
        # Raised again by each who asks for the result.
        except Exception as error:  # noqa: BLE001
            found.set_exception(error)

    threading.Thread(target=run, name="doctor looks", daemon=True).start()
    return found


def _find_home(tree: Path) -> Path:
    """Where ``tree`` is trained: in itself, or in a copy on a disk of this machine."""
    with suppress(SettingsError):
        return training_place(tree) if find_mount(tree) else tree
    return tree


def _ask(home: Path, wishes: Wishes, environ: Mapping[str, str], remote: str | None) -> Question:
    tree = wishes.tree

    def read(path: str) -> bytes | None:
        with suppress(OSError):
            return (tree / path).read_bytes()
        return None

    cfg = PurePosixPath(wishes.cfg or DEFAULT_CFG).stem
    return Question(
        name=remote or target_of(home, DEFAULT_REMOTE),
        run=foresee_run(wishes, read) or name_run(DEFAULT_BACKUP, cfg),
        home=home,
        has_tree=tree.is_dir(),
        savings=_read_savings(home, wishes),
        keep_numbered=read_keep_numbered(tree, environ),
    )


def _read_savings(home: Path, wishes: Wishes) -> Savings | None:
    return read_savings(wishes, _read_flavour(home, wishes) or Flavour.AX)


def _read_flavour(home: Path, wishes: Wishes) -> Flavour | None:
    """Of the darknet that is here; AlexeyAB's where its bytes do not tell, None if there is none."""
    with suppress(NoDarknetError, OSError):
        return flavour_of(find_program(home, wishes.darknet).read_bytes()) or Flavour.AX
    return None
