"""A spool whose process is killed before any of its effects is as it was, or as it was to become."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

State = dict[str, Any]


def without(state: State, content: str) -> State:
    """``state`` without the entry that holds ``content``."""
    return state | {"entries": {key: entry for key, entry in state["entries"].items() if key != content}}


def only_old_or_new(before: State, after: State) -> list[State]:
    return [before, after]


def or_receipt_only(before: State, after: State) -> list[State]:
    """What the receipt is about is pushed again, and found on the remote."""
    return [before, after, before | {"receipts": after["receipts"]}]


def or_nothing_of_the_older(before: State, after: State) -> list[State]:
    """The older chart is not pushed over the newer, which is on the remote: a scan finds that out.

    And what was refused goes first, in any order.
    """
    kept = [{}, before["rejected"], *({name: text} for name, text in before["rejected"].items())]
    return [
        state | {"rejected": each} for state in (before, without(before, "curve"), after) for each in kept
    ]


def or_without_its_reason(before: State, after: State) -> list[State]:
    kept = "run_50.weights.rejected"
    return [before, after, *(before | {"rejected": {kept: content}} for content in ("old", "new"))]


ALLOWED: dict[str, Callable[[State, State], list[State]]] = {
    "take the first of a name": only_old_or_new,
    "take one that replaces a pushed one": only_old_or_new,
    "take one that replaces a pending one": only_old_or_new,
    "refuse": or_without_its_reason,
    "settle": or_receipt_only,
    "settle without room": or_nothing_of_the_older,
    "drop": only_old_or_new,
    "queue again": only_old_or_new,
    "note": only_old_or_new,
}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: a disk has to flush a thousand times."""
    shared = Path("/dev/shm")  # noqa: S108 - what is made in it has a name of its own
    with TemporaryDirectory(dir=shared if shared.is_dir() else tmp_path) as folder:
        yield Path(folder)


def test_it_is_as_it_was_or_as_it_was_to_become(memory: Path) -> None:
    program = Path(__file__).with_name("killed_spool.py")
    done = subprocess.run(
        [sys.executable, str(program), str(memory)], capture_output=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    by_deed = defaultdict(list)
    for line in done.stdout.splitlines():
        step = json.loads(line)
        by_deed[step["deed"]].append(step)
    assert by_deed.keys() == ALLOWED.keys()
    for deed, series in by_deed.items():
        before, after = series[0]["before"], series[-1]["after"]
        allowed = ALLOWED[deed](before, after)
        assert [step["status"] for step in series] == [-9] * (len(series) - 1) + [0]
        assert len(series) > 3
        assert before != after
        assert {step["between"] == before for step in series} == {True, False}
        for step in series:
            assert step["between"] in allowed
            assert step["between"]["strays"] == step["after"]["strays"] == []
            assert step["between"]["modes"] == ["0o600"]
            # A receipt may be there twice: what was pushed was found on the remote.
            assert step["after"] | {"receipts": list(dict.fromkeys(step["after"]["receipts"]))} == after
