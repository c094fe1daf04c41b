"""The table makes the published network: its layers, its sizes, and nothing that check would find."""

from __future__ import annotations

from dataclasses import replace

from tests.trainer.darknet.shorthand import yolov4_tiny
from trainer.checking.network import check_network
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.size import weights_size
from trainer.preparing.yolov4_tiny import tiny_cfg_text


def test_the_published_weights_fit() -> None:
    network = parse_cfg(tiny_cfg_text())
    assert len(network.layers) == 38
    assert weights_size(network) == 24_251_276
    assert weights_size(network, cutoff=29) == 19_789_716


def test_its_layers_are_those_of_another_account_of_them() -> None:
    ours, others = parse_cfg(tiny_cfg_text()).layers, parse_cfg(yolov4_tiny()).layers
    assert [layer.kind for layer in ours] == [layer.kind for layer in others]
    for one, other in zip(ours, others, strict=True):
        both = one.options.keys() & other.options.keys()
        assert replace(one, options={key: one.options[key] for key in both}, line=0) == replace(
            other, options={key: other.options[key] for key in both}, line=0
        )


def test_every_anchor_serves_one_layer() -> None:
    detecting = [layer for layer in parse_cfg(tiny_cfg_text()).layers if layer.kind == "yolo"]
    assert sorted(mask for layer in detecting for mask in layer.integers("mask")) == list(range(6))


def test_check_finds_nothing() -> None:
    text = tiny_cfg_text()
    assert list(check_network(parse_cfg(text), text, "x.cfg", classes=80, images=118_287)) == []
