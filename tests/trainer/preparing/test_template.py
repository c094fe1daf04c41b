"""darknet's published rules, set in published networks and in whatever people make of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trainer.darknet.shorthand import yolov4
from trainer.checking.network import check_network
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.program import Flavour
from trainer.darknet.size import weights_size
from trainer.errors import TreeError
from trainer.preparing.template import find_template, make_cfg
from trainer.preparing.yolov4_tiny import tiny_cfg_text

if TYPE_CHECKING:
    from collections.abc import Sequence

CFGS = Path("/usr/share/darknet/cfg")
"""Of the original darknet's package."""

TEMPLATES = {
    "yolov4": yolov4(),
    "yolov4-tiny": tiny_cfg_text(),
    "yolov3-tiny": (CFGS / "yolov3-tiny.cfg").read_text(),
}
SMALL = (
    "[net]\nbatch=1\nwidth=416\nheight=416\nchannels=3\nmax_batches=9\npolicy=steps\nsteps=7,8\nscales=.1,.1\n"
    "[convolutional]\nfilters=255\n[yolo]\nmask=0,1,2\nanchors=10,14, 23,27, 37,58\nclasses=80\nnum=3\n"
)
SETTABLE = {
    "net": {"batch", "subdivisions", "width", "height", "max_batches", "steps", "scales"},
    "convolutional": {"filters"},
    "conv": {"filters"},
    "yolo": {"classes", "anchors", "num", "mask", "counters_per_class"},
}


def make(
    template: str, classes: int = 2, images: int = 100, anchors: Sequence[tuple[float, float]] | None = None
) -> str:
    return make_cfg(template, "t.cfg", classes=classes, images=images, anchors=anchors)


def findings(text: str, classes: int, images: int) -> list[str]:
    """What ``check`` says of a cfg; that a template leaves out an anchor is its author's affair."""
    found = check_network(parse_cfg(text, "x.cfg"), text, "x.cfg", classes=classes, images=images)
    return [str(finding) for finding in found if finding.code != "anchor-unused"]


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize(
    ("classes", "images", "max_batches", "steps", "filters"),
    [
        pytest.param(1, 300, 6_000, (4_800, 5_400), 18, id="1 class"),
        pytest.param(2, 7_001, 7_001, (5_600, 6_300), 21, id="2 classes and many images"),
        pytest.param(20, 5_011, 40_000, (32_000, 36_000), 75, id="20 classes"),
        pytest.param(80, 118_287, 160_000, (128_000, 144_000), 255, id="80 classes"),
    ],
)
def test_the_published_rules(
    template: str, classes: int, images: int, max_batches: int, steps: tuple[int, int], filters: int
) -> None:
    text = make(template, classes, images)
    network = parse_cfg(text)
    assert (network.batch, network.subdivisions) == (64, 16)
    assert (network.max_batches, network.net.integers("steps")) == (max_batches, steps)
    layers = network.layers
    detecting = [index for index, layer in enumerate(layers) if layer.kind == "yolo"]
    assert {layers[index].integer("classes", 0) for index in detecting} == {classes}
    assert {layers[index - 1].integer("filters", 0) for index in detecting} == {filters}
    before = [layer.integer("filters", 0) for layer in parse_cfg(template).layers]
    assert all(
        layer.integer("filters", 0) == before[index]
        for index, layer in enumerate(layers)
        if index + 1 not in detecting
    )
    assert findings(text, classes, images) == []


@pytest.mark.parametrize(
    ("name", "cutoff", "published"),
    [
        pytest.param("yolov4", None, 257_717_640, id="yolov4.weights"),
        pytest.param("yolov4", 137, 170_038_676, id="yolov4.conv.137"),
        pytest.param("yolov4-tiny", None, 24_251_276, id="yolov4-tiny.weights"),
        pytest.param("yolov4-tiny", 29, 19_789_716, id="yolov4-tiny.conv.29"),
        pytest.param("yolov3-tiny", None, 35_434_956, id="yolov3-tiny.weights"),
    ],
)
def test_weights_have_the_published_sizes(name: str, cutoff: int | None, published: int) -> None:
    """What was pretrained fits whatever the classes; of the whole network every filter less is so much less."""
    inputs = {"yolov4": (256, 512, 1024), "yolov4-tiny": (512, 256), "yolov3-tiny": (512, 256)}[name]
    for classes in (80, 20, 2, 1):
        network = parse_cfg(make(TEMPLATES[name], classes))
        fewer = 0 if cutoff else (80 - classes) * 3
        assert weights_size(network, cutoff=cutoff) == published - 4 * fewer * sum(
            1 + side for side in inputs
        )


