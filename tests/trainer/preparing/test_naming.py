from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.darknet.labels import label_of
from trainer.darknet.program import Flavour
from trainer.preparing.naming import name_images


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        pytest.param(["b/2.jpg", "1.png"], ["2", "1"], id="their own"),
        pytest.param(["a/1.jpg", "b/1.jpg"], ["a-1", "b-1"], id="the same in two folders"),
        pytest.param(
            ["1.jpg", "1.png"], ["1", "1-2"], id="the same but for the ending: they would share a label"
        ),
        pytest.param(["A.jpg", "a.jpg"], ["A", "a-2"], id="the same on some disks"),
        pytest.param(["a-1.jpg", "a/1.jpg", "b/1.jpg"], ["a-1", "a-1-2", "b-1"], id="taken already"),
        pytest.param(["my photo (1).jpg"], ["my_photo_1"], id="what a shell takes apart"),
        pytest.param(["$(reboot);`x`.jpg"], ["reboot_x"], id="what a shell executes"),
        pytest.param(["Kätzchen.jpg"], ["Katzchen"], id="accents"),
        pytest.param(["犬.jpg", "猫.jpg"], ["image", "image-2"], id="nothing left of it"),
        pytest.param(
            ["drawing.jpg", "images.jpg"], ["dr-awing", "i-mages"], id="what the original darknet replaces"
        ),
        pytest.param(["a.jpg.png"], ["a_jpg"], id="an ending within"),
        pytest.param(["-rf.jpg"], ["rf"], id="an option"),
    ],
)
def test_names(paths: list[str], names: list[str]) -> None:
    assert name_images(paths) == dict(zip(paths, names, strict=True))
    assert name_images(reversed(paths)) == name_images(paths)


_PARTS = st.text(st.sampled_from("aAr wimges.JPEGI$ä猫-_1"), min_size=1, max_size=12).filter(
    lambda part: part not in {".", ".."}
)


@given(
    st.lists(
        st.lists(_PARTS, min_size=1, max_size=2).map(lambda parts: "/".join(parts) + ".png"), max_size=12
    )
)
def test_every_darknet_finds_the_label_of_every_image(paths: list[str]) -> None:
    names = name_images(paths)
    assert len({name.casefold() for name in names.values()}) == len(set(paths))
    for name in names.values():
        assert re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_-]*", name)
        image = f"data/train/{name}.jpg"
        label = str(PurePosixPath(image).with_suffix(".txt"))
        assert {label_of(image, flavour) for flavour in Flavour} == {label}
