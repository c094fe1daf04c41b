"""Whoever knows a format is asked before a file is pushed, by a real entry point of a real distribution."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from drivesync.acceptance import find_accept
from drivesync.errors import SettingsError
from drivesync.files import Role, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.drivesync.conftest import Tree

    Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """``install("name", "source")`` puts a distribution on the path whose module ``name`` has a ``judge()``."""

    def put(name: str, source: str) -> None:
        site = tmp_path / f"site-{name}"
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[drivesync.accept]\n{name} = {name}:judge\n")
        (site / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return put


def says(verdict: str) -> str:
    return f"from drivesync.files import Verdict\ndef judge():\n    return lambda tree, path, snapshot: {verdict}\n"


def test_darknets_checkpoints_are_judged_by_whoever_knows_them(tree: Tree) -> None:
    accept = find_accept()
    snapshot = tree.root / "snapshot"
    snapshot.write_bytes(tree.weights(iteration=7))
    assert accept(tree.root, "backup/run_last.weights", snapshot) == Verdict(
        accepted=True, iteration=7, run="backup/run", role=Role.LAST, progress=7
    )
    snapshot.write_bytes(tree.weights(iteration=7)[:-1])
    torn = accept(tree.root, "backup/run_last.weights", snapshot)
    assert (torn.accepted, bool(torn.reason)) == (False, True)
    assert accept(tree.root, "notes.txt", snapshot) == Verdict(accepted=True)


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        pytest.param(["Verdict(True)"], Verdict(accepted=True), id="one that knows nothing"),
        pytest.param(
            ["Verdict(True)", "Verdict(False, 'torn')"], Verdict(False, "torn"), id="one refusal is enough"
        ),
        pytest.param(
            ["Verdict(False, 'torn')", "Verdict(True, iteration=3)"],
            Verdict(False, "torn"),
            id="also the first",
        ),
        pytest.param(
            ["Verdict(True)", "Verdict(True, iteration=0)"],
            Verdict(accepted=True, iteration=0),
            id="who knows",
        ),
    ],
)
def test_several_judges(tree: Tree, install: Install, verdicts: list[str], answer: Verdict) -> None:
    for number, verdict in enumerate(verdicts):
        install(f"judge{number}", says(verdict))
    assert find_accept()(tree.root, "notes.txt", tree.root) == answer


@pytest.mark.parametrize("source", ["import nothing_of_the_kind", "other = 1"])
def test_a_judge_that_cannot_be_loaded_is_an_error_and_not_passed_over(install: Install, source: str) -> None:
    install("broken_judge", source)
    with pytest.raises(SettingsError, match="broken_judge"):
        find_accept()
