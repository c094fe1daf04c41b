"""PURE: compute capabilities of the GPUs that people train on, by name, for drivers that do not tell them.

``nvidia-smi`` has told it since driver 510. Source: https://developer.nvidia.com/cuda-gpus and, for those that
NVIDIA no longer lists, https://developer.nvidia.com/cuda-legacy-gpus.
"""

from __future__ import annotations

import re

_CAPABILITIES = {
    (12, 0): ("RTX PRO [2456]\\d{3}", "G4", "RTX 50[5-9]0"),
    (10, 3): ("B300", "GB300"),
    (10, 0): ("B200", "GB200"),
    (9, 0): ("H100", "H200", "H800", "H20", "GH200"),
    (8, 9): ("L4", "L40S?", "L20", "RTX 40[5-9]0", "RTX [2456]\\d00 Ada", "RTX 5880"),
    (8, 6): ("A2", "A10G?", "A16", "A40", "RTX 30[5-9]0", "RTX A[2-6]\\d{3}"),
    (8, 0): ("A100", "A800", "A30"),
    (7, 5): ("T4G?", "T[4-9]00", "T1000", "RTX 20[678]0", "GTX 16[356]0", "TITAN RTX", "Quadro RTX [3-8]000"),
    (7, 0): ("V100S?", "TITAN V", "GV100"),
    (6, 1): ("P4", "P40", "P6", "GTX 10[5-8]0", "TITAN Xp", "TITAN X \\(Pascal", "GT 1030"),
    (6, 0): ("P100", "GP100"),
    (5, 2): ("M4", "M6", "M40", "M60", "GTX 9[5-8]0", "TITAN X"),
    (3, 7): ("K80",),
    (3, 5): ("K40[cmst]?", "K20[cmXx]?"),
}


def capability_by_name(name: str) -> tuple[int, int] | None:
    """The compute capability of the GPU ``name`` ("Tesla T4", "NVIDIA A100-SXM4-40GB"); None where it is not known."""
    for capability, models in _CAPABILITIES.items():
        # A model is a word of its own: A10 is not A100, nor is L4 L40.
        if any(re.search(rf"(?<![\w]){model}(?![\w])", name, re.IGNORECASE) for model in models):
            return capability
    return None
