"""What is trained is read off a tree once; what is missing or wrong there is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from trainer.config import Run, Wishes, foresee_run, recognise, record_run, resolve_run
from trainer.darknet.program import Flavour
from trainer.errors import NoDarknetError, TreeError
from trainer.testing import make_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NO_END = "[net]\nbatch=4\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=1\nsize=1\n"
AX_MARK = b"#!/bin/sh\n# 0.1 hours left\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "my tree", images=4, negatives=1).root


def program_at(path: Path, content: bytes = AX_MARK) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_the_tutorials_names_are_the_defaults(tree: Path) -> None:
    run = resolve_run(Wishes(tree))
    assert (run.tree, run.data, run.cfg, run.backup) == (tree, "cfg/remote.data", "cfg/remote.cfg", "backup")
    assert (run.base, run.pretrained, run.extra) == ("remote", None, ())
    assert run.network.max_batches == 300
    assert run.flavour is Flavour.PJ
    assert (run.name, run.best) == ("backup/remote", "backup/remote_best.weights")
    assert run.patterns == ("backup/remote_*.weights", "backup/remote.weights", "backup/remote.backup")


def test_the_tutorials_pretrained_weights_are_taken_where_they_are(tree: Path) -> None:
    (tree / "yolov4-tiny.conv.29").touch()
    assert resolve_run(Wishes(tree)).pretrained == "yolov4-tiny.conv.29"


def test_hank_ais_darknet_takes_no_conv_29(tree: Path) -> None:
    (tree / "yolov4-tiny.conv.29").touch()
    program = str(program_at(tree / "darknet", b"time remaining="))
    assert resolve_run(Wishes(tree)).pretrained is None
    with pytest.raises(TreeError, match=r"only files whose names end in \.weights"):
        resolve_run(Wishes(tree, weights="yolov4-tiny.conv.29", darknet=program))


@pytest.mark.parametrize(
    ("name", "cfg"),
    [
        pytest.param("cfg/mine.cfg", "cfg/mine.cfg", id="relative to the tree"),
        pytest.param("{tree}/cfg/mine.cfg", "cfg/mine.cfg", id="absolute"),
        pytest.param("{link}/cfg/mine.cfg", "cfg/mine.cfg", id="absolute, by the link that names the tree"),
        pytest.param("data/../cfg/mine.cfg", "cfg/mine.cfg", id="with dots"),
    ],
)
def test_a_cfg_of_any_name(tree: Path, name: str, cfg: str) -> None:
    (tree / "cfg/remote.cfg").rename(tree / "cfg/mine.cfg")
    link = tree.parent / "link"
    link.symlink_to(tree)
    run = resolve_run(Wishes(link, cfg=name.format(tree=tree, link=link)))
    assert (run.cfg, run.base, run.tree) == (cfg, "mine", tree)


@pytest.mark.parametrize(
    ("said", "backup"),
    [
        pytest.param("out/weights", "out/weights", id="deeper"),
        pytest.param("./backup//", "backup", id="not normal"),
        pytest.param("{link}/backup/", "backup", id="absolute, by a link"),
    ],
)
def test_the_directory_for_checkpoints_is_what_the_data_file_says(tree: Path, said: str, backup: str) -> None:
    link = tree.parent / "link"
    link.symlink_to(tree)
    (tree / "cfg/remote.data").write_text(f"classes=2\nbackup={said.format(link=link)}\n")
    assert resolve_run(Wishes(link)).backup == backup


@pytest.mark.parametrize("said", [".drivesync/", ".trainer", "./.trainer/backup", "x/../.drivesync"])
def test_a_directory_of_which_nothing_is_pushed(tree: Path, said: str) -> None:
    (tree / "cfg/remote.data").write_text(f"classes=2\nbackup={said}\n")
    with pytest.raises(
        TreeError, match=r"lies in \.(drivesync|trainer), of which no checkpoint is ever pushed"
    ):
        resolve_run(Wishes(tree))


@pytest.mark.parametrize("said", ["backup\0", "b" * 5000, "b/" * 4000])
def test_a_directory_that_no_disk_has(tree: Path, said: str) -> None:
    (tree / "cfg/remote.data").write_text(f"classes=2\nbackup={said}\n")
    with pytest.raises(TreeError, match="is not a directory within the tree"):
        resolve_run(Wishes(tree))


@pytest.mark.parametrize(
    ("wishes", "files", "name"),
    [
        pytest.param({}, {"cfg/remote.data": b"backup = backup/"}, "backup/remote", id="the tutorial's"),
        pytest.param(
            {"data": "data/my.data", "cfg": "cfg/my.cfg"},
            {"data/my.data": b"backup=runs/1"},
            "runs/1/my",
            id="own",
        ),
        pytest.param({}, {}, "", id="no .data"),
        pytest.param({}, {"cfg/remote.data": b"backup = /elsewhere/"}, "", id="a backup outside"),
        pytest.param({}, {"cfg/remote.data": b"\xef\xbb\xbfclasses=1"}, "", id="no .data that darknet reads"),
        pytest.param({"data": "../x.data"}, {}, "", id="a .data outside"),
    ],
)
def test_a_run_has_its_name_before_the_tree_is_here(
    wishes: dict[str, str], files: dict[str, bytes], name: str, tmp_path: Path
) -> None:
    wished = Wishes(tmp_path / "tree", **wishes)  # type: ignore[arg-type]  # extra is not among them
    assert foresee_run(wished, files.get) == name


def write(path: str, text: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).write_text(text)


def remove(path: str) -> Callable[[Path], object]:
    return lambda tree: (tree / path).unlink()


def make_nothing(_tree: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("harm", "wishes", "message"),
    [
        pytest.param(remove("cfg/remote.cfg"), {}, "there is no cfg/remote.cfg in", id="no cfg"),
        pytest.param(remove("cfg/remote.data"), {}, "there is no cfg/remote.data in", id="no .data"),
        pytest.param(make_nothing, {"cfg": "cfg/a.cfg"}, "there are cfg/remote.cfg", id="another is there"),
        pytest.param(write("../x.cfg", ""), {"cfg": "../x.cfg"}, "lies outside", id="cfg outside"),
        pytest.param(write("../x.data", ""), {"data": "../x.data"}, "lies outside", id=".data outside"),
        pytest.param(
            write("cfg/v4.tiny.cfg", ""), {"cfg": "cfg/v4.tiny.cfg"}, "call its weights v4_last", id="dots"
        ),
        pytest.param(write("cfg/remote.cfg", "what"), {}, "cfg/remote.cfg", id="no cfg in the cfg"),
        pytest.param(write("cfg/remote.cfg", NO_END), {}, "no max_batches", id="no max_batches"),
        pytest.param(write("cfg/remote.data", "backup=/\n"), {}, "not a directory within", id="backup is /"),
        pytest.param(write("cfg/remote.data", "backup=.\n"), {}, "not a directory within", id="is the tree"),
        pytest.param(write("cfg/remote.data", "backup=../b\n"), {}, "not a directory within", id="beside"),
        pytest.param(write("cfg/remote.data", "classes=2\n"), {}, "backup = /backup/ is not", id="no backup"),
        pytest.param(make_nothing, {"weights": "no.weights"}, "there is no no.weights", id="no weights"),
    ],
)
def test_a_tree_that_is_wrong(
    tree: Path, harm: Callable[[Path], object], wishes: dict[str, str], message: str
) -> None:
    harm(tree)
    with pytest.raises(TreeError, match=message):
        resolve_run(Wishes(tree, **wishes))  # type: ignore[arg-type]  # extra is not among them


class TestProgram:
    def test_the_trees_own_comes_first(self, tree: Path) -> None:
        program = program_at(tree / "darknet")
        run = resolve_run(Wishes(tree))
        assert (run.program, run.flavour, run.flavour_known) == (program, Flavour.AX, True)

    def test_one_that_may_not_be_run_is_passed_over(self, tree: Path) -> None:
        program_at(tree / "darknet").chmod(0o644)
        assert resolve_run(Wishes(tree)).program.parent != tree

    def test_one_that_is_named_comes_before_it(
        self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program_at(tree / "darknet")
        other = program_at(tmp_path / "bin/other")
        monkeypatch.chdir(tmp_path)
        assert resolve_run(Wishes(tree, darknet="bin/other")).program == other
        monkeypatch.setenv("PATH", "bin")
        assert resolve_run(Wishes(tree, darknet="other")).program == other

    def test_of_no_known_kind_it_is_taken_for_alexeyabs(self, tree: Path) -> None:
        program_at(tree / "darknet", b"#!/bin/sh\n")
        run = resolve_run(Wishes(tree))
        assert (run.flavour, run.flavour_known) == (Flavour.AX, False)

    @pytest.mark.parametrize(
        ("weights", "flavour", "pretrained"),
        [
            pytest.param(None, Flavour.PJ, "yolov4-tiny.conv.29", id="it loads the tutorial's"),
            pytest.param(None, Flavour.HK, None, id="it does not, and they are left out"),
            pytest.param("mine.weights", Flavour.HK, "mine.weights", id="it loads the user's own"),
        ],
    )
    def test_of_no_known_kind_until_it_says_which(
        self, tree: Path, weights: str | None, flavour: Flavour, pretrained: str | None
    ) -> None:
        program_at(tree / "darknet", b"#!/bin/sh\n")
        for name in ("yolov4-tiny.conv.29", "mine.weights"):
            (tree / name).touch()
        run = recognise(resolve_run(Wishes(tree, weights=weights)), flavour)
        assert (run.flavour, run.flavour_known, run.pretrained) == (flavour, True, pretrained)

    @pytest.mark.parametrize("name", ["no-such-program", "./no-such-program", "."])
    def test_there_is_none_of_that_name(self, tree: Path, name: str) -> None:
        with pytest.raises(NoDarknetError, match="is no program that can be run"):
            resolve_run(Wishes(tree, darknet=name))

    def test_there_is_none(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tree))
        with pytest.raises(NoDarknetError, match="none on PATH") as caught:
            resolve_run(Wishes(tree))
        assert "--darknet" in caught.value.hint


def test_what_is_trained_is_left_on_record(tree: Path) -> None:
    run: Run = resolve_run(Wishes(tree))
    record_run(run)
    assert json.loads((tree / ".trainer/run.json").read_text()) == {
        "data": "cfg/remote.data",
        "cfg": "cfg/remote.cfg",
        "backup": "backup",
    }
