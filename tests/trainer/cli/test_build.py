"""``build`` end to end on machines made for it: GPUs and toolkits by name, real compilers, an emulated Drive."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drivesync.daemon import JobLock
from trainer.building.fatbin import read_gpu_code
from trainer.cli import run
from trainer.testing.c_project import make_c_project, make_cmake_project
from trainer.testing.fake_gpu import read_calls
from trainer.testing.workshop import furnish, install_opencv

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivesync.testing import DriveEmulator

T4, L4, A100, H100 = "Tesla T4", "NVIDIA L4", "NVIDIA A100-SXM4-40GB", "NVIDIA H100 80GB HBM3"
GPUS = {T4: 75, L4: 89, A100: 80, H100: 90}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_c_project(tmp_path / "my tree")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes this one look like another; returns where its programs are, before all others on PATH."""
    path = os.environ["PATH"]
    count = iter(range(100))

    def make(gpu: str | None = T4, **parts: Any) -> Path:
        monkeypatch.setenv("PATH", path)
        folder = tmp_path / f"machine-{next(count)}"
        for name, value in furnish(folder, gpu, **parts).items():
            monkeypatch.setenv(name, value)
        return folder / "cuda/bin"

    return make


def build(*argv: str | Path, extra: tuple[str, ...] = ()) -> int:
    return run(["build", *map(str, argv), "--", *extra])


def build_json(
    capsys: pytest.CaptureFixture[str], *argv: str | Path, extra: tuple[str, ...] = ()
) -> dict[str, Any]:
    capsys.readouterr()
    status = build("--json", *argv, extra=extra)
    output = capsys.readouterr()
    assert status == 0, output.err
    said: dict[str, Any] = json.loads(output.out)
    return said


