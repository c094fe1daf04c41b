"""What tests and the demo need: a small tree that the real darknet trains on a CPU in seconds.

    python -m trainer.testing DIR [--images N] [--max-batches N] ...

Nothing shipped imports this package.
"""

from __future__ import annotations

from trainer.testing.tree import TreeInfo, make_tree

__all__ = ["TreeInfo", "make_tree"]
