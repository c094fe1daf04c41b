"""PURE: one thing that was found wrong with a tree, and how findings are ordered and written as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(Enum):
    """How bad a finding is; the members stand from the worst to the mildest.

    Attributes:
        ERROR: the training would fail, or learn something other than what was meant.
        WARNING: it would do, but worse or less safely than it could.
        NOTE: worth knowing; nothing needs to be done.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        severity: how bad it is.
        code: which kind of thing, in kebab-case; it stays the same from version to version.
        path: the file to look at, POSIX, relative to the tree.
        line: of that file, from 1; None where it is not about a line.
        what: is wrong.
        effect: what darknet would do with it.
        fix: what to do about it; like those two a sentence, with its full stop.
        mendable: whether ``--fix`` does that.
        count: how many of this kind it stands for; more than 1 where further ones are not listed.
    """

    severity: Severity
    code: str
    path: str
    line: int | None
    what: str
    effect: str
    fix: str
    mendable: bool = False
    count: int = 1

    @property
    def place(self) -> str:
        """Where it is, as editors and people write it: ``cfg/remote.cfg:12``."""
        return f"{self.path}:{self.line}" if self.line else self.path


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then warnings, then notes; within each by path, line and code."""
    return tuple(sorted(findings, key=lambda one: (_RANKS[one.severity], one.path, one.line or 0, one.code)))


def to_json(finding: Finding) -> dict[str, object]:
    """The finding for ``--json``: its attributes by their names."""
    return {
        "severity": finding.severity.value,
        "code": finding.code,
        "path": finding.path,
        "line": finding.line,
        "what": finding.what,
        "effect": finding.effect,
        "fix": finding.fix,
        "mendable": finding.mendable,
        "count": finding.count,
    }
