"""Colab's machine is given back when it is no longer needed: one that idles uses up its user's compute units.

Colab's own ``google.colab.runtime.unassign`` sends the same request (googlecolab/colabtools, google/colab/runtime.py),
but can be imported in a notebook's kernel only, and a supervisor is another process. The kernel's environment, which
``!trainer`` inherits, tells both of the address.
"""

from __future__ import annotations

import http.client
import os
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING

from drivesync.errors import NotFoundError, RemoteError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADDRESS = "TBE_RUNTIME_ADDR"
_TIMEOUT_S = 30.0
_HINT = "Give it back by hand: in Colab's menu, Runtime, Disconnect and delete runtime."


def can_unassign(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a machine of Colab's that can be given back."""
    return bool(environ.get(_ADDRESS))


def unassign(environ: Mapping[str, str] = os.environ, *, timeout_s: float = _TIMEOUT_S) -> None:
    """Give the machine back; it is deleted within seconds, with all that is on its disk.

    Args:
        environ: tells the address of what manages the machine, as ``host:port``.
        timeout_s: how long each step of the request may take.

    Raises:
        NotFoundError: this is no machine of Colab's.
        RemoteError: it could not be given back; the hint says how to do it by hand.
    """
    if not can_unassign(environ):
        raise NotFoundError("this is no machine of Colab's, so there is none to give back")
    try:
        # Directly: what manages the machine lies beside it, and behind no proxy.
        with closing(http.client.HTTPConnection(environ[_ADDRESS], timeout=timeout_s)) as connection:
            connection.request("POST", "/unassign")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        said = "no answer" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
        raise RemoteError(f"Colab's machine could not be given back: {said}", hint=_HINT) from error
    if status != HTTPStatus.OK:
        raise RemoteError(f"Colab's machine could not be given back: the answer was {status}", hint=_HINT)
