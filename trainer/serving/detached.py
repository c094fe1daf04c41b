"""A page in a process of its own: ``python -m trainer.serving.detached FD``, with the site as JSON on its stdin.

It is handed the socket that listens already, and by a pipe what it is to show there: the token is on no command line,
where all users of a machine can read it.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path

from drivesync.errors import DrivesyncError, LocalWriteError
from trainer.serving.server import HOST, Site, serve

_FIRST_ANSWER_S = 30.0


def detach(site: Site, listening: socket.socket) -> int:
    """Have another process serve ``site``, one that outlives this one and its notebook's cell; wait until it answers.

    ``listening`` becomes that one's, and is closed here.

    Returns:
        Its pid.

    Raises:
        DrivesyncError: it does not answer, and was ended.
        LocalWriteError: the system does not start another process.
    """
    descriptor = listening.fileno()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer.serving.detached", str(descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[descriptor],
            start_new_session=True,
        )
    except OSError as error:
        raise LocalWriteError(f"cannot start in the background: {error.strerror}") from error
    listening.close()
    try:
        _tell(site, process)
        _wait_for_answer(site)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return process.pid


def _tell(site: Site, process: subprocess.Popen[bytes]) -> None:
    said = {**asdict(site), "tree": str(site.tree.absolute())}
    if process.stdin is not None:
        # One that has ended hears nothing, and will not answer either.
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps(said).encode())


def _wait_for_answer(site: Site) -> None:
    with closing(http.client.HTTPConnection(HOST, site.port, timeout=_FIRST_ANSWER_S)) as connection:
        try:
            connection.request("GET", site.path)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            hint = "Without --background it says why."
            raise DrivesyncError(f"the page in the background does not answer: {error}", hint=hint) from error


def main() -> None:
    """Serve until a signal comes."""
    said = json.load(sys.stdin)
    site = Site(**{**said, "tree": Path(said["tree"]), "names": tuple(said["names"])})
    serve(site, socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
