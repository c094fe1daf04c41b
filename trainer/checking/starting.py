"""What a training starts from: the pretrained weights that are named, those of the tutorial, or none."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding, Severity
from trainer.checking.texts import ENDS
from trainer.checking.weights import CLEAR, check_absence, check_weights, fits, is_pretrained
from trainer.config import DEFAULT_CFG, DEFAULT_WEIGHTS
from trainer.darknet.size import HEADER_BYTES
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trainer.config import Wishes
    from trainer.darknet.cfg import Network
    from trainer.darknet.program import Flavour


def check_start(
    wishes: Wishes, tree: Path, network: Network, backup: str | None, flavour: Flavour
) -> Iterator[Finding]:
    """Find what is wrong with what a training starts from.

    Args:
        wishes: what is to be trained.
        tree: absolute.
        network: of the cfg.
        backup: the directory for weights, relative to the tree; None where nobody can say.
        flavour: which darknet trains.
    """
    path = wishes.weights or DEFAULT_WEIGHTS
    place = tree / path
    if not os.path.isfile(place):  # noqa: PTH113 - as Path.is_file, but it never raises
        if wishes.weights:
            yield Finding(
                Severity.ERROR, "no-file", path, None, f"There are no pretrained weights {path}.",
                f"{ENDS[:-1]}, and hank-ai's trains from random weights.",
                "Put them there, or name others with --weights.",
            )  # fmt: skip
        elif backup is not None and not _has_begun(tree / backup, wishes.cfg or DEFAULT_CFG):
            yield from _check_absence(tree, network, flavour)
        return
    try:
        for finding in check_weights(
            *_read_head(place), network, path, flavour=flavour, clear=CLEAR in wishes.extra
        ):
            # Weights that nobody has asked for are left out then.
            left_out = finding.code == "weights-name" and not wishes.weights
            yield replace(finding, severity=Severity.WARNING) if left_out else finding
    except OSError as error:
        what = f"It cannot be read: {error.strerror or error}."
        fix = "Make it a file that can be read."
        yield Finding(Severity.ERROR, "unreadable", path, None, what, ENDS, fix)
    except TreeError:
        pass  # said of the network: what is not known of its layers is not known of their weights


def _has_begun(backup: Path, cfg: str) -> bool:
    """Whether there are weights of this training to go on from."""
    base = PurePosixPath(cfg).stem
    try:
        return any(one.name.startswith((f"{base}_", f"{base}.")) for one in backup.iterdir())
    except (OSError, ValueError):
        return False


def _check_absence(tree: Path, network: Network, flavour: Flavour) -> Iterator[Finding]:
    """Say so where there are weights to start from, in the tree or elsewhere."""
    fitting: list[str] = []
    others: list[str] = []
    for place in sorted(tree.iterdir()):
        if is_pretrained(place.name) and place.is_file():
            (fitting if _would_start(network, place, flavour) else others).append(place.name)
    finding = check_absence(network, DEFAULT_WEIGHTS, fitting=fitting, others=others, flavour=flavour)
    if finding is not None:
        yield finding


def _would_start(network: Network, place: Path, flavour: Flavour) -> bool:
    try:
        return fits(*_read_head(place), network, place.name, flavour)
    except (OSError, TreeError):
        return False


def _read_head(place: Path) -> tuple[bytes, int]:
    """A weights file's header, and the size of the whole file in bytes."""
    with place.open("rb") as file:
        return file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size
