"""What DESIGN.md says of who may import whom."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

IMPORT_ALL = """
import importlib, pkgutil, sys
import drivesync
import drivesync.remotes
for package in (drivesync, drivesync.remotes):
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not module.name.endswith((".testing", ".__main__")):
            importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.partition(".")[0] in {"trainer", "numpy", "matplotlib"}))
print(*sorted(name for name in sys.modules if name.startswith("drivesync.testing")))
print("drivesync.cli" in sys.modules)
"""


def test_drivesync_pulls_in_no_trainer() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True)
    assert done.stdout == "\n\nTrue\n"


def test_the_contracts_of_the_layers_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
