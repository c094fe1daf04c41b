"""darknet is started with files derived from the user's, which stay as they are, and takes them for its own."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from drivesync.errors import LocalWriteError
from trainer.checkpoint import read_checkpoint, read_network
from trainer.darknet.cfg import parse_cfg
from trainer.darknet.data import parse_data
from trainer.darknet.program import Flavour
from trainer.errors import TreeError
from trainer.learning.derived import find_savelast, write_derived
from trainer.learning.learned import Learned
from trainer.testing import make_tree
from trainer.testing.tree import tiny_cfg

DATA, CFG = "cfg/remote.data", "cfg/remote.cfg"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "cfg").mkdir()
    (tmp_path / DATA).write_bytes(b"classes = 2\r\nnames = caf\xe9\r\nbackup = backup/\r\n")
    (tmp_path / CFG).write_bytes(b"# caf\xe9\n" + tiny_cfg(batch=64).encode())
    return tmp_path


def all_files(tree: Path) -> dict[str, bytes]:
    return {
        path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*") if path.is_file()
    }


def test_where_nothing_changes_the_users_own_files_are_used(tree: Path) -> None:
    before = all_files(tree)
    assert write_derived(tree, DATA, CFG, subdivisions=1) == (DATA, CFG)
    assert all_files(tree) == before


def test_what_changes_is_derived_under_the_same_name(tree: Path) -> None:
    before = all_files(tree)
    cfg = ".trainer/run/remote.cfg"
    assert write_derived(tree, DATA, CFG, subdivisions=4, rate_factor=0.5) == (DATA, cfg)
    after = all_files(tree)
    note, text = after.pop(cfg).split(b"\n", 1)
    assert b"cfg/remote.cfg" in note
    assert text == before[CFG].replace(b"subdivisions=1\n", b"subdivisions=4\n").replace(
        b"learning_rate=0.001\n", b"learning_rate=0.0005\n"
    )
    assert after == before


def test_so_is_the_data_file(tree: Path) -> None:
    before = all_files(tree)
    data = ".trainer/run/remote.data"
    assert write_derived(tree, DATA, CFG, savelast=20) == (data, CFG)
    after = all_files(tree)
    assert after.pop(data).endswith(b".\r\nsavelast=20\r\n" + before[DATA])
    assert after == before


def test_what_is_not_used_any_more_does_not_lie_about(tree: Path) -> None:
    before = all_files(tree)
    write_derived(tree, DATA, CFG, rate_factor=0.5, savelast=20)
    assert write_derived(tree, DATA, CFG) == (DATA, CFG)
    assert all_files(tree) == before


def test_two_files_of_one_name(tree: Path) -> None:
    (tree / "data").mkdir()
    shutil.move(tree / DATA, tree / "data/run")
    shutil.move(tree / CFG, tree / "cfg/run")
    data, cfg = write_derived(tree, "data/run", "cfg/run", subdivisions=4, savelast=20)
    assert Path(cfg).name == "run"  # darknet names its weights after it
    assert parse_data((tree / data).read_text("latin-1")).savelast == 20
    assert parse_cfg((tree / cfg).read_text("latin-1")).subdivisions == 4


@pytest.mark.parametrize("rate_factor", [1.0, 0.5])
def test_a_derived_file_is_not_taken_for_a_users(tree: Path, rate_factor: float) -> None:
    _, cfg = write_derived(tree, DATA, CFG, subdivisions=4)
    before = all_files(tree)
    with pytest.raises(TreeError, match="was written by trainer"):
        write_derived(tree, DATA, cfg, rate_factor=rate_factor)
    assert all_files(tree) == before


def test_a_file_that_has_gone(tree: Path) -> None:
    (tree / DATA).unlink()
    with pytest.raises(TreeError, match=r"cfg/remote\.data cannot be read: No such file"):
        write_derived(tree, DATA, CFG)


def test_something_in_the_way(tree: Path) -> None:
    (tree / ".trainer").write_bytes(b"")
    with pytest.raises(LocalWriteError, match="run"):
        write_derived(tree, DATA, CFG, subdivisions=4)


@pytest.mark.parametrize(
    ("flavour", "said", "savelast"),
    [
        pytest.param(Flavour.AX, b"", 60, id="asked for"),
        pytest.param(Flavour.AX, b"savelast = 70\n", None, id="the user's own"),
        pytest.param(
            Flavour.AX, b"savelast = 70\nsaveweights = 50\n", 49, id="which would keep it from being saved"
        ),
        pytest.param(Flavour.PJ, b"", None, id="the original does not read it"),
        pytest.param(Flavour.HK, b"", None, id="nor does hank-ai's"),
    ],
)
def test_savelast(tree: Path, flavour: Flavour, said: bytes, savelast: int | None) -> None:
    (tree / DATA).write_bytes(said)
    network = read_network(tree / CFG)
    learned = Learned(iteration_s=2.0, push_s=5.0)
    assert find_savelast(tree, DATA, network, flavour, learned=learned, max_loss_s=120.0) == savelast


def test_the_original_darknet_trains_with_them(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, images=4, negatives=1, max_batches=4)
    data, cfg = write_derived(tree.root, tree.data, tree.cfg, subdivisions=2, rate_factor=0.5, savelast=20)
    assert (data, cfg) == (".trainer/run/remote.data", ".trainer/run/remote.cfg")
    ran = subprocess.run(  # stdbuf: it mostly segfaults at its end, with what it had to say unsaid
        ["stdbuf", "-oL", "darknet", "detector", "train", data, cfg],
        cwd=tree.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Learning Rate: 0.0005," in ran.stdout
    network = read_network(tree.root / tree.cfg)
    assert read_checkpoint(tree.backup / "remote_final.weights", network).iteration == 4


def test_what_is_there_already_needs_no_room(small_disk: Path) -> None:
    """Else darknet could not be started again on a disk that its own weights have filled."""
    (small_disk / "cfg").mkdir()
    (small_disk / DATA).write_text("classes = 2\nbackup = backup/\n")
    (small_disk / CFG).write_text(tiny_cfg(batch=64))
    derived = write_derived(small_disk, DATA, CFG, subdivisions=4, savelast=20)
    with suppress(OSError), (small_disk / "fill").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert write_derived(small_disk, DATA, CFG, subdivisions=4, savelast=20) == derived
    with pytest.raises(LocalWriteError):
        write_derived(small_disk, DATA, CFG, subdivisions=8, savelast=20)
