"""AlexeyAB's darknet, stood in for by a script that takes its flags, prints its lines and writes its files.

It is no darknet: it stands here for what the original, which trains in all other tests, does not have.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Session

STAND_IN = '''#!{python}
"""As measured on AlexeyAB's darknet: argument order, lines with their escapes, names and headers of the files."""
import os, re, signal, struct, sys, time
from pathlib import Path

detector, train, data, cfg, *rest = sys.argv[1:]
flags = [word for word in rest if word.startswith("-")]
weights = next((word for word in rest if not word.startswith("-")), None)
print("remote\\nflags", *flags, flush=True)
text = Path(cfg).read_text()
number = lambda key: int(re.search(key + "=([0-9]+)", text)[1])
batch, last = number("batch"), number("max_batches")
images = 0
best = -1
if weights:
    print(f"Loading weights from {{weights}}...Done! Loaded 6 layers from weights-file ", file=sys.stderr, flush=True)
    images = struct.unpack_from("<Q", Path(weights).read_bytes(), 12)[0]
if "-clear" in flags:
    images = 0

def save(name):
    print(f"Saving weights to backup//remote_{{name}}.weights", file=sys.stderr, flush=True)
    content = struct.pack("<iiiQ", 0, 2, 5, images) + struct.pack("<f", 0.25) * {numbers}
    Path(f"backup/remote_{{name}}.weights").write_bytes(content)

for iteration in range(images // batch + 1, last + 1):
    images = iteration * batch
    print(f"\\033[H\\033[J {{iteration}}/{{last}}: loss=2.0 hours left=0.1\\007")
    took = f"0.001000 rate, 0.010000 seconds, {{images}} images, 0.1 hours left"
    print(f" {{iteration}}: 2.000000, 2.500000 avg loss, {{took}}", flush=True)
    if "-map" in flags and iteration % 100 == 0:
        print("\\n calculation mAP (mean average precision)...")
        score = 0.3 - iteration / 1000
        print(f" mean average precision (mAP@0.50) = {{score:.6f}}, or {{100 * score:.2f}} %", flush=True)
        if score >= best:
            best = score
            print("New best mAP!", flush=True)
            save("best")
    if iteration % 100 == 0:
        save("last")
    time.sleep(0.002)
    if os.environ.get("HALT_AT") == str(iteration):
        os.kill(os.getpid(), signal.SIGSTOP)
save("final")
print("If you want to train from the beginning, then use flag in the end of training command: -clear ", flush=True)
'''
NUMBERS = (27_592 - 20) // 4


@pytest.fixture
def successor(new_session: Callable[..., Session]) -> Session:
    """A session whose tree holds its own darknet, as one that was built in it."""
    session = new_session(max_batches=250)
    session.drive.put("darknet/darknet", STAND_IN.format(python=sys.executable, numbers=NUMBERS).encode())
    return session


def test_its_own_flags_lines_and_names(successor: Session) -> None:
    # Drive keeps no run bit: the pull gives it back to what begins as a program does.
    successor.supervise("--", "-map")
    assert "flags -dont_show -map\n" in successor.log("darknet.log")
    assert successor.iterations == list(range(1, 251))
    assert successor.iterations_on_drive() == {
        "remote_best.weights": 100,
        "remote_last.weights": 200,
        "remote_final.weights": 250,
    }
    metrics = successor.drive.read_tree("darknet/backup")["metrics.jsonl"].decode()
    assert metrics.count('"event":"map"') == 2
    assert '"value":0.2,' in metrics


def test_a_best_that_is_worse_than_that_of_a_session_before_it_does_not_land(successor: Session) -> None:
    """darknet forgets its best at each start, and writes over it with the first that comes."""
    successor.variables["HALT_AT"] = "110"
    successor.supervise_in_background("--", "-map")
    both = {"remote_best.weights", "remote_last.weights"}
    successor.wait_until(lambda: both <= successor.iterations_on_drive().keys(), "the checkpoints of 100")
    successor.lose()
    del successor.variables["HALT_AT"]
    said = successor.supervise("--", "-map")
    assert successor.iterations[0] == 101
    here = successor.tree / "backup"
    assert (here / "remote_best.weights").read_bytes() == (here / "remote_last.weights").read_bytes()
    assert successor.iterations_on_drive() == {
        "remote_best.weights": 100,
        "remote_last.weights": 200,
        "remote_final.weights": 250,
    }
    reason = "the remote holds one with a score of 0.2, and this one has 0.1"
    assert f"not pushed: backup/remote_best.weights: {reason}" in said


def test_a_resume_from_last_by_a_new_session(successor: Session) -> None:
    successor.variables["HALT_AT"] = "110"
    successor.supervise_in_background("--", "-clear")
    successor.wait_until(lambda: successor.iterations_on_drive().get("remote_last.weights"), "a checkpoint")
    successor.lose()
    del successor.variables["HALT_AT"]
    successor.supervise("--", "-clear")
    # The user's -clear was for the first start: on a resume it would begin at iteration 1 again.
    assert "flags -dont_show\n" in successor.log("darknet.log")
    assert successor.loaded == ["backup/remote_last.weights"]
    assert successor.iterations == list(range(101, 251))
    assert successor.iterations_on_drive()["remote_final.weights"] == 250


def test_pretrained_weights_that_count_iterations_of_their_own(new_session: Callable[..., Session]) -> None:
    """The end of one training as the beginning of the next: darknet would take itself for finished at once."""
    session = new_session(max_batches=60)
    session.copy_tree()
    session.supervise("--no-push")
    other = session.tree / "pretrained.weights"
    (session.tree / "backup/remote_final.weights").rename(other)
    for checkpoint in (session.tree / "backup").iterdir():
        checkpoint.unlink()
    (session.tree / ".trainer/darknet.log").unlink()
    session.supervise("--no-push", "--weights", "pretrained.weights")
    assert session.loaded == ["pretrained.weights"]
    assert session.attempts == [list(range(1, 61))]
