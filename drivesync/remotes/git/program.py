"""The git program, so that it asks nobody, obeys no other repository's settings, and can be ended."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from drivesync.errors import (
    DiskFullError,
    DrivesyncError,
    NotAllowedError,
    NotFoundError,
    RemoteError,
    SettingsError,
    TransientError,
)
from drivesync.remotes.git.address import hide_passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# How git is to behave, whatever the user's own configuration says.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "protocol.ext.allow": "never",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_ASKPASS": "",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LANGUAGE": "",
    "LC_ALL": "C",
    "SSH_ASKPASS": "",
}
# Of the variables that begin with GIT_ those that say how to reach others; the rest would lead to other repositories,
# or have git print addresses and headers.
_KEPT = frozenset(
    {
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_SYSTEM",
        "GIT_EXEC_PATH",
        "GIT_PROXY_COMMAND",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_NO_VERIFY",
    }
)
# From git's, curl's and OpenSSH's sources, and GitHub's answers; the first that fits says what it is.
_FULL = re.compile("No space left on device|Disk quota exceeded")
_FORBIDDEN = re.compile(
    "Authentication failed|could not read (?:Username|Password)|terminal prompts disabled|Permission denied"
    "|Host key verification failed|returned error: 40[13]|HTTP Basic: Access denied|not allowed to"
)
_MISSING = re.compile(
    "not found|does not appear to be a git repository|couldn't find remote ref|not our ref|unadvertised object"
    "|does not exist|returned error: 4(?:04|10)|repository not exported|no such repository|No such file or directory",
    re.IGNORECASE,
)
_FOREVER = re.compile(
    "SSL certificate|certificate verification|self.signed|cannot run|not a git command|remote helper",
    re.IGNORECASE,
)
_PASSING = re.compile(
    "Could not resolve|name resolution|Couldn't connect|Failed to connect|unable to connect|No route to host"
    "|Network is unreachable|Connection (?:refused|reset|timed out|closed)|timed out|Timeout|Operation too slow"
    "|returned error: (?:408|429|5..)|RPC failed|Empty reply|transfer closed|hung up|unexpected disconnect"
    "|SSL_|gnutls|TLS|curl |early EOF|end of file|index-pack failed|invalid index-pack output",
    re.IGNORECASE,
)
_PRIVATE_HINT = (
    "Look at its name: GitHub says the same of what is not there and of what is private. For a private one, log in "
    "first: gh auth login, git's credential helper, or an SSH key."
)
_REF_HINT = "Look at its name, and at that of the branch or tag; of a commit all 40 characters are wanted."
_MEANINGS: tuple[tuple[re.Pattern[str], type[DrivesyncError], str], ...] = (
    (
        _FULL,
        DiskFullError,
        "Free some space for temporary files, or set TMPDIR to a folder on a larger disk.",
    ),
    (_FORBIDDEN, NotAllowedError, _PRIVATE_HINT),
    (_FOREVER, RemoteError, ""),
    (_MISSING, NotFoundError, _REF_HINT),
    (_PASSING, TransientError, ""),
)
_PREFIX = re.compile(r"^(?:(?:fatal|error|ERROR|remote): *)+")


class GitProgram:
    """Runs git in the bare repository ``folder``; safe to use from several threads.

    Args:
        folder: of the repository.
        closing: set when nothing is to be begun any more.
        on_progress: told what git says of how far it is.
    """

    def __init__(self, folder: Path, closing: threading.Event, on_progress: Callable[[str], None]) -> None:
        self._folder = folder
        self._closing = closing
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[bytes]] = set()

    def make_repository(self) -> None:
        """Make the repository: empty, and without the hooks and files of the user's template."""
        self.run(
            "making a repository", "init", "--quiet", "--bare", "--template=", str(self._folder), inside=False
        )

    def run(self, action: str, *arguments: str, given: bytes = b"", inside: bool = True) -> bytes:
        """What git prints.

        Args:
            action: what is being done, for messages.
            arguments: from the name of git's command on.
            given: on standard input.
            inside: the repository.

        Raises:
            TransientError: a retry may help, or git was ended by ``kill``.
            SettingsError: there is no git.
            DrivesyncError: as git's words tell.
        """
        with self._child(action, arguments, inside=inside) as child:
            answer, said = child.communicate(given)
        self._judge(action, child.returncode, said)
        return answer

    def run_long(self, action: str, *arguments: str) -> None:
        """Like ``run`` with no answer, while what git says of its progress is passed on.

        That it writes much while it works also ends it soon if this process is killed: nobody reads it then.
        """
        with self._child(action, arguments) as child:
            said = b""
            assert child.stderr is not None  # noqa: S101  # for the type checker: it is a pipe
            while block := os.read(child.stderr.fileno(), 1 << 16):
                said = (said + block)[-(1 << 16) :]
                lines = [line for line in re.split(rb"[\r\n]", said) if line.strip()]
                if lines:
                    self._on_progress(hide_passwords(lines[-1].decode("utf-8", "replace").strip()))
            child.wait()
        self._on_progress("")
        self._judge(action, child.returncode, said)

    @contextmanager
    def serve(self, action: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A child that is asked and answers, until the context ends."""
        with self._child(action, arguments) as child:
            yield child

    def kill(self) -> None:
        """End all children, and theirs."""
        with self._lock:
            for child in self._children:
                _kill_group(child)

    @contextmanager
    def _child(
        self, action: str, arguments: tuple[str, ...], *, inside: bool = True
    ) -> Iterator[subprocess.Popen[bytes]]:
        settings = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
        place = [f"--git-dir={self._folder}"] if inside else []
        with self._lock:
            if self._closing.is_set():
                raise TransientError(f"{action}: stopped")
            child = subprocess.Popen(
                [_find_git(), *settings, *place, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
                # What git starts, for the network or to unpack, can be ended with it then; and without a
                # terminal of its own ssh asks nobody for a password.
                start_new_session=True,
            )
            self._children.add(child)
        try:
            with child:
                try:
                    yield child
                finally:
                    # One that has ended by itself takes no harm.
                    if child.returncode is None:
                        _kill_group(child)
        finally:
            with self._lock:
                self._children.discard(child)

    def _judge(self, action: str, status: int, said: bytes) -> None:
        if status == 0:
            return
        if self._closing.is_set():
            raise TransientError(f"{action}: stopped")
        if status < 0:
            raise TransientError(f"{action}: git was ended by signal {-status}")
        raise translate(action, said)


def translate(action: str, said: bytes) -> DrivesyncError:
    """What git's last words (in English) mean; no password of an address is in the message."""
    lines = [line.strip() for line in re.split("[\r\n]", hide_passwords(said.decode("utf-8", "replace")))]
    for pattern, kind, hint in _MEANINGS:
        for line in lines:
            if pattern.search(line):
                return kind(f"{action}: {_PREFIX.sub('', line)}", hint=hint)
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return RemoteError(f"{action}: {_PREFIX.sub('', (fatal or lines)[0]) or 'git failed'}")


def _find_git() -> str:
    git = shutil.which("git")
    if git is None:
        raise SettingsError("git is not installed", hint="Install it: apt-get install -y git.")
    return git


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    return {**kept, **_ENVIRONMENT}


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    if child.returncode is None:
        # It may be gone, though nobody has heard of that yet.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
