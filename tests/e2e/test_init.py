"""What ``trainer init`` makes of drawn images, ``trainer check`` passes, and the real darknet trains."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from drivesync.cli import run_command
from trainer.cli.init import init_command
from trainer.preparing.annotations import Format
from trainer.testing.labelled import make_labelled
from trainer.testing.tree import tiny_cfg

if TYPE_CHECKING:
    from pathlib import Path

DARKNET = "/usr/bin/darknet"
ITERATIONS = 20
PATIENCE_S = 60


@pytest.mark.parametrize("kind", Format)
def test_darknet_trains_what_init_has_made(tmp_path: Path, kind: Format) -> None:
    images = make_labelled(tmp_path / "raw images", kind).folder
    small = tmp_path / "small.cfg"
    small.write_text(tiny_cfg())
    tree = tmp_path / "tree"
    options = ["--names", "circle,square", "--template", str(small), "--batch", "4", "--subdivisions", "2"]
    argv = [str(tree), "--images", str(images), *options, "--anchors", "auto"]
    assert run_command(init_command, argv) == 0

    command = [sys.executable, "-m", "trainer", "check", "--json", "--darknet", DARKNET, str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert (done.returncode, json.loads(done.stdout)["findings"]) == (0, [])

    # The rules give it 6,000 iterations; some are enough to see that it trains.
    argv = ["stdbuf", "-oL", DARKNET, "detector", "train", "cfg/remote.data", "cfg/remote.cfg"]
    darknet = subprocess.Popen(
        argv, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    )
    try:
        assert darknet.stdout is not None
        seen = []
        for line in darknet.stdout:
            assert "Couldn't open" not in line
            if match := re.match(r"(\d+): ([\d.]+), [\d.]+ avg", line):
                seen.append(int(match[1]))
            if len(seen) == ITERATIONS:
                break
    finally:
        darknet.kill()
        darknet.communicate()
    assert seen == list(range(1, ITERATIONS + 1))
    assert not (tree / "bad.list").exists()
