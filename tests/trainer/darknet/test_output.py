"""Lines of the three darknets become events; no line, whatever it holds, is an error."""

from __future__ import annotations

import math
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.darknet.output import (
    Cause,
    ClassPrecision,
    Complaint,
    Event,
    Loading,
    MapBegun,
    MeanAveragePrecision,
    NewBest,
    NormalEnd,
    Progress,
    Saving,
    Warned,
    betrayed_flavour,
    parse_line,
)
from trainer.darknet.program import Flavour
from trainer.testing import make_tree

if TYPE_CHECKING:
    from pathlib import Path

PJ = "101: 1.424088, 1.625544 avg, 0.001000 rate, 0.006474 seconds, 404 images"
AX = " 101: 1.424088, 1.625544 avg loss, 0.001000 rate, 0.006474 seconds, 6464 images, 0.012345 hours left"
HK = (
    "101: loss=1.424, avg loss=1.626, last=0.00%, best=0.00%, mAP=disabled, rate=0.00100000, "
    "load 64=12.5 milliseconds, train=6.5 milliseconds, 6464 images, time remaining=2 minutes"
)
OLD_HK = (
    "5989: loss=0.444, avg loss=0.329, rate=0.000026, 64.424 milliseconds, 383296 images, "
    "time remaining=7 seconds"
)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        pytest.param(PJ, Progress(101, 1.424088, 1.625544, 0.001, 0.006474, 404), id="PJ"),
        pytest.param(
            PJ + "\r", Progress(101, 1.424088, 1.625544, 0.001, 0.006474, 404), id="PJ on a terminal"
        ),
        pytest.param(AX, Progress(101, 1.424088, 1.625544, 0.001, 0.006474, 6464), id="AX"),
        pytest.param(
            "\x1b[H\x1b[J 101/300: loss=1.4 hours left=0.0\x07" + AX,
            None,
            id="AX: the title line is none, even if both came as one",
        ),
        pytest.param(
            " 1: 48.0, 48.0 avg loss, 0.000000 rate, 2.5 seconds, 64 images, -1.000000 hours left",
            Progress(1, 48.0, 48.0, 0.0, 2.5, 64),
            id="AX: its first",
        ),
        pytest.param(HK, Progress(101, 1.424, 1.626, 0.001, 0.0065, 6464), id="HK"),
        pytest.param(
            OLD_HK, Progress(5989, 0.444, 0.329, 0.000026, 0.064424, 383296), id="HK before version 5"
        ),
        pytest.param(
            "\x1b]2;101/300: loss=1.4 time=2\x07\x1b[1;37m"
            + HK.replace(":", "\x1b[0m:", 1).replace("1.424", "\x1b[31m1.424\x1b[0m"),
            Progress(101, 1.424, 1.626, 0.001, 0.0065, 6464),
            id="HK in colour",
        ),
        pytest.param(
            HK.replace("6.5 milliseconds", "1 minute 2.5 seconds"),
            Progress(101, 1.424, 1.626, 0.001, 62.5, 6464),
            id="HK: a slow one",
        ),
        pytest.param(
            "33554432: 0.1, 0.1 avg, 0.00001 rate, 0.1 seconds, -2147483648 images",
            Progress(33554432, 0.1, 0.1, 0.00001, 0.1, -2147483648),
            id="the count of images wraps round",
        ),
    ],
)
def test_progress(line: str, event: Progress | None) -> None:
    parsed = parse_line(line)
    if event is None:
        assert parsed is None
    else:
        assert isinstance(parsed, Progress)
        assert parsed.seconds == pytest.approx(event.seconds)
        assert (parsed.iteration, parsed.loss, parsed.avg_loss, parsed.rate, parsed.images) == (
            event.iteration,
            event.loss,
            event.avg_loss,
            event.rate,
            event.images,
        )


