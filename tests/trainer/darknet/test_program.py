"""Each darknet is told apart by its executable and called as it wants to be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trainer.darknet.program import Flavour, flavour_of, refuse_weights, train_arguments
from trainer.errors import TreeError

PJ, AX, HK = Flavour.PJ, Flavour.AX, Flavour.HK


def test_the_real_darknet_is_the_original() -> None:
    program = shutil.which("darknet")
    assert program is not None
    assert flavour_of(Path(program).read_bytes()) is PJ


@pytest.mark.parametrize(
    ("executable", "flavour"),
    [
        pytest.param(
            b"\0%d: %f, %f avg loss, %f rate, %lf seconds, %d images, %f hours left\n\0", AX, id="AX"
        ),
        pytest.param(b"\0%d: %f, %f avg, %f rate, %lf seconds, %d images\n\0", PJ, id="PJ"),
        pytest.param(b"\0, time remaining=\0 hours left\0", HK, id="HK, linked statically"),
        pytest.param(b"\0_ZN7Darknet15parse_argumentsEiPPc\0", HK, id="HK, its library apart"),
        pytest.param(b"\x7fELF", None, id="something else"),
    ],
)
def test_flavour_by_what_the_executable_holds(executable: bytes, flavour: Flavour | None) -> None:
    assert flavour_of(executable) is flavour


@pytest.mark.parametrize(
    ("flavour", "weights", "extra", "after_cfg"),
    [
        pytest.param(PJ, None, (), (), id="PJ: an unknown flag would become the weights"),
        pytest.param(
            PJ, "w.backup", ("-gpus", "0,1"), ("w.backup", "-gpus", "0,1"), id="PJ: the flags it knows"
        ),
        pytest.param(AX, None, (), ("-dont_show",), id="AX from nothing"),
        pytest.param(
            AX, "y.conv.29", ("-map",), ("y.conv.29", "-dont_show", "-map"), id="AX: weights, then flags"
        ),
        pytest.param(AX, None, ("-dont_show", "-map"), ("-dont_show", "-map"), id="AX: no flag twice"),
        pytest.param(HK, "w.weights", (), ("w.weights", "-dont_show", "-nocolour"), id="HK without colours"),
    ],
)
def test_arguments(
    flavour: Flavour, weights: str | None, extra: tuple[str, ...], after_cfg: tuple[str, ...]
) -> None:
    arguments = train_arguments(flavour, data="a.data", cfg="a.cfg", weights=weights, extra=extra)
    assert arguments == ("detector", "train", "a.data", "a.cfg", *after_cfg)


def test_clear_is_for_the_first_start_only() -> None:
    first = train_arguments(AX, data="d", cfg="c", weights="y.conv.29", extra=("-clear", "-map"))
    again = train_arguments(
        AX, data="d", cfg="c", weights="w.weights", extra=("-clear", "-map"), resuming=True
    )
    assert first[5:] == ("-dont_show", "-clear", "-map")
    assert again[5:] == ("-dont_show", "-map")


@pytest.mark.parametrize(
    ("flavour", "weights", "extra", "message"),
    [
        pytest.param(PJ, None, ("-dont_show",), "does not know -dont_show", id="PJ and a flag of AX's"),
        pytest.param(
            PJ, "w.weights", ("-clear", "-map"), "does not know -map", id="PJ after a flag it knows"
        ),
        pytest.param(PJ, None, ("-gpus",), "-gpus wants a value", id="a value is missing"),
        pytest.param(
            HK, "y.conv.29", (), "loads only files whose names end in .weights", id="HK and y.conv.29"
        ),
    ],
)
def test_what_a_darknet_would_misread_is_refused(
    flavour: Flavour, weights: str | None, extra: tuple[str, ...], message: str
) -> None:
    with pytest.raises(TreeError, match=message):
        train_arguments(flavour, data="d", cfg="c", weights=weights, extra=extra)


def test_only_hank_ais_is_choosy_about_names() -> None:
    assert "y.conv.29" in refuse_weights(HK, "y.conv.29")
    assert not refuse_weights(HK, "a/b_last.weights")
    assert not refuse_weights(AX, "y.conv.29")
    assert not refuse_weights(PJ, "a.backup")
