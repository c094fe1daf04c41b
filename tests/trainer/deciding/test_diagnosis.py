"""What an attempt ended of: each row of the table of exits, for all three darknets, by the very lines they print."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from trainer.darknet.complaint import Cause, Complaint
from trainer.darknet.output import parse_line
from trainer.darknet.program import Flavour
from trainer.darknet.weights import Checkpoint, CheckpointName, Kind, Verdict
from trainer.deciding.diagnosis import diagnose, pick_complaint
from trainer.deciding.endings import AttemptEnd, Diagnosis, Ending, Rules

PJ, AX, HK = Flavour.PJ, Flavour.AX, Flavour.HK
STARTED_S = 1000.0
LISTS = ("data/train.txt", "data/test.txt", "data/remote.names")


def complaint_of(*lines: str) -> Complaint | None:
    events = map(parse_line, lines)
    return pick_complaint(event for event in events if isinstance(event, Complaint))


def ended(
    status: int, *lines: str, at: int | None = 150, resumed_from: int = 100, highest: int = 100
) -> AttemptEnd:
    return AttemptEnd(
        started_s=STARTED_S,
        ended_s=STARTED_S + 60,
        resumed_from=resumed_from,
        highest_before=highest,
        highest_after=highest,
        first_iteration=None if at is None else resumed_from + 1,
        last_iteration=at,
        exit_status=status,
        complaint=complaint_of(*lines),
    )


def at_start(status: int, *lines: str) -> AttemptEnd:
    return ended(status, *lines, at=None, resumed_from=0, highest=0)


def final(
    iteration: int | None, *, poisoned_at: int | None = None, modified_s: float = STARTED_S + 50
) -> Checkpoint:
    reason = "it holds numbers that are NaN or infinite" if poisoned_at else "it is 9 bytes shorter"
    verdict = Verdict(iteration is not None, "" if iteration else reason, iteration, poisoned_at)
    name = CheckpointName("remote", Kind.FINAL)
    return Checkpoint(Path("backup/remote_final.weights"), name, 100, modified_s, verdict)


def judged(end: AttemptEnd, flavour: Flavour = PJ, proof: Checkpoint | None = None) -> Diagnosis:
    rules = Rules(max_batches=300, batch=64, subdivisions=16, flavour=flavour, lists=LISTS)
    return diagnose(end, final=proof, rules=rules)


ASSERTION = "darknet: ./src/cuda.c:36: check_error: Assertion `0' failed."
CUDA_GONE = "CUDA Error: unspecified launch failure"
FATAL = "* Error message:  "
NAMES = (
    "Error: in the file data/remote.names number of names 1 that isn't equal to classes=2 in the file x.cfg"
)
BLANK = "Cannot load image data/train/1.png "
CUBLAS = "cuBLAS Error: CUBLAS_STATUS_EXECUTION_FAILED"


@pytest.mark.parametrize(
    ("end", "flavour", "ending", "says"),
    [
        # Files that lack.
        pytest.param(
            at_start(0, "Couldn't open file: cfg/remote.data"),
            PJ,
            Ending.TREE,
            "cannot open cfg/remote.data",
            id="PJ: no .data, status 0",
        ),
        pytest.param(
            at_start(1, "Couldn't open file: cfg/remote.cfg"),
            AX,
            Ending.TREE,
            "cannot open cfg/remote.cfg",
            id="AX: no .cfg",
        ),
        pytest.param(
            at_start(-6, f'{FATAL}failed to open the file "data/train.txt"'),
            HK,
            Ending.TREE,
            "data/train.txt",
            id="HK: no list",
        ),
        pytest.param(
            at_start(0, "Couldn't open file: data/train.txt"),
            PJ,
            Ending.TREE,
            "cannot open data/train.txt",
            id="PJ: no list is not taken for a label",
        ),
        pytest.param(
            at_start(0, "Couldn't open file: data/train/3.txt"),
            PJ,
            Ending.DATA,
            "cannot open data/train/3.txt, the label",
            id="PJ: no label, status 0",
        ),
        pytest.param(
            ended(0, "Couldn't open file: data/train/3.txt"),
            PJ,
            Ending.DATA,
            "data/train/3.txt",
            id="PJ: no label, met later",
        ),
        pytest.param(
            at_start(1, "Couldn't open file: data/x.txt"),
            AX,
            Ending.TREE,
            "cannot open data/x.txt",
            id="AX: has other words for a label",
        ),
        pytest.param(at_start(-8), PJ, Ending.TREE, "list of training images is empty", id="PJ: empty list"),
        pytest.param(at_start(-8), AX, Ending.TREE, "list of training images is empty", id="AX: empty list"),
        pytest.param(
            at_start(136),
            AX,
            Ending.TREE,
            "list of training images is empty",
            id="AX: empty list, in a shell",
        ),
        pytest.param(
            at_start(-6, f"{FATAL}no training images available (verify data/train.txt)"),
            HK,
            Ending.TREE,
            "verify data/train.txt",
            id="HK: empty list",
        ),
        # Images and labels.
        pytest.param(
            ended(-11, BLANK, "Error in load_data_detection() - OpenCV"),
            AX,
            Ending.DATA,
            "(data/train/1.png): Error in load_data",
            id="AX with OpenCV: unreadable image",
        ),
        pytest.param(
            ended(-6, f'{FATAL}failed to load image file "data/train/1.png"'),
            HK,
            Ending.DATA,
            "data/train/1.png",
            id="HK: unreadable image",
        ),
        pytest.param(
            at_start(-6, f'{FATAL}failed to open annotation file "data/train/1.txt"'),
            HK,
            Ending.DATA,
            "data/train/1.txt",
            id="HK: no label",
        ),
        pytest.param(
            ended(-6, f"{FATAL}invalid class ID #7 in data/train/1.txt"),
            HK,
            Ending.DATA,
            "class ID #7",
            id="HK: class beyond classes",
        ),
        pytest.param(
            ended(1, BLANK), AX, Ending.UNKNOWN, "status 1", id="AX goes on after an unreadable image"
        ),
        pytest.param(
            ended(-11, BLANK), PJ, Ending.UNKNOWN, "signal 11", id="PJ goes on after an unreadable image"
        ),
        pytest.param(
            ended(1, "Can't open label file. (This can be normal only if you use MSCOCO): a.txt"),
            AX,
            Ending.UNKNOWN,
            "status 1",
            id="AX goes on after a missing label",
        ),
        pytest.param(
            ended(1, "Wrong annotation: class_id = 7. But class_id should be [from 0 to 1], file: a.txt"),
            AX,
            Ending.UNKNOWN,
            "status 1",
            id="AX passes over a wrong label",
        ),
        # The cfg.
        pytest.param(
            at_start(
                -6, "darknet: ./src/parser.c:310: parse_yolo: Assertion `l.outputs == params.inputs' failed."
            ),
            PJ,
            Ending.TREE,
            "filters= in the cfg does not fit classes=",
            id="PJ: filters",
        ),
        pytest.param(
            at_start(
                1,
                "filters= in the [convolutional]-layer doesn't correspond to classes= or mask= in [yolo]-layer",
            ),
            AX,
            Ending.TREE,
            "filters= in the cfg",
            id="AX: filters",
        ),
        pytest.param(
            at_start(-6, f"{FATAL}filters in convolutional layer prior to [yolo] on line 51 does not match"),
            HK,
            Ending.TREE,
            "on line 51",
            id="HK: filters",
        ),
        pytest.param(
            ended(-11, NAMES),
            AX,
            Ending.TREE,
            "data/remote.names",
            id="AX: names, at the first mAP",
        ),
        pytest.param(
            at_start(
                -6, f"{FATAL}In the file data/remote.names, the number of names (1) does not match classes=2"
            ),
            HK,
            Ending.TREE,
            "data/remote.names",
            id="HK: names",
        ),
        pytest.param(
            at_start(-11, "Config file error line 3, could parse: x"),
            PJ,
            Ending.TREE,
            "line 3",
            id="a line of the cfg",
        ),
        pytest.param(
            ended(-11, "Config file error line 3, could parse: x"),
            PJ,
            Ending.UNKNOWN,
            "signal 11",
            id="a line of the cfg that it did without",
        ),
        # Weights.
        pytest.param(
            ended(0, "Couldn't open file: backup//remote_100.weights", at=None),
            PJ,
            Ending.WEIGHTS,
            "cannot open backup//remote_100.weights",
            id="PJ: the checkpoint has gone, status 0",
        ),
        pytest.param(
            ended(1, "Couldn't open file: backup/remote_last.weights", at=None),
            AX,
            Ending.WEIGHTS,
            "backup/remote_last.weights",
            id="AX: the checkpoint has gone",
        ),
        pytest.param(
            at_start(1, "Couldn't open file: yolov4.weights"),
            AX,
            Ending.TREE,
            "yolov4.weights",
            id="AX: no pretrained weights",
        ),
        pytest.param(
            at_start(1, "Couldn't open file: yolov4.conv.137"),
            AX,
            Ending.TREE,
            "yolov4.conv.137",
            id="AX: no part of pretrained weights",
        ),
        pytest.param(
            replace(ended(-15, at=1), refused="darknet began at iteration 1"),
            HK,
            Ending.WEIGHTS,
            "began at iteration 1",
            id="HK: trains from 1 where the checkpoint has gone",
        ),
        pytest.param(
            ended(-11, "Warning: Unexpected end of wights-file! l.biases", at=None),
            AX,
            Ending.WEIGHTS,
            "too short",
            id="AX: dies of a short file",
        ),
        pytest.param(
            at_start(-11, "Warning: Unexpected end of wights-file! l.biases"),
            AX,
            Ending.TREE,
            "too short",
            id="AX: dies of short pretrained weights",
        ),
        pytest.param(
            ended(-11, "Warning: Unexpected end of wights-file! l.biases"),
            AX,
            Ending.UNKNOWN,
            "signal 11",
            id="AX: goes on with a short file",
        ),
        # Writing.
        pytest.param(
            ended(0, "Couldn't open file: backup//remote_200.weights", at=200),
            PJ,
            Ending.CANNOT_WRITE,
            "cannot write backup//remote_200.weights",
            id="PJ: no backup folder, status 0",
        ),
        pytest.param(
            ended(1, "Couldn't open file: backup//remote_last.weights", at=200),
            AX,
            Ending.CANNOT_WRITE,
            "cannot write",
            id="AX: no backup folder",
        ),
        pytest.param(
            ended(-6, f'{FATAL}failed to open the file "backup//remote_last.weights"', at=200),
            HK,
            Ending.CANNOT_WRITE,
            "cannot write",
            id="HK: no backup folder",
        ),
        pytest.param(
            replace(ended(0, at=300), disk_full=True),
            PJ,
            Ending.CANNOT_WRITE,
            "disk is full",
            id="no room, and not a word of it",
        ),
        pytest.param(
            replace(ended(-9), disk_full=True),
            PJ,
            Ending.UNKNOWN,
            "killed from outside",
            id="no room, but killed",
        ),
        pytest.param(
            replace(ended(-11), disk_full=True), PJ, Ending.UNKNOWN, "signal 11", id="no room, but a crash"
        ),
        # Memory and GPU.
        pytest.param(
            at_start(-6, "CUDA Error: out of memory", ASSERTION),
            PJ,
            Ending.GPU_MEMORY,
            "out of memory",
            id="PJ: GPU memory",
        ),
        pytest.param(
            ended(1, "Try to set subdivisions=64 in your cfg-file.", "CUDA Error: out of memory"),
            AX,
            Ending.GPU_MEMORY,
            "out of memory",
            id="AX: GPU memory",
        ),
        pytest.param(
            ended(-6, f"{FATAL}current CUDA error: status=2 cudaErrorMemoryAllocation: out of memory"),
            HK,
            Ending.GPU_MEMORY,
            "status=2",
            id="HK: GPU memory",
        ),
        pytest.param(ended(1, CUDA_GONE), AX, Ending.DRIVER, "unspecified launch failure", id="AX: GPU gone"),
        pytest.param(
            ended(-6, CUBLAS), AX, Ending.UNKNOWN, "signal 6", id="AX goes on after cuBLAS has failed"
        ),
        pytest.param(
            ended(1, CUBLAS, CUDA_GONE, CUBLAS),
            HK,
            Ending.DRIVER,
            "unspecified launch failure",
            id="HK: not of cuBLAS, but of CUDA",
        ),
        pytest.param(
            ended(1, "Calloc error - possibly out of CPU RAM"),
            AX,
            Ending.HOST_MEMORY,
            "the host is out of memory",
            id="AX: host memory",
        ),
        pytest.param(
            replace(ended(-9), out_of_memory="1 kill in its cgroup"),
            AX,
            Ending.HOST_MEMORY,
            "1 kill in its cgroup",
            id="killed for want of memory",
        ),
        pytest.param(
            replace(ended(137), out_of_memory="oom"), AX, Ending.HOST_MEMORY, "oom", id="the same, in a shell"
        ),
        pytest.param(
            replace(ended(-11), out_of_memory="oom"),
            AX,
            Ending.UNKNOWN,
            "signal 11",
            id="something else was killed for want of memory",
        ),
        # Numbers.
        pytest.param(
            replace(ended(-15), diverged_at=148), PJ, Ending.DIVERGED, "from iteration 148 on", id="NaN"
        ),
        pytest.param(
            replace(ended(0, at=300), diverged_at=200),
            PJ,
            Ending.DIVERGED,
            "from iteration 200 on",
            id="NaN to the end, status 0",
        ),
        # The rest.
        pytest.param(
            replace(ended(-15), stopped=True),
            PJ,
            Ending.STOPPED,
            "by the user at iteration 150",
            id="stopped",
        ),
        pytest.param(
            replace(ended(-15), stopped=True, lost=True),
            PJ,
            Ending.LOST_LEASE,
            "another session",
            id="the run was taken over",
        ),
        pytest.param(
            replace(ended(-9, CUDA_GONE), stalled_s=300.4),
            AX,
            Ending.STALLED,
            "silent for 300 s at iteration 150, and was ended for it; the last it said was: CUDA",
            id="hung",
        ),
        pytest.param(
            ended(-9, "Couldn't open file: cfg/remote.cfg"),
            PJ,
            Ending.UNKNOWN,
            "killed from outside by signal 9 at iteration 150",
            id="killed, whatever it complained of",
        ),
        pytest.param(
            at_start(0),
            PJ,
            Ending.UNKNOWN,
            "ended with status 0 before its first iteration, and did not say why",
            id="no training, no complaint, status 0",
        ),
        pytest.param(
            ended(0),
            PJ,
            Ending.UNKNOWN,
            "ended with status 0 at iteration 150 of 300, and did not say why",
            id="too early, status 0",
        ),
        pytest.param(
            ended(-6, ASSERTION),
            PJ,
            Ending.UNKNOWN,
            "signal 6 at iteration 150; it said: darknet: ./src/cuda.c:36",
            id="crashed",
        ),
        pytest.param(ended(-8), PJ, Ending.UNKNOWN, "signal 8", id="a division by zero in mid-training"),
    ],
)
def test_each_end_is_what_it_is(end: AttemptEnd, flavour: Flavour, ending: Ending, says: str) -> None:
    diagnosis = judged(end, flavour)
    assert diagnosis.ending is ending
    assert says in diagnosis.reason


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(ended(0, at=300), id="ended well"),
        pytest.param(ended(-11, at=300), id="PJ's crash after a complete _final"),
        pytest.param(ended(0, at=None), id="nothing was left to do"),
        pytest.param(ended(0, BLANK, at=300), id="whatever it complained of and went on"),
        pytest.param(replace(ended(-15, at=300), stopped=True), id="stopped too late"),
        pytest.param(replace(ended(-9, at=300), lost=True), id="taken over too late"),
        pytest.param(replace(ended(0, at=300), diverged_at=200), id="its loss was NaN, its weights are not"),
    ],
)
def test_a_whole_final_and_nothing_else_is_the_end(end: AttemptEnd) -> None:
    assert judged(end, proof=final(300)).ending is Ending.FINISHED
    for no_proof in (None, final(None), final(299), final(300, modified_s=STARTED_S - 5)):
        assert judged(end, proof=no_proof).ending is not Ending.FINISHED


def test_a_final_full_of_nan_is_a_training_that_has_diverged() -> None:
    end = ended(0, at=300)
    assert judged(end, proof=final(None, poisoned_at=300)) == Diagnosis(
        Ending.DIVERGED, "remote_final.weights: it holds numbers that are NaN or infinite"
    )
    old = final(None, poisoned_at=300, modified_s=STARTED_S - 5)
    assert judged(end, proof=old).ending is Ending.UNKNOWN


def test_a_torn_final_is_named() -> None:
    assert judged(ended(-11, at=300), proof=final(None)).reason.endswith(
        "remote_final.weights: it is 9 bytes shorter"
    )
    full = replace(ended(-11, at=300), disk_full=True)
    assert judged(full, proof=final(None)).ending is Ending.CANNOT_WRITE


@pytest.mark.parametrize(
    ("lines", "picked", "path"),
    [
        pytest.param((), None, "", id="no word"),
        pytest.param((CUDA_GONE, "CUDA Error: out of memory"), Cause.GPU_MEMORY, "", id="the last one"),
        pytest.param(
            ("CUDA Error: out of memory", ASSERTION), Cause.GPU_MEMORY, "", id="not the crash that follows"
        ),
        pytest.param((ASSERTION,), Cause.CRASH, "", id="a crash, where there is nothing else"),
        pytest.param(
            (BLANK, ASSERTION), Cause.NO_IMAGE, "data/train/1.png", id="what may be the cause before a crash"
        ),
        pytest.param((NAMES, BLANK), Cause.NAMES, "data/remote.names", id="what was said long before"),
        pytest.param((NAMES, CUDA_GONE), Cause.CUDA, "", id="unless it was something else"),
        pytest.param((CUDA_GONE, BLANK), Cause.CUDA, "", id="not what some go on after"),
        pytest.param(
            (BLANK, "Error in load_data_detection() - OpenCV", BLANK),
            Cause.NO_IMAGE,
            "data/train/1.png",
            id="the last word, with the file that was named before",
        ),
    ],
)
def test_pick_complaint(lines: tuple[str, ...], picked: Cause | None, path: str) -> None:
    complaint = complaint_of(*lines)
    assert (complaint and complaint.cause) is picked
    assert (complaint.path if complaint else "") == path


def test_each_cause_is_judged_or_a_crash() -> None:
    """So that a new one is not passed over without a word."""
    for cause in Cause:
        end = replace(at_start(1), complaint=Complaint(cause, "Error in all of it", "x"))
        unknown = judged(end, HK).ending is Ending.UNKNOWN
        assert unknown == (cause is Cause.CRASH)
