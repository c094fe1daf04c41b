"""Bad input gets one clear line and its exit code, in the foreground and from the background alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.conftest import Session


def without(path: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).unlink()


def leave(_tree: Path) -> None:
    """Do no harm."""


def lead_backup_out(tree: Path) -> None:
    data = tree / "cfg/remote.data"
    data.write_text(data.read_text().replace("backup = backup/", "backup = ../elsewhere/"))


def name_an_own_cfg(tree: Path) -> None:
    (tree / "cfg/remote.cfg").rename(tree / "cfg/mine.cfg")


@pytest.mark.parametrize(
    ("harm", "options", "status", "message"),
    [
        pytest.param(
            name_an_own_cfg, [], 78, "; there are cfg/mine.cfg. Name the file with --cfg", id="no cfg"
        ),
        pytest.param(without("cfg/remote.data"), [], 78, "there is no cfg/remote.data", id="no .data"),
        pytest.param(
            without("data/train.txt"), [], 78, "train.txt: There is no such list", id="no list of images"
        ),
        pytest.param(without("data/train/1.txt"), [], 78, "data/train/1.txt", id="no label"),
        pytest.param(
            lead_backup_out, [], 78, "backup = ../elsewhere/ is not a directory", id="backup outside"
        ),
        pytest.param(leave, ["--cfg", "../x.cfg"], 78, "../x.cfg", id="cfg outside of the tree"),
        pytest.param(leave, ["--weights", "x.conv.29"], 78, "there is no x.conv.29", id="no weights"),
        pytest.param(leave, ["--remote", "a//b"], 64, "names no folder", id="no remote"),
        pytest.param(leave, ["--background", "--darknet", "/no/darknet"], 66, "/no/darknet", id="no darknet"),
        pytest.param(leave, ["--background", "--", "-map"], 78, "does not know -map", id="unknown flag"),
        pytest.param(
            without("data/train.txt"), ["--background"], 78, "train.txt: There is no such list", id="later"
        ),
    ],
)
def test_what_is_wrong_is_said(
    new_session: Callable[..., Session],
    harm: Callable[[Path], object],
    options: list[str],
    status: int,
    message: str,
) -> None:
    session = new_session(max_batches=300)
    session.copy_tree()
    harm(session.tree)
    said = session.supervise(*options, status=status)
    assert message in said
    assert len(said.splitlines()) == 1 or "--background" not in options
    assert "Traceback" not in said + session.log("supervisor.log")
    session.wait_until_gone()
    assert session.status.exit_code == status
    assert message in session.status.message
    assert not session.weights_on_drive()


@pytest.mark.parametrize(
    "options", [pytest.param([], id="foreground"), pytest.param(["--background"], id="back")]
)
def test_a_setting_that_is_wrong_is_said(new_session: Callable[..., Session], options: list[str]) -> None:
    session = new_session(max_batches=100)
    session.variables["DRIVESYNC_RETRIES"] = "many"
    assert "DRIVESYNC_RETRIES is 'many'" in session.supervise(*options, status=78)
    assert not session.tree.exists()


def test_a_cfg_that_was_changed_harms_nothing_on_drive(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=100)
    session.supervise()
    before = session.drive.read_tree("darknet")
    cfg = session.tree / "cfg/remote.cfg"
    cfg.write_text(cfg.read_text().replace("filters=8", "filters=16", 1))
    said = session.supervise(status=78)
    assert "none of the 3 checkpoint(s) that Drive holds fits cfg/remote.cfg" in said
    assert session.drive.read_tree("darknet") == before
    assert len(session.attempts) == 1
