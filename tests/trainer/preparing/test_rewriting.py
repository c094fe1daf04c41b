"""One option changed, all else as it was; what is expected is the whole text."""

from __future__ import annotations

import pytest

from trainer.darknet.cfg import parse_cfg
from trainer.preparing.rewriting import Change, rewrite

L = "[yolo]\nnum=6\n"


@pytest.mark.parametrize(
    ("text", "change", "changed"),
    [
        pytest.param("[net]\nbatch=1\n", Change(1, "batch", "64"), "[net]\nbatch=64\n", id="no spaces"),
        pytest.param(
            "[net]\n batch\t =  1 \n", Change(1, "batch", "64"), "[net]\n batch\t =  64 \n", id="several"
        ),
        pytest.param("[net]\nbatch=1", Change(1, "batch", "64"), "[net]\nbatch=64", id="no end of line"),
        pytest.param(
            "[net]\n#batch=8\n;batch=4\nbatch=1\n",
            Change(1, "batch", "64"),
            "[net]\n#batch=8\n;batch=4\nbatch=64\n",
            id="comments are none",
        ),
        pytest.param(
            "[net]\nbatch=1\nbatch=8\n",
            Change(1, "batch", "64"),
            "[net]\nbatch=64\nbatch=8\n",
            id="the first counts",
        ),
        pytest.param(
            f"[net]\nwidth=32\n{L}",
            Change(1, "num", "9"),
            f"[net]\nnum=9\nwidth=32\n{L}",
            id="of this section alone",
        ),
        pytest.param(
            f"[net]\n{L}{L}",
            Change(4, "num", "9"),
            f"[net]\n{L}[yolo]\nnum=9\n",
            id="of the second layer of a kind",
        ),
        pytest.param("[net]", Change(1, "batch", "64"), "[net]\nbatch=64", id="missing, and no end of line"),
        pytest.param(
            "[net]\nsteps=\n", Change(1, "steps", "8,9"), "[net]\nsteps=8,9\n", id="nothing behind ="
        ),
        pytest.param(
            "[net]\nsteps = 8 , 9\n",
            Change(1, "steps", "8,9"),
            "[net]\nsteps = 8 , 9\n",
            id="it has that value",
        ),
        pytest.param(
            "[net]\nbatch=1  # images\n",
            Change(1, "batch", "64"),
            "[net]\nbatch=64  # images\n",
            id="a comment behind it",
        ),
        pytest.param(
            "[net]\nsteps=4,5 # 80%, 90%\n",
            Change(1, "steps", "8,9"),
            "[net]\n# 80%, 90%\nsteps=8,9\n",
            id="a comment whose commas darknet would count",
        ),
        pytest.param(
            "[net]\nsteps=8,9 # 80%, 90%\n",
            Change(1, "steps", "8,9"),
            "[net]\n# 80%, 90%\nsteps=8,9\n",
            id="likewise, where the value is right",
        ),
        pytest.param(
            "[net]\nbatch=64 # 64, say\n",
            Change(1, "batch", "64"),
            "[net]\nbatch=64 # 64, say\n",
            id="commas behind a number are not counted",
        ),
        pytest.param("[net]\n a = 1\n", Change(1, "a", None), "[net]\n# a = 1\n", id="one that goes"),
        pytest.param("[net]\nb=1\n", Change(1, "a", None), "[net]\nb=1\n", id="one that was not there"),
    ],
)
def test_one_option(text: str, change: Change, changed: str) -> None:
    assert rewrite(text, [change]) == changed
    assert rewrite(changed, []) == changed


def test_many_at_once_are_numbered_by_the_lines_they_had() -> None:
    text = f"[net]\nsteps=4,5 # 80%, 90%\n[conv]\n{L}{L}"
    changes = [
        Change(6, "num", "9"),
        Change(4, "mask", "0,1"),
        Change(4, "classes", "2"),
        Change(3, "filters", "14"),
        Change(1, "steps", "8,9"),
    ]
    changed = parse_cfg(rewrite(text, changes))
    assert changed.net.options == {"steps": "8,9"}
    assert [layer.options for layer in changed.layers] == [
        {"filters": "14"},
        {"classes": "2", "mask": "0,1", "num": "6"},
        {"num": "9"},
    ]
