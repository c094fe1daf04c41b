"""PURE: of many findings of one kind only the first ones are listed, one more stands for the rest."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from trainer.checking.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEEP = 20
"""So many of a kind are listed each by itself."""


@dataclass(frozen=True, slots=True)
class FoldedFinding(Finding):
    """Stands for ``count`` findings of one kind, and says of the first of them what is wrong.

    Attributes:
        others: the paths of the rest, where ``--fix`` mends them: it has to know them all.
    """

    others: tuple[str, ...] = ()


@dataclass(slots=True)
class _Kind:
    listed: int = 0
    first: Finding | None = None
    count: int = 0
    others: dict[str, None] | None = None


class Folding:
    """Lets the first findings of each code pass, and holds back the rest.

    It holds one finding a code, and the paths of those that can be mended.
    """

    def __init__(self, keep: int = KEEP) -> None:
        self._keep = keep
        self._kinds: dict[str, _Kind] = {}

    def sift(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Those that are listed, in their order."""
        for finding in findings:
            kind = self._kinds.setdefault(finding.code, _Kind())
            if kind.listed < self._keep and finding.count == 1:
                kind.listed += 1
                yield finding
            else:
                _hold_back(kind, finding)

    def rest(self) -> Iterator[FoldedFinding]:
        """One for each code of which more were seen than are listed."""
        for kind in self._kinds.values():
            first = kind.first
            if first is not None:
                told = {field.name: getattr(first, field.name) for field in fields(Finding)}
                told["count"] = kind.count
                others = tuple(path for path in kind.others or () if path != first.path)
                yield FoldedFinding(**told, others=others)


def _hold_back(kind: _Kind, finding: Finding) -> None:
    kind.first = kind.first or finding
    kind.count += finding.count
    if finding.mendable:
        kind.others = kind.others or {}
        kind.others[finding.path] = None
        if isinstance(finding, FoldedFinding):
            kind.others.update(dict.fromkeys(finding.others))
