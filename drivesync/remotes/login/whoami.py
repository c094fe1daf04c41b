"""Who the credentials speak for, what they are allowed, and where they came from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from rich.filesize import decimal as format_size

from drivesync.remotes.drive.account import Account, describe_account
from drivesync.remotes.drive.auth import SCOPES, Origin, advise, locate_credentials
from drivesync.remotes.drive.authorization import Authorization
from drivesync.remotes.drive.client import DriveClient
from drivesync.remotes.drive.translate import translate_answer, translate_errors
from drivesync.remotes.drive.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from drivesync.config import Settings

_DRIVE: Final = SCOPES[0]
_SCOPE_PREFIX: Final = "https://www.googleapis.com/auth/"
_GOOGLE: Final = "https://oauth2.googleapis.com"
_READS: Final = "They can pull but not push: their scope is drive.readonly, and push needs drive."
_OWNS: Final = (
    "They see only what this program itself has put on Drive: their scope is drive.file. A tree that was uploaded on "
    "the web or by another program looks empty; to pull it takes the scope drive."
)
_READS_AND_OWNS: Final = (
    "They can pull, but push over nothing that was uploaded on the web or by another program: their scopes are "
    "drive.readonly and drive.file, and that takes drive."
)
_NOTHING: Final = (
    "They can neither pull nor push: none of their scopes gives files on Drive; that takes drive."
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What ``drivesync whoami`` tells.

    Attributes:
        account: whose Drive it is.
        scopes: what the credentials are allowed, as Google's addresses.
        limits: what these scopes cannot do, a sentence each; empty where they do for everything.
        origin: where the credentials came from.
    """

    account: Account
    scopes: tuple[str, ...]
    limits: tuple[str, ...]
    origin: Origin

    def lines(self) -> tuple[str, ...]:
        """The same for people to read, what is to be heeded last."""
        account = self.account
        who = f"{account.name} <{account.email}>" if account.email else account.name
        used = f"{format_size(account.used_bytes)} used"
        left = "no limit" if account.left_bytes is None else f"{format_size(account.left_bytes)} left"
        scopes = " ".join(scope.removeprefix(_SCOPE_PREFIX) for scope in self.scopes) or "none"
        return (
            f"account:      {who}",
            f"storage:      {used}, {left}",
            f"scopes:       {scopes}",
            f"credentials:  {self.origin.place}",
            *self.limits,
        )

    def to_json(self) -> dict[str, Any]:
        """The same as one JSON object; ``left_bytes`` and ``limit_bytes`` are null where there is no limit."""
        return {
            **asdict(self.account),
            "left_bytes": self.account.left_bytes,
            "scopes": list(self.scopes),
            "limits": list(self.limits),
            "origin": {"kind": self.origin.kind, "place": self.origin.place},
        }


def identify(settings: Settings, on_wait: Callable[[str], None]) -> Identity:
    """Ask Google who the credentials speak for: a token, the account, its scopes.

    Args:
        settings: see ``Settings``.
        on_wait: told a line when a request has to wait for long.

    Raises:
        NotAllowedError: there are no credentials, or Google refuses them, with what to do about just these.
        RemoteError: there was no usable answer.
    """
    found = locate_credentials(settings)
    transport = Transport(settings.emulator_url or _GOOGLE, by_proxy=not settings.emulator_url)
    try:
        with advise(found.origin):
            with translate_errors("refreshing the access token"):
                headers, token = Authorization(found.credentials, transport).apply({})
            account = ask_account(replace(settings, access_token=token), on_wait)
            scopes = _ask_scopes(transport, headers)
    finally:
        transport.close()
    return Identity(account, scopes, find_limits(scopes), found.origin)


def ask_account(settings: Settings, on_wait: Callable[[str], None]) -> Account:
    """``describe_account`` by a client of its own; errors and arguments as for ``identify``."""
    client = DriveClient(settings, on_wait, first_wait_s=settings.retry_wait_s)
    client.open()
    try:
        return describe_account(client)
    finally:
        client.close()


def find_limits(scopes: Iterable[str]) -> tuple[str, ...]:
    """What credentials with these scopes cannot do, a sentence each.

    Of the scopes of https://developers.google.com/workspace/drive/api/guides/api-specific-auth those count that give
    files: the others do nothing here.
    """
    held = set(scopes)
    if _DRIVE in held:
        return ()
    reads, owns = f"{_DRIVE}.readonly" in held, f"{_DRIVE}.file" in held
    if reads and owns:
        return (_READS_AND_OWNS,)
    if reads:
        return (_READS,)
    return (_OWNS if owns else _NOTHING,)


def _ask_scopes(transport: Transport, headers: Mapping[str, str]) -> tuple[str, ...]:
    """What Google says that a token is allowed: only it knows, whatever was asked for.

    Asked as google-auth-library-nodejs does (OAuth2Client.getTokenInfo): the token stays out of the address.
    """
    action = "asking for the scopes"
    path = "/tokeninfo" if transport.base_url == _GOOGLE else "/emulator/oauth/tokeninfo"
    with translate_errors(action):
        response = transport.request("POST", f"{transport.base_url}{path}", headers=headers)
        if response.status != 200:
            raise translate_answer(action, response.status, response.headers, response.data)
        answer = json.loads(response.data)
    return tuple(sorted(str(answer.get("scope", "")).split()))
