"""What happens to an event file, and who writes it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from trainer.curves import event_file
from trainer.curves.event_file import has_writer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trainer.curves.conftest import Run


@pytest.mark.parametrize("kept_bytes", [0, 5, 40, 200, -1, -30, -200])
def test_a_torn_file_is_continued(run: Run, kept_bytes: int) -> None:
    run.train(1, 50, maps=(20,))
    run.events.write_bytes(run.events.read_bytes()[:kept_bytes])
    run.train(51, 60)
    run.check()


@pytest.mark.parametrize(
    "alien",
    [
        pytest.param(b"\xff" * 100, id="no records"),
        pytest.param(b"\x05" + bytes(11) + b"\xff" * 9, id="a record of nonsense"),
        pytest.param(b"\x00" * 100, id="zeros"),
    ],
)
def test_a_file_that_is_none_is_written_anew(run: Run, alien: bytes) -> None:
    run.train(1, 10)
    run.events.write_bytes(alien)
    run.update()
    run.check()


def test_without_a_writer_nothing_happens(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_writer()
    monkeypatch.setattr(
        event_file, "_PACKAGES", {"nobody_has_this": ("nobody_has_this.a", "nobody_has_this.b")}
    )
    assert not has_writer()
    run.train(1, 2)
    assert not run.events.exists()


def test_a_writer_that_does_not_fit_its_protobuf_is_none(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "too_old.py").write_text("raise TypeError('Descriptors cannot be created directly.')")
    monkeypatch.syspath_prepend(tmp_path)
    whole = event_file._PACKAGES["tensorboard"]
    monkeypatch.setattr(event_file, "_PACKAGES", {"too_old": ("too_old", "too_old"), "whole": whole})
    run.train(1, 2)
    run.check()


def test_by_tensorboard_x(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboardX")
    # Both tell protobuf of the same events, which it takes from one of them: so not in this process.
    chosen = (
        "from trainer.curves import event_file, tensorboard;"
        "event_file._PACKAGES.pop('tensorboard'); tensorboard.main()"
    )
    for first, last in ((1, 40), (21, 50)):
        with monkeypatch.context() as silent:
            silent.setattr(event_file, "_PACKAGES", {})
            run.train(first, last, maps=(10, 30), usages=True)
        command = [sys.executable, "-c", chosen, str(run.metrics), str(run.events)]
        subprocess.run(command, check=True)
        run.check()
