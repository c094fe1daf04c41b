"""Looks into weights files: for the supervisor, which resumes from them, and for drivesync, which pushes them.

Files are read in blocks, never mapped: darknet truncates the file it writes, and a process that touches a mapped page
beyond a file's new end is killed with SIGBUS. A file that changes while it is read is refused, and may be read again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from drivesync import files
from trainer.curves.metrics import CHART_NAME, METRICS_NAME
from trainer.curves.tensorboard import EVENTS_PATH
from trainer.darknet.cfg import Network, parse_cfg
from trainer.darknet.size import FLOAT_BYTES, HEADER_BYTES
from trainer.darknet.weights import Checkpoint, CheckpointName, Kind, Verdict, judge, name_of, parse_header
from trainer.errors import TreeError
from trainer.learning.history import ATTEMPTS_FILE
from trainer.learning.learned import LEARNED_FILE
from trainer.score import find_score
from trainer.starts import refuse_outlived

if TYPE_CHECKING:
    from collections.abc import Callable

RUN_FILE = ".trainer/run.json"
"""In a tree: what is being trained there, ``{"cfg": "cfg/remote.cfg", ...}``; written by ``trainer supervise``."""

_ROLES = {
    Kind.LAST: files.Role.LAST,
    # The original's _last under another name: written over every hundred iterations.
    Kind.BACKUP: files.Role.LAST,
    Kind.BEST: files.Role.BEST,
    Kind.NUMBERED: files.Role.NUMBERED,
    Kind.FINAL: files.Role.FINAL,
    # Averages, from which nothing can be resumed: in no role may they stand in for what can be.
    Kind.EMA: files.Role.OTHER,
    Kind.PLAIN: files.Role.OTHER,
}

_BLOCK_BYTES = 1 << 20  # stays in the processor's cache between being read and being checked
_CFG_MAX_BYTES = 1 << 20
"""A longer file is no cfg, and is not read to find that out."""


def read_network(path: Path, source: str | None = None) -> Network:
    """Read a cfg from disk.

    Args:
        path: of the file.
        source: what messages call it; the path where None.

    Raises:
        TreeError: it cannot be read, or is no cfg.
    """
    source = source or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_CFG_MAX_BYTES + 1)
    except OSError as error:
        raise TreeError(f"{source}: {error.strerror or error}") from error
    if len(raw) > _CFG_MAX_BYTES:
        raise TreeError(f"{source}: is too long for a cfg")
    return parse_cfg(raw.decode("utf-8", "replace"), source)


def read_checkpoint(path: Path, network: Network) -> Checkpoint:
    """Look into a weights file; one that cannot be read, or changes meanwhile, is not whole.

    Raises:
        ValueError: the path is not that of a weights file.
        TreeError: the network has layers whose size is not known.
    """
    name = name_of(path.name)
    if name is None:
        raise ValueError(f"{path} is not named like a weights file")
    try:
        with path.open("rb", buffering=0) as file:
            return _read(path, name, file, network)
    except OSError as error:
        verdict = Verdict(whole=False, reason=f"it cannot be read ({error.strerror or error})")
        return Checkpoint(path, name, 0, 0.0, verdict)


def read_claim(path: Path, network: Network) -> int:
    """The images that a weights file was trained with by its size and its head alone, in no time; 0 if it is torn.

    Raises:
        OSError: it cannot be read.
        TreeError: the network has layers whose size is not known.
    """
    with path.open("rb", buffering=0) as file:
        head = file.read(HEADER_BYTES)
        return judge(head, os.fstat(file.fileno()).st_size, network, finite=True).seen or 0


def read_recorded(tree: Path, key: str) -> str:
    """What ``RUN_FILE`` says of the run that is trained in ``tree``, or was last: ``data``, ``cfg`` or ``backup``.

    Empty where nobody can tell.
    """
    try:
        said = json.loads((tree / RUN_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    value = said.get(key) if isinstance(said, dict) else None
    return value if isinstance(value, str) else ""


def _read(path: Path, name: CheckpointName, file: BinaryIO, network: Network) -> Checkpoint:
    before = os.fstat(file.fileno())
    head = file.read(HEADER_BYTES)
    verdict = judge(head, before.st_size, network, finite=True)
    if verdict.whole:
        file.seek(parse_header(head).size_bytes)
        verdict = judge(head, before.st_size, network, finite=_all_finite(file))
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            verdict = Verdict(whole=False, reason="it was written to while it was read")
    return Checkpoint(path, name, before.st_size, before.st_mtime, verdict)


def _all_finite(file: BinaryIO) -> bool:
    """Whether the rest of a file is numbers that are neither NaN nor infinite, and nothing else."""
    block = bytearray(_BLOCK_BYTES)
    raw, numbers = memoryview(block), np.frombuffer(block, dtype="<f4")
    filled = 0
    while count := file.readinto(raw[filled:]):  # type: ignore[attr-defined]  # raw files have it, typeshed lacks it
        filled += count
        whole = filled // FLOAT_BYTES
        if not np.isfinite(numbers[:whole]).all():
            return False
        rest = filled % FLOAT_BYTES
        raw[:rest] = raw[filled - rest : filled]
        filled = rest
    return filled == 0


def find_weights(directory: Path, base: str) -> list[Path]:
    """The weights files of a run in a directory, sorted.

    Args:
        directory: one that exists.
        base: what their names begin with.

    Raises:
        OSError: it cannot be listed.
    """
    return sorted(
        path
        for path in directory.iterdir()
        if (name := name_of(path.name)) and name.base == base and path.is_file()
    )


class _Acceptor:
    """Judges what drivesync is about to push; remembers each cfg that it has parsed until it changes."""

    def __init__(self) -> None:
        self._networks: dict[tuple[Path, int, int], Network] = {}

    def __call__(self, tree: Path, relative_path: str, snapshot: Path) -> files.Verdict:
        path = PurePosixPath(relative_path)
        name = name_of(path.name)
        if name is None:
            return files.Verdict(accepted=True, run=_run_shown_by(tree, path))
        cfg = find_cfg(tree, name.base)
        if cfg is None:
            return files.Verdict(accepted=False, reason=f"there is no {name.base}.cfg to check it by")
        try:
            network = self._network(
                cfg, cfg.relative_to(tree).as_posix() if cfg.is_relative_to(tree) else str(cfg)
            )
            with snapshot.open("rb", buffering=0) as file:
                verdict = _read(snapshot, name, file, network).verdict
        except OSError as error:
            return files.Verdict(accepted=False, reason=f"it cannot be read ({error.strerror or error})")
        except TreeError as error:
            return files.Verdict(accepted=False, reason=str(error))
        if verdict.iteration is None:
            return files.Verdict(accepted=False, reason=verdict.reason)
        best = name.kind is Kind.BEST
        return files.Verdict(
            accepted=True,
            iteration=verdict.iteration,
            run=name_run(path.parent.as_posix(), name.base),
            role=_ROLES[name.kind],
            score=find_score(tree, relative_path, verdict.iteration) if best else None,
            progress=verdict.seen,
        )

    def refuse_run(self, tree: Path, run: str, read: Callable[[str], bytes | None]) -> str:
        return refuse_outlived(tree, run, read)

    def _network(self, path: Path, source: str) -> Network:
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._networks:
            self._networks[key] = read_network(path, source)
        return self._networks[key]


def acceptor() -> _Acceptor:
    """What drivesync asks, through the entry point ``drivesync.accept``, before it pushes a file.

    The answer is called with the tree, the file's path in it, and an immutable copy of the file. Weights files are
    accepted if they are whole by the cfg of their name; all other files are accepted. The metrics, the chart and
    the history of the run that is being trained are the run's too, so that only the session that trains it pushes them.
    Nor is anything pushed of a run that was started over meanwhile (``starts``).
    """
    return _Acceptor()


def name_run(backup: str, base: str) -> str:
    """What drivesync calls the run whose weights files, in the folder ``backup``, begin with ``base``."""
    return f"{backup}/{base}"


def find_cfg(tree: Path, base: str) -> Path | None:
    """The cfg whose weights files begin with ``base``: the running one, else one in ``cfg/``, else one in the root."""
    candidates = [tree / "cfg" / f"{base}.cfg", tree / f"{base}.cfg"]
    running = _running_cfg(tree)
    if running is not None and running.stem == base:
        candidates.insert(0, running)
    return next((path for path in candidates if path.is_file()), None)


def _running_cfg(tree: Path) -> Path | None:
    cfg = read_recorded(tree, "cfg")
    return tree / cfg if cfg else None


def _run_shown_by(tree: Path, path: PurePosixPath) -> str:
    """The run of which ``path`` tells, by metrics, chart or history; empty if it is none of these."""
    cfg, backup = read_recorded(tree, "cfg"), read_recorded(tree, "backup")
    shown = path.as_posix() in {f"{backup}/{name}" for name in (METRICS_NAME, CHART_NAME, EVENTS_PATH)}
    shown = shown or path.as_posix() in {ATTEMPTS_FILE, LEARNED_FILE}
    return name_run(backup, PurePosixPath(cfg).stem) if cfg and shown else ""
