"""Settings come from the tree and the environment, and a wrong one says where it stands and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from drivesync.errors import SettingsError
from trainer.settings import DEFAULT_SETTINGS, TrainerSettings, read_settings

if TYPE_CHECKING:
    from pathlib import Path

HOOK = "https://hooks.example/services/T0/s3cret"


def read(tree: Path, text: str = "", **environ: str) -> TrainerSettings:
    (tree / "trainer.toml").write_text(text)
    return read_settings(tree, environ)


def test_without_a_file_all_is_as_by_default(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {"PATH": "/bin"}) == DEFAULT_SETTINGS == TrainerSettings()


def test_all_of_them(tmp_path: Path) -> None:
    text = f"""
        diverged = "stop"
        rate_factor = 0.25
        lower_at_most = 5
        max_loss = "5 min"
        stall_floor = 60
        stall_first = "1h"
        stall_map = "90.5 s"
        stall_factor = 8
        notify = "{HOOK}"
        in_place = true
        unassign = true
    """
    expected = TrainerSettings(
        "stop", 0.25, 5, 300.0, 60.0, 3600.0, 90.5, 8.0, HOOK, in_place=True, unassign=True
    )
    assert read(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        pytest.param("120", 120.0, id="seconds"),
        pytest.param("90 s", 90.0, id="s"),
        pytest.param("2 min", 120.0, id="min"),
        pytest.param(" 2minutes ", 120.0, id="minutes, spaces"),
        pytest.param("1 Minute", 60.0, id="a minute"),
        pytest.param("1.5 hours", 5400.0, id="hours"),
        pytest.param(".5 h", 1800.0, id="h"),
        pytest.param("12e1", 120.0, id="a number in other words"),
    ],
)
def test_a_time(written: str, seconds: float, tmp_path: Path) -> None:
    assert read(tmp_path, f'max_loss = "{written}"').max_loss_s == seconds
    assert read(tmp_path, TRAINER_MAX_LOSS=written).max_loss_s == seconds


@pytest.mark.parametrize(
    ("environ", "changed"),
    [
        pytest.param({"TRAINER_DIVERGED": "lower"}, {"diverged": "lower"}, id="a word"),
        pytest.param({"TRAINER_LOWER_AT_MOST": " 0 "}, {"lower_at_most": 0}, id="a whole number"),
        pytest.param({"TRAINER_RATE_FACTOR": "0.9"}, {"rate_factor": 0.9}, id="a number"),
        pytest.param({"TRAINER_IN_PLACE": "Yes"}, {"in_place": True}, id="yes"),
        pytest.param({"TRAINER_UNASSIGN": "0"}, {"unassign": False}, id="no"),
        pytest.param({"TRAINER_NOTIFY": HOOK}, {"notify": HOOK}, id="an address"),
        pytest.param({"TRAINER_DIVERGED": ""}, {}, id="nothing"),
        pytest.param({"TRAINER_STATE_DIR": "x", "MAX_LOS": "x"}, {}, id="of other programs"),
    ],
)
def test_the_environment_goes_before_the_tree(
    environ: dict[str, str], changed: dict[str, Any], tmp_path: Path
) -> None:
    in_tree: dict[str, Any] = {"diverged": "stop", "unassign": True}
    assert read(tmp_path, 'diverged = "stop"\nunassign = true\n', **environ) == TrainerSettings(
        **(in_tree | changed)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('diverged = "yes"', '"lower" or "stop"', id="no answer to a divergence"),
        pytest.param("diverged = []", '"lower" or "stop"', id="no word"),
        pytest.param("rate_factor = 1.5", "from 0.05 to 0.95", id="it would be raised"),
        pytest.param("rate_factor = nan", "from 0.05 to 0.95", id="no number"),
        pytest.param("rate_factor = true", "from 0.05 to 0.95", id="an answer for a number"),
        pytest.param("lower_at_most = 2.5", "a whole number from 0 to 10", id="half a time"),
        pytest.param(f"lower_at_most = {'9' * 400}", "a whole number from 0 to 10", id="too often"),
        pytest.param("max_loss = 0", "from 10 s to 24 h", id="too short a time"),
        pytest.param('max_loss = "2 days"', '"2 min"', id="a unit that there is not"),
        pytest.param('max_loss = "soon"', '"2 min"', id="no time"),
        pytest.param('stall_floor = "25 h"', "from 1 s to 24 h", id="too long a time"),
        pytest.param("in_place = 1", "true or false", id="a number for an answer"),
        pytest.param('in_place = "maybe"', "true or false", id="no clear answer"),
    ],
)
def test_a_wrong_value(text: str, message: str, tmp_path: Path) -> None:
    key = text.partition(" ")[0]
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/trainer.toml: {key} is ")
    assert message in str(caught.value)


def test_a_wrong_value_in_the_environment(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^TRAINER_MAX_LOSS is '2 parsecs'; it must be a time from 10 s to 24 h"
    ):
        read(tmp_path, TRAINER_MAX_LOSS="2 parsecs")


@pytest.mark.parametrize(
    "address",
    [
        "hooks.example/s3cret",
        "ftp://h/s3cret",
        "http:///s3cret",
        "https://[s3cret",
        "https://h/s3cret x",
        "http://h:0/s3cret",
    ],
)
def test_a_wrong_address_is_not_shown_and_neither_is_a_right_one(address: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f'notify = "{address}"')
    assert "notify is wrong; it must be an address that begins with https://" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(read(tmp_path, TRAINER_NOTIFY=HOOK))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("max_los = 9", "has a setting 'max_los'; did you mean max_loss?", id="nearly"),
        pytest.param("x = 9", "has a setting 'x'; there are diverged, rate_factor, ", id="nothing like it"),
        pytest.param("max_loss = ", "cannot be read: ", id="no TOML"),
    ],
)
def test_a_wrong_file(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path}/trainer.toml {message}")


def test_a_slip_in_the_environment_is_no_silent_one(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^TRAINER_MAX_LOS is no setting; did you mean TRAINER_MAX_LOSS\?"
    ):
        read(tmp_path, TRAINER_MAX_LOS="90 s")
