"""Each row of what darknet does when something is wrong, by each of the three: which end it was, and of what.

The original darknet is run as it is; AlexeyAB's and hank-ai's are not here, and a stand-in says through the same pipes
what they say. None of their exit statuses is to be trusted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from drivesync.errors import LocalWriteError
from trainer.config import Wishes, resolve_run
from trainer.darknet.program import Flavour
from trainer.deciding.endings import Ending
from trainer.errors import GaveUpError, StoppedError, TreeError
from trainer.learning.history import read_attempts
from trainer.testing import make_tree
from trainer.testing.stand_in import install, write_weights
from trainer.testing.supervised import supervise
from trainer.testing.transcript import read_transcript

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainer.config import Run
    from trainer.testing.supervised import Supervised

    Case = str | Callable[[Path], object]

PJ, AX, HK = Flavour.PJ, Flavour.AX, Flavour.HK
FOLDERS = {PJ: "pj", AX: "ax", HK: "hk"}
ITERATIONS = 200
"""Of the transcripts."""
FEW = 20
"""Of the real darknet, where nothing depends on their number."""
SMALL_DISK = "44k"
"""Room for one weights file of 27,592 bytes, and not for a second one."""
MOUNT = f'mount -t tmpfs -o size={SMALL_DISK} none "$0/backup"'
DATE_CHART = 'touch -d tomorrow "$0/backup/chart.png"'
"""So that none is drawn, which takes longer than all the rest."""
CHECKPOINT = "backup/remote_last.weights"

FINISHED, TREE, DATA, UNKNOWN = Ending.FINISHED, Ending.TREE, Ending.DATA, Ending.UNKNOWN
CANNOT_WRITE, DIVERGED = Ending.CANNOT_WRITE, Ending.DIVERGED
GPU_MEMORY, HOST_MEMORY, DRIVER = Ending.GPU_MEMORY, Ending.HOST_MEMORY, Ending.DRIVER

NEVER: set[int] = set()
"""Of a darknet that is not started."""
ENDS = {0, -11}
"""Of the original where it comes to its end; at random."""
ANY = {0, -11, -15}
"""Likewise, or it is ended for what it says, if there is time."""

WRONG = "7 .5 .5 .2 .2\n"
RATE = ("learning_rate=0.001\nburn_in=20", "learning_rate=1e18\nburn_in=0")

LIST = "(cfg/remote.data, line 2: train = data/train.txt)"
IMAGE = "(data/train.txt, line 1)"
FILTERS = "(cfg/remote.cfg, line 41"

GIVEN_UP = {Ending.TREE: TreeError, Ending.DATA: TreeError, Ending.CANNOT_WRITE: LocalWriteError}
"""What is never tried again, and with which error that is said."""


def leave(_tree: Path) -> None:
    """Do no harm."""


def remove(path: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).unlink()


def write(path: str, content: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).write_text(content)


def replace(before: str, after: str) -> Callable[[Path], object]:
    def harm(tree: Path) -> None:
        cfg = tree / "cfg/remote.cfg"
        text = cfg.read_text()
        assert before in text
        cfg.write_text(text.replace(before, after, 1))

    return harm


def remove_backup(tree: Path) -> None:
    shutil.rmtree(tree / "backup")


def prepare(root: Path, flavour: Flavour, case: Case) -> Run:
    """A tree for the real darknet, or, where the case is a transcript, for a stand-in that plays it."""
    is_real = not isinstance(case, str)
    tree = make_tree(root, images=2, negatives=0, max_batches=FEW if is_real else ITERATIONS).root
    if isinstance(case, str):
        install(tree, flavour, read_transcript(f"{FOLDERS[flavour]}/{case}.txt"))
    run = resolve_run(Wishes(tree))
    assert run.flavour is flavour
    return run


def check(came: Supervised, ending: Ending, statuses: set[int], says: str, mend: str = "") -> None:
    """See that the first attempt was taken for what it was, and that the user is told."""
    if ending in GIVEN_UP:
        assert type(came.error) is GIVEN_UP[ending]
        assert says in str(came.error)
        assert mend in str(came.error)
    if not statuses:
        assert came.records == ()
        return
    (first,) = came.records
    assert (first.ending, first.end.exit_status) in {(ending.name, status) for status in statuses}
    assert says in first.reason
    if ending is Ending.FINISHED:
        assert came.error is None
        assert (came.status.state, first.decided) == ("finished", "finish")
    elif ending in GIVEN_UP:
        assert first.decided == "give up"
    else:
        assert isinstance(came.error, StoppedError)
        assert first.decided == "restart"
        assert any(says in note for note in came.notes)


@pytest.mark.parametrize(
    ("flavour", "case", "statuses", "ending", "says", "mend"),
    [
        pytest.param(PJ, leave, ENDS, FINISHED, "", "", id="PJ: finished"),
        pytest.param(PJ, remove("cfg/remote.data"), NEVER, TREE, "cfg/remote.data", "", id="PJ: no .data"),
        pytest.param(PJ, remove("cfg/remote.cfg"), NEVER, TREE, "cfg/remote.cfg", "", id="PJ: no .cfg"),
        pytest.param(PJ, remove("data/train.txt"), {0}, TREE, "data/train.txt", LIST, id="PJ: no list"),
        pytest.param(PJ, write("data/train.txt", ""), {-8}, TREE, "images is empty", "", id="PJ: empty list"),
        pytest.param(PJ, write("data/train/1.png", "none"), ENDS, FINISHED, "", "", id="PJ: bad image"),
        pytest.param(PJ, remove("data/train/1.txt"), ENDS, DATA, "data/train/1.txt", IMAGE, id="PJ: no label"),
        pytest.param(PJ, write("data/train/1.txt", ""), ENDS, FINISHED, "", "", id="PJ: empty label"),
        pytest.param(PJ, write("data/train/1.txt", WRONG), ENDS, FINISHED, "", "", id="PJ: wrong class"),
        pytest.param(PJ, replace("filters=21", "filters=20"), {-6}, TREE, "filters=", FILTERS, id="PJ: filters"),
        pytest.param(PJ, remove_backup, ENDS, CANNOT_WRITE, "backup//remote", "", id="PJ: no backup"),
        pytest.param(PJ, replace(*RATE), ANY, DIVERGED, "NaN or infinite", "", id="PJ: NaN"),
        pytest.param(PJ, "finished_segfault", {-11}, FINISHED, "", "", id="PJ: finished, and a crash"),
        pytest.param(PJ, "no_training", {0}, UNKNOWN, "0 before its first iteration", "", id="PJ: nothing done"),
        pytest.param(PJ, "gpu_memory", {-6}, GPU_MEMORY, "CUDA Error: out of memory", "", id="PJ: GPU memory"),
        pytest.param(AX, "finished", {0}, FINISHED, "", "", id="AX: finished"),
        pytest.param(AX, "no_data", {1}, TREE, "cfg/remote.data", "", id="AX: no .data"),
        pytest.param(AX, "no_cfg", {1}, TREE, "cfg/remote.cfg", "", id="AX: no .cfg"),
        pytest.param(AX, "no_list", {1}, TREE, "data/train.txt", LIST, id="AX: no list"),
        pytest.param(AX, "empty_list", {-8}, TREE, "images is empty", "", id="AX: empty list"),
        pytest.param(AX, "blank_image", {0}, FINISHED, "", "", id="AX: bad image"),
        pytest.param(AX, "bad_image", {-11}, DATA, "data/train/1.png", IMAGE, id="AX: bad image, OpenCV"),
        pytest.param(AX, "no_label", {0}, FINISHED, "", "", id="AX: no label"),
        pytest.param(AX, "wrong_class", {0}, FINISHED, "", "", id="AX: wrong class"),
        pytest.param(AX, "filters", {1}, TREE, "filters=", FILTERS, id="AX: filters"),
        pytest.param(AX, "no_backup", {1}, CANNOT_WRITE, "backup//remote_last.weights", "", id="AX: no backup"),
        pytest.param(AX, "nan", ANY, DIVERGED, "NaN or infinite", "", id="AX: NaN"),
        pytest.param(AX, "names", {-11}, TREE, "data/remote.names", "", id="AX: names"),
        pytest.param(AX, "gpu_memory", {1}, GPU_MEMORY, "out of memory", "", id="AX: GPU memory"),
        pytest.param(AX, "driver", {1}, DRIVER, "unspecified launch failure", "", id="AX: GPU gone"),
        pytest.param(AX, "host_memory", {1}, HOST_MEMORY, "out of CPU RAM", "", id="AX: host memory"),
        pytest.param(HK, "finished", {0}, FINISHED, "", "", id="HK: finished"),
        pytest.param(HK, "no_data", {-6}, TREE, "cfg/remote.data", "", id="HK: no .data"),
        pytest.param(HK, "no_cfg", {-6}, TREE, "cfg/remote.cfg", "", id="HK: no .cfg"),
        pytest.param(HK, "no_list", {-6}, TREE, "data/train.txt", LIST, id="HK: no list"),
        pytest.param(HK, "empty_list", {-6}, TREE, "data/train.txt", "", id="HK: empty list"),
        pytest.param(HK, "bad_image", {-6}, DATA, "data/train/1.png", IMAGE, id="HK: bad image"),
        pytest.param(HK, "no_label", {-6}, DATA, "data/train/1.txt", IMAGE, id="HK: no label"),
        pytest.param(HK, "wrong_class", {-6}, DATA, "data/train/1.txt", IMAGE, id="HK: wrong class"),
        pytest.param(HK, "filters", {-6}, TREE, "filters=", FILTERS, id="HK: filters"),
        pytest.param(HK, "no_backup", {-6}, CANNOT_WRITE, "backup//remote_last.weights", "", id="HK: no backup"),
        pytest.param(HK, "nan", ANY, DIVERGED, "NaN or infinite", "", id="HK: NaN"),
        pytest.param(HK, "names", {-6}, TREE, "data/remote.names", "", id="HK: names"),
        pytest.param(HK, "gpu_memory", {-6}, GPU_MEMORY, "out of memory", "", id="HK: GPU memory"),
    ],
)  # fmt: skip
def test_each_end_is_what_it_was(
    tmp_path: Path, flavour: Flavour, case: Case, statuses: set[int], ending: Ending, says: str, mend: str
) -> None:
    run = prepare(tmp_path, flavour, case)

    def do_harm(note: str) -> None:
        # After everything was looked at, and before darknet is started.
        if note.startswith("starting at iteration 1") and not isinstance(case, str):
            case(run.tree)

    check(supervise(run, attempts=1, on_note=do_harm), ending, statuses, says, mend)


@pytest.mark.parametrize(
    ("flavour", "case", "statuses", "says"),
    [
        pytest.param(PJ, None, {0}, f"cannot open {CHECKPOINT}", id="PJ: none"),
        pytest.param(AX, "no_weights", {1}, f"cannot open {CHECKPOINT}", id="AX: none"),
        pytest.param(HK, "no_weights", {-15}, "began at iteration 1 though it was to resume from 100", id="HK: none"),
        pytest.param(HK, "torn_weights", {-6}, "expected to read 4608 fields", id="HK: torn"),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_loaded(
    tmp_path: Path, flavour: Flavour, case: str | None, statuses: set[int], says: str
) -> None:
    """They are there when they are chosen, and are looked at before each start: so they go in between."""
    if case is None:
        run = resolve_run(Wishes(make_tree(tmp_path, images=2, negatives=0, max_batches=ITERATIONS).root))
    else:
        run = prepare(tmp_path, flavour, case)
    checkpoint = run.tree / CHECKPOINT
    write_weights(checkpoint, run.network, 100)

    def take_away(note: str) -> None:
        if case is None and note.startswith("resuming at iteration 101"):
            checkpoint.unlink()

    check(supervise(run, attempts=1, on_note=take_away), Ending.WEIGHTS, statuses, says)


@pytest.mark.parametrize(
    "flavour", [pytest.param(flavour, id=FOLDERS[flavour].upper()) for flavour in Flavour]
)
def test_a_full_disk(tmp_path: Path, flavour: Flavour) -> None:
    """Without a word darknet keeps what there is room for, trains to its end and exits with 0."""
    mount = ["unshare", "-rm", "sh", "-c", f'{MOUNT} && {DATE_CHART} && exec "$@"']
    tree = make_tree(tmp_path / "tree", images=2, negatives=0, size_px=32, max_batches=ITERATIONS).root
    if shutil.which("unshare") is None or subprocess.run([*mount, tree, "true"], check=False).returncode:
        pytest.skip("no small disk can be made here")
    if flavour is not PJ:
        install(tree, flavour, read_transcript(f"{FOLDERS[flavour]}/disk_full.txt"))
    command = [sys.executable, "-m", "trainer", "supervise", "--no-push", str(tree)]
    ran = subprocess.run(
        [*mount, tree, *command], env=os.environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == LocalWriteError.exit_code, ran.stdout + ran.stderr
    assert "the disk is full" in ran.stdout + ran.stderr
    (first,) = read_attempts(tree)
    assert first.ending == Ending.CANNOT_WRITE.name
    assert first.end.exit_status in {0, -11}
    assert first.end.last_iteration == ITERATIONS


@pytest.mark.parametrize(
    "flavour", [pytest.param(flavour, id=FOLDERS[flavour].upper()) for flavour in Flavour]
)
def test_out_of_gpu_memory_it_goes_on_in_smaller_parts(tmp_path: Path, flavour: Flavour) -> None:
    run = prepare(tmp_path, flavour, "gpu_memory")
    before = (run.tree / run.cfg).read_text()
    came = supervise(run)
    assert [record.ending for record in came.records] == [GPU_MEMORY.name, FINISHED.name]
    assert [record.end.changes.subdivisions for record in came.records] == [None, 2]
    assert any("subdivisions=2" in note for note in came.notes)
    assert (run.tree / run.cfg).read_text() == before


def test_what_diverges_again_and_again_is_given_up(tmp_path: Path) -> None:
    """The first time unchanged, then ever more slowly."""
    came = supervise(prepare(tmp_path, AX, "nan"))
    assert {record.ending for record in came.records} == {DIVERGED.name}
    assert [record.end.changes.rate_factor for record in came.records] == [1.0, 1.0, 0.5, 0.25, 0.125]
    assert isinstance(came.error, GaveUpError)
    assert "NaN or infinite" in str(came.error)
