from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trainer.errors import NoDarknetError, TreeError
from trainer.running import drain, process
from trainer.running.process import Event, Exited, Line, Process, Started
from trainer.running.spawn import command_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANG_S = 20.0


@pytest.fixture
def go(tmp_path: Path) -> Iterator[FileIO]:
    """A pipe by which a test lets its child go on; open both ways, so that nobody waits for the other to open it."""
    os.mkfifo(tmp_path / "go")
    with FileIO(tmp_path / "go", "r+") as pipe:
        yield pipe


def shell(script: str, tmp_path: Path, *, wanted: Callable[[str], bool] | None = None) -> Process:
    return Process(["sh", "-c", script], tmp_path, tmp_path / "log", wanted=wanted)


def run(script: str, tmp_path: Path) -> list[Event]:
    with shell(script, tmp_path) as child:
        return list(child.events())


def texts(events: list[Event], stream: str = "stdout") -> list[str]:
    return [event.text for event in events if isinstance(event, Line) and event.stream == stream]


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """A zombie is not alive: where no init reaps, an orphan stays one."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def next_text(child: Process) -> str:
    """The next line; what comes before it is passed over."""
    while not isinstance(event := child.next_event(HANG_S), Line):
        assert isinstance(event, Started)
    return event.text


@pytest.mark.parametrize(
    ("script", "returncode"),
    [
        pytest.param("exit 0", 0, id="success"),
        pytest.param("exit 3", 3, id="an exit status"),
        pytest.param("kill -SEGV $$", -signal.SIGSEGV, id="a signal is negative"),
        pytest.param("exec >&- 2>&-; sleep 0.05; exit 4", 4, id="pipes closed long before the end"),
    ],
)
def test_started_first_exited_last(script: str, returncode: int, tmp_path: Path) -> None:
    with shell(script, tmp_path) as child:
        events = list(child.events())
        assert child.next_event() is None
    assert isinstance(events[0], Started)
    assert events[1:] == [Exited(returncode)]


def test_where_the_kernel_does_not_tell_of_an_exit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    events = run("setsid sleep 60 & echo a; sleep 0.05; echo b; exit 3", tmp_path)
    assert texts(events) == ["a", "b"]
    assert events[-1] == Exited(3)


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        pytest.param(r"printf 'a\nb\n'", ["a", "b"], id="lines"),
        pytest.param(r"printf 'a\nb'", ["a", "b"], id="the last line need not be ended"),
        pytest.param(r"printf '4\r8\r12\r'", ["4", "8", "12"], id="a counter with carriage returns"),
        pytest.param(r"printf 'a\r\nb\r\n\n'", ["a", "b"], id="blank lines are left out"),
        pytest.param(r"printf 'a\377b\n'", ["a\ufffdb"], id="bytes that are no UTF-8"),
        pytest.param(r"printf 'a\303'; sleep 0.05; printf '\251\n'", ["a\xe9"], id="a letter in two writes"),
        pytest.param(r"printf 'a\303'", ["a\ufffd"], id="half a letter at the end"),
        pytest.param(r"printf 'a\302\205b\013c\n'", ["a\x85b\x0bc"], id="no other line ends"),
        pytest.param("head -c 8200 /dev/zero | tr '\\0' x", ["x" * 8192], id="a very long line is cut"),
    ],
)
def test_lines(script: str, lines: list[str], tmp_path: Path) -> None:
    events = run(script, tmp_path)
    assert texts(events) == lines
    assert isinstance(events[-1], Exited)


def test_both_streams_are_told_apart_and_logged(tmp_path: Path) -> None:
    events = run("echo out; echo err >&2; printf tail", tmp_path)
    assert texts(events) == ["out", "tail"]
    assert texts(events, "stderr") == ["err"]
    assert sorted((tmp_path / "log").read_bytes()) == sorted(b"out\nerr\ntail")


def test_child_leads_its_own_session_and_reads_nothing(tmp_path: Path) -> None:
    with shell("cat; cut -d' ' -f1,6 /proc/$$/stat", tmp_path) as child:
        started = child.next_event(HANG_S)
        assert isinstance(started, Started)
        assert next_text(child) == f"{started.pid} {started.pid}"


def test_a_timeout_gives_none(tmp_path: Path) -> None:
    with shell("exec sleep 60", tmp_path) as child:
        assert isinstance(child.next_event(HANG_S), Started)
        assert child.next_event(0.001) is None


def test_only_wanted_lines_become_events_and_all_are_remembered(tmp_path: Path) -> None:
    with shell("seq 60; echo last >&2", tmp_path, wanted=lambda text: text.endswith("7")) as child:
        events = list(child.events())
        assert texts(events) == ["7", "17", "27", "37", "47", "57"]
        assert sorted(child.last_lines) == sorted([*map(str, range(11, 61)), "last"])


def test_last_lines_keep_the_order_of_arrival_and_survive_a_flood_on_the_other_stream(
    go: FileIO, tmp_path: Path
) -> None:
    script = "echo first >&2; read line <go; seq 1000; read line <go; echo last >&2"
    with shell(script, tmp_path) as child:
        for awaited in ("first", "1000"):
            while next_text(child) != awaited:
                pass
            go.write(b"\n")
        list(child.events())
        assert child.last_lines == ("first", *map(str, range(951, 1001)), "last")


def test_a_flood_nobody_reads_neither_blocks_the_child_nor_fills_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "QUEUE_LINES", 100)
    with shell("seq 200000 >&2", tmp_path) as child:
        wait_for(lambda: child.lines_dropped == 199_900)
        events = list(child.events())
        assert texts(events, "stderr") == [str(number) for number in range(199901, 200001)]
    assert isinstance(events[0], Started)
    assert events[-1] == Exited(0)
    assert (tmp_path / "log").read_text() == "".join(f"{number}\n" for number in range(1, 200_001))


def test_bytes_without_a_line_end_move_the_clock(go: FileIO, tmp_path: Path) -> None:
    times = itertools.count(1)
    script = "printf .; read line <go; printf .; exec sleep 60"
    with Process(["sh", "-c", script], tmp_path, tmp_path / "log", clock=lambda: next(times)) as child:
        wait_for(lambda: child.last_byte_at == 2)
        go.write(b"\n")
        wait_for(lambda: child.last_byte_at == 3)
        assert isinstance(child.next_event(HANG_S), Started)
        assert child.next_event(0) is None


@pytest.mark.parametrize(
    "tools", [["cut", "setpriv", "stdbuf"], ["cut", "setpriv"]], ids=["stdbuf", "terminal"]
)
def test_lines_come_at_once(tools: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in tools:
        (tmp_path / "bin" / tool).parent.mkdir(exist_ok=True)
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with Process(["cut", "-c1-", "fifo"], tmp_path, tmp_path / "log") as child:
        with fifo.open("w") as writer:
            print("at once", file=writer, flush=True)
            assert next_text(child) == "at once"
        assert list(child.events()) == [Exited(0)]
    assert (tmp_path / "log").read_bytes() == b"at once\n"


def test_stop_asks_first(tmp_path: Path) -> None:
    with shell("trap 'echo asked; exit 5' TERM; echo ready; while :; do sleep 0.01; done", tmp_path) as child:
        assert next_text(child) == "ready"
        child.stop(grace_s=HANG_S)
        events = list(child.events())
        child.stop(grace_s=HANG_S)
    assert texts(events) == ["asked"]
    assert events[-1] == Exited(5)


WAYS_OUT = [
    pytest.param("sleep 60 & echo $!", id="a child"),
    pytest.param("setsid sleep 60 & echo $!", id="in a session of its own"),
    pytest.param("(trap '' TERM; setsid sh -c 'echo $$; while :; do sleep 1; done') &", id="that ignores SIGTERM"),
    pytest.param("sh -c 'setsid sh -c \"echo \\$\\$; exec sleep 60\" &'", id="that nobody waits for"),
    pytest.param("setsid sh -c 'exec >&- 2>&-; echo $$ >pid; exec sleep 60' & until [ -s pid ]; do :; done; cat pid",
                 id="that has left the pipes"),
]  # fmt: skip


@pytest.mark.parametrize("leave", WAYS_OUT)
def test_stop_kills_who_does_not_listen_and_all_it_has_started(leave: str, tmp_path: Path) -> None:
    with shell(f"trap '' TERM\n{leave}\nwhile :; do sleep 1; done", tmp_path) as child:
        grandchild = int(next_text(child))
        child.stop(grace_s=0.05)
        assert list(child.events()) == [Exited(-signal.SIGKILL)]
        wait_for(lambda: not is_alive(grandchild))


def test_leaving_the_block_leaves_nothing_alive(tmp_path: Path) -> None:
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    threads = threading.active_count()
    with shell("trap '' TERM; sleep 60 & echo $!; wait", tmp_path) as child:
        started = child.next_event(HANG_S)
        assert isinstance(started, Started)
        grandchild = int(next_text(child))
    assert not is_alive(started.pid)
    wait_for(lambda: not is_alive(grandchild))
    assert child.next_event(0) == Exited(-signal.SIGKILL)
    assert threading.active_count() == threads
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_what_a_child_leaves_behind_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "HELD_PIPE_S", 0.05)
    with shell("sleep 60 & echo $!; exit 7", tmp_path) as child:
        grandchild = int(next_text(child))
        assert child.next_event(HANG_S) == Exited(7)
        wait_for(lambda: not is_alive(grandchild))


@pytest.mark.parametrize("leave", WAYS_OUT)
def test_who_has_escaped_ends_with_the_child_and_does_not_hold_exited_back(
    leave: str, tmp_path: Path
) -> None:
    with shell(f"{leave}\nsleep 0.05; exit 7", tmp_path) as child:
        grandchild = int(next_text(child))
        began_s = time.monotonic()
        assert child.next_event(HANG_S) == Exited(7)
        assert time.monotonic() - began_s < drain.HELD_PIPE_S
        wait_for(lambda: not is_alive(grandchild))


def test_an_unknown_grandchild_that_floods_the_pipe_does_not_hold_exited_back(
    go: FileIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "HELD_PIPE_S", 0.05)
    script = "env -i setsid sh -c 'echo $$; exec yes' & read line <go; exit 7"
    with shell(script, tmp_path, wanted=str.isdigit) as child:
        grandchild = int(next_text(child))
        go.write(b"\n")
        assert list(child.events()) == [Exited(7)]
        wait_for(lambda: not is_alive(grandchild))  # of SIGPIPE


def test_what_the_child_wrote_is_read_to_its_end_however_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a busy machine, where the drain is behind when the child ends."""
    monkeypatch.setattr(drain, "HELD_PIPE_S", 0.0)

    def dawdle(text: str) -> bool:
        if text.startswith("pid "):
            wait_for(lambda: not is_alive(int(text.removeprefix("pid "))))
        return True

    with shell("echo pid $$; exec seq 10000 >&2", tmp_path, wanted=dawdle) as child:
        events = list(child.events())
    assert texts(events, "stderr") == [str(number) for number in range(1, 10_001)]


