"""A data set of many small files is packed beside the training, and comes out of packs the next time."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Session

MANY = 520


def test_the_next_session_pulls_the_data_set_out_of_packs(new_session: Callable[..., Session]) -> None:
    session = new_session(max_batches=50_000)
    session.halt_darknet_at(10)
    extra = session.seed.root / "data/more"
    extra.mkdir()
    for number in range(MANY):
        (extra / f"{number}.txt").write_text(f"{number}\n")
    session.drive.seed(extra, "darknet/data/more")
    session.supervise_in_background()
    session.wait_until(lambda: "packing " in session.log("supervisor.log"), "word of the packing")
    session.wait_until(
        lambda: "manifest.json.gz" in session.drive.read_tree("darknet/.drivesync/packs"), "the manifest"
    )
    session.let_darknet_go_on()
    session.run("trainer", "stop", str(session.tree))
    assert session.status.state == "stopped"
    shutil.rmtree(session.tree)
    said = session.pull()
    assert "out of packs" in said
    assert {path.name: path.read_text() for path in (session.tree / "data/more").iterdir()} == {
        f"{number}.txt": f"{number}\n" for number in range(MANY)
    }
