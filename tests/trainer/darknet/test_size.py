"""Sizes follow from the cfg: the published ones, and those that the real darknet writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.trainer.darknet.shorthand import yolov4, yolov4_tiny
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.program import Flavour
from trainer.darknet.size import weight_count, weights_size
from trainer.errors import TreeError

NET = "[net]\nbatch=64\nwidth=416\nheight=416\nchannels=3\n"
ORIGINALS_CFGS = Path("/usr/share/darknet/cfg")


@pytest.mark.parametrize(
    ("text", "cutoff", "size_bytes"),
    [
        pytest.param(yolov4(), None, 257_717_640, id="yolov4.weights"),
        pytest.param(yolov4(), 137, 170_038_676, id="yolov4.conv.137"),
        pytest.param(yolov4_tiny(), None, 24_251_276, id="yolov4-tiny.weights"),
        pytest.param(yolov4_tiny(), 29, 19_789_716, id="yolov4-tiny.conv.29"),
    ],
)
def test_published_sizes(text: str, cutoff: int | None, size_bytes: int) -> None:
    assert weights_size(parse_cfg(text), cutoff=cutoff) == size_bytes


@pytest.mark.parametrize(
    "name", ["yolov3-tiny", "tiny", "densenet201", "go", "yolov1-tiny", "yolov4-tiny whose groups it ignores"]
)
def test_the_real_darknet_writes_files_of_this_size(name: str, tmp_path: Path) -> None:
    cfg = ORIGINALS_CFGS / f"{name}.cfg"
    if not cfg.exists():
        cfg = tmp_path / "yolov4-tiny.cfg"
        cfg.write_text(yolov4_tiny())
    nothing, written = tmp_path / "nothing.weights", tmp_path / "written.weights"
    nothing.touch()  # loads as random weights
    subprocess.run(["darknet", "partial", cfg, nothing, written, "1000"], check=True, capture_output=True)
    network = parse_cfg(cfg.read_text(), cfg.name)
    assert written.stat().st_size == weights_size(network, flavour=Flavour.PJ)
    written.unlink()


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        pytest.param("[convolutional]\nfilters=4\nsize=3\ngroups=3\n", 4 + 4 * 9, id="groups"),
        pytest.param(
            "[convolutional]\nfilters=4\nsize=1\nstride_x=2\nstride_y=1\n[local]\n",
            16 + 3 * 4 * (1 + 4),
            id="strides, local",
        ),
        pytest.param("[connected]\noutput=5\n", 5 + 5 * 6 * 4 * 3, id="connected"),
        pytest.param("[connected]\noutput=5\nbatch_normalize=1\n", 5 * 4 + 5 * 6 * 4 * 3, id="normalized"),
        pytest.param("[batchnorm]\n", 12, id="batchnorm"),
        pytest.param("[shortcut]\nfrom=-1\n", 0, id="shortcut"),
        pytest.param("[avgpool]\n[connected]\noutput=2\n", 2 + 2 * 3, id="avgpool"),
        pytest.param("[maxpool]\nsize=2\nstride=2\n[connected]\noutput=1\n", 1 + 3 * 2 * 3, id="maxpool"),
        pytest.param("[reorg]\nstride=2\n[convolutional]\nfilters=1\n", 1 + 12, id="reorg"),
        pytest.param("[upsample]\nstride=2\n[connected]\noutput=1\n", 1 + 12 * 8 * 3, id="upsample"),
        pytest.param("[upsample]\nstride=-2\n[connected]\noutput=1\n", 1 + 3 * 2 * 3, id="downsample"),
        pytest.param("[crop]\ncrop_width=2\ncrop_height=2\n[connected]\noutput=1\n", 1 + 12, id="crop"),
        pytest.param("[implicit]\nfilters=16\natoms=2\n", 32, id="implicit"),
        pytest.param(
            "[dropout]\n[avgpool]\n[scale_channels]\nfrom=-2\n[connected]\n", 1 + 72, id="scale_channels"
        ),
        pytest.param("[dropout]\n[avgpool]\n[sam]\nfrom=0\n[connected]\n", 1 + 72, id="sam"),
        pytest.param(
            "[dropout]\n[shortcut]\nfrom=-1\nweights_type=per_feature\n", 2, id="weighted shortcut by layer"
        ),
        pytest.param(
            "[dropout]\n[shortcut]\nfrom=-1\nweights_type=per_channel\n", 6, id="weighted shortcut by channel"
        ),
        pytest.param("[convolutional]\n[convolutional]\nshare_index=-1\n", 4, id="shares another's weights"),
        pytest.param(
            "[deconvolutional]\nfilters=2\nsize=2\nstride=2\n[connected]\n",
            26 + 1 + 12 * 8 * 2,
            id="deconvolution",
        ),
    ],
)
def test_rules_of_one_layer(layers: str, count: int) -> None:
    assert weight_count(parse_cfg("[net]\nwidth=6\nheight=4\nchannels=3\n" + layers)) == count


def test_only_batchnorm_depends_on_who_writes() -> None:
    network = parse_cfg(NET + "[batchnorm]\n")
    assert weight_count(network, flavour=Flavour.PJ) == 9
    assert weight_count(network, flavour=Flavour.HK) == 12


def test_a_network_whose_input_is_no_image() -> None:
    assert weight_count(parse_cfg("[net]\ninputs=256\n[connected]\noutput=10\n")) == 2570


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            NET + "[lstm]\n", r"cfg:6: \[lstm\] is a layer whose size .* not known", id="unknown layer"
        ),
        pytest.param(
            NET + "[route]\nlayers=-1\n",
            r"cfg:7: \[route\] layers=-1 names no layer before",
            id="too far back",
        ),
        pytest.param(
            NET + "[route]\nlayers=5\n",
            r"cfg:7: \[route\] layers=5 names no layer before",
            id="not yet there",
        ),
        pytest.param(NET + "[route]\n", r"cfg:6: \[route\] layers= names no layer", id="nowhere"),
        pytest.param(
            NET + "[convolutional]\nfilters=0\n", r"cfg:7: .* filters=0 must be at least 1", id="no filters"
        ),
        pytest.param("[net]\nbatch=1\n[connected]\n", r"cfg:1: \[net\] has neither", id="no input"),
    ],
)
def test_what_has_no_size_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(TreeError, match=message):
        weight_count(parse_cfg(text))