@pytest.mark.parametrize("word", ["nan", "-nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "line", [pytest.param(PJ, id="PJ"), pytest.param(AX, id="AX"), pytest.param(HK, id="HK")]
)
def test_losses_that_are_no_numbers(line: str, word: str) -> None:
    for number in ("1.424088", "1.625544", "1.424", "1.626"):
        line = line.replace(number, word)
    event = parse_line(line)
    assert isinstance(event, Progress)
    assert not math.isfinite(event.loss)
    assert not math.isfinite(event.avg_loss)


@pytest.mark.parametrize(
    ("line", "event"),
    [
        pytest.param(
            "Saving weights to backup//remote_last.weights",
            Saving("backup//remote_last.weights"),
            id="saving",
        ),
        pytest.param(
            "Loading weights from a b.weights...Done!", Loading("a b.weights", done=True), id="loaded"
        ),
        pytest.param(
            "Loading weights from a.weights...Couldn't open file: a.weights",
            Complaint(Cause.NO_FILE, "Couldn't open file: a.weights", "a.weights"),
            id="not to be opened",
        ),
        pytest.param(
            " Loading weights from a.weights...seen 64, trained: 100 K-images (1 Kilo-batches_64)",
            Loading("a.weights", done=False),
            id="loading",
        ),
        pytest.param(
            'Loading weights from "a b.weights"', Loading("a b.weights", done=False), id="HK: loading"
        ),
        pytest.param(
            "Loaded weights for 4 of 5 layers from a b.weights",
            Loading("a b.weights", done=True),
            id="HK: loaded",
        ),
        pytest.param(
            "class_id = 0, name = square, ap = 32.69%   \t (TP = 1, FP = 2) ",
            ClassPrecision(0, "square", 32.69 / 100),
            id="AX: a class",
        ),
        pytest.param(
            "class_id = 12, name = a, ap = 1%, ap = 0.00%   \t (TP = 0, FP = 0) ",
            ClassPrecision(12, "a, ap = 1%", 0.0),
            id="AX: a class of an odd name",
        ),
        pytest.param(
            "   4 many vehicles         64.3089   1068    509    733  11288   0.9087    0.0913    0.5930 0.6772      "
            "0.9390       0.0610",
            ClassPrecision(4, "many vehicles", 64.3089 / 100),
            id="HK: a class",
        ),
        pytest.param(
            "   0 \x1b[1;37mclass 2\x1b[0m                \x1b[91m100.0000\x1b[0m      5      1      0      5 81.2500",
            ClassPrecision(0, "class 2", 1.0),
            id="HK from version 5.1: a class",
        ),
        pytest.param(
            " mean average precision (mAP@0.50) = 0.177571, or 17.76 % ",
            MeanAveragePrecision(0.177571),
            id="AX: mAP",
        ),
        pytest.param(
            "-> mean average precision (mAP@0.50)=\x1b[31m21.25%\x1b[0m",
            MeanAveragePrecision(0.2125),
            id="HK: mAP",
        ),
        pytest.param(
            "\r4\r8\r12Saving weights to backup//remote_best.weights",
            Saving("backup//remote_best.weights"),
            id="AX: after the counter of a mAP pass",
        ),
        pytest.param(" calculation mAP (mean average precision)...", MapBegun(), id="AX: a mAP pass begins"),
        pytest.param(
            "Calculating mAP (mean average precision) with detection threshold 0.25 and IoU threshold 0.5.",
            MapBegun(),
            id="HK: a mAP pass begins",
        ),
        pytest.param("New best mAP!", NewBest(), id="AX: best"),
        pytest.param("New best mAP, saving weights!", NewBest(), id="HK: best"),
        pytest.param("If you want to train from the beginning, then use flag", NormalEnd(), id="AX: the end"),
        pytest.param(
            'If you want to re-start training, then use the flag "-clear" in the training command.',
            NormalEnd(),
            id="HK before version 5: the end",
        ),
        pytest.param(
            " Warning: You set batch=4 lower than 64! It is recommended to set batch=64 subdivision=64 ",
            Warned(
                "Warning: You set batch=4 lower than 64! It is recommended to set batch=64 subdivision=64"
            ),
            id="AX: a warning",
        ),
        pytest.param(
            "\x1b[0;33mPerformance bottleneck detected.  Slow CPU or hard drive?",
            Warned("Performance bottleneck detected.  Slow CPU or hard drive?"),
            id="HK: a warning, in colour",
        ),
        pytest.param("Training iteration has reached max batch limit of 300.", NormalEnd(), id="HK: the end"),
    ],
)
def test_events(line: str, event: Event) -> None:
    assert parse_line(line) == event


@pytest.mark.parametrize(
    ("line", "cause", "path"),
    [
        pytest.param("Couldn't open file: data/a b.txt", Cause.NO_FILE, "data/a b.txt", id="missing file"),
        pytest.param(
            'Cannot load image "data/train/1.png"', Cause.NO_IMAGE, "data/train/1.png", id="PJ: image"
        ),
        pytest.param(
            "Cannot load image data/train/1.png", Cause.NO_IMAGE, "data/train/1.png", id="AX: image"
        ),
        pytest.param(
            "Error in load_data_detection() - OpenCV", Cause.NO_IMAGE, "", id="AX with OpenCV: image"
        ),
        pytest.param(
            " Can't open label file. (This can be normal only if you use MSCOCO): data/train/1.txt ",
            Cause.NO_LABEL,
            "data/train/1.txt",
            id="AX: label",
        ),
        pytest.param(
            " Wrong annotation: class_id = 7. But class_id should be [from 0 to 1], file: data/train/1.txt",
            Cause.WRONG_LABEL,
            "data/train/1.txt",
            id="AX: class",
        ),
        pytest.param(
            "filters= in the [convolutional]-layer doesn't correspond to classes= or mask= in [yolo]-layer",
            Cause.FILTERS,
            "",
            id="AX: filters",
        ),
        pytest.param(
            "darknet: ./src/parser.c:310: parse_yolo: Assertion `l.outputs == params.inputs' failed.",
            Cause.FILTERS,
            "",
            id="PJ: filters",
        ),
        pytest.param("darknet: ./src/a.c:1: f: Assertion `0' failed.", Cause.CRASH, "", id="assertion"),
        pytest.param(
            " Try to set subdivisions=64 in your cfg-file. ", Cause.GPU_MEMORY, "", id="AX: GPU memory"
        ),
        pytest.param("CUDA Error: out of memory", Cause.GPU_MEMORY, "", id="GPU memory"),
        pytest.param("CUDA Error: an illegal memory access was encountered", Cause.CUDA, "", id="CUDA"),
        pytest.param("current CUDA error: status=2 ...", Cause.CUDA, "", id="HK: CUDA"),
        pytest.param("cuDNN Error: CUDNN_STATUS_BAD_PARAM", Cause.CUDA, "", id="cuDNN"),
        pytest.param("Malloc error", Cause.HOST_MEMORY, "", id="PJ: host memory"),
        pytest.param("Calloc error - possibly out of CPU RAM ", Cause.HOST_MEMORY, "", id="AX: host memory"),
        pytest.param("Realloc error", Cause.HOST_MEMORY, "", id="host memory, growing"),
        pytest.param(
            "terminate called after throwing an instance of 'std::bad_alloc'",
            Cause.HOST_MEMORY,
            "",
            id="HK: host memory",
        ),
        pytest.param(
            " Warning: Unexpected end of wights-file! l.biases - l.index = 3 ",
            Cause.WEIGHTS,
            "",
            id="AX: short weights",
        ),
        pytest.param(
            "Error: l.outputs == params.inputs, filters= in the [convolutional]-layer doesn't correspond to classes=",
            Cause.FILTERS,
            "",
            id="AX: filters, as its last version has it",
        ),
        pytest.param(
            " Error: There is no data/test.txt file for mAP calculation!",
            Cause.NO_FILE,
            "data/test.txt",
            id="AX: nothing to measure with",
        ),
        pytest.param(
            " Error: in the file a.names number of names 3 that isn't equal to classes=2 in the file a.cfg ",
            Cause.NAMES,
            "a.names",
            id="AX: names",
        ),
        pytest.param("cuBLAS Error", Cause.CUDA, "", id="cuBLAS"),
        pytest.param(
            " cuDNN status Error in: file: ./src/a.c() : line: 5 : build time: x",
            Cause.CUDA,
            "",
            id="AX: cuDNN and where",
        ),
        pytest.param(
            "CUDA status Error: file: ./src/dark_cuda.c() : line: 38", Cause.CUDA, "", id="AX: CUDA and where"
        ),
        pytest.param("CUDA Error Prev: unspecified launch failure", Cause.CUDA, "", id="AX: an earlier one"),
        pytest.param("cuDNN Error: CUDNN_STATUS_ALLOC_FAILED", Cause.GPU_MEMORY, "", id="cuDNN's memory"),
        pytest.param(
            "/content/darknet/darknet: error while loading shared libraries: libcudart.so.12: cannot open",
            Cause.CUDA,
            "",
            id="no CUDA here",
        ),
        pytest.param(
            "/usr/bin/darknet: error while loading shared libraries: libopencv_core.so.4.5: cannot open",
            Cause.CRASH,
            "",
            id="another library",
        ),
        pytest.param(
            "Darknet error location: ./src/a.c, f(), line #1", Cause.CRASH, "", id="AX: anything else"
        ),
        pytest.param("Config file error line 3, could parse: x", Cause.CFG, "", id="a line of the cfg"),
    ],
)
def test_complaints(line: str, cause: Cause, path: str) -> None:
    assert parse_line(line) == Complaint(cause, line.strip(), path)


@pytest.mark.parametrize(
    ("message", "cause", "path"),
    [
        pytest.param('failed to open the file "data/train.txt"', Cause.NO_FILE, "data/train.txt", id="file"),
        pytest.param('failed to open annotation file "a/1.txt"', Cause.NO_LABEL, "a/1.txt", id="label"),
        pytest.param('failed to load image file "a b/1.png"', Cause.NO_IMAGE, "a b/1.png", id="image"),
        pytest.param(
            "no training images available (verify data/train.txt)",
            Cause.NO_IMAGES,
            "data/train.txt",
            id="empty",
        ),
        pytest.param("invalid class ID #7 in data/1.txt", Cause.WRONG_LABEL, "data/1.txt", id="class"),
        pytest.param(
            "invalid class ID #7 in d/1.txt on line #3", Cause.WRONG_LABEL, "d/1.txt", id="its line"
        ),
        pytest.param(
            "filters in convolutional layer prior to [yolo] on line 41 does not match either the classes or the mask",
            Cause.FILTERS,
            "",
            id="filters",
        ),
        pytest.param(
            "In the file a.names, the number of names 3 does not match classes=2 in the file a.cfg",
            Cause.NAMES,
            "a.names",
            id="names",
        ),
        pytest.param(
            "current CUDA error: status=2 cudaErrorMemoryAllocation: out of memory",
            Cause.GPU_MEMORY,
            "",
            id="GPU memory",
        ),
        pytest.param(
            "CUDA memory allocation failed (1.5 GiB).", Cause.GPU_MEMORY, "", id="GPU memory, asked for"
        ),
        pytest.param("current CUDA error: status=700 cudaErrorIllegalAddress", Cause.CUDA, "", id="CUDA"),
        pytest.param("cuDNN current error: status=3000", Cause.CUDA, "", id="cuDNN"),
        pytest.param("failed to calloc 2.0 GiB", Cause.HOST_MEMORY, "", id="host memory"),
        pytest.param(
            "expected to read 4608 fields, but only read 1021", Cause.WEIGHTS, "", id="short weights"
        ),
        pytest.param("batch size should not be set to 1 for training", Cause.CRASH, "", id="anything else"),
    ],
)
def test_what_hank_ais_dies_of(message: str, cause: Cause, path: str) -> None:
    assert parse_line(f"* Error message:  \x1b[1;31m{message}\x1b[0m") == Complaint(cause, message, path)


@pytest.mark.parametrize(
    ("line", "flavour"),
    [
        pytest.param(PJ, Flavour.PJ, id="PJ: its loss line"),
        pytest.param("Region 23 Avg IOU: 0.24, Class: 0.47", Flavour.PJ, id="PJ: before its first"),
        pytest.param(AX, Flavour.AX, id="AX: its loss line"),
        pytest.param(HK, Flavour.HK, id="HK: its loss line"),
        pytest.param("\x1b[1;37m101\x1b[0m" + HK.removeprefix("101"), Flavour.HK, id="HK in colour"),
        pytest.param(OLD_HK, Flavour.HK, id="HK before version 5"),
        pytest.param('Darknet V5 "Moonlit" v5.0-178', Flavour.HK, id="HK: its first word"),
        pytest.param("Darknet error location: ./src/a.c", None, id="AlexeyAB's say that, and others may"),
        pytest.param("* Error message:  failed", Flavour.HK, id="HK: its last word"),
        pytest.param(
            "Loading weights from -dont_show...Couldn't open file: -dont_show",
            Flavour.PJ,
            id="PJ: the others know that flag",
        ),
        pytest.param("Couldn't open file: a.weights", None, id="PJ and AX say that"),
        pytest.param("Saving weights to a.weights", None, id="all say that"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_darknet_betrays_which_it_is(line: str, flavour: Flavour | None) -> None:
    assert betrayed_flavour(line) is flavour


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\r\n",
        "Region 4 Avg IOU: 0.249480, Class: 0.471467, Obj: 0.408918, No Obj: 0.511611, .5R: 0.0, .75R: 0.0,  count: 7",
        "Loaded: 0.007819 seconds",
        "v3 (iou loss, Normalizer: (iou: 0.07, obj: 1.00, cls: 1.00) Region 30 Avg (IOU: 0.3), count: 1",
        " total_bbox = 16, rewritten_bbox = 0.000000 % ",
        "    0 conv      8  3 x 3 / 2    64 x  64 x   3   ->    32 x  32 x   8  0.000 BFLOPs",
        "class_id = x, name = square, ap = 32.69%   \t (TP = 1, FP = 2)",
        " mean average precision (mAP@0.50) = ., or",
        " CUDA-version: 12020 (12020), cuDNN: 8.9.6, CUDNN_HALF=1, GPU count: 1  ",
        " CUDNN_HALF=1 ",
        "CUDA runtime version 12020 (v12.2), driver version 12020 (v12.2)",
        "cuDNN version 12020 (v8.9.6), use of half-size floats is \x1b[92mENABLED\x1b[0m",
        "    0 Create CUDA-stream - 0 ",
        " Create cudnn-handle 0 ",
        "Loading configuration file cfg/remote.cfg",
        "\r1204",
        "Learning Rate: 0.001, Momentum: 0.9, Decay: 0.0005",
        "Loading weights from",
        "9" * 5000 + ": 1, 1 avg, 1 rate, 1 seconds, 1 images",
    ],
)
def test_lines_of_no_interest(line: str) -> None:
    assert parse_line(line) is None


FRAGMENTS = st.sampled_from(
    [PJ, AX, HK, "\r", "\x1b[1m", "\x1b]2;", "\x07", "Saving weights to ", "Couldn't open file: "]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(st.one_of(FRAGMENTS, st.text(max_size=5)), max_size=6).map("".join)))
def test_any_text_is_read(text: str) -> None:
    parse_line(text)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read(raw: bytes) -> None:
    parse_line(raw.decode("utf-8", "replace"))
    parse_line(raw.decode("latin-1"))


def test_the_real_darknet_is_understood(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, max_batches=40, images=8, negatives=1)
    ran = subprocess.run(
        ["darknet", "detector", "train", tree.data, tree.cfg],
        cwd=tree.root,
        capture_output=True,
        text=True,
        check=False,
    )
    progress = [event for line in ran.stdout.splitlines() if isinstance(event := parse_line(line), Progress)]
    if ran.returncode == 0:  # its crash at the end takes what it had not flushed along
        assert [event.iteration for event in progress] == list(range(1, 41))
    assert progress[0].avg_loss > 2 * progress[-1].avg_loss
    assert progress[9].images == 10 * tree.batch
    said = [event for line in ran.stderr.splitlines() if (event := parse_line(line))]
    assert said == [Saving("backup//remote_final.weights")]


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        pytest.param("data/train/1.txt", (Cause.NO_FILE, "data/train/1.txt"), id="missing label"),
        pytest.param("data/train.txt", (Cause.NO_FILE, "data/train.txt"), id="missing list"),
        pytest.param("cfg/remote.data", (Cause.NO_FILE, "cfg/remote.data"), id="missing .data"),
        pytest.param("filters", (Cause.FILTERS, ""), id="filters do not fit classes"),
    ],
)
def test_the_real_darknets_complaints_are_understood(
    damage: str, complaint: tuple[Cause, str], tmp_path: Path
) -> None:
    tree = make_tree(tmp_path, max_batches=40, images=2, negatives=1)
    if damage == "filters":
        cfg = tree.root / tree.cfg
        cfg.write_text(cfg.read_text().replace("filters=21", "filters=20"))
    else:
        (tree.root / damage).unlink()
    ran = subprocess.run(
        ["darknet", "detector", "train", tree.data, tree.cfg],
        cwd=tree.root,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (ran.stdout + ran.stderr).splitlines()
    said = {(event.cause, event.path) for line in lines if isinstance(event := parse_line(line), Complaint)}
    assert complaint in said
