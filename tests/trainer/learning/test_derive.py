"""Only the lines that must change do, and they are those that darknet reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.cfg import Network, parse_cfg
from trainer.darknet.data import parse_data
from trainer.errors import TreeError
from trainer.learning.derive import add_note, derive_cfg, derive_data

LAYERS = "[convolutional]\nfilters=4\nsubdivisions=9\nlearning_rate=9\n"


@pytest.mark.parametrize(
    ("net", "derived"),
    [
        pytest.param("subdivisions=8\nbatch=64\n", "subdivisions=16\nbatch=64\n", id="the line"),
        pytest.param(
            " sub divisions =\t8  # T4\n", " sub divisions =\t16  # T4\n", id="spaces and comment stay"
        ),
        pytest.param("subdivisions = 0 8\n", "subdivisions = 16\n", id="spaces in the number are none"),
        pytest.param("subdivisions=8\r\nbatch=64\r\n", "subdivisions=16\r\nbatch=64\r\n", id="CRLF stays"),
        pytest.param("subdivisions=8\r\nbatch=64\n", "subdivisions=16\r\nbatch=64\n", id="so do mixed ends"),
        pytest.param(
            "#subdivisions=1\n;subdivisions=2\nsubdivisions=8\nsubdivisions=64\n",
            "#subdivisions=1\n;subdivisions=2\nsubdivisions=16\nsubdivisions=64\n",
            id="the first that is no comment",
        ),
        pytest.param("batch=64\n", "subdivisions=16\nbatch=64\n", id="missing"),
        pytest.param("batch=64\nsubdivisions=16\n", "batch=64\nsubdivisions=16\n", id="as wished already"),
    ],
)
@pytest.mark.parametrize("header", ["[net]\n", "# mine\n\n [ network ]\n"])
def test_subdivisions(net: str, derived: str, header: str) -> None:
    assert derive_cfg(header + net + LAYERS, subdivisions=16) == header + derived + LAYERS


@pytest.mark.parametrize(
    ("net", "derived"),
    [
        pytest.param("learning_rate=0.00261\n", "learning_rate=0.001305\n", id="halved"),
        pytest.param(
            "learning_rate=1.3e-5 #x\n", "learning_rate=0.0000065 #x\n", id="hank-ai's reads no exponent"
        ),
        pytest.param("batch=64\n", "learning_rate=0.0005\nbatch=64\n", id="darknet's default"),
        pytest.param(
            "learning_rate=.01\nburn_in=1000\npolicy=steps\nsteps=1,2\nscales=.1,.1\n",
            "learning_rate=0.005\nburn_in=1000\npolicy=steps\nsteps=1,2\nscales=.1,.1\n",
            id="burn-in, steps and scales stay",
        ),
        pytest.param(
            "learning_rate=0.01\npolicy = sgdr\n",
            "learning_rate_min=0.000005\nlearning_rate=0.005\npolicy = sgdr\n",
            id="sgdr swings down to its least rate",
        ),
        pytest.param(
            "policy=sgdr\nlearning_rate=0.01\nlearning_rate_min=0.004\n",
            "policy=sgdr\nlearning_rate=0.005\nlearning_rate_min=0.002\n",
            id="which may lie high",
        ),
        pytest.param(
            "learning_rate=0.01\nlearning_rate_min=0.004\n",
            "learning_rate=0.005\nlearning_rate_min=0.004\n",
            id="other policies do not read it",
        ),
    ],
)
def test_the_learning_rate(net: str, derived: str) -> None:
    assert derive_cfg("[net]\n" + net + LAYERS, rate_factor=0.5) == "[net]\n" + derived + LAYERS


@pytest.mark.parametrize("text", ["", "[net]\nbatch=8\n", "[net]\nlearning_rate=x\n" + LAYERS])
def test_what_is_no_cfg_is_not_derived_from(text: str) -> None:
    with pytest.raises(TreeError):
        derive_cfg(text, rate_factor=0.5)


_KEYS = st.sampled_from(
    ["batch", "subdivisions", "learning_rate", "policy", "max_batches", "filters", "burn_in"]
)
_SPACE = st.text(" \t", max_size=2)
_OPTION = st.tuples(
    _SPACE, _KEYS, _SPACE, _SPACE, st.integers(1, 9999), st.sampled_from(["", " ", "#c", " ; d"])
).map(lambda parts: f"{parts[0]}{parts[1]}{parts[2]}={parts[3]}{parts[4]}{parts[5]}")
_LINE = st.one_of(
    _OPTION, st.sampled_from(["", "# subdivisions=7", ";learning_rate=7", "word", "[conv]", "[yolo]"])
)
_LINES = st.lists(st.tuples(_LINE, st.sampled_from(["\n", "\r\n"])), max_size=12)


def _but_for_lines(network: Network) -> list[tuple[str, dict[str, str]]]:
    rates = {"subdivisions": "", "learning_rate": ""}
    net = (network.net.kind, dict(network.net.options) | rates)
    return [net, *((layer.kind, dict(layer.options)) for layer in network.layers)]


@given(_LINES, st.sampled_from([None, 1, 32]), st.sampled_from([1.0, 0.5, 0.125]))
def test_darknet_reads_the_derived_cfg_as_the_users_but_for_what_was_asked(
    lines: list[tuple[str, str]], subdivisions: int | None, rate_factor: float
) -> None:
    text = "[net]\n" + "".join(line + end for line, end in lines) + LAYERS
    before = parse_cfg(text)
    derived = derive_cfg(text, subdivisions=subdivisions, rate_factor=rate_factor)
    after = parse_cfg(add_note(derived, "cfg/a.cfg"))
    assert after.subdivisions == (subdivisions or before.subdivisions)
    assert after.learning_rate == pytest.approx(before.learning_rate * rate_factor)
    assert _but_for_lines(after) == _but_for_lines(before)
    old, new = text.split("\n"), derived.split("\n")
    kept = new[len(new) - len(old) + 1 :]  # what is missing comes right after the first line
    assert sum(one != other for one, other in zip(old[1:], kept, strict=True)) <= 2
    if subdivisions in {None, before.subdivisions} and rate_factor == 1.0:
        assert derived == text


@pytest.mark.parametrize(
    ("text", "derived"),
    [
        pytest.param("classes=2\nbackup = b\n", "savelast=30\nclasses=2\nbackup = b\n", id="missing"),
        pytest.param("classes=2\r\n", "savelast=30\r\nclasses=2\r\n", id="CRLF"),
        pytest.param(
            "a=1\nsave last\t= 1 0 0 0 \r\nsavelast=5",
            "a=1\nsave last\t= 30 \r\nsavelast=5",
            id="the first, spaces stay",
        ),
        pytest.param(
            "savelast=\n#savelast=4\nsavelast=7\n",
            "savelast=\n#savelast=4\nsavelast=30\n",
            id="one with a value",
        ),
        pytest.param("savelast = 3 0\n", "savelast = 3 0\n", id="as wished already"),
        pytest.param("", "savelast=30\n", id="empty"),
    ],
)
def test_a_data_file(text: str, derived: str) -> None:
    assert derive_data(text, {"savelast": "30"}) == derived
    assert parse_data(add_note(derived, "cfg/a.data")).savelast == 30


@given(
    st.lists(st.sampled_from(["train=a b", "savelast=9", "#savelast=1", "", "backup=b\r", "x"]), max_size=8)
)
def test_the_rest_of_a_data_file_stays(lines: list[str]) -> None:
    text = "\n".join(lines)
    derived = derive_data(text, {"savelast": "30"})
    assert parse_data(derived).savelast == 30
    assert parse_data(derived).backup == parse_data(text).backup
    assert [line for line in derived.split("\n") if "savelast=" not in line or line[0] == "#"] == [
        line for line in lines or [""] if "savelast=" not in line or line[0] == "#"
    ]
    assert derive_data(text, {}) == text


@pytest.mark.parametrize(
    ("source", "shown"), [("cfg/a.cfg", "cfg/a.cfg"), ("a\nbatch=1", "a?batch=1"), ("\udcff", "?")]
)
def test_a_derived_file_says_that_it_is_one(source: str, shown: str) -> None:
    note, rest = add_note("[net]\r\nbatch=1\r\n", source).split("\n", 1)
    assert note == f"# Derived from {shown} whenever darknet is started: change that file, not this one.\r"
    assert rest == "[net]\r\nbatch=1\r\n"
