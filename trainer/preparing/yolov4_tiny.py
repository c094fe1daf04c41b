"""PURE: the cfg of yolov4-tiny, for trees that bring no template."""

from __future__ import annotations


def tiny_cfg_text() -> str:
    """The text of yolov4-tiny-custom.cfg, for 80 classes."""
    raise NotImplementedError
