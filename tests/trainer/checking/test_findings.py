"""Findings: their order, and what a program gets of them."""

from __future__ import annotations

import json

from trainer.checking.findings import Finding, Severity, sort_findings, to_json


def finding(severity: Severity, path: str, line: int | None = None, code: str = "a") -> Finding:
    return Finding(severity, code, path, line, "what", "effect", "fix")


def test_errors_stand_first_then_all_goes_by_place() -> None:
    in_order = [
        finding(Severity.ERROR, "b"),
        finding(Severity.ERROR, "b", 2),
        finding(Severity.ERROR, "b", 10, "a"),
        finding(Severity.ERROR, "b", 10, "b"),
        finding(Severity.ERROR, "c", 1),
        finding(Severity.WARNING, "a", 1),
        finding(Severity.NOTE, "a"),
    ]
    assert sort_findings(reversed(in_order)) == tuple(in_order)


def test_a_place_is_written_as_editors_read_it() -> None:
    assert finding(Severity.NOTE, "cfg/a.cfg", 3).place == "cfg/a.cfg:3"
    assert finding(Severity.NOTE, "cfg/a.cfg").place == "cfg/a.cfg"


def test_a_program_gets_every_attribute() -> None:
    found = to_json(Finding(Severity.WARNING, "crlf", "a", 2, "w", "e", "f", mendable=True, count=21))
    assert set(found) == set(Finding.__slots__)
    assert json.loads(json.dumps(found))["severity"] == "warning"