@pytest.mark.parametrize("classes", [1, 2, 20])
def test_the_real_darknet_builds_the_network(classes: int, tmp_path: Path) -> None:
    cfg, nothing, written = (tmp_path / name for name in ("x.cfg", "nothing.weights", "written.weights"))
    cfg.write_text(make(TEMPLATES["yolov3-tiny"], classes))
    nothing.touch()  # loads as random weights
    subprocess.run(["darknet", "partial", cfg, nothing, written, "1000"], check=True, capture_output=True)
    assert written.stat().st_size == weights_size(parse_cfg(cfg.read_text()), flavour=Flavour.PJ)
    written.unlink()


def test_only_what_the_rules_ask_for_is_changed() -> None:
    template = TEMPLATES["yolov3-tiny"]
    changed = [
        (old, new)
        for old, new in zip(template.splitlines(), make(template).splitlines(), strict=True)
        if old != new
    ]
    heads = [("filters=255", "filters=21"), ("classes=80", "classes=2")] * 2
    assert changed == [
        ("batch=1", "batch=64"),
        ("subdivisions=1", "subdivisions=16"),
        ("max_batches = 500200", "max_batches = 6000"),
        ("steps=400000,450000", "steps=4800,5400"),
        *heads,
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param("steps=7,8", "steps = 7, 8", "steps = 4800,5400", id="spaces"),
        pytest.param("num=3", "num=3\nclasses=7", "num=3\nclasses=7", id="the second of two does not count"),
        pytest.param("batch=1", "", "[net]\nbatch=64\nsubdivisions=16\n", id="missing"),
        pytest.param("scales=.1,.1", "scales=.1,.5", "scales=.1,.5", id="scales for two steps stay"),
        pytest.param("scales=.1,.1", "scales=.1,10,.1", "scales=.1,.1", id="scales for others do not"),
        pytest.param("policy=steps", "policy=poly", "policy=poly\nsteps=7,8", id="a policy without steps"),
        pytest.param(
            "num=3", "num=3\n counters_per_class=5,6", "\n counters_per_class=5,6", id="fitting counters"
        ),
        pytest.param(
            "num=3",
            "num=3\n counters_per_class=5",
            "\n# counters_per_class=5",
            id="counters that end darknet",
        ),
        pytest.param(
            "[yolo]", "[Gaussian_yolo]", "filters=33\n", id="Gaussian: 9 numbers beside the classes"
        ),
        pytest.param("mask=0,1,2", "mask=0,1", "filters=14\n", id="two masks"),
        pytest.param("mask=0,1,2", "", "filters=21\n", id="no mask: all anchors"),
        pytest.param("[convolutional]", "[conv]", "[conv]\nfilters=21\n", id="a section's short name"),
    ],
)
def test_templates_as_people_write_them(old: str, new: str, line: str) -> None:
    made = make(SMALL.replace(old, new))
    assert line in made
    assert make(made) == made
    assert findings(made, 2, 100) == []


def test_what_windows_adds_to_a_file_goes() -> None:
    assert make("\ufeff" + SMALL.replace("\n", "\r\n")) == make(SMALL)


def test_what_is_asked_for_is_set() -> None:
    made = make_cfg(
        SMALL, "t.cfg", classes=2, images=9, width_px=608, height_px=320, batch=32, subdivisions=4
    )
    network = parse_cfg(made)
    assert (network.width, network.height, network.batch, network.subdivisions) == (608, 320, 32, 4)
    assert "anchors=10,14, 23,27, 37,58\n" in made


@pytest.mark.parametrize(("batch", "subdivisions"), [(64, 16), (24, 12), (8, 8), (17, 1)])
def test_subdivisions_divide_the_batch(batch: int, subdivisions: int) -> None:
    network = parse_cfg(make_cfg(SMALL, "t.cfg", classes=2, images=9, batch=batch))
    assert (network.batch, network.subdivisions) == (batch, subdivisions)


def detecting_options(text: str, *keys: str) -> list[tuple[str | None, ...]]:
    layers = [layer for layer in parse_cfg(text).layers if layer.kind == "yolo"]
    return [tuple(layer.options.get(key) for key in keys) for layer in layers]


