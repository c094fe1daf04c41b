"""PURE: the words that stand for something in a .cfg: how layers activate, how the learning rate goes on.

Source: ``get_activation`` and ``get_policy`` of the original and of AlexeyAB's darknet (activations.c, parser.c), which
go on with another word where they know none; hank-ai's has AlexeyAB's words (darknet_enums.cpp), and ends.
"""

from __future__ import annotations

from trainer.darknet.program import Flavour

_ORIGINAL_ACTIVATIONS = frozenset(
    {
        "elu", "hardtan", "leaky", "lhtan", "linear", "loggy", "logistic", "plse", "ramp", "relie", "relu", "selu",
        "stair", "tanh",
    }
)  # fmt: skip
_ACTIVATIONS = _ORIGINAL_ACTIVATIONS | {
    "gelu", "hard_mish", "mish", "normalize_channels", "normalize_channels_softmax",
    "normalize_channels_softmax_maxval", "relu6", "revleaky", "swish",
}  # fmt: skip
_ORIGINAL_POLICIES = frozenset({"constant", "exp", "poly", "random", "sigmoid", "step", "steps"})

WORDS = {"activation": _ACTIVATIONS, "policy": _ORIGINAL_POLICIES | {"sgdr"}}
"""By option: the words that some darknet knows."""

INSTEAD = {"activation": "relu", "policy": "constant"}
"""What a darknet takes for a word that it does not know, if it does not end."""

_ORIGINAL_WORDS = {"activation": _ORIGINAL_ACTIVATIONS, "policy": _ORIGINAL_POLICIES}


def words_of(key: str, flavour: Flavour) -> frozenset[str]:
    """Those that a darknet knows for an option, one of ``WORDS``."""
    return (_ORIGINAL_WORDS if flavour is Flavour.PJ else WORDS)[key]