def built(tree: Path) -> list[str]:
    """What each object of the program was compiled with."""
    done = subprocess.run([tree / "darknet", "built"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def put_program(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def forbid_make(folder: Path) -> Path:
    """A make that only says its version; returns the file that it leaves if it is asked for more."""
    called = folder / "make.called"
    put_program(
        folder, "make", f'case "$*" in --version) echo "GNU Make 4.3";; *) touch "{called}"; exit 1;; esac'
    )
    return called


@pytest.mark.parametrize("cuda", [(11, 8), (12, 8), (13, 0)], ids=["CUDA 11", "CUDA 12", "CUDA 13"])
@pytest.mark.parametrize("gpu", [T4, L4, A100, H100, None], ids=["T4", "L4", "A100", "H100", "none"])
def test_the_command_line(
    project: Path,
    machine: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    gpu: str | None,
    cuda: tuple[int, int],
) -> None:
    machine(gpu, cuda=cuda, opencv="4.5.4")
    makefile = (project / "Makefile").read_bytes()
    said = build_json(capsys, project, "--dry-run", "--jobs", "3")
    command = said["command"]
    assert command[command.index("make") + 1] == "-j3"
    if gpu is None:
        assert [word for word in command if word.startswith("ARCH=")] == []
        assert {"GPU=0", "CUDNN=0", "CUDNN_HALF=0", "OPENCV=1", "OPENMP=1"} <= set(command)
    else:
        number = GPUS[gpu]
        assert {"GPU=1", "CUDNN=1", "CUDNN_HALF=1", "OPENCV=1", "OPENMP=0", "AVX=0"} <= set(command)
        assert f"ARCH=-gencode arch=compute_{number},code=[sm_{number},compute_{number}]" in command
    assert said["program"] is None
    assert (project / "Makefile").read_bytes() == makefile
    assert sorted(path.name for path in project.iterdir()) == ["Makefile", "src"]


def test_the_compilers_get_what_was_chosen_and_the_makefile_stays(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    programs = machine(T4, opencv="4.5.4")
    makefile = (project / "Makefile").read_bytes()
    assert build(project) == 0
    output = capsys.readouterr()
    assert output.out.startswith(
        f"build: {project}/darknet is AlexeyAB's darknet, for the GPU (compute capability 7.5) "
        "with CUDNN, CUDNN_HALF, OPENCV: compiled in 0:0"
    )
    assert "cc -I" not in output.out + output.err
    assert built(project) == [
        f"{name} GPU CUDNN CUDNN_HALF OPENCV" for name in ("darknet", "gemm", "kernels")
    ]
    (call,) = read_calls(programs)
    assert call[:2] == ("-gencode", "arch=compute_75,code=[sm_75,compute_75]")
    assert (project / "Makefile").read_bytes() == makefile
    assert not (project / ".trainer/new").exists()


def test_what_is_built_already_is_not_built_again(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    programs = machine(None)
    assert build_json(capsys, project)["from"] == "compiled"
    called = forbid_make(programs)
    assert build_json(capsys, project)["from"] == "ready"
    assert not called.exists()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda tree: (tree / "darknet").chmod(0o644), id="it has lost its run bit"),
        pytest.param(lambda tree: (tree / "darknet").write_bytes(b"\x7fELF"), id="it is another"),
        pytest.param(lambda tree: (tree / "darknet").unlink(), id="it is gone"),
        pytest.param(
            lambda tree: (tree / "src/gemm.h").write_text("int fresh;\n"), id="the source is another"
        ),
    ],
)
def test_what_is_not_as_it_was_built_is_built_again(
    project: Path,
    machine: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
) -> None:
    machine(None)
    assert build(project) == 0
    spoil(project)
    assert build_json(capsys, project)["from"] == "compiled"
    assert len(built(project)) == 2


def test_a_build_for_a_cpu_becomes_one_for_a_gpu_and_another_one(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(None)
    assert build(project) == 0
    assert not any("GPU" in line for line in built(project))
    machine(T4)
    assert build(project) == 0
    assert (
        "objects of an earlier build are removed (2): they were compiled with other switches"
        in capsys.readouterr().err
    )
    assert [line.split()[1] for line in built(project)] == ["GPU", "GPU", "GPU"]
    programs = machine(A100)
    assert build(project) == 0
    assert "arch=compute_80,code=[sm_80,compute_80]" in read_calls(programs)[0]


def test_objects_that_came_through_drive_are_not_trusted(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(None)
    (project / "obj").mkdir()
    for name in ("darknet.o", "gemm.o", "blas_kernels.o"):
        (project / "obj" / name).write_bytes(b"an object of another machine, newer than its source")
    (project / "darknet").write_bytes(b"a program of another machine, without its run bit")
    assert build(project) == 0
    assert "removed (3): nobody knows on which machine" in capsys.readouterr().err
    assert len(built(project)) == 2


def test_without_opencvs_files_it_is_built_without(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(T4)
    assert build(project, "--no-apt") == 0
    assert next(line for line in capsys.readouterr().err.splitlines() if "OPENCV" in line).startswith(
        "OPENCV=0: "
    )
    assert not any("OPENCV" in line for line in built(project))
    assert build(project, "--no-apt", "--opencv") == 78


@pytest.mark.parametrize("works", [True, False])
def test_opencvs_files_are_installed_where_that_is_allowed(
    project: Path,
    machine: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    *,
    works: bool,
) -> None:
    programs = machine(T4)
    there = install_opencv(tmp_path / "package")
    install = (
        f'cp -r "{there}" "$PKG_CONFIG_LIBDIR"' if works else "echo E: Unable to locate package; exit 100"
    )
    calls = tmp_path / "calls"
    put_program(programs, "apt-get", f'echo "$*" >> "{calls}"; case "$*" in *install*) {install};; esac')
    put_program(programs, "sudo", 'shift; exec "$@"')
    assert build(project, "--apt") == 0
    assert [("OPENCV" in line) for line in built(project)] == [works] * 3
    said = capsys.readouterr().err
    assert ("apt-get could not install libopencv-dev" in said) is not works
    assert len(calls.read_text().splitlines()) == (1 if works else 3)  # the second time with newer lists
    assert "libopencv-dev" in calls.read_text()


def test_a_compile_that_fails_says_where_and_leaves_the_program_that_was_there(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(None)
    assert build(project) == 0
    before = (project / "darknet").read_bytes()
    gemm = project / "src/gemm.c"
    sound = gemm.read_text()
    gemm.write_text(sound + "int broken( { return 0; }\n")
    capsys.readouterr()
    assert build(project) == 78
    said = capsys.readouterr().err
    assert "src/gemm.c:3" in said
    assert f"All that was printed is in {project}/.trainer/build.log" in said
    assert len(said.splitlines()) < 6
    assert (project / "darknet").read_bytes() == before
    gemm.write_text(sound)
    assert build(project) == 0


def test_an_architecture_that_this_cuda_no_longer_knows(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(T4, cuda=(13, 0))
    assert build(project, extra=("ARCH=-gencode arch=compute_50,code=sm_50",)) == 78
    assert "compute_50" in capsys.readouterr().err


def slow_down(programs: Path, tmp_path: Path) -> Path:
    """A cc that writes half of gemm.o, and then takes its time; returns the file that says so, with its pid."""
    waiting = tmp_path / "waiting"
    body = f"""for last; do :; done
case "$*" in
*gemm.c*) echo half > "$last"; echo $$ > "{waiting}.new"; mv "{waiting}.new" "{waiting}"; exec sleep 600;;
*) exec {shutil.which("cc")} "$@";;
esac"""
    put_program(programs, "cc", body)
    return waiting


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_is_stopped_or_killed_ends_whole_and_the_next_one_goes_right(
    project: Path,
    machine: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    programs = machine(None)
    assert build(project) == 0
    before = (project / "darknet").read_bytes()
    waiting = slow_down(programs, tmp_path)
    argv = [sys.executable, "-m", "trainer", "build", "--clean", str(project)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
        until(waiting.exists)
        process.send_signal(number)
        _, said = process.communicate()
    compiler = int(waiting.read_text())
    until(lambda: not Path(f"/proc/{compiler}").exists())
    assert process.returncode == (75 if number == signal.SIGINT else -9), said
    assert (project / "darknet").read_bytes() == before
    (programs / "cc").unlink()
    capsys.readouterr()
    assert build(project) == 0
    assert ("was killed" in capsys.readouterr().err) is (number == signal.SIGKILL)
    assert len(built(project)) == 2


def until(is_so: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < give_up_s
        time.sleep(0.01)


def test_what_runs_of_the_old_program_goes_on(project: Path, machine: Callable[..., Path]) -> None:
    machine(None)
    assert build(project) == 0
    with (project / "darknet").open("rb") as old:
        before = old.read()
        assert build(project, "--no-opencv", extra=("OPENMP=0",)) == 0
        old.seek(0)
        assert old.read() == before
    assert (project / "darknet").read_bytes() != before


def test_a_darknet_that_trains_now_is_left_alone(
    tree: Path,
    machine: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    play_supervisor: Callable[..., object],
) -> None:
    machine(None)
    make_c_project(tree)
    play_supervisor()
    assert build(tree) == 0
    assert "darknet trains here now: it goes on as it is" in capsys.readouterr().err


def test_two_builds_at_once(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(None)
    with JobLock(project / ".trainer/build", lambda _: AssertionError()):
        assert build(project) == 75
    assert f"another build (process {os.getpid()}) is at work in {project}" in capsys.readouterr().err


def test_the_makefile_is_edited_on_request(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(T4)
    before = (project / "Makefile").read_bytes()
    assert build(project, "--edit-makefile") == 0
    assert (project / "Makefile.orig").read_bytes() == before
    text = (project / "Makefile").read_text()
    assert "\nCUDNN=1\n" in text
    assert "arch=compute_75,code=[sm_75,compute_75]" in text
    subprocess.run(["make", "-s", "clean"], cwd=project, check=True)
    subprocess.run(["make", "-s"], cwd=project, check=True)
    assert built(project)[2] == "kernels GPU CUDNN CUDNN_HALF"
    # What the edited file gives by itself is the same program, byte for byte.
    assert build_json(capsys, project)["from"] == "ready"


def test_with_cmake_the_library_comes_along(
    tmp_path: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(None)
    tree = make_cmake_project(tmp_path / "my tree")
    said = build_json(capsys, tree)
    assert (said["from"], said["darknet"]) == ("compiled", "HK")
    assert (tree / "build/libdarknet.so").is_file()
    moved = tree.rename(tmp_path / "moved")
    shutil.rmtree(moved / ".trainer/cmake")
    assert subprocess.run([moved / "darknet"], capture_output=True, check=True).stdout.startswith(
        b"Darknet: usage"
    )
    assert build_json(capsys, moved)["from"] == "ready"
    assert build(tmp_path / "moved", "--edit-makefile") == 64


@pytest.fixture
def drive(drive_emulator: DriveEmulator, monkeypatch: pytest.MonkeyPatch) -> DriveEmulator:
    for name, value in drive_emulator.environment().items():
        monkeypatch.setenv(name, value)
    return drive_emulator


@pytest.mark.usefixtures("drive")
def test_the_second_session_compiles_nothing(
    project: Path,
    machine: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine(T4)
    first = build_json(capsys, project, "--remote", "darknet")
    assert (first["from"], first["kept"]) == ("compiled", True)
    programs = machine(T4)
    called = forbid_make(programs)
    second = make_c_project(tmp_path / "second")
    assert build_json(capsys, second, "--remote", "darknet")["from"] == "cache"
    assert not called.exists()
    assert read_calls(programs) == ()
    assert (second / "darknet").read_bytes() == (project / "darknet").read_bytes()
    assert os.access(second / "darknet", os.X_OK)
    assert build_json(capsys, second, "--remote", "darknet")["from"] == "ready"
    # Another GPU is another program.
    machine(A100)
    assert build_json(capsys, make_c_project(tmp_path / "third"), "--remote", "darknet")["from"] == "compiled"


@pytest.mark.parametrize("is_consistent", [False, True], ids=["the file alone", "with a manifest of its own"])
def test_a_program_that_somebody_put_there_is_not_executed(
    project: Path,
    machine: Callable[..., Path],
    drive: DriveEmulator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    is_consistent: bool,
) -> None:
    machine(None)
    assert build(project, "--remote", "darknet") == 0
    ran = tmp_path / "ran"
    kept = drive.read_tree("darknet/.trainer/builds")
    (name,) = (name for name in kept if not name.endswith(".json"))
    theirs = f'#!/bin/sh\ntouch "{ran}"\necho usage\n#'.encode().ljust(len(kept[name]), b"#")
    if is_consistent:
        digest = hashlib.sha256(theirs).hexdigest()
        before = name.rpartition(".")[2]
        for other, content in kept.items():
            if other.endswith(".json"):
                text = content.decode().replace(before, digest)
                drive.put(f"theirs/.trainer/builds/{other}", text.encode())
        drive.put(f"theirs/.trainer/builds/{name.replace(before, digest)}", theirs)
    else:
        drive.put(f"darknet/.trainer/builds/{name}", theirs)
    second = make_c_project(tmp_path / "second")
    said = build_json(capsys, second, "--remote", "theirs" if is_consistent else "darknet")
    assert said["from"] == "compiled"
    assert not ran.exists()
    assert len(built(second)) == 2


def test_with_drive_down_it_is_compiled(
    project: Path,
    machine: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    machine(None)
    monkeypatch.setenv("DRIVE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("DRIVESYNC_RETRIES", "0")
    assert build(project, "--remote", "darknet") == 0
    said = capsys.readouterr()
    assert len([line for line in said.err.splitlines() if "darknet is looked for on" in line]) == 1
    assert ": compiled in" in said.out


@pytest.mark.parametrize(
    ("files", "on_path", "status", "said"),
    [
        pytest.param({}, True, 0, "there is nothing to build in the tree", id="a darknet on PATH"),
        pytest.param(
            {}, False, 66, "no Makefile, no CMakeLists.txt, and no darknet on PATH", id="none anywhere"
        ),
        pytest.param(
            {"Makefile": "all:\n"}, True, 78, "is not a darknet's", id="the Makefile of something else"
        ),
    ],
)
def test_nothing_to_build(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str],
    *,
    on_path: bool,
    status: int,
    said: str,
) -> None:
    tree, programs = tmp_path / "tree", tmp_path / "bin"
    for folder in (tree, programs):
        folder.mkdir()
    for name, text in files.items():
        (tree / name).write_text(text)
    if on_path:
        put_program(programs, "darknet", "echo usage")
    monkeypatch.setenv("PATH", str(programs))
    assert build(tree) == status
    output = capsys.readouterr()
    assert said in output.out + output.err


def test_no_compiler(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build(project, "--cpu") == 66
    assert "there is no make, no C++ compiler" in capsys.readouterr().err


@pytest.mark.parametrize("arch", ["", "75x", "compute_75", "7.5.1"])
def test_an_architecture_that_is_none(project: Path, arch: str) -> None:
    assert build(project, "--arch", arch) == 64


def test_several_architectures(
    project: Path, machine: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    machine(T4)
    said = build_json(capsys, project, "--dry-run", "--arch", "75,8.0")
    assert said["switches"]["ARCH"] == (
        "-gencode arch=compute_75,code=[sm_75,compute_75] -gencode arch=compute_80,code=[sm_80,compute_80]"
    )


def test_for_a_cpu_and_for_a_gpu_at_once(project: Path) -> None:
    assert build(project, "--cpu", "--arch", "75") == 64


@pytest.mark.gpu
def test_the_gpu_of_this_machine(
    project: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    if "gpu" not in str(request.config.getoption("-m")):
        pytest.skip("needs an NVIDIA GPU: run with -m gpu")
    said = build_json(capsys, project, "--no-opencv", "--no-cache")
    assert said["switches"]["GPU"] == "1"
    assert "kernels GPU" in built(project)[2]
    asked = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    capability = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]
    assert read_gpu_code((project / "darknet").read_bytes()).runs_on(int(capability.replace(".", "")))
