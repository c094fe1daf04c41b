"""The token that requests carry, renewed once however many threads find that it has expired."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from google.auth.exceptions import RefreshError

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from drivesync.remotes.drive.transport import Transport


class GivenToken:
    """Credentials that are nothing but a token: all that google-auth's are asked for, and loaded in no time.

    Attributes:
        token: a secret.
        valid: until Drive refuses it.
    """

    valid: Literal[True] = True

    def __init__(self, token: str) -> None:
        self.token = token

    def apply(self, headers: MutableMapping[str, str], token: str) -> None:
        """Put ``token`` on ``headers``."""
        headers["authorization"] = f"Bearer {token}"

    def refresh(self, _request: object) -> NoReturn:
        """There is no other to be had.

        Raises:
            google.auth.exceptions.RefreshError: always.
        """
        raise RefreshError("a given token cannot be renewed")


class Authorization:
    """Puts tokens on requests; safe to use from several threads.

    Args:
        credentials: google-auth's, or a ``GivenToken``.
        transport: by which new tokens are asked for.
    """

    def __init__(self, credentials: Any, transport: Transport) -> None:
        self._credentials = credentials
        self._transport = transport
        self._lock = threading.Lock()

    def apply(self, headers: Mapping[str, str]) -> tuple[dict[str, str], str]:
        """``headers`` with authorization, and the token that is in it.

        Raises:
            google.auth.exceptions.GoogleAuthError: there is no token to be had.
        """
        if not self._credentials.valid:
            with self._lock:
                if not self._credentials.valid:
                    self._refresh()
        authorized = dict(headers)
        token = self._credentials.token
        self._credentials.apply(authorized, token=token)
        return authorized, token

    def renew(self, refused: str) -> None:
        """Get another token than ``refused``, unless another thread has done so by now.

        Raises:
            google.auth.exceptions.GoogleAuthError: there is none to be had.
        """
        with self._lock:
            if self._credentials.token == refused:
                self._refresh()

    def _refresh(self) -> None:
        from google.auth.transport.urllib3 import Request  # noqa: PLC0415 - slow to import, and seldom needed

        self._credentials.refresh(Request(self._transport))
