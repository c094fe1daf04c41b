"""No weights file that is torn, wild or NaN passes for whole."""

from __future__ import annotations

import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trainer.darknet.cfg import parse_cfg
from trainer.darknet.program import Flavour
from trainer.darknet.size import weights_size
from trainer.darknet.weights import (
    CheckpointName,
    Header,
    HeaderError,
    Kind,
    Verdict,
    judge,
    name_of,
    parse_header,
)
from trainer.testing.tree import tiny_cfg

NETWORK = parse_cfg(tiny_cfg(batch=4, max_batches=300), "cfg/remote.cfg")
SIZE = weights_size(NETWORK)


def head(iteration: int, *, revision: int = 0) -> bytes:
    return struct.pack("<iiiQ", 0, 2, revision, iteration * 4)


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        pytest.param("remote_last.weights", CheckpointName("remote", Kind.LAST), id="last"),
        pytest.param("remote.backup", CheckpointName("remote", Kind.BACKUP), id="the original's"),
        pytest.param("remote_best.weights", CheckpointName("remote", Kind.BEST), id="best"),
        pytest.param("remote_ema.weights", CheckpointName("remote", Kind.EMA), id="ema"),
        pytest.param("remote_final.weights", CheckpointName("remote", Kind.FINAL), id="final"),
        pytest.param("remote_900.weights", CheckpointName("remote", Kind.NUMBERED, 900), id="numbered"),
        pytest.param(
            "my_net_2_100.weights", CheckpointName("my_net_2", Kind.NUMBERED, 100), id="a base with numbers"
        ),
        pytest.param("my_last_last.weights", CheckpointName("my_last", Kind.LAST), id="a base with a word"),
        pytest.param("v4.tiny_last.weights", CheckpointName("v4.tiny", Kind.LAST), id="a base with a dot"),
        pytest.param("yolov4.weights", CheckpointName("yolov4", Kind.PLAIN), id="nothing after the base"),
        pytest.param("_last.weights", CheckpointName("_last", Kind.PLAIN), id="no base"),
        pytest.param("yolov4-tiny.conv.29", None, id="pretrained layers"),
        pytest.param("remote_last.weights.part", None, id="half transferred"),
        pytest.param(".weights", None, id="only an ending"),
        pytest.param("remote.cfg", None, id="something else"),
    ],
)
def test_names(filename: str, name: CheckpointName | None) -> None:
    assert name_of(filename) == name


@pytest.mark.parametrize(
    ("raw", "header"),
    [
        pytest.param(struct.pack("<iiiQ", 0, 2, 0, 1200), Header(0, 2, 0, 1200, 20), id="the original"),
        pytest.param(struct.pack("<iiiQ", 0, 2, 5, 2**33), Header(0, 2, 5, 2**33, 20), id="its successors"),
        pytest.param(struct.pack("<iiiI", 0, 1, 0, 1200), Header(0, 1, 0, 1200, 16), id="old, with 32 bits"),
    ],
)
def test_headers(raw: bytes, header: Header) -> None:
    assert parse_header(raw) == header
    assert header.flavour is (Flavour.AX if header.revision else Flavour.PJ)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_header_or_refused(raw: bytes) -> None:
    try:
        header = parse_header(raw)
    except HeaderError:
        return
    assert (header.major, header.size_bytes) == (0, 20 if header.minor == 2 else 16)
    assert len(raw) >= header.size_bytes


@pytest.mark.parametrize("revision", [pytest.param(0, id="PJ"), pytest.param(5, id="AX, HK")])
def test_a_whole_file_is_whole(revision: int) -> None:
    assert judge(head(100, revision=revision), SIZE, NETWORK, finite=True) == Verdict(
        whole=True, iteration=100, seen=400
    )


def test_an_old_header_is_four_bytes_shorter() -> None:
    old = struct.pack("<iiiI", 0, 1, 0, 400)
    assert judge(old, SIZE - 4, NETWORK, finite=True).iteration == 100
    assert not judge(old, SIZE, NETWORK, finite=True).whole


@given(st.integers(1, 2 * SIZE).filter(lambda size: size != SIZE), st.integers(1, 600))
def test_a_file_of_another_size_is_not(size_bytes: int, iteration: int) -> None:
    verdict = judge(head(iteration)[:size_bytes], size_bytes, NETWORK, finite=True)
    assert not verdict.whole
    assert verdict.iteration is None
    assert f"{abs(SIZE - size_bytes)} bytes" in verdict.reason
    assert "cfg/remote.cfg" in verdict.reason


def test_an_empty_file_is_called_so() -> None:
    assert judge(b"", 0, NETWORK, finite=True).reason == "it is empty"


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_a_version_that_no_darknet_writes_is_not(major: int, minor: int, revision: int) -> None:
    assume((major, minor) not in {(0, 1), (0, 2)} or not 0 <= revision < 100)
    wild = struct.pack("<iiiQ", major, minor, revision, 400)
    assert not judge(wild, SIZE, NETWORK, finite=True).whole


@given(st.one_of(st.integers(0, 3), st.integers(4 * 601, 2**64 - 1)))
def test_a_count_far_above_what_is_asked_for_or_below_one_iteration_is_not(seen: int) -> None:
    assert not judge(struct.pack("<iiiQ", 0, 2, 5, seen), SIZE, NETWORK, finite=True).whole


def test_numbers_that_are_none_are_not() -> None:
    verdict = judge(head(100), SIZE, NETWORK, finite=False)
    assert "NaN" in verdict.reason
    assert (verdict.whole, verdict.iteration, verdict.poisoned_at) == (False, None, 100)
    assert judge(head(100), SIZE, NETWORK, finite=True).poisoned_at is None


def test_a_batch_changed_since_changes_the_iteration_and_nothing_else() -> None:
    # Source: measured; 200 images are iteration 50 at batch 4 and 25 at batch 8, and 22 at batch 9.
    seen_200 = struct.pack("<iiiQ", 0, 2, 5, 200)
    iterations = [
        judge(seen_200, SIZE, parse_cfg(tiny_cfg(batch=batch)), finite=True).iteration for batch in (4, 8, 9)
    ]
    assert iterations == [50, 25, 22]
