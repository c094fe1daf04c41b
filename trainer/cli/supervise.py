"""``supervise``: train a run to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from drivesync.cli.arguments import TREE, settings
from drivesync.config import default_tree
from trainer.cli.training import Training, training_options

if TYPE_CHECKING:
    from pathlib import Path

    from trainer.cli.arguments import Call


@click.command("supervise", short_help="Train to the end, and push each checkpoint on the way.")
@TREE
@click.option(
    "--remote",
    help="Where the tree comes from and its checkpoints go, as for `drivesync pull`.  "
    "[default: what TREE remembers, else darknet]",
)
@training_options
@click.pass_obj
def supervise_command(call: Call, /, tree: Path | None, *, remote: str | None, **options: Any) -> None:
    """Train the darknet tree TREE to its end; what follows `--` is handed to darknet.

    The tree is pulled from Drive if it is not there. Training starts from the best whole checkpoint, each new one is
    pushed and verified while darknet runs, and darknet is started again when it dies. Run the same command again
    after whatever happened: training goes on. One session at a time trains a run; a second one is refused.

    --background survives the cell, the kernel's Stop and a restart of the kernel, but not the machine. Where the
    training runs already, the same command says so and shows how it stands. Whoever can list the processes of this
    machine can read their command lines: set TRAINER_NOTIFY rather than write a URL there.

    --fresh starts the run over once, and may stay in the command: what there was of the run is moved to
    backup/archive-DATE/, on Drive and here, and the same command run again goes on with the new run. To start over
    once more, give that start a name: --fresh-as second, say.

    Ctrl-C, SIGTERM and SIGHUP stop darknet, push what is queued, and end this with 75; a second Ctrl-C, or SIGQUIT,
    kills darknet, and leaves what is queued to the next session.

    \b
    trainer supervise                          in TREE /content/darknet or ./darknet
    trainer supervise --background             the same, detached
    trainer supervise mytree --cfg cfg/my.cfg --data cfg/my.data -- -map
    trainer supervise --background --unassign  and give the machine back at the end

    Exit status: 0 trained to the end, or detached; 64 called wrongly, or it runs already; 66 no darknet, or no tree;
    69 Drive unreachable; 73 cannot write locally; 75 stopped or given up before the end; 76 another session has the
    run; 77 not allowed; 78 settings or tree wrong.
    """
    Training(**options).start(tree or default_tree(), remote, call.extra, settings())
