"""A cfg is read as darknet reads it, and what darknet cannot read is said with file and line."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.cfg import parse_cfg
from trainer.errors import TreeError

NET = "[net]\nbatch=8\nwidth=32\nheight=32\nchannels=3\n"
CONVOLUTION = "[convolutional]\nfilters=4\n"


def test_reads_what_training_needs() -> None:
    network = parse_cfg(
        "[net]\nbatch=64\nsubdivisions=16\nwidth=416\nheight=320\nchannels=3\n"
        "max_batches = 500200\nlearning_rate=2.6e-3\n" + CONVOLUTION
    )
    assert (network.batch, network.subdivisions, network.max_batches) == (64, 16, 500200)
    assert (network.width, network.height, network.channels) == (416, 320, 3)
    assert network.learning_rate == pytest.approx(0.0026)
    assert [layer.kind for layer in network.layers] == ["convolutional"]


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        pytest.param(f"{NET}[convolutional]\nfilters = 6\n", 6, id="spaces"),
        pytest.param(f"{NET}[ conv ] \n\t fil ters=6\n", 6, id="spaces anywhere, short name"),
        pytest.param(f"# a\n; b\n{NET}[convolutional]\n# filters=5\nfilters=6\n", 6, id="comments"),
        pytest.param(f"{NET}[convolutional]\nfilters=6#not5\n", 6, id="a number ends where it ends"),
        pytest.param(f"{NET}[convolutional]\nfilters=6\nfilters=7\n", 6, id="the first of two counts"),
        pytest.param(
            f"{NET}[convolutional]\nfilters=\nfilters=6\n", 6, id="an option without a value is none"
        ),
        pytest.param(f"{NET}[convolutional]\nwhatever\nfilters=6\n", 6, id="a line that is nothing"),
        pytest.param(f"{NET}[convolutional]\nfilters=6".replace("\n", "\r\n"), 6, id="CRLF"),
        pytest.param(f"{NET}[convolutional]\n", 1, id="the default"),
    ],
)
def test_options(text: str, filters: int) -> None:
    assert parse_cfg(text).layers[0].integer("filters", 1) == filters


@pytest.mark.parametrize(
    ("batch", "subdivisions", "images"),
    [
        pytest.param(64, 16, 64, id="divides"),
        pytest.param(10, 4, 8, id="darknet drops the remainder"),
        pytest.param(2, 4, 4, id="at least one image per subdivision"),
    ],
)
def test_images_per_iteration(batch: int, subdivisions: int, images: int) -> None:
    text = f"[net]\nbatch={batch}\nsubdivisions={subdivisions}\n{CONVOLUTION}"
    assert parse_cfg(text).images_per_iteration == images


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "my.cfg: does not begin with a [net] section", id="empty"),
        pytest.param(CONVOLUTION, "my.cfg: does not begin with a [net] section", id="no net"),
        pytest.param(NET, "my.cfg: has no layers", id="no layers"),
        pytest.param(
            "batch=1\n" + NET, "my.cfg:1: 'batch=1' stands before the first section", id="early option"
        ),
        pytest.param(NET + "[conv\n", "my.cfg:6: '[conv' is no section", id="open bracket"),
        pytest.param(
            "\ufeff" + NET + CONVOLUTION, "my.cfg: begins with a byte order mark", id="byte order mark"
        ),
        pytest.param(
            "[net]\nbatch=x\n" + CONVOLUTION, "my.cfg:2: [net] batch=x is no number", id="no number"
        ),
        pytest.param(
            f"[net]\nbatch={'9' * 5000}\n" + CONVOLUTION, "my.cfg:2: [net] batch=999", id="endless number"
        ),
        pytest.param(
            "[net]\nbatch=4\nwidth=2147483648\n" + CONVOLUTION,
            "my.cfg:3: [net] width=2147483648 is beyond 2147483647",
            id="more than an int",
        ),
        pytest.param(
            "[net]\nbatch=0\n" + CONVOLUTION, "my.cfg:2: [net] batch=0 must be at least 1", id="no images"
        ),
    ],
)
def test_what_darknet_cannot_read_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(TreeError) as caught:
        parse_cfg(text, "my.cfg")
    assert str(caught.value).startswith(message)


@given(st.text(alphabet="[]net=convlutia#;,.-0123456789 \r\n\t\ufeff\0", max_size=200))
def test_any_text_is_either_read_or_refused(text: str) -> None:
    with contextlib.suppress(TreeError):
        assert parse_cfg(text).layers


def test_a_list_of_numbers() -> None:
    layer = parse_cfg(f"{NET}[route]\nlayers = -1, -4, 3x\n").layers[0]
    assert layer.integers("layers") == (-1, -4, 3)
    assert layer.integers("absent") == ()
    with pytest.raises(TreeError, match=r"cfg:7: \[route\] layers=a,1 is no list of numbers"):
        parse_cfg(f"{NET}[route]\nlayers=a,1\n").layers[0].integers("layers")
