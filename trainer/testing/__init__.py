"""What tests and the demo need: a small tree that the real darknet trains on a CPU in seconds.

    python -m trainer.testing DIR [--images N] [--max-batches N] ...

``stand_in`` does as a ``transcript`` says in place of a darknet that is not here, or that has to do what none does when
asked; ``supervised`` has a tree trained in this process.

Nothing shipped imports this package.
"""

from __future__ import annotations

from trainer.testing.tree import TreeInfo, leave_chart, make_tree

__all__ = ["TreeInfo", "leave_chart", "make_tree"]
