"""Which Python packages are asked for, and whether they are here."""

from __future__ import annotations

import importlib.metadata
import platform

import pytest

from trainer.doctoring.lines import Level
from trainer.doctoring.packages import judge_packages

CLICK = importlib.metadata.version("click")


def test_this_environment() -> None:
    (line,) = judge_packages()
    assert line.level is Level.GOOD
    assert line.what.startswith(platform.python_version())


@pytest.mark.parametrize(
    ("requirement", "said"),
    [
        pytest.param("click>=8.1", "all 1 packages", id="new enough"),
        pytest.param("click>=8.1; python_version >= '3.8'", "all 1 packages", id="a condition that holds"),
        pytest.param("click (>=8.1)", "all 1 packages", id="in brackets"),
        pytest.param("click", "all 1 packages", id="any"),
        pytest.param(f"click>={CLICK}.0", "all 1 packages", id="just this one, in more digits"),
        pytest.param(
            "click>=999.1", f"click is {CLICK}, and click 999.1 or newer is asked for", id="too old"
        ),
        pytest.param("no-such-package>=1.0", "no-such-package 1 or newer is not installed", id="missing"),
        pytest.param("no-such-package>=1; python_version < '3.8'", "all 0 packages", id="for other Pythons"),
        pytest.param('no-such-package>=1; extra == "dev"', "all 0 packages", id="an extra"),
    ],
)
def test_requirements(requirement: str, said: str) -> None:
    (line,) = judge_packages([requirement])
    assert said in line.what
    assert (line.level is Level.GOOD) is said.startswith("all")
    assert ("pip install" in line.remedy) is (line.level is Level.BAD)


def test_each_that_is_missing_has_a_line() -> None:
    assert len(list(judge_packages(["no-such-one>=1", "click", "no-such-two>=2"]))) == 2
