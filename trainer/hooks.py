"""What is done for people when a run ends."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is to be done beside the training.

    Attributes:
        notify: URL that is told, by a POST, when the run has finished, was given up, has diverged or has lost its
            lease; empty for none. It is a secret: whoever has it can post there. So ``repr`` leaves it out.
        unassign: whether Colab's machine is given back after the verified end.
    """

    notify: str = field(default="", repr=False)
    unassign: bool = False


NO_HOOKS = Hooks()
"""Nothing is done for anybody."""