def test_the_child_outlives_the_thread_that_entered(go: FileIO, tmp_path: Path) -> None:
    child = shell("echo ready; read line <go; echo alive", tmp_path)
    thread = threading.Thread(target=child.__enter__)
    thread.start()
    thread.join()
    try:
        assert next_text(child) == "ready"
        go.write(b"\n")
        assert next_text(child) == "alive"
    finally:
        child.__exit__(None, None, None)


SUPERVISOR = """
import sys
from pathlib import Path
from trainer.running.process import Line, Process
with Process(["sh", "-c", sys.argv[1]], Path("."), Path("log")) as child:
    print(child.next_event().pid, child.next_event().text, flush=True)
    child.next_event()
"""


@pytest.mark.parametrize("leave", WAYS_OUT)
def test_the_child_and_all_it_has_started_die_with_a_supervisor_that_is_killed(
    leave: str, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, f"{leave}\ntrap '' TERM; while :; do sleep 1; done"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    ) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(word) for word in supervisor.stdout.readline().split()]
        assert [pid for pid in pids if is_alive(pid)] == pids
        supervisor.kill()
    killed_s = time.monotonic()
    wait_for(lambda: not any(is_alive(pid) for pid in pids))
    assert time.monotonic() - killed_s < 1.0


def test_a_child_whose_parent_died_before_it_could_ask_for_the_signal_does_not_run() -> None:
    def start(parent_pid: int) -> subprocess.CompletedProcess[bytes]:
        command = command_line(["echo", "ran"], parent_pid)
        return subprocess.run(command, capture_output=True, check=False)

    assert start(os.getpid()).stdout == b"ran\n"
    orphan = start(1)
    assert (orphan.stdout, orphan.returncode) == (b"", 1)