def test_as_many_anchors_as_before_go_where_those_were() -> None:
    anchors = [(300, 200), (9.96, 9.94), (0.04, 3.25), (100, 60.6), (20.4, 30), (50, 50)]
    made = make(TEMPLATES["yolov4-tiny"], anchors=anchors)
    written = "0.1,3.2,10,9.9,20,30,50,50,100,61,300,200"
    assert detecting_options(made, "mask", "num", "anchors") == [
        ("3,4,5", "6", written),
        ("0,1,2", "6", written),
    ]
    assert make(made, anchors=anchors) == made
    assert findings(made, 2, 100) == []


@pytest.mark.parametrize(
    ("name", "number", "masks"),
    [
        pytest.param("yolov4", 6, ["0,1", "2,3", "4,5"], id="yolov4: the first layer finds the smallest"),
        pytest.param("yolov4", 10, ["0,1,2", "3,4,5", "6,7,8,9"], id="not the same number for each"),
        pytest.param(
            "yolov4-tiny", 9, ["4,5,6,7,8", "0,1,2,3"], id="yolov4-tiny: the first finds the largest"
        ),
        pytest.param("yolov4-tiny", 2, ["1", "0"], id="one for each"),
    ],
)
def test_another_number_of_anchors_is_shared_out(name: str, number: int, masks: list[str]) -> None:
    anchors = [(10.0 * side, 10.0 * side) for side in range(1, number + 1)]
    made = make(TEMPLATES[name], anchors=anchors)
    assert [mask for (mask,) in detecting_options(made, "mask")] == masks
    assert {num for (num,) in detecting_options(made, "num")} == {str(number)}
    assert findings(made, 2, 100) == []
    assert make(made, anchors=anchors) == made


@pytest.mark.parametrize("second", ["1,2,3", "2,3"])
def test_each_anchor_of_ones_own_serves_one_layer(second: str) -> None:
    """yolov4-tiny's published weights were trained with a mask that leaves out an anchor, and has one twice."""
    template = TEMPLATES["yolov4-tiny"].replace("mask=0,1,2", f"mask={second}")
    assert detecting_options(make(template), "mask") == [("3,4,5",), (second,)]
    made = make(template, anchors=[(10.0 * side, 10.0 * side) for side in range(1, 7)])
    assert detecting_options(made, "mask") == [("3,4,5",), ("0,1,2",)]
    assert findings(made, 2, 100) == []


