"""Whether the Python packages that this project asks for are installed, in versions that do."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from typing import TYPE_CHECKING

from trainer.doctoring.lines import bad, good, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trainer.doctoring.lines import Line

PACKAGE = "darknet-drivesync"

_TOPIC = "Python"
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*\(?(?:>=\s*(?P<least>\d+(?:\.\d+)*))?\)?(?P<rest>.*)"
)
_PYTHON_BELOW = re.compile(r"python_version < [\"'](\d+)\.(\d+)[\"']")


def judge_packages(requirements: Sequence[str] | None = None) -> Iterator[Line]:
    """One line if all is well, else one for each package that is not.

    Args:
        requirements: as a package's metadata has them; None for those of this project.
    """
    if requirements is None:
        try:
            requirements = importlib.metadata.requires(PACKAGE) or ()
        except importlib.metadata.PackageNotFoundError:
            yield warning(_TOPIC, f"{PACKAGE} is not installed, only found", "Install it: pip install .")
            return
    wanted = [found for text in requirements if (found := _parse(text))]
    lines = [line for name, least in wanted if (line := _judge(name, least))]
    yield from lines
    if not lines:
        yield good(_TOPIC, f"{platform.python_version()}, and all {len(wanted)} packages that are asked for")


def _parse(requirement: str) -> tuple[str, tuple[int, ...]] | None:
    """A package and the least version of it; None where it is asked for elsewhere, or for extras only."""
    match = _REQUIREMENT.match(requirement)
    if match is None or "extra ==" in match["rest"]:
        return None
    below = _PYTHON_BELOW.search(match["rest"])
    if below and sys.version_info >= (int(below[1]), int(below[2])):
        return None
    return match["name"], _numbers(match["least"] or "")


def _judge(name: str, least: tuple[int, ...]) -> Line | None:
    said = f"{name} {'.'.join(map(str, least))}"
    remedy = (
        f'Install it: pip install "{name}>={".".join(map(str, least))}", and restart the notebook\'s kernel.'
    )
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return bad(_TOPIC, f"{said} or newer is not installed", remedy)
    if _numbers(installed) < least:
        return bad(_TOPIC, f"{name} is {installed}, and {said} or newer is asked for", remedy)
    return None


def _numbers(version: str) -> tuple[int, ...]:
    """The release part: 2.0.0rc1 counts as 2.0.0, and 1.0 as 1, as in PEP 440."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
