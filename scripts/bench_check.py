"""``scripts/bench check``: what it takes to look at all images and labels of a large data set.

``trainer check`` and ``trainer check --deep`` as whole processes; beside them the script that people
write for it: one loop that opens each image by Pillow and reads each label.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import click
from PIL import Image
from rich.console import Console
from rich.table import Table

from scripts.bench_report import Case, Claim, show_claims, to_json
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT_S = 60.0
_KINDS = 50
_SIZE_PX = 416
_LABEL = "0 0.5 0.5 0.25 0.25\n1 0.25 0.75 0.1 0.2\n"
_WIDTH = 160

_LOOP = """\
import sys
from pathlib import Path
from PIL import Image

wrong = 0
for name in Path(sys.argv[1], "data/train.txt").read_text().splitlines():
    path = Path(sys.argv[1], name)
    with Image.open(path) as image:
        wrong += min(image.size) < 1
    for line in path.with_suffix(".txt").read_text().splitlines():
        number, *box = line.split()
        wrong += int(number) > 1 or not all(0 < float(part) <= 1 for part in box)
sys.exit(wrong > 0)
"""


def _make_set(tree: Path, images: int) -> None:
    """A tree with so many images, JPEGs of some kB, each with two boxes."""
    make_tree(tree, images=1, negatives=0)
    rng = random.Random(0)  # noqa: S311 - pictures, no secrets
    contents = []
    for _ in range(_KINDS):
        noise = Image.effect_noise((_SIZE_PX // 8, _SIZE_PX // 8), rng.uniform(20, 80)).convert("RGB")
        buffer = BytesIO()
        noise.resize((_SIZE_PX, _SIZE_PX)).save(buffer, "JPEG")
        contents.append(buffer.getvalue())
    names = [f"data/train/{number:06}.jpg" for number in range(images)]
    for number, name in enumerate(names):
        path = tree / name
        # A comment of its own makes each another file.
        path.write_bytes(contents[number % _KINDS] + f"{number:06}".encode())
        path.with_suffix(".txt").write_text(_LABEL, encoding="ascii")
    (tree / "data/train.txt").write_text("".join(f"{name}\n" for name in names), encoding="ascii")


def _measure(tool: str, command: list[str], rounds: int, say: Callable[[str], None]) -> list[float]:
    """Seconds of each round, after one that warms the cache."""
    took_s = []
    for number in range(rounds + 1):
        began_s = time.monotonic()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            raise click.ClickException(
                f"{tool} ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}"
            )
        took_s.append(time.monotonic() - began_s)
        say(f"{tool}: {took_s[-1]:.1f} s{'' if number else ', cold'}")
    return took_s[1:]


@click.command()
@click.option(
    "--images", type=click.IntRange(1), default=50_000, show_default=True, help="So many, with labels."
)
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="The median counts.")
@click.option("--deep/--no-deep", default=True, show_default=True, help="Decode all images, too, once.")
@click.option("--strict", is_flag=True, help="Exit status 1 where a claim is not met.")
@click.option(
    "--json",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/bench-check.json"),
    show_default=True,
)
def check(*, images: int, rounds: int, deep: bool, strict: bool, report: Path) -> None:
    """What it takes to look at all images and labels of a large data set."""
    say = partial(click.echo, err=True)
    with tempfile.TemporaryDirectory(prefix="trainer-bench-") as scratch:
        tree = str(Path(scratch) / "tree")
        _make_set(Path(tree), images)
        commands = {
            "trainer check": [sys.executable, "-m", "trainer", "check", tree],
            "a loop over Pillow and the labels": [sys.executable, "-c", _LOOP, tree],
        }
        took_s = {tool: _measure(tool, command, rounds, say) for tool, command in commands.items()}
        if deep:
            tool = "trainer check --deep"
            took_s[tool] = _measure(tool, [*commands["trainer check"], "--deep"], 1, say)
    medians = {tool: statistics.median(seconds) for tool, seconds in took_s.items()}
    own_s = medians["trainer check"]
    table = Table(title=f"check, {images:,} images of {_SIZE_PX} x {_SIZE_PX}, warm cache")
    table.add_column("tool")
    for heading in ("seconds", "rounds", "of trainer check's"):
        table.add_column(heading, justify="right")
    for tool, seconds in took_s.items():
        each = " ".join(f"{one:.1f}" for one in seconds)
        table.add_row(tool, f"{medians[tool]:.1f}", each, f"{medians[tool] / own_s:.2f}")
    claim = Claim(f"{images:,} images, warm", own_s, _LIMIT_S, "s")
    case = Case(6, "checking", (), (claim,))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(to_json([case]) | {"took_s": took_s}, indent=2) + "\n", encoding="utf-8")
    output = Console(width=None if sys.stdout.isatty() else _WIDTH)
    output.print(table)
    output.print(show_claims([case], issue=6))
    if strict and not claim.is_met:
        sys.exit(1)
