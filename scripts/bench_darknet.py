"""What stands in darknet's place in the bench: one that only prints, and the real one with a note of each start."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A comment tells which darknet it is. Most lines are on stderr, as AlexeyAB's has them; each is a write of its own up
# to a thousand a second, and a block of fifty lines beyond, since Python could not keep up.
_PRINTER = """#!{python}
# , 0.012345 hours left
import itertools, os, time
rate, lines = {rate}, {lines}
detail = (
    b"v3 (iou loss, Normalizer: (iou: 0.07, obj: 1.00, cls: 1.00) Region 37 Avg (IOU: 0.712345), count: 5, "
    b"class_loss = 0.123456, iou_loss = 2.345678, total_loss = 2.469134 \\n"
)
block = 1 if rate <= 1000 else 50
due_s = time.monotonic()
for iteration in itertools.count(1):
    for _ in range((lines - 2) // block):
        os.write(2, detail * block)
        due_s += block / rate
        time.sleep(max(0.0, due_s - time.monotonic()))
    due_s += (lines - (lines - 2) // block * block) / rate
    os.write(2, detail * ((lines - 2) % block))
    title = "\\033[H\\033[J %d/1000000: loss=1.4 hours left=0.5\\007\\n" % iteration
    line = " %d: 1.424088, 1.625544 avg loss, 0.001000 rate, 0.1 seconds, 64 images, 0.5 hours left\\n"
    os.write(1, (title + line % iteration).encode())
    time.sleep(max(0.0, due_s - time.monotonic()))
"""

LINES = {100: 10, 20_000: 200}
"""Lines of an iteration, by lines a second: ten iterations a second, and a hundred."""

# The comment tells that the original is behind it.
_WRAPPER = """#!/bin/sh
# %f rate, %lf seconds, %d images
echo "$$ $(date +%s%N)" >>"{starts}"
exec "{darknet}" "$@"
"""


def write_printer(path: Path, rate: int) -> Path:
    """Write a program that prints what AlexeyAB's does, ``rate`` lines a second, and trains nothing."""
    return _write_program(path, _PRINTER.format(python=sys.executable, rate=rate, lines=LINES[rate]))


def write_wrapper(path: Path, darknet: str, starts: Path) -> Path:
    """Write a program that becomes ``darknet``, and first adds its pid and the time, in ns, to the file ``starts``."""
    return _write_program(path, _WRAPPER.format(starts=starts, darknet=darknet))


def _write_program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path