@pytest.mark.parametrize(
    ("template", "arguments", "message"),
    [
        pytest.param("[region]", {}, r"t\.cfg:12: \[region\] detects by other rules", id="yolov2"),
        pytest.param("[detection]", {}, r"t\.cfg:12: \[detection\] detects by other rules", id="yolov1"),
        pytest.param("[softmax]", {}, r"t\.cfg: has no \[yolo\] layer", id="a classifier"),
        pytest.param(
            "[dropout]\n[yolo]", {}, r"t\.cfg:13: \[yolo\] comes after a \[dropout\]", id="no filters to set"
        ),
        pytest.param(
            "[yolo]\nmask=x", {}, r"t\.cfg:13: \[yolo\] mask=x is no list", id="a mask that is none"
        ),
        pytest.param("yolo", {}, r"t\.cfg", id="a line without brackets"),
        pytest.param("[yolo]", {"width_px": 420}, "a width of 420 pixels", id="width"),
        pytest.param("[yolo]", {"height_px": 0}, "a height of 0 pixels", id="height"),
        pytest.param("[yolo]", {"batch": 1}, "a batch of 1", id="batch"),
        pytest.param("[yolo]", {"subdivisions": 7}, "64 images cannot .* 7 equal parts", id="subdivisions"),
        pytest.param("[yolo]", {"batch": 8, "subdivisions": 0}, "in 0 equal parts", id="no subdivisions"),
        pytest.param("[yolo]", {"classes": 0}, "for 0 classes", id="classes"),
        pytest.param("[yolo]", {"anchors": []}, "0 anchors are too few for 1 layer", id="no anchors"),
        pytest.param("[yolo]", {"anchors": [(0.0, 1.0)]}, "numbers above 0", id="an anchor of no width"),
        pytest.param("[yolo]", {"anchors": [(1.0, float("inf"))]}, "numbers above 0", id="an endless anchor"),
    ],
)
def test_what_these_rules_do_not_fit_is_refused(
    template: str, arguments: dict[str, object], message: str
) -> None:
    given: dict[str, object] = {"classes": 2, "images": 9, **arguments}
    with pytest.raises(TreeError, match=message):
        make_cfg(SMALL.replace("[yolo]", template), "t.cfg", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", ["width=420", "", "width=0"])
def test_a_template_whose_input_fits_no_network_needs_another(width: str) -> None:
    template = SMALL.replace("width=416", width)
    with pytest.raises(TreeError, match=r"t\.cfg:1: \[net\] width=(420|0) is no multiple of 32"):
        make(template)
    assert parse_cfg(make_cfg(template, "t.cfg", classes=2, images=9, width_px=608)).width == 608


NAMES = [
    "yolov3.cfg",
    "yolov4.cfg",
    "yolov4-custom.cfg",
    "yolov4-tiny.cfg",
    "yolov4-tiny-custom.cfg",
    "voc.data",
]


@pytest.mark.parametrize(
    ("names", "weights", "template"),
    [
        pytest.param(NAMES, [], "yolov4-tiny-custom.cfg", id="the tutorial's network"),
        pytest.param(NAMES, ["yolov4-tiny.conv.29"], "yolov4-tiny-custom.cfg", id="yolov4-tiny.conv.29"),
        pytest.param(NAMES, ["yolov4.conv.137"], "yolov4-custom.cfg", id="yolov4.conv.137"),
        pytest.param(NAMES, ["yolov4.weights"], "yolov4-custom.cfg", id="yolov4.weights"),
        pytest.param(NAMES, ["darknet53.conv.74"], "yolov3.cfg", id="darknet53.conv.74"),
        pytest.param(NAMES, ["mine.weights"], "yolov4-tiny-custom.cfg", id="weights of one's own"),
        pytest.param(
            NAMES, ["yolov4.conv.137", "yolov4-tiny.conv.29"], "yolov4-tiny-custom.cfg", id="weights for both"
        ),
        pytest.param(NAMES[:3], [], "yolov4-custom.cfg", id="no tiny one"),
        pytest.param(
            NAMES[:3], ["yolov4-tiny.conv.29"], None, id="the tiny one is wanted, and can be written"
        ),
        pytest.param(NAMES[:2], ["yolov4-csp.conv.142"], "yolov4.cfg", id="no template for these weights"),
        pytest.param(["remote.cfg", "cifar.cfg"], [], None, id="none that is known"),
        pytest.param([], ["yolov4.conv.137"], None, id="none at all"),
    ],
)
def test_which_template(names: list[str], weights: list[str], template: str | None) -> None:
    assert find_template(names, weights=weights) == template
    assert find_template(reversed(names), weights=reversed(weights)) == template


COMMENTED = {"steps", "classes", "filters", "max_batches", "batch"}
MOVES = "# 1, 2"
"""A comment that gets a line of its own behind a list."""


TWO_HEADS = (
    SMALL.replace("mask=0,1,2", "mask=2")
    + "\n# smaller\n[conv]\nfilters=9\n\n"
    + SMALL[SMALL.index("[yolo]") :]
)
SPACES = ["", " ", "\t", "  "]
ADDED = ["", "# note", "; batch=9", "nonsense", "unknown = 1", "the line again"]


@st.composite
def written_by_hand(draw: st.DrawFn) -> str:
    """A template whose lines are spaced, doubled, commented and ended as people do."""
    rng = draw(st.randoms(use_true_random=False, note_method_calls=False))
    lines = []
    for line in TWO_HEADS.splitlines():
        key, equals, value = line.partition("=")
        comment = rng.choice(["", f" {MOVES}", "# x", " ;y"]) if key in COMMENTED else ""
        space = rng.choice(SPACES)
        written = f"{space}{key}{space}={space}{value}{comment}" if equals else line
        lines.append(written)
        if rng.random() < 0.2:
            added = rng.choice(ADDED)
            lines.append(added if added != "the line again" else written if equals else "")
    return rng.choice(["\n", "\r\n"]).join(lines)


def rest(text: str) -> list[str]:
    """All that the rules say nothing of: every line but those of options that they name."""
    kind, kept = "", []
    for line in text.replace("\r", "").split("\n"):
        row = "".join(line.split())
        kind = row[1:-1] if row.startswith("[") else kind
        if row.partition("=")[0] not in SETTABLE.get(kind, ()) and line != MOVES:
            kept.append(line)
    return kept


@given(written_by_hand(), st.integers(1, 90), st.integers(1, 200_000), st.sampled_from([None, 3, 6]))
def test_however_it_is_written(template: str, classes: int, images: int, number: int | None) -> None:
    anchors = None if number is None else [(8.0 * side, 9.0 * side) for side in range(1, number + 1)]
    made = make(template, classes, images, anchors)
    assert make(made, classes, images, anchors) == made
    assert "\r" not in made
    assert rest(made) == rest(template)
    assert findings(made, classes, images) == []
