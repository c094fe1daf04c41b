"""Before darknet starts: what the quick part of ``check`` finds is told, and a start that would be in vain refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trainer.candidates import find_candidates, find_highest
from trainer.checking.check import check
from trainer.checking.findings import Severity
from trainer.errors import TreeError

if TYPE_CHECKING:
    from collections.abc import Callable

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
        tell: hears a line for each finding, the worst first.

    Raises:
        TreeError: darknet would fail, or learn something other than what was meant.
    """
    findings = without_cured(check(wishes, quick=True)).findings
    errors = [one for one in findings if one.severity is Severity.ERROR]
    if any(one.path == run.pretrained for one in errors) and find_highest(find_candidates(run)):
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


def without_cured(report: Report) -> Report:
    """The report without what ``supervise`` sees to by itself."""
    return replace(report, findings=tuple(one for one in report.findings if one.code not in _CURED))


def _describe(finding: Finding) -> str:
    return f"{finding.severity.value}: {finding.place}: {finding.what}"
