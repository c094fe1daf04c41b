"""The commands as people and scripts meet them: exit statuses, one clear line, no secret, nothing harmed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from drivesync.cli import cli, run_command
from drivesync.testing import TOKEN, CorruptDownload, CorruptUpload, Delay, ErrorAnswer, ExpiredToken, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from drivesync.testing import DriveEmulator
    from tests.drivesync.conftest import Ended, Tree

    Run = Callable[..., Ended]

LAST = "backup/run_last.weights"


@pytest.fixture
def full(drive_emulator: DriveEmulator, tree: Tree) -> DriveEmulator:
    """A Drive that holds what ``tree`` does, and a file more."""
    drive_emulator.seed(tree.root, "darknet")
    drive_emulator.put("darknet/data/it's a [red]file[/red].txt", b"content")
    return drive_emulator


def complaint(ended: Ended) -> str:
    """The one line on standard error that says what went wrong."""
    assert "Traceback" not in ended.err
    assert TOKEN not in ended.out + ended.err
    lines = ended.err.splitlines()
    assert lines
    assert lines[-1].startswith("drivesync: ")
    return lines[-1].removeprefix("drivesync: ")


class TestHelp:
    @pytest.mark.parametrize("option", ["-h", "--help"])
    @pytest.mark.parametrize("command", ["pull", "push", "watch", None])
    def test_every_command_explains_itself_with_an_example(
        self, capsys: pytest.CaptureFixture[str], command: str | None, option: str
    ) -> None:
        assert run_command(cli, [*([command] if command else []), option]) == 0
        out, err = capsys.readouterr()
        assert f"python -m drivesync {command or 'pull'}" in out
        assert err == ""

    def test_without_a_command_there_is_help_all_the_same(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(cli, []) == 64
        out, err = capsys.readouterr()
        assert out.splitlines()[0].startswith("Usage: ")
        assert err == ""

    def test_the_statuses_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        run_command(cli, ["--help"])
        out = capsys.readouterr().out
        assert set(re.findall(r"\b(0|6\d|7\d)\b", out)) == {
            "0",
            "64",
            "65",
            "66",
            "69",
            "73",
            "75",
            "77",
            "78",
        }

    def test_version(self, drivesync: Run) -> None:
        assert re.fullmatch(r".*\d+\.\d+.*\n", drivesync("--version").out)


class TestPull:
    def test_done(self, drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
        ended = drivesync("pull")
        assert ended.status == 0
        assert ended.out.startswith("pull: 2 files (")
        assert (tmp_path / "darknet" / "data" / "it's a [red]file[/red].txt").read_bytes() == b"content"
        assert "1 files" not in drivesync("pull").out
        assert full.read_tree("darknet").keys() == {"cfg/run.cfg", "data/it's a [red]file[/red].txt"}

    def test_json(self, drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
        (tmp_path / "t" / "cfg").mkdir(parents=True)
        (tmp_path / "t" / "cfg" / "run.cfg").write_text("mine")
        full.put("darknet/cfg", b"a file beside a folder")
        ended = drivesync("pull", "darknet", "t", "--json")
        answer = json.loads(ended.out)
        assert answer.pop("seconds") > 0
        assert answer == {
            "tree": "t",
            "downloaded": {"files": 1, "bytes": 7},
            "kept": 0,
            "conflicts": ["cfg/run.cfg"],
            "skipped": [{"path": "cfg", "reason": "a folder of the same name is beside it"}],
            "failed": [],
        }

    def test_what_was_kept_or_left_is_told_but_not_at_length(
        self, drivesync: Run, drive_emulator: DriveEmulator, tmp_path: Path
    ) -> None:
        for number in range(12):
            drive_emulator.put(f"darknet/{number:02}\x1b[2J", b"theirs")
        drivesync("pull", "darknet", "t")
        for file in (tmp_path / "t").glob("*J"):
            file.write_bytes(b"mine")
        ended = drivesync("pull", "darknet", "t")
        assert ended.status == 0
        assert ended.out.count("kept: ") == 11
        assert "2 more (--json lists all)" in ended.out
        assert "\x1b" not in ended.out + ended.err
        assert "00\\x1b[2J (changed here since it was pulled)" in ended.out

    def test_the_tree_remembers_where_it_came_from(
        self, drivesync: Run, drive_emulator: DriveEmulator, tree: Tree
    ) -> None:
        drive_emulator.put("work/yolo 4/cfg/run.cfg", (tree.root / "cfg" / "run.cfg").read_bytes())
        assert drivesync("pull", "work/yolo 4").status == 0
        assert drivesync("pull").status == 0
        content = tree.save("run_last.weights", 100)
        (tree.root.parent / "darknet" / "backup").mkdir()
        (tree.root.parent / "darknet" / LAST).write_bytes(content)
        assert drivesync("push").status == 0
        assert drive_emulator.read_tree("work/yolo 4")[LAST] == content


class TestPush:
    def test_done(self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator) -> None:
        content = tree.save("run_last.weights", 100)
        ended = drivesync("push", tree.root)
        assert (ended.status, ended.out) == (0, "push: 1 sent, 0 on Drive already, 0 not sent\n")
        assert drive_emulator.read_tree("darknet") == {LAST: content}
        assert drivesync("push", tree.root).out == "push: 0 sent, 1 on Drive already, 0 not sent\n"

    def test_json(self, drivesync: Run, tree: Tree) -> None:
        content = tree.save("run_last.weights", 100)
        tree.save("run_200.weights", 200)
        os.truncate(tree.root / "backup" / "run_200.weights", 30)
        ended = drivesync("push", tree.root, "--json")
        answer = json.loads(ended.out)
        (pushed,) = answer["pushed"]
        assert len(pushed.pop("md5")) == 32
        assert pushed == {"path": LAST, "iteration": 100, "bytes": len(content), "uploaded": True}
        (refused,) = answer["refused"]
        assert refused["path"] == "backup/run_200.weights"
        assert ended.status == 65

    def test_a_remote_given_once_is_remembered(
        self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        tree.save("run_last.weights", 100)
        assert drivesync("push", tree.root, "mine").status == 0
        content = tree.save("run_last.weights", 200)
        assert drivesync("push", tree.root).status == 0
        assert drive_emulator.read_tree("mine") == {LAST: content}
        assert drive_emulator.read_tree("darknet") == {}


class TestStatus:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["fetch"],
            ["pull", "--fast"],
            ["pull", "a", "b", "c"],
            ["push", "--jso"],
            ["watch", "--grace", "soon"],
        ],
    )
    def test_64_usage(self, drivesync: Run, arguments: list[str]) -> None:
        ended = drivesync(*arguments)
        assert ended.status == 64
        assert "--help" in complaint(ended)

    def test_64_a_remote_that_names_no_folder(self, drivesync: Run, tmp_path: Path) -> None:
        ended = drivesync("pull", "../secrets", "t")
        assert ended.status == 64
        assert "names no folder in My Drive" in complaint(ended)
        assert list(tmp_path.glob("t")) == []

    def test_65_damaged_on_the_way_down(self, drivesync: Run, full: DriveEmulator, tmp_path: Path) -> None:
        drivesync("pull", "darknet", "t")
        full.put("darknet/cfg/run.cfg", b"newer on Drive")
        before = (tmp_path / "t" / "cfg" / "run.cfg").read_bytes()
        full.inject(Fault(CorruptDownload(), times=None))
        ended = drivesync("pull", "darknet", "t")
        assert ended.status == 65
        assert "cfg/run.cfg came damaged" in complaint(ended)
        assert (tmp_path / "t" / "cfg" / "run.cfg").read_bytes() == before

    def test_65_damaged_on_the_way_up(
        self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        content = tree.save("run_last.weights", 100)
        drive_emulator.inject(Fault(CorruptUpload(), "upload.final", times=2))
        ended = drivesync("push", tree.root)
        assert ended.status == 65
        assert "is not on Drive as it was sent" in complaint(ended)
        assert drivesync("push", tree.root).status == 0
        assert drive_emulator.read_tree("darknet") == {LAST: content}

    def test_65_a_checkpoint_that_is_torn(
        self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator
    ) -> None:
        content = tree.save("run_last.weights", 100)
        drivesync("push", tree.root)
        os.truncate(tree.root / LAST, len(content) - 4)
        ended = drivesync("push", tree.root)
        assert ended.status == 65
        assert LAST in complaint(ended)
        assert drive_emulator.read_tree("darknet") == {LAST: content}

    def test_66_no_such_folder_on_drive(self, drivesync: Run, tmp_path: Path) -> None:
        ended = drivesync("pull", "darkent", "t")
        assert ended.status == 66
        assert complaint(ended).startswith("there is no folder 'darkent' in My Drive. ")
        assert not (tmp_path / "t").exists()

    @pytest.mark.parametrize("command", ["push", "watch"])
    def test_66_no_such_tree(self, drivesync: Run, command: str, drive_emulator: DriveEmulator) -> None:
        ended = drivesync(command, "absent")
        assert ended.status == 66
        assert complaint(ended).startswith("there is no tree at absent. ")
        assert drive_emulator.counters().total().requests == 0

    def test_69_drive_cannot_be_reached(self, drivesync: Run, tmp_path: Path) -> None:
        ended = drivesync("pull", "darknet", "t", DRIVE_EMULATOR_HOST="http://127.0.0.1:1")
        assert ended.status == 69
        assert "Run the same command again" in complaint(ended)
        assert not (tmp_path / "t").exists()

    def test_69_drive_is_ill(self, drivesync: Run, full: DriveEmulator) -> None:
        full.inject(Fault(ErrorAnswer(500), "files.get.media", times=None))
        ended = drivesync("pull")
        assert ended.status == 69
        assert "Drive answered 500" in complaint(ended)
        full.reset()
        assert drivesync("pull").status == 0

    def test_69_drive_is_full(self, drivesync: Run, tree: Tree, drive_emulator: DriveEmulator) -> None:
        tree.save("run_last.weights", 100)
        with drive_emulator.locked() as store:
            store.storage_limit_bytes = 1
        ended = drivesync("push", tree.root)
        assert ended.status == 69
        assert "free some space" in complaint(ended)

    def test_73_a_file_where_the_tree_should_be(self, drivesync: Run, tmp_path: Path) -> None:
        (tmp_path / "t").write_bytes(b"mine")
        ended = drivesync("pull", "darknet", "t")
        assert ended.status == 73
        assert "is a file, not a folder" in complaint(ended)
        assert (tmp_path / "t").read_bytes() == b"mine"

    def test_73_the_disk_is_full_and_is_freed(
        self, on_small_disk: Callable[[str], subprocess.CompletedProcess[str]], drive_emulator: DriveEmulator
    ) -> None:
        drive_emulator.put("darknet/large", bytes(3_000_000))
        done = on_small_disk(
            """
            drivesync pull darknet t; echo $?; ls -A t t/.drivesync/partial
            mount -o remount,size=8m .
            drivesync pull darknet t; echo $?; ls t; wc -c < t/large
            """
        )
        first, second = done.stdout.split("pull: 1 files")
        assert first.split() == ["73", "t:", ".drivesync", "t/.drivesync/partial:"]
        assert second.splitlines()[1:] == ["0", "large", "3000000"]
        assert "No space left on device. Free some space" in done.stderr
        assert "Traceback" not in done.stderr

    def test_73_no_room_for_a_snapshot(
        self, on_small_disk: Callable[[str], subprocess.CompletedProcess[str]], drive_emulator: DriveEmulator
    ) -> None:
        done = on_small_disk(
            """
            mkdir -p t/backup; head -c 1500000 /dev/zero > t/backup/chart.weights
            drivesync push t; echo $?; ls t/.drivesync/spool
            """
        )
        assert done.stdout.split() == ["73"]
        assert "No space left on device" in done.stderr
        assert drive_emulator.read_tree("darknet") == {}

    def test_75_stopped_by_a_signal(
        self, environment: dict[str, str], full: DriveEmulator, tmp_path: Path
    ) -> None:
        full.inject(Fault(Delay(60.0), "files.get.media", times=None))
        with subprocess.Popen(
            [sys.executable, "-m", "drivesync", "pull", "darknet", "t"],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            while not full.counters()["files.get.media"].requests:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            began_s = time.monotonic()
            _out, err = process.communicate(timeout=30)
            took_s = time.monotonic() - began_s
        assert process.returncode == 75
        assert (
            err.decode()
            .splitlines()[-1]
            .startswith("drivesync: stopped before the end. Run the same command")
        )
        assert took_s < 5
        assert list((tmp_path / "t" / ".drivesync" / "partial").iterdir()) == []

    @pytest.mark.parametrize("command", ["pull", "push"])
    def test_77_the_token_is_dead(
        self, drivesync: Run, full: DriveEmulator, tree: Tree, command: str
    ) -> None:
        tree.save("run_last.weights", 100)
        full.inject(Fault(ExpiredToken()))
        ended = drivesync(*(["pull", "darknet", "t"] if command == "pull" else ["push", tree.root]))
        assert ended.status == 77
        assert "authenticate_user" in complaint(ended)

    def test_77_nobody_is_logged_in(self, drivesync: Run, tmp_path: Path) -> None:
        ended = drivesync(
            "pull",
            DRIVE_EMULATOR_HOST="",
            GOOGLE_OAUTH_ACCESS_TOKEN="",
            HOME=str(tmp_path),
            CLOUDSDK_CONFIG=str(tmp_path),
        )
        assert ended.status == 77
        assert complaint(ended).startswith("no Google credentials were found. In Colab run ")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DRIVESYNC_WORKERS", "many"),
            ("DRIVE_EMULATOR_HOST", "ftp://x"),
            ("GOOGLE_OAUTH_ACCESS_TOKEN", "s3cret s3cret"),
        ],
    )
    def test_78_a_setting_is_wrong(self, drivesync: Run, name: str, value: str) -> None:
        ended = drivesync("pull", **{name: value})
        assert ended.status == 78
        assert name in complaint(ended)
        assert "s3cret" not in ended.err


@pytest.fixture
def on_small_disk(
    environment: dict[str, str], tmp_path: Path
) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs shell lines in the root of a disk of 2 MB, which is gone afterwards."""
    disk = tmp_path / "disk"
    disk.mkdir()
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=2m none {disk}"
    if (
        shutil.which("unshare") is None
        or subprocess.run([*namespace, "sh", "-c", mount], check=False).returncode
    ):
        pytest.skip("a small disk cannot be mounted here")

    def run(lines: str) -> subprocess.CompletedProcess[str]:
        command = f'drivesync() {{ {sys.executable} -m drivesync "$@"; }}'
        script = f"{mount} && cd {disk}\n{command}\n{lines}"
        return subprocess.run(
            [*namespace, "sh", "-c", script],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


class TestWatch:
    @pytest.fixture
    def watching(self, environment: dict[str, str], tree: Tree) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            [sys.executable, "-m", "drivesync", "watch", str(tree.root), "--grace", "5"],
            env=environment,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr is not None
            assert b"watching" in process.stderr.readline()
            yield process
            process.kill()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_checkpoints_are_pushed_until_it_is_stopped(
        self,
        watching: subprocess.Popen[bytes],
        tree: Tree,
        drive_emulator: DriveEmulator,
        wait_for: Callable[..., None],
        number: signal.Signals,
    ) -> None:
        first = tree.save("run_100.weights", 100)
        wait_for(lambda: drive_emulator.read_tree("darknet") == {"backup/run_100.weights": first})
        last = tree.save("run_last.weights", 200)
        watching.send_signal(number)
        assert watching.wait(20) == 0
        assert drive_emulator.read_tree("darknet") == {"backup/run_100.weights": first, LAST: last}

    def test_75_what_could_not_be_pushed_in_time_is_kept(
        self, environment: dict[str, str], tree: Tree, drive_emulator: DriveEmulator, drivesync: Run
    ) -> None:
        content = tree.save("run_last.weights", 100)
        drive_emulator.inject(Fault(Delay(60.0), "upload.*", times=1))
        with subprocess.Popen(
            [sys.executable, "-m", "drivesync", "watch", str(tree.root), "--grace", "0.1"],
            env=environment,
            stderr=subprocess.PIPE,
        ) as process:
            while not drive_emulator.counters()["upload.final"].requests:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            _out, err = process.communicate(timeout=20)
        assert process.returncode == 75
        assert "1 file(s) are not on Drive yet; they are kept in" in err.decode().splitlines()[-1]
        assert drivesync("push", tree.root).status == 0
        assert drive_emulator.read_tree("darknet") == {LAST: content}

    def test_75_another_one_is_at_work(
        self, watching: subprocess.Popen[bytes], tree: Tree, drivesync: Run
    ) -> None:
        assert watching.poll() is None
        for command in ("push", "watch"):
            ended = drivesync(command, tree.root)
            assert ended.status == 75
            assert "another push is at work" in complaint(ended)


def test_a_reader_that_goes_away_is_no_crash(
    environment: dict[str, str], full: DriveEmulator, tmp_path: Path
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "drivesync", "pull", "darknet", "t"],
        env=environment,
        cwd=tmp_path,
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert b"Traceback" not in done.stderr
    assert (tmp_path / "t" / "cfg" / "run.cfg").read_bytes() == full.read_tree("darknet")["cfg/run.cfg"]
