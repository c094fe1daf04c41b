"""Only whole files are believed; judged on files that the real darknet wrote, and on ruins of them."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivesync.files import Role, Verdict
from trainer.checkpoint import acceptor, find_cfg, find_weights, read_checkpoint, read_network
from trainer.darknet.output import MeanAveragePrecision, NewBest, Progress
from trainer.darknet.weights import Kind
from trainer.deciding.choice import choose_checkpoint
from trainer.errors import TreeError
from trainer.score import ScoreKeeper
from trainer.testing import TreeInfo, make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from trainer.darknet.cfg import Network
    from trainer.darknet.weights import Checkpoint


def train(tree: TreeInfo, *weights: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["stdbuf", "-oL", "darknet", "detector", "train", tree.data, tree.cfg, *weights],
        cwd=tree.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def first_iteration(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return next(int(line.split(b":")[0]) for line in process.stdout if line[:1].isdigit())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TreeInfo:
    """A tree on which the real darknet has trained to the end."""
    tree = make_tree(tmp_path_factory.mktemp("trained"), max_batches=120, size_px=32, images=8, negatives=1)
    train(tree).communicate(timeout=60)
    return tree


@pytest.fixture(scope="module")
def network(trained: TreeInfo) -> Network:
    return read_network(trained.root / trained.cfg, trained.cfg)


@pytest.fixture
def whole(trained: TreeInfo) -> bytes:
    return (trained.backup / "remote_100.weights").read_bytes()


def read_all(backup: Path, network: Network) -> list[Checkpoint]:
    return [read_checkpoint(path, network) for path in find_weights(backup, "remote")]


def test_what_the_real_darknet_writes_is_whole(trained: TreeInfo, network: Network) -> None:
    found = read_all(trained.backup, network)
    assert [(item.path.name, item.name.kind, item.iteration) for item in found] == [
        ("remote.backup", Kind.BACKUP, 100),
        ("remote_100.weights", Kind.NUMBERED, 100),
        ("remote_final.weights", Kind.FINAL, 120),
    ]
    assert all(item.verdict.whole for item in found)


def test_the_real_darknet_killed_at_random_resumes_after_the_best_checkpoint(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, max_batches=2000, images=8, negatives=1)
    network = read_network(tree.root / tree.cfg)
    rng = random.Random(1)
    best = None
    for _ in range(3):
        with train(tree, *([str(best.path)] if best else [])) as process:
            assert first_iteration(process) == (best.iteration if best else 0) + 1
            while not list(tree.backup.glob("*_[1-9]*00.weights")):
                time.sleep(0.01)  # the first checkpoint has to be there; the kill is at random after it
            time.sleep(rng.uniform(0, 1.0))
            process.kill()
        before, best = best, choose_checkpoint(read_all(tree.backup, network))
        assert best is not None
        assert best.iteration % 100 == 0
        assert best.iteration >= (before.iteration if before else 100)


@settings(max_examples=60)
@given(data=st.data())
def test_torn_wild_or_nan_is_never_whole(
    data: st.DataObject, whole: bytes, network: Network, tmp_path: Path
) -> None:
    ruin = data.draw(
        st.one_of(
            st.integers(0, len(whole) - 1).map(lambda length: whole[:length]),
            st.binary(min_size=1, max_size=9).map(lambda more: whole + more),
            st.integers(3, 2**32 - 1).map(lambda wild: struct.pack("<I", wild) + whole[4:]),
            st.integers(100 * 4 * 120, 2**64 - 1).map(
                lambda seen: whole[:12] + struct.pack("<Q", seen) + whole[20:]
            ),
            st.tuples(
                st.integers(0, (len(whole) - 20) // 4 - 1), st.sampled_from([np.nan, np.inf, -np.inf])
            ).map(lambda at: whole[: 20 + 4 * at[0]] + struct.pack("<f", at[1]) + whole[24 + 4 * at[0] :]),
        )
    )
    path = tmp_path / "remote_last.weights"
    path.write_bytes(ruin)
    checkpoint = read_checkpoint(path, network)
    assert not checkpoint.verdict.whole
    assert checkpoint.verdict.reason
    assert checkpoint.iteration == 0


@settings(max_examples=25)
@given(
    laid=st.dictionaries(
        st.sampled_from(
            ["remote_last.weights", "remote.backup", "remote_100.weights", "remote_final.weights"]
        ),
        st.tuples(st.integers(1, 200), st.sampled_from(["good", "torn", "empty", "wild", "nan"])),
    )
)
def test_the_highest_good_one_of_any_mixture_is_chosen(
    laid: dict[str, tuple[int, str]], whole: bytes, network: Network, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("mixture")
    for name, (iteration, state) in laid.items():
        good = whole[:12] + struct.pack("<Q", iteration * 4) + whole[20:]
        states = {
            "good": good,
            "torn": good[:-7],
            "empty": b"",
            "wild": b"\xff" * 20 + good[20:],
            "nan": good[:-4] + struct.pack("<f", np.nan),
        }
        (directory / name).write_bytes(states[state])
    chosen = choose_checkpoint(read_all(directory, network))
    goods = [iteration for iteration, state in laid.values() if state == "good"]
    assert (chosen.iteration if chosen else None) == max(goods, default=None)


def test_nan_is_found_in_every_block(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, filters=96, max_batches=1000)  # 4 MB of weights: several blocks
    network = read_network(tree.root / tree.cfg)
    path = tree.backup / "remote_last.weights"
    header = struct.pack("<iiiQ", 0, 2, 0, 400)
    path.write_bytes(header)
    shortage = int(read_checkpoint(path, network).verdict.reason.split()[2])
    numbers = np.zeros(shortage // 4, dtype="<f4")
    path.write_bytes(header + numbers.tobytes())
    assert read_checkpoint(path, network).iteration == 100
    for place in (0, 262_143, 262_144, len(numbers) - 1):
        numbers[place] = np.nan
        path.write_bytes(header + numbers.tobytes())
        numbers[place] = 0
        assert not read_checkpoint(path, network).verdict.whole


def test_a_file_that_is_truncated_while_it_is_read_is_refused(
    whole: bytes, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "remote_last.weights"
    path.write_bytes(whole)
    isfinite = np.isfinite

    def truncate_then_check(block: NDArray[np.float32]) -> NDArray[np.bool_]:
        os.truncate(path, 0)
        return isfinite(block)

    monkeypatch.setattr(np, "isfinite", truncate_then_check)
    verdict = read_checkpoint(path, network).verdict
    assert not verdict.whole
    assert "while it was read" in verdict.reason


def test_what_cannot_be_read_is_not_whole(network: Network, tmp_path: Path) -> None:
    (tmp_path / "remote_last.weights").mkdir()
    assert "cannot be read" in read_checkpoint(tmp_path / "remote_last.weights", network).verdict.reason
    assert "No such file" in read_checkpoint(tmp_path / "remote_best.weights", network).verdict.reason
    with pytest.raises(ValueError, match="not named like a weights file"):
        read_checkpoint(tmp_path / "remote.cfg", network)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"x" * (1 << 20 | 1), "too long", id="weights taken for a cfg"),
        pytest.param(b"\xff\xfe[\0n\0", "before the first section", id="another encoding"),
    ],
)
def test_a_cfg_that_cannot_be_read(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "remote.cfg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TreeError, match=rf"remote\.cfg:.*{message}"):
        read_network(path)


# The entry point for drivesync.


@pytest.fixture
def snapshot(whole: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "snapshot"
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize(
    ("path", "role"),
    [
        pytest.param("backup/remote_last.weights", Role.LAST, id="last"),
        pytest.param("backup/remote.backup", Role.LAST, id="the original's last"),
        pytest.param("backup/remote_100.weights", Role.NUMBERED, id="numbered"),
        pytest.param("backup/remote_best.weights", Role.BEST, id="best"),
        pytest.param("backup/remote_final.weights", Role.FINAL, id="final"),
        pytest.param("backup/remote_ema.weights", Role.OTHER, id="averages"),
        pytest.param("backup/remote.weights", Role.OTHER, id="a copy of the user's"),
    ],
)
def test_a_whole_checkpoint_may_be_pushed(path: str, role: Role, trained: TreeInfo, snapshot: Path) -> None:
    assert acceptor()(trained.root, path, snapshot) == Verdict(
        accepted=True, iteration=100, run="backup/remote", role=role, progress=100 * trained.batch
    )


def test_runs_in_two_folders_are_two(trained: TreeInfo, snapshot: Path) -> None:
    assert acceptor()(trained.root, "second/remote_last.weights", snapshot).run == "second/remote"


def test_the_best_has_the_score_that_darknet_told_of(tmp_path: Path, snapshot: Path) -> None:
    tree = make_tree(tmp_path / "tree", max_batches=120)
    best = "backup/remote_best.weights"
    keeper = ScoreKeeper(tree.root, best)
    for event in (Progress(100, 2.0, 3.0, 0.001, 0.01, 400), MeanAveragePrecision(0.25), NewBest()):
        keeper.hear(event)
    (tree.root / best).touch()
    assert acceptor()(tree.root, best, snapshot).score == 0.25
    assert acceptor()(tree.root, "backup/remote_last.weights", snapshot).score is None


@pytest.mark.parametrize(
    ("path", "run"),
    [
        pytest.param("backup/metrics.jsonl", "backup/remote", id="metrics"),
        pytest.param("backup/chart.png", "backup/remote", id="chart"),
        pytest.param("chart.png", "", id="another chart"),
        pytest.param("backup/notes.txt", "", id="another file"),
    ],
)
def test_what_shows_a_run_is_the_runs(path: str, run: str, tmp_path: Path) -> None:
    (tmp_path / ".trainer").mkdir()
    (tmp_path / ".trainer/run.json").write_text('{"cfg": "cfg/remote.cfg", "backup": "backup"}')
    assert acceptor()(tmp_path, path, tmp_path / "snapshot") == Verdict(accepted=True, run=run)


@pytest.mark.parametrize("path", ["data/train.txt", "yolov4-tiny.conv.29", "backup/remote_last.weights.part"])
def test_what_is_no_checkpoint_may_be_pushed_too(path: str, trained: TreeInfo, snapshot: Path) -> None:
    snapshot.write_bytes(b"anything")
    assert acceptor()(trained.root, path, snapshot) == Verdict(accepted=True)


@pytest.mark.parametrize(
    ("path", "ruin", "reason"),
    [
        pytest.param("backup/remote.backup", lambda raw: raw[:-1], "1 bytes shorter", id="torn"),
        pytest.param("backup/remote_last.weights", lambda _: b"", "it is empty", id="empty"),
        pytest.param("backup/other_last.weights", lambda raw: raw, "no other.cfg", id="of another cfg"),
    ],
)
def test_others_may_not(
    path: str, ruin: Callable[[bytes], bytes], reason: str, trained: TreeInfo, snapshot: Path
) -> None:
    snapshot.write_bytes(ruin(snapshot.read_bytes()))
    verdict = acceptor()(trained.root, path, snapshot)
    assert not verdict.accepted
    assert reason in verdict.reason
    assert verdict.iteration is None


def test_a_cfg_that_changes_is_read_again(tmp_path: Path, snapshot: Path) -> None:
    tree = make_tree(tmp_path / "tree", max_batches=120)
    accept = acceptor()
    cfg = tree.root / tree.cfg
    assert accept(tree.root, "backup/remote_last.weights", snapshot).accepted
    cfg.write_text(cfg.read_text().replace("filters=8", "filters=16"))
    assert "shorter" in accept(tree.root, "backup/remote_last.weights", snapshot).reason
    cfg.write_text("[net]\n")
    assert accept(tree.root, "backup/remote_last.weights", snapshot).reason == "cfg/remote.cfg: has no layers"


@pytest.mark.parametrize(
    ("files", "run", "found"),
    [
        pytest.param(["cfg/remote.cfg", "remote.cfg"], None, "cfg/remote.cfg", id="in cfg/"),
        pytest.param(["remote.cfg"], None, "remote.cfg", id="in the root"),
        pytest.param(
            ["cfg/remote.cfg", "mine/remote.cfg"], {"cfg": "mine/remote.cfg"}, "mine/remote.cfg", id="running"
        ),
        pytest.param(
            ["cfg/remote.cfg", "mine/a.cfg"], {"cfg": "mine/a.cfg"}, "cfg/remote.cfg", id="another runs"
        ),
        pytest.param(
            ["cfg/remote.cfg"], {"cfg": "gone/remote.cfg"}, "cfg/remote.cfg", id="the running one has gone"
        ),
        pytest.param(["cfg/remote.cfg"], ["what", "is", "this"], "cfg/remote.cfg", id="no such record"),
        pytest.param([], None, None, id="nowhere"),
    ],
)
def test_where_a_cfg_is_looked_for(files: list[str], run: object, found: str | None, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    if run is not None:
        (tmp_path / ".trainer").mkdir()
        (tmp_path / ".trainer/run.json").write_text(json.dumps(run))
    assert find_cfg(tmp_path, "remote") == (tmp_path / found if found else None)