def test_a_predicate_that_fails_is_heard_of_and_ends_the_child(tmp_path: Path) -> None:
    def wanted(text: str) -> bool:
        raise ValueError(text)

    with shell("echo boo; exec sleep 60", tmp_path, wanted=wanted) as child:
        started = child.next_event(HANG_S)
        assert isinstance(started, Started)
        with pytest.raises(ValueError, match="boo"):
            child.next_event(HANG_S)
        assert not is_alive(started.pid)


@pytest.mark.parametrize(
    ("program", "cwd", "error", "message"),
    [
        pytest.param("no-such-darknet", ".", NoDarknetError, "not on PATH", id="not on PATH"),
        pytest.param("./darknet", ".", NoDarknetError, "does not exist", id="not in the tree"),
        pytest.param("./plain", ".", NoDarknetError, "may not be executed", id="lost its run bit"),
        pytest.param("sh", "nowhere", TreeError, "not a directory", id="no tree"),
    ],
)
def test_what_cannot_start(
    program: str, cwd: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "plain").write_bytes(b"#!/bin/sh\n")
    with (
        pytest.raises(error, match=message),
        Process([program], tmp_path / cwd, tmp_path / "log"),
    ):
        pytest.fail("entered")


def test_a_program_in_the_tree_starts(tmp_path: Path) -> None:
    (tmp_path / "dark net").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "dark net").chmod(0o755)
    with Process(["./dark net", "a b", "$c"], tmp_path, tmp_path / "log") as child:
        assert texts(list(child.events())) == ["a b $c"]


@pytest.mark.parametrize(
    "log",
    [
        pytest.param("/dev/full", id="disk full"),
        pytest.param("/dev/null/log", id="cannot even be made"),
    ],
)
def test_a_log_that_cannot_be_written_harms_nothing(log: str, tmp_path: Path) -> None:
    with Process(["seq", "5"], tmp_path, tmp_path / log) as child:
        assert texts(list(child.events())) == ["1", "2", "3", "4", "5"]


@pytest.mark.skipif(shutil.which("darknet") is None, reason="needs the distribution's darknet")
def test_the_real_darknet_says_why_it_does_not_train(tmp_path: Path) -> None:
    argv = ["darknet", "detector", "train", "none.data", "none.cfg"]
    with Process(argv, tmp_path, tmp_path / "log") as child:
        events = list(child.events())
        assert any("Couldn't open file" in line for line in child.last_lines)
    assert isinstance(events[-1], Exited)
