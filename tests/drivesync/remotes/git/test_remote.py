"""A git repository as a remote, by the real git; where git has to fail, a program of its name stands before it."""

from __future__ import annotations

import io
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from drivesync.config import Settings
from drivesync.errors import (
    DiskFullError,
    DrivesyncError,
    MovedError,
    NotAllowedError,
    NotFoundError,
    RemoteError,
    SettingsError,
    StaleMarkError,
    TransientError,
)
from drivesync.files import Changes, RemoteFile, Skipped
from drivesync.remotes.git.program import translate
from drivesync.remotes.git.remote import GitRemote
from drivesync.testing.repository import COMMITTED_S, Blob, Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTINGS = Settings(retries=2, retry_wait_s=0.001)
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 12345\n".encode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "repository.git")
    repository.commit(Blob(b"data/a", b"first"))
    return repository


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go; nothing may be left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def shadow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``shadow("script")`` puts a program before git on PATH; in it ``$GIT`` is the real one, ``$LOG`` a file."""

    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        git = folder / "git"
        git.write_text(f"#!/bin/sh\nGIT={shutil.which('git')}\nLOG={tmp_path / 'log'}\n{script}\n")
        git.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


def files(remote: GitRemote) -> dict[str, RemoteFile]:
    return {
        entry.path: entry for page in remote.list() for entry in page.entries if isinstance(entry, RemoteFile)
    }


def read(remote: GitRemote, file: RemoteFile, on_block: Callable[[], object] = lambda: None) -> bytes:
    content = io.BytesIO()

    class Sink:
        def write(self, block: bytes) -> None:
            content.write(block)
            on_block()

    remote.read(file, Sink())
    return content.getvalue()


# What is asked for.


def test_branches_tags_and_commits(repository: Repository) -> None:
    first = repository.git("rev-parse", "main")
    repository.git("tag", "light", first)
    repository.git("tag", "--annotate", "--message=x", "annotated", first)
    repository.git("branch", "feature/x", first)
    newest = repository.commit(Blob(b"data/a", b"second"))
    commits = {
        "": newest,
        "#main": newest,
        "#light": first,
        "#annotated": first,
        "#feature/x": first,
        f"#{first}": first,
    }
    for ref, commit in commits.items():
        with GitRemote(f"{repository.url}{ref}", SETTINGS) as remote:
            assert remote.mark() == commit, ref
            content = read(remote, files(remote)["data/a"])
            assert content == (b"second" if commit == newest else b"first"), ref
            assert remote.changes(commit, {}) == Changes(frozenset(), (), commit), ref


@pytest.mark.parametrize(
    "ref", ["nothing", "0123456789abcdef0123456789abcdef01234567", "0123456"], ids=["name", "commit", "short"]
)
def test_a_ref_that_is_not_there(repository: Repository, ref: str) -> None:
    with GitRemote(f"{repository.url}#{ref}", SETTINGS) as remote:
        with pytest.raises(NotFoundError) as caught:
            list(remote.list())
        assert "all 40 characters" in caught.value.hint
        assert remote.usage.retries == 0


def test_an_unchanged_repository_is_one_question(repository: Repository) -> None:
    with GitRemote(repository.url, SETTINGS) as remote:
        mark = remote.mark()
    with GitRemote(repository.url, SETTINGS) as remote:
        assert remote.changes(mark, {}).entries == ()
        assert {kind: spent.requests for kind, spent in remote.usage.by_kind.items()} == {"ls-remote": 1}
    repository.commit(Blob(b"data/a", b"second"))
    with GitRemote(repository.url, SETTINGS) as remote, pytest.raises(StaleMarkError):
        remote.changes(mark, {})


def test_a_commit_by_its_id_is_never_asked_for_again(repository: Repository) -> None:
    commit = repository.git("rev-parse", "main")
    with GitRemote(f"{repository.url}#{commit}", SETTINGS) as remote:
        assert remote.changes(commit, {}).entries == ()
        assert remote.usage.by_kind == {}
        with pytest.raises(StaleMarkError):
            remote.changes("0" * 40, {})


def test_two_paths_with_one_content(repository: Repository) -> None:
    repository.commit(Blob(b"a", b"same"), Blob(b"b", b"same"))
    with GitRemote(repository.url, SETTINGS) as remote:
        told = files(remote)
        assert told["a"].id != told["b"].id
        assert told["a"].revision_id == told["b"].revision_id
        assert [read(remote, told[path]) for path in "ab"] == [b"same", b"same"]


def test_a_file_of_another_commit_is_not_read(repository: Repository) -> None:
    with GitRemote(repository.url, SETTINGS) as remote:
        old = files(remote)["data/a"]
    repository.commit(Blob(b"data/a", b"other"), Blob(b"b", b""))
    with GitRemote(repository.url, SETTINGS) as remote:
        with pytest.raises(MovedError):
            read(remote, old)
        renewed = remote.renew(old)
        assert renewed is not None
        assert read(remote, renewed) == b"other"


# What a commit may hold.


def test_what_is_no_file(repository: Repository) -> None:
    repository.commit(
        Blob(b"link", b"/etc/passwd", "120000"),
        Blob(b"module", b"0123456789abcdef0123456789abcdef01234567", "160000"),
        Blob(b"yolo.weights", POINTER),
        Blob(b"caf\xe9", b"x"),
    )
    with GitRemote(repository.url, SETTINGS) as remote:
        skipped = {
            entry.path: entry.reason
            for page in remote.list()
            for entry in page.entries
            if isinstance(entry, Skipped)
        }
        assert files(remote).keys() == {"data/a"}
        assert remote.find("link") is None
    assert skipped.keys() == {"link", "module", "yolo.weights", "caf\\xe9"}
    assert "Git LFS" in skipped["yolo.weights"]


def test_a_tree_that_git_would_not_check_out(repository: Repository) -> None:
    blob = repository.store(b"[core]\n\tfsmonitor = touch /tmp/x\n")
    git_folder = repository.git("mktree", given=f"100644 blob {blob}\tconfig\n".encode())
    # git's own commands refuse to make such a tree, so its bytes are written as they are.
    tree = b"40000 .git\0" + bytes.fromhex(git_folder) + b"100644 a\0" + bytes.fromhex(blob)
    repository.commit_tree(
        repository.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", given=tree)
    )
    with GitRemote(repository.url, SETTINGS) as remote:
        entries = [entry for page in remote.list() for entry in page.entries]
    assert [entry.path for entry in entries] == ["", ".git", "a"]
    assert isinstance(entries[1], Skipped)


def test_attributes_and_filters_change_nothing(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        '[filter "x"]\n\tsmudge = rm -f\n[core]\n\tautocrlf = true\n[log]\n\tshowSignature = true\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    repository.commit(Blob(b".gitattributes", b"* text=auto eol=crlf filter=x\n"), Blob(b"a", b"one\ntwo\n"))
    with GitRemote(repository.url, SETTINGS) as remote:
        file = files(remote)["a"]
        assert read(remote, file) == b"one\ntwo\n"
        assert file.modified_s == COMMITTED_S


def test_another_repository_in_the_environment_is_left_alone(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    with GitRemote(repository.url, SETTINGS) as remote:
        assert files(remote).keys() == {"data/a"}
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "trace").exists()


# What goes wrong.


class _Answers(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        if self.status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        del format, args


@pytest.mark.parametrize(
    ("status", "kind", "retries"),
    [
        pytest.param(401, NotAllowedError, 0, id="a password is wanted"),
        pytest.param(403, NotAllowedError, 0, id="forbidden"),
        pytest.param(404, NotFoundError, 0, id="no such repository"),
        pytest.param(429, TransientError, 2, id="too many requests"),
        pytest.param(503, TransientError, 2, id="unavailable"),
        pytest.param(200, NotFoundError, 0, id="no repository at all"),
    ],
)
@pytest.mark.parametrize("who", ["", "me:hunter2@"], ids=["nobody", "with a password"])
def test_what_a_server_answers(status: int, kind: type[DrivesyncError], retries: int, who: str) -> None:
    with HTTPServer(("127.0.0.1", 0), type("Handler", (_Answers,), {"status": status})) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        said: list[str] = []
        name = f"http://{who}127.0.0.1:{server.server_port}/darknet.git"
        with GitRemote(name, SETTINGS, said.append) as remote:
            with pytest.raises(DrivesyncError) as caught:
                list(remote.list())
            assert remote.usage.retries == retries
            said += [str(caught.value), caught.value.hint, remote.name, remote.slowed_by, repr(remote)]
        server.shutdown()
    assert type(caught.value) is kind
    assert not [line for line in said if "hunter2" in line]


def test_a_server_that_is_not_there() -> None:
    with GitRemote("http://127.0.0.1:9/darknet.git", SETTINGS) as remote:
        with pytest.raises(TransientError):
            list(remote.list())
        assert remote.usage.retries == 2


def test_a_network_that_comes_back(repository: Repository, shadow: Callable[[str], None]) -> None:
    shadow(
        'case "$*" in *" fetch "*) echo x >>"$LOG"; if [ $(wc -l <"$LOG") -lt 3 ]; then\n'
        "echo \"fatal: unable to access 'https://x/': Could not resolve host: x\" >&2; exit 128; fi;; esac\n"
        'exec "$GIT" "$@"'
    )
    with GitRemote(repository.url, SETTINGS) as remote:
        assert files(remote).keys() == {"data/a"}
        assert remote.usage.by_kind["fetch"].requests == 3
        assert remote.usage.retries == 2


def test_no_git(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with GitRemote(repository.url, SETTINGS) as remote:
        with pytest.raises(SettingsError) as caught:
            list(remote.list())
        assert "apt-get install" in caught.value.hint


def test_cancel_ends_git_and_what_git_has_started(
    repository: Repository, shadow: Callable[[str], None], tmp_path: Path
) -> None:
    shadow(
        'case "$*" in *" fetch "*) echo "Receiving objects: 42%" >&2; sleep 1000 & echo $! >"$LOG.new"\n'
        'mv "$LOG.new" "$LOG"; wait;; esac\nexec "$GIT" "$@"'
    )
    failed: list[Exception] = []

    def run() -> None:
        try:
            list(remote.list())
        except TransientError as error:
            failed.append(error)

    with GitRemote(repository.url, SETTINGS) as remote:
        thread = threading.Thread(target=run)
        thread.start()
        _wait_for(lambda: remote.slowed_by == "git: Receiving objects: 42%" and (tmp_path / "log").exists())
        remote.cancel()
        thread.join(30)
        assert [str(error).endswith("stopped") for error in failed] == [True]
        assert remote.usage.retries == 0
    _wait_for(lambda: not _is_running(int((tmp_path / "log").read_text())))


def test_a_git_that_is_killed_while_it_is_read_from(repository: Repository) -> None:
    content = random.Random(1).randbytes(5_000_000)
    repository.commit(Blob(b"a", content))
    kills: list[int] = []

    def kill_once() -> None:
        if not kills:
            kills.extend(_children("cat-file"))
            for child in kills:
                os.kill(child, signal.SIGKILL)

    with GitRemote(repository.url, SETTINGS) as remote:
        assert read(remote, files(remote)["a"], kill_once) == content
        assert len(kills) == 1
        assert remote.usage.retries == 1


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        (
            "remote: Repository not found.\nfatal: repository 'https://github.com/a/b.git/' not found",
            NotFoundError,
            "x: Repository not found.",
        ),
        (
            "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
            NotAllowedError,
            "x: could not read Username for 'https://github.com': terminal prompts disabled",
        ),
        (
            "git@github.com: Permission denied (publickey).\r\nfatal: Could not read from remote repository.",
            NotAllowedError,
            "x: git@github.com: Permission denied (publickey).",
        ),
        (
            "Receiving objects:  50% (1/2)\rerror: RPC failed; curl 56 GnuTLS recv error\nfatal: early EOF",
            TransientError,
            "x: RPC failed; curl 56 GnuTLS recv error",
        ),
        (
            "ssh: connect to host github.com port 22: Connection timed out\nfatal: Could not read from remote",
            TransientError,
            "x: ssh: connect to host github.com port 22: Connection timed out",
        ),
        (
            "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
            DiskFullError,
            "x: write error: No space left on device",
        ),
        (
            "fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate",
            RemoteError,
            "x: unable to access 'https://h/': SSL certificate problem: self-signed certificate",
        ),
        (
            "error: cannot run ssh: No such file or directory\nfatal: unable to fork",
            RemoteError,
            "x: cannot run ssh: No such file or directory",
        ),
        ("fatal: something new with https://me:hunter2@h/", RemoteError, "x: something new with https://h/"),
        ("", RemoteError, "x: git failed"),
    ],
)
def test_what_gits_words_mean(said: str, kind: type[DrivesyncError], message: str) -> None:
    error = translate("x", said.encode())
    assert type(error) is kind
    assert str(error) == message


def _wait_for(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def _children(word: str) -> list[int]:
    """Children of this process with ``word`` on their command lines."""
    tasks = Path("/proc/self/task").glob("*/children")
    pids = [int(pid) for task in tasks for pid in task.read_text().split()]
    return [pid for pid in pids if word in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
