"""Each way in which an option of a cfg is none, or is not what darknet reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.checking.findings import Finding, Severity
from trainer.checking.options import check_options
from trainer.darknet.program import Flavour
from trainer.darknet.words import INSTEAD, WORDS, words_of
from trainer.preparing.yolov4_tiny import tiny_cfg_text

CFGS = Path("/usr/share/darknet/cfg")
"""Of the original darknet's package."""

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
NET = "[net]\n# batch=1\nbatch=4\n"


def look(text: str, flavour: Flavour = Flavour.AX) -> list[Finding]:
    return list(check_options(text, "x.cfg", flavour=flavour))


@pytest.mark.parametrize("path", sorted(CFGS.glob("*.cfg")), ids=lambda path: path.stem)
def test_published_cfgs_are_right_but_for_options_that_they_have_twice(path: Path) -> None:
    assert {one.code for one in look(path.read_text(), Flavour.PJ)} <= {"option-twice"}


def test_the_template_is_right() -> None:
    assert look(tiny_cfg_text()) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("width=416", None, id="a number"),
        pytest.param(" wid th = 4 16 ", None, id="spaces"),
        pytest.param("width=416# of the input", None, id="a remark"),
        pytest.param("width=416.0", None, id="a whole number, if with a point"),
        pytest.param("decay=5.e-4", None, id="a number with a point"),
        pytest.param("policy=steps", None, id="a policy"),
        pytest.param("steps=-1,2,  3 # 4", None, id="a list"),
        pytest.param("own=mine", None, id="what no darknet knows"),
        pytest.param("width", (W, "no-option"), id="no equals sign"),
        pytest.param("width=", (W, "no-option"), id="no value"),
        pytest.param("batch=8", (W, "option-twice"), id="twice"),
        pytest.param("batch = 4", (N, "option-twice"), id="twice the same"),
        pytest.param("width=x", (E, "no-number"), id="no number"),
        pytest.param("width=inf", (E, "no-number"), id="no whole number"),
        pytest.param("momentum=nan", (E, "no-number"), id="nan"),
        pytest.param("momentum=1e999", (E, "no-number"), id="infinite"),
        pytest.param("steps=1,a", (E, "no-number"), id="no list of numbers"),
        pytest.param("width=3e2", (E, "number-cut"), id="a whole number in scientific notation"),
        pytest.param("width=416px", (E, "number-cut"), id="a unit"),
        pytest.param("momentum=0,9", (E, "number-cut"), id="a decimal comma"),
        pytest.param("steps=1,2.5", (E, "number-cut"), id="a fraction in a list"),
        pytest.param("width=2147483647", None, id="the largest number"),
        pytest.param("width=2147483648", (E, "number-too-large"), id="a number beyond it"),
        pytest.param(f"steps=1,{'9' * 5000}", (E, "number-too-large"), id="an endless number"),
        pytest.param("subdivisions=0", (E, "no-images"), id="no part of a batch"),
        pytest.param("policy=foo", (E, "policy"), id="no policy"),
        pytest.param("activation=Leaky", (E, "activation"), id="no activation: upper and lower case differ"),
    ],
)
def test_an_option(line: str, found: tuple[Severity, str] | None) -> None:
    findings = look(f"{NET}{line}\n[yolo]\nbatch=7\n")
    assert [(one.severity, one.code, one.line) for one in findings] == ([(*found, 4)] if found else [])
    assert all(one.what.isprintable() and len(one.what) < 300 for one in findings)


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        pytest.param("width=x", "darknet takes 0 for it.", id="as 0"),
        pytest.param("width=3e2", "darknet takes 3, and passes over the rest.", id="as what it begins with"),
        pytest.param("decay=inf", "darknet takes it as it is, ", id="as it is"),
        pytest.param("batch=8", "darknet takes the first, batch=4.", id="as before"),
        pytest.param("policy=sgd", "darknet says that it goes on with constant, ", id="as another word"),
    ],
)
def test_what_darknet_makes_of_it(line: str, effect: str) -> None:
    (finding,) = look(NET + line)
    assert finding.effect.startswith(effect)


@pytest.mark.parametrize(
    ("flavour", "line", "severity", "effect"),
    [
        pytest.param(Flavour.PJ, "activation=mish", W, "goes on with relu", id="another darknet's"),
        pytest.param(Flavour.PJ, "policy=sgdr", W, "goes on with constant", id="another darknet's policy"),
        pytest.param(Flavour.AX, "activation=lekay", E, "goes on with relu", id="nobody's"),
        pytest.param(Flavour.HK, "activation=lekay", E, "hank-ai's darknet ends.", id="which ends hank-ai's"),
    ],
)
def test_which_darknet_knows_a_word(flavour: Flavour, line: str, severity: Severity, effect: str) -> None:
    (finding,) = look(NET + line, flavour)
    assert finding.severity is severity
    assert effect in finding.effect


def test_a_misspelt_word_is_recognised() -> None:
    (finding,) = look(NET + "activation=lekay")
    assert "leaky may be meant" in finding.what
    assert finding.fix == "Write activation=leaky."


@pytest.mark.parametrize("key", WORDS)
def test_the_original_has_the_words_that_it_is_said_to_have(key: str) -> None:
    executable = Path("/usr/bin/darknet").read_bytes()
    # Its compiler keeps words that others end with within them, and short ones in the code itself.
    longer = {word for word in words_of(key, Flavour.PJ) if len(word) > 5}
    assert all(f"{word}\0".encode() in executable for word in longer)
    assert not any(f"\0{word}\0".encode() in executable for word in WORDS[key] - words_of(key, Flavour.PJ))
    assert (
        f"Couldn't find {'policy' if key == 'policy' else 'activation function'} %s, going with".encode()
        in (executable)
    )
    assert INSTEAD[key] in words_of(key, Flavour.PJ)
