"""Before darknet starts: what the quick part of ``check`` finds is told, and a start that would be in vain refused."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from trainer.candidates import find_candidates, find_highest
from trainer.checking.check import check
from trainer.checking.findings import Severity
from trainer.checkpoint import read_claim, read_recorded
from trainer.curves.metrics import CHART_NAME, METRICS_NAME
from trainer.darknet.weights import Kind, name_of
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trainer.checking.check import Report
    from trainer.checking.findings import Finding
    from trainer.config import Run, Wishes

_CURED = frozenset({"no-backup-folder", "weights-trained"})
"""What stops darknet, and what ``supervise`` sees to by itself before it starts it."""

_MOST_TOLD = 10


def vet(wishes: Wishes, run: Run, tell: Callable[[str], None]) -> None:
    """Look at the files that say what is trained, and at no image; ``tell`` each error and warning.

    Args:
        wishes: what is to be trained.
        run: what ``resolve_run`` has made of them.
        tell: hears a line for each finding, the worst first, after one for checkpoints that might be meant and are not.

    Raises:
        TreeError: darknet would fail, or learn something other than what was meant.
    """
    findings = without_cured(check(wishes, quick=True)).findings
    errors = [one for one in findings if one.severity is Severity.ERROR]
    candidates = find_candidates(run)
    for line in () if candidates else describe_others(run):
        tell(line)
    if any(one.path == run.pretrained for one in errors) and find_highest(candidates):
        # Training goes on from a checkpoint, and the file is not read.
        errors = [one for one in errors if one.path != run.pretrained]
    told = errors + [one for one in findings if one.severity is Severity.WARNING]
    for finding in told[:_MOST_TOLD]:
        tell(f"check: {_describe(finding)}")
    if len(told) > _MOST_TOLD:
        tell(f"check: and {len(told) - _MOST_TOLD} more; `trainer check` lists all")
    if errors:
        first = errors[0]
        others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise TreeError(
            f"{first.place}: {first.what} {first.effect}{others}",
            hint=f"{first.fix} `trainer check` looks at the images, too; --no-check starts all the same.",
        )


def describe_others(run: Run) -> Iterator[str]:
    """Say of a run without checkpoints where those lie that the user may think it has; nothing where there are none."""
    for base, iteration in sorted(_find_others(run, run.backup).items()):
        cfg = PurePosixPath(run.cfg).with_stem(base)
        yield (
            f"{run.backup}/ holds checkpoints of another run, {base}{_name_iteration(iteration)}, and none of "
            f"{run.base}, which begins anew. To go on with those, train {cfg}: a run is called after its cfg. To train "
            f"both, give {run.base} a `backup =` of its own in {run.data}: two runs in one folder share "
            f"{METRICS_NAME}, {CHART_NAME} and their history"
        )
    before = read_recorded(run.tree, "backup")
    moved = _find_others(run, before, of_this_run=True) if before not in {"", run.backup} else {}
    for base, iteration in moved.items():
        yield (
            f"{before}/ holds checkpoints of {base}{_name_iteration(iteration)}, and {run.backup}/ none: it begins "
            f"anew. To go on with those, write `backup = {before}/` in {run.data} again, or move them"
        )


def _find_others(run: Run, backup: str, *, of_this_run: bool = False) -> dict[str, int]:
    """The runs that have checkpoints in a folder, and how far they are as this cfg counts; 0 where it cannot tell."""
    found: dict[str, int] = {}
    folder = run.tree / backup
    for path in folder.iterdir() if folder.is_dir() else ():
        name = name_of(path.name)
        # A file that no darknet writes while it trains is pretrained weights, most likely.
        if name is None or name.kind is Kind.PLAIN or not path.is_file():
            continue
        if (name.base == run.base) == of_this_run:
            with suppress(OSError):
                seen = read_claim(path, run.network)
                iteration = seen // max(run.network.images_per_iteration, 1)
                found[name.base] = max(found.get(name.base, 0), iteration)
    return found


def _name_iteration(iteration: int) -> str:
    return f" (iteration {iteration})" if iteration else ""


def without_cured(report: Report) -> Report:
    """The report without what ``supervise`` sees to by itself."""
    return replace(report, findings=tuple(one for one in report.findings if one.code not in _CURED))


def _describe(finding: Finding) -> str:
    return f"{finding.severity.value}: {finding.place}: {finding.what}"
