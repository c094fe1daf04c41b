"""Compute capabilities by name."""

from __future__ import annotations

import pytest

from trainer.machine.names import capability_by_name


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("Tesla T4", (7, 5)),
        ("NVIDIA T4", (7, 5)),
        ("Tesla P100-PCIE-16GB", (6, 0)),
        ("Tesla P4", (6, 1)),
        ("Tesla P40", (6, 1)),
        ("Tesla V100-SXM2-16GB", (7, 0)),
        ("Tesla V100S-PCIE-32GB", (7, 0)),
        ("NVIDIA A100-SXM4-40GB", (8, 0)),
        ("NVIDIA A10", (8, 6)),
        ("NVIDIA A10G", (8, 6)),
        ("NVIDIA A2", (8, 6)),
        ("NVIDIA L4", (8, 9)),
        ("NVIDIA L40S", (8, 9)),
        ("NVIDIA H100 80GB HBM3", (9, 0)),
        ("NVIDIA GH200 480GB", (9, 0)),
        ("NVIDIA B200", (10, 0)),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", (12, 0)),
        ("NVIDIA GeForce RTX 5090", (12, 0)),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", (8, 9)),
        ("NVIDIA RTX 6000 Ada Generation", (8, 9)),
        ("NVIDIA RTX A6000", (8, 6)),
        ("NVIDIA GeForce RTX 3060 Laptop GPU", (8, 6)),
        ("Quadro RTX 6000", (7, 5)),
        ("NVIDIA GeForce GTX 1660 Ti", (7, 5)),
        ("GeForce GTX 1080 Ti", (6, 1)),
        ("NVIDIA TITAN Xp", (6, 1)),
        ("GeForce GTX TITAN X", (5, 2)),
        ("NVIDIA TITAN X (Pascal)", (6, 1)),
        ("Tesla M60", (5, 2)),
        ("Tesla K80", (3, 7)),
        ("Tesla K40m", (3, 5)),
        ("Graphics Device", None),
        ("", None),
    ],
)
def test_capabilities(name: str, capability: tuple[int, int] | None) -> None:
    assert capability_by_name(name) == capability
