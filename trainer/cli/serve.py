"""``serve``: a page that shows how a run stands."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import click

from drivesync.cli.arguments import TREE
from drivesync.cli.running import interruptible
from drivesync.config import default_tree
from drivesync.errors import NotFoundError
from drivesync.progress import printable

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.serving.server import Site

_EXTRA = ("starlette", "uvicorn", "anyio", "h11")
"""What the extra brings, and what that brings along."""

_FRAME_PX = 1000


@click.command("serve", short_help="A page that shows how the training stands.")
@TREE
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Listen on this port of 127.0.0.1.  [default: one that is free]",
)
@click.option(
    "--proxy",
    "names",
    metavar="NAME",
    multiple=True,
    help="A host name by which a proxy of yours asks for the page, besides localhost; as often as needed.",
)
@click.option("--background", is_flag=True, help="Detach, and return at once.")
def serve_command(tree: Path | None, *, port: int, names: tuple[str, ...], background: bool) -> None:
    """Show how the training in TREE stands on a page for a browser: what `trainer status` says, and the curve.

    The page follows the training, over restarts and sessions, and may be opened before the first one. It is on this
    machine alone, at an address that nobody can guess and that changes each time; whoever is given it can look, and
    do nothing else. From another machine: `ssh -L 8000:127.0.0.1:8000 HOST`, with --port 8000 here; in Colab by its
    proxy, as is said there. It needs the extra `serve`, and ends by Ctrl-C, which does the training no harm.

    \b
    trainer serve
    trainer serve --port 8000 mytree
    trainer serve --background              in Colab: a cell that does not end keeps all others waiting

    Exit status: 0 ended by a signal, or detached; 64 called wrongly, or the port is taken; 66 the extra is not
    installed; 77 the port may not be listened on.
    """
    try:
        from trainer.serving.detached import detach  # noqa: PLC0415 - the extra may be missing
        from trainer.serving.server import Site, is_colab, listen, serve  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        hint = "Install it: pip install 'darknet-drivesync[serve]'"
        raise NotFoundError(f"the page needs the package {package}", hint=hint) from error
    with suppress(KeyboardInterrupt), interruptible(), listen(port) as listening:
        given = tree or default_tree()
        names = tuple(name.lower() for name in names)
        site = Site(given, listening.getsockname()[1], names, in_colab=is_colab())
        if background:
            _announce(site, detach(site, listening))
        else:
            _announce(site, None)
            serve(site, listening)


def _announce(site: Site, pid: int | None) -> None:
    """Say where the page is, which process ``pid`` serves, or this one where it is None."""
    end = "Ctrl-C" if pid is None else f"`kill {pid}`"
    lines = [
        f"trainer: {printable(str(site.tree))} is shown, until {end}, at",
        f"    {site.url}",
        "Whoever knows this address can look.",
    ]
    if site.in_colab:
        if pid is None:
            lines.append("With --background this cell ends, and others can run.")
        lines += [
            "In Colab, below a cell:",
            "    from google.colab import output",
            f'    output.serve_kernel_port_as_iframe({site.port}, path="{site.path}", height={_FRAME_PX})',
            "or for a tab of its own, with the same Google account, on a phone say:",
            f'    print(output.eval_js("google.colab.kernel.proxyPort({site.port})").rstrip("/") + "{site.path}")',
        ]
    click.echo("\n".join(lines))
