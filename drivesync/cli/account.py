"""``login``, ``logout`` and ``whoami``: who speaks to Drive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.filesize import decimal as format_size

from drivesync.cli.arguments import AS_JSON, settings
from drivesync.cli.running import interruptible
from drivesync.progress import TerminalReporter, printable

if TYPE_CHECKING:
    from drivesync.remotes.drive.account import Account

# What speaks to Google is imported where it is used, since it costs every other command most of a second.
# ruff: noqa: PLC0415

_SCOPE = "https://www.googleapis.com/auth/"


@click.command("login", short_help="Log in to Google.")
@click.argument("client_file", required=False, type=click.Path(path_type=Path))
@click.option("--no-browser", is_flag=True, help="Print the address, and open no window.")
def login_command(client_file: Path | None, *, no_browser: bool) -> None:
    """Log in to Google with your own OAuth client, and keep the login for later commands.

    CLIENT_FILE is the JSON file of a client of the type Desktop app, from
    https://console.cloud.google.com/apis/credentials; it may be left out after the first time. On a machine without
    a browser open the printed address elsewhere, and paste the address of the page that it ends on.

    In Colab run this in a cell instead: from google.colab import auth; auth.authenticate_user()

    \b
    python -m drivesync login client_secret.json
    python -m drivesync login                        again, with the same client
    """
    from drivesync.remotes.login.login import find_browser, find_terminal, login

    with interruptible():
        done = login(
            settings(),
            client_file,
            lambda text: click.echo(text, err=True),
            open_browser=None if no_browser else find_browser(),
            typed=find_terminal(),
        )
    click.echo(printable(str(done)))


@click.command("logout", short_help="Forget that login.")
def logout_command() -> None:
    """Forget the login that `login` has kept on this machine.

    \b
    python -m drivesync logout
    """
    from drivesync.remotes.login.login import logout

    click.echo(logout(settings()))


@click.command("whoami", short_help="Whose Drive it is, and who says so.")
@AS_JSON
def whoami_command(*, as_json: bool) -> None:
    """Say whose Drive it is, what the credentials are allowed, and where they came from.

    \b
    python -m drivesync whoami
    """
    from drivesync.remotes.login.whoami import identify

    with TerminalReporter() as reporter, interruptible():
        identity = identify(settings(), reporter.note)
    if as_json:
        click.echo(json.dumps(identity.to_json()))
        return
    click.echo(f"account: {printable(_name_account(identity.account))}")
    click.echo(f"storage: {_name_storage(identity.account)}")
    scopes = [scope.removeprefix(_SCOPE) for scope in identity.scopes]
    click.echo(f"scopes: {', '.join(scopes) or 'none'}")
    click.echo(f"credentials: {printable(identity.origin.place)}")
    for limit in identity.limits:
        click.echo(limit)


def _name_account(account: Account) -> str:
    return f"{account.name} <{account.email}>" if account.email else account.name


def _name_storage(account: Account) -> str:
    used = f"{format_size(account.used_bytes)} used"
    if account.limit_bytes is None or account.left_bytes is None:
        return f"{used}, no limit"
    return f"{format_size(account.left_bytes)} left of {format_size(account.limit_bytes)}, {used}"
