"""What was learned of a run is kept, holds for the cfg that it was learned with, and cannot do harm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.cfg import parse_cfg
from trainer.learning.learned import (
    LEARNED_FILE,
    NOTHING_LEARNED,
    Learned,
    fingerprint,
    read_learned,
    write_learned,
)
from trainer.testing.tree import tiny_cfg

if TYPE_CHECKING:
    from pathlib import Path

CFG = tiny_cfg(batch=64)
NETWORK = parse_cfg(CFG)
LEARNED = Learned(32, 0.25, 1.9, 7.5, fingerprint(NETWORK))


def place(tree: Path, content: bytes) -> None:
    (tree / LEARNED_FILE).parent.mkdir(exist_ok=True)
    (tree / LEARNED_FILE).write_bytes(content)


@pytest.mark.parametrize("learned", [NOTHING_LEARNED, LEARNED])
def test_what_was_written_is_read(learned: Learned, tmp_path: Path) -> None:
    write_learned(tmp_path, learned)
    assert read_learned(tmp_path) == learned


def test_nothing_was_learned_yet(tmp_path: Path) -> None:
    assert read_learned(tmp_path) == NOTHING_LEARNED


def test_a_disk_that_cannot_take_it_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / ".trainer").touch()
    write_learned(tmp_path, LEARNED)
    assert read_learned(tmp_path) == NOTHING_LEARNED


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"subdivisions": 0}, id="none"),
        pytest.param({"subdivisions": True}, id="no number"),
        pytest.param({"subdivisions": 2.0}, id="no whole number"),
        pytest.param({"subdivisions": 1 << 40}, id="too many"),
        pytest.param({"rate_factor": 0}, id="nothing would be learned"),
        pytest.param({"rate_factor": -0.5}, id="it would be unlearned"),
        pytest.param({"rate_factor": 1000.0}, id="it would diverge"),
        pytest.param({"rate_factor": None}, id="no factor"),
        pytest.param({"iteration_s": 0.0}, id="no time"),
        pytest.param({"iteration_s": "1"}, id="text"),
        pytest.param({"push_s": 1e300}, id="longer than any push"),
        pytest.param({"push_s": [1]}, id="a list"),
        pytest.param({"cfg": 7}, id="no fingerprint"),
        pytest.param({"others": 1}, id="of another version"),
        pytest.param([32, 0.25], id="no object"),
        pytest.param(None, id="null"),
    ],
)
def test_what_it_would_not_write_is_ignored(said: object, tmp_path: Path) -> None:
    place(tmp_path, json.dumps(said).encode())
    assert read_learned(tmp_path) == NOTHING_LEARNED


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(json.dumps({"subdivisions": 32}).encode()[:-3], id="torn"),
        pytest.param(b'{"rate_factor": NaN}', id="NaN"),
        pytest.param(b'{"push_s": Infinity}', id="infinity"),
        pytest.param(b"[" * 4096, id="deep"),
        pytest.param(b'{"subdivisions": ' + b"9" * 5000 + b"}", id="endless"),
        pytest.param(b"\xff\xfe\xfd", id="no text"),
    ],
)
def test_so_is_what_is_torn_or_hostile(content: bytes, tmp_path: Path) -> None:
    place(tmp_path, content)
    assert read_learned(tmp_path) == NOTHING_LEARNED


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
_FIELDS = st.sampled_from(["subdivisions", "rate_factor", "iteration_s", "push_s", "cfg"])


@given(said=st.dictionaries(_FIELDS, _ANYTHING))
def test_whatever_is_read_can_be_trained_with(said: dict[str, object], tmp_path: Path) -> None:
    place(tmp_path, json.dumps(said | {"cfg": LEARNED.cfg}).encode())
    learned = read_learned(tmp_path).fit(NETWORK)
    assert learned.subdivisions is None or 64 % learned.subdivisions == 0
    assert 0.0 < learned.rate_factor <= 1.0
    assert all(time is None or 0.0 < time <= 86_400 for time in (learned.iteration_s, learned.push_s))
    assert learned.with_times().cfg == LEARNED.cfg


@pytest.mark.parametrize(
    "cfg",
    [
        pytest.param(CFG, id="the same"),
        pytest.param(CFG.replace("batch=", " batch = "), id="written otherwise"),
        pytest.param(CFG.replace("max_batches=300", "max_batches=900"), id="longer"),
        pytest.param(CFG.replace("steps=240,270", "steps=100,200"), id="with other steps"),
    ],
)
def test_it_holds_for_the_cfg_that_it_was_learned_with(cfg: str) -> None:
    assert LEARNED.fit(parse_cfg(cfg)) == LEARNED


@pytest.mark.parametrize(
    "cfg",
    [
        pytest.param(CFG.replace("batch=64", "batch=32"), id="another batch"),
        pytest.param(CFG.replace("subdivisions=1", "subdivisions=2"), id="other subdivisions"),
        pytest.param(CFG.replace("learning_rate=0.001", "learning_rate=0.01"), id="another learning rate"),
        pytest.param(CFG.replace("width=64", "width=96"), id="wider"),
        pytest.param(CFG.replace("height=64", "height=96"), id="higher"),
        pytest.param(CFG.replace("filters=16", "filters=17"), id="another layer"),
        pytest.param(CFG + "[dropout]\n", id="one layer more"),
    ],
)
def test_a_user_who_edits_the_cfg_gets_what_he_wrote(cfg: str) -> None:
    network = parse_cfg(cfg)
    assert LEARNED.fit(network) == Learned(cfg=fingerprint(network))
    assert LEARNED.cfg != fingerprint(network)


def test_subdivisions_that_would_drop_images_are_not_taken() -> None:
    learned = Learned(subdivisions=3, cfg=LEARNED.cfg)
    assert learned.fit(NETWORK) == Learned(cfg=LEARNED.cfg)


def test_learning_goes_on() -> None:
    learned = NOTHING_LEARNED.fit(NETWORK).with_times(iteration_s=2.0)
    learned = learned.with_changes(subdivisions=16, rate_factor=1.0).with_changes(
        subdivisions=None, rate_factor=0.5
    )
    learned = learned.with_times(push_s=9.0).with_times(iteration_s=float("nan"), push_s=0.0)
    assert learned == Learned(16, 0.5, 2.0, 9.0, fingerprint(NETWORK))
