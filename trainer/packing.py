"""The data set is packed beside the training, so that the sessions to come bring it in seconds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from drivesync.config import read_tree_settings
from drivesync.packing.background import has_many, pack_in_background
from drivesync.remotes import open_remote
from drivesync.remotes.base import PackingRemote

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

    from drivesync.config import Settings
    from drivesync.progress import Reporter
    from drivesync.remotes.base import Remote


def prepare_packing(
    tree: Path, remote: Remote, settings: Settings, reporter: Reporter, stack: ExitStack
) -> Callable[[], None]:
    """What begins it; nothing does where there is little to pack, or the tree's settings are against it.

    Args:
        tree: that is trained.
        remote: where it is kept; packing opens another to the same place, which it may cut.
        settings: drivesync's.
        reporter: hears of it in a line.
        stack: ends it.

    Raises:
        SettingsError: the tree's settings cannot be read.
    """
    wanted = read_tree_settings(tree, os.environ).packs == "auto" and isinstance(remote, PackingRemote)
    if not wanted or not has_many(tree):
        return lambda: None
    return stack.enter_context(
        pack_in_background(lambda: open_remote(remote.name, settings, reporter.note), tree, reporter)
    )
