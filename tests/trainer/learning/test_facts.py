"""A cfg that was changed between sessions is noticed, and what follows from it is said in real numbers."""

from __future__ import annotations

import math

import pytest

from trainer.darknet.cfg import parse_cfg
from trainer.learning.facts import describe_changes, read_facts

CFG = """[net]
batch=64
subdivisions=16
width=416
height=416
channels=3
learning_rate=0.001
max_batches=30000
[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
filters=18
size=1
stride=1
activation=linear
[yolo]
classes=1
"""
SEEN = 12_000 * 64


def changes(*edits: tuple[str, str], seen: int | None = SEEN) -> list[str]:
    """What is said when the cfg is edited."""
    text = CFG
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    now = parse_cfg(text, "cfg/remote.cfg")
    return describe_changes(read_facts(parse_cfg(CFG)), read_facts(now), seen=seen, network=now)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(
            ("batch=64", "batch=32"),
            "iteration 12,000 counted with batch 64 is iteration 24,000 with batch 32: the count goes on there",
            id="a smaller batch",
        ),
        pytest.param(
            ("batch=64", "batch=128"),
            "iteration 12,000 counted with batch 64 is iteration 6,000 with batch 128: the count goes on there",
            id="a larger batch",
        ),
        pytest.param(
            ("subdivisions=16", "subdivisions=24"),
            "iteration 12,000 counted with batch 64 is iteration 16,000 with batch 64 in 24 subdivisions (48 images): "
            "the count goes on there",
            id="subdivisions that do not divide the batch",
        ),
        pytest.param(
            ("max_batches=30000", "max_batches=10000"),
            "max_batches is 10,000 and 12,000 iterations are trained: darknet would write its final weights at once "
            "and train nothing",
            id="an end that lies behind",
        ),
        pytest.param(
            ("max_batches=30000", "max_batches=40000"),
            "max_batches was 30,000 and is 40,000; look whether steps still suits",
            id="a later end",
        ),
        pytest.param(
            ("learning_rate=0.001", "learning_rate=0.0001"),
            "learning_rate was 0.001 and is 0.0001, from the next iteration on",
            id="another learning rate",
        ),
        pytest.param(
            ("width=416", "width=608"),
            "the input was 416x416 and is 608x416 pixels; checkpoints fit all the same",
            id="another input",
        ),
        pytest.param(
            ("filters=18", "filters=21"),
            "the network has changed, first in layer 2 (cfg/remote.cfg:19: [convolutional]): no checkpoint of before "
            "fits it (3,228 bytes then, 3,432 now)",
            id="other classes",
        ),
        pytest.param(
            ("[yolo]", "[convolutional]\nfilters=18\n[yolo]"),
            "the network has changed, first in layer 3 (cfg/remote.cfg:24: [convolutional]): no checkpoint of before "
            "fits it (3,228 bytes then, 4,596 now)",
            id="a layer more",
        ),
        pytest.param(
            ("[yolo]\nclasses=1\n", ""),
            "the network has changed, from 4 layers to 3, and its checkpoints have the size of those of before: "
            "darknet would load these without a word, though they were trained for another network",
            id="a layer less",
        ),
        pytest.param(
            ("size=2\nstride=2", "size=3\nstride=3"),
            "the network has changed, first in layer 1 (cfg/remote.cfg:16: [maxpool]), and its checkpoints have the "
            "size of those of before: darknet would load these without a word, though they were trained for another "
            "network",
            id="another network of the same size",
        ),
    ],
)
def test_one_change(edit: tuple[str, str], said: str) -> None:
    assert changes(edit) == [said]


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(("batch=64", "batch = 64"), id="spaces"),
        pytest.param(("batch=64", "# mine\nbatch=64"), id="a comment"),
        pytest.param(("subdivisions=16", "subdivisions=32"), id="subdivisions that divide the batch"),
        pytest.param(("stride=1\n", ""), id="a default that is not written any more"),
        pytest.param(("activation=leaky", "activation=mish"), id="what does not change a weight's place"),
        pytest.param(("[convolutional]", "[conv]"), id="a short name"),
    ],
)
def test_what_changes_nothing_is_not_spoken_of(edit: tuple[str, str]) -> None:
    assert changes(edit) == []


def test_a_smaller_batch_that_ends_the_training() -> None:
    count, goal = changes(("batch=64", "batch=16"))
    assert count.startswith("iteration 12,000 counted with batch 64 is iteration 48,000 with batch 16")
    assert goal.startswith(
        "max_batches is 30,000 and 48,000 iterations are trained: darknet would write its final"
    )


def test_before_anything_is_trained_nothing_is_lost() -> None:
    assert changes(("batch=64", "batch=16"), ("max_batches=30000", "max_batches=10"), seen=None) == [
        "an iteration was batch 64 and is batch 16",
        "max_batches was 30,000 and is 10; look whether steps still suits",
    ]


def test_several_changes_the_worst_first() -> None:
    said = changes(
        ("filters=18", "filters=21"),
        ("batch=64", "batch=32"),
        ("max_batches=30000", "max_batches=40000"),
        ("=0.001", "=0.002"),
        ("width=416", "width=608"),
    )
    assert [line.split()[1] for line in said] == ["network", "12,000", "was", "was"]


def test_a_layer_without_a_place_has_its_number() -> None:
    before, now = (read_facts(parse_cfg(text)) for text in (CFG, CFG.replace("filters=18", "filters=21")))
    assert "first in layer 2: no checkpoint" in describe_changes(before, now)[0]


def test_the_first_layer_may_take_another_input() -> None:
    text = "[net]\ninputs=4\n[connected]\noutput=2\n"
    before, now = (read_facts(parse_cfg(one)) for one in (text, text.replace("=4", "=8")))
    said = "the network has changed: no checkpoint of before fits it (60 bytes then, 92 now)"
    assert describe_changes(before, now) == [said]


@pytest.mark.parametrize("rate", ["1e999", "-1e999"])
def test_a_learning_rate_beyond_all_numbers_can_be_kept(rate: str) -> None:
    facts = read_facts(parse_cfg(CFG.replace("=0.001", f"={rate}")))
    assert math.isfinite(facts.learning_rate)
