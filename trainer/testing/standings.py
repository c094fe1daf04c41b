"""A status of each kind that a run can have, and how its card looks: ``python -m trainer.testing.standings FOLDER``.

Into FOLDER go a text and an HTML for each, which tests hold the cards against; ``style.css`` is the style of them all.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

from trainer.seeing.card import make_card
from trainer.seeing.html import to_html
from trainer.seeing.text import to_lines
from trainer.status import AWAY, DEAD, GpuNote, RestartNote, Status

NOW_S = 1_790_085_600.0
"""2026-09-22 14:00 UTC."""
ZONE = timezone(timedelta(hours=2), "CEST")

_HOUR_S = 3600.0
_WEIGHTS_BYTES = 23_600_000
_CRASH = RestartNote(
    NOW_S - 1.6 * _HOUR_S,
    1187,
    "the GPU was out of memory: CUDA Error: out of memory",
    1100,
)
_KILLED = RestartNote(NOW_S - 180.0, 2613, "darknet was killed from outside by signal 9", 2600)
_LIFE = (
    "9 attempts in 3 sessions on 2 machines since 2026-09-20 18:12 UTC, 11.4 h of training",
    "4 restarts: 3 x darknet was killed from outside, 1 x the GPU was out of memory",
    "2026-09-20 18:12 UTC, 5.1 h: iteration 0 to 900, 1 restart, then cut short",
    "2026-09-21 07:40 UTC, 3.0 h: iteration 900 to 1,100, 1 restart, stopped by the user",
    "2026-09-22 10:20 UTC, 3.3 h: iteration 1,100 to 2,613, 2 restarts",
)

TRAINING = Status(
    "training",
    4711,
    NOW_S - 3.7 * _HOUR_S,
    updated_s=NOW_S - 0.4,
    iteration=2734,
    max_batches=6000,
    avg_loss=0.8421,
    smooth_loss=0.8633,
    earlier_loss=1.0934,
    earlier_iteration=2460,
    map_last=0.6012,
    map_last_iteration=2700,
    map_best=0.6187,
    map_best_iteration=2400,
    per_minute=31.4,
    left_s=3266 / 31.4 * 60.0,
    resumed_from=1100,
    safe_iteration=2700,
    safe_at_s=NOW_S - 40.0,
    pushed=61,
    attempts=3,
    restarted=2,
    restarts=(_CRASH, _KILLED),
    run="backup/remote",
    epoch=3,
    ending="unknown",
    changes="subdivisions=32",
    gpus=(GpuNote("Tesla T4", 11_219_763_200, 15_843_721_216, 97.0),),
    disk_free_bytes=41_300_000_000,
    remote_free_bytes=9_870_000_000,
    checkpoint_bytes=_WEIGHTS_BYTES,
    life=_LIFE,
)
_AT_FIRST = Status("starting", 4711, NOW_S - 4.0, updated_s=NOW_S - 1.0)
_OVER = replace(TRAINING, gpus=(), updated_s=NOW_S - 600.0, safe_at_s=NOW_S - 640.0)
_BUSY = ("backup/remote_last.weights (iteration 2,730, 23.6 MB)", "backup/chart.png (184.2 kB)")
_HOLDER = (
    "user@4f2a91c7 (process 318), since 2026-09-22 13:31 UTC (29 minutes ago), last heard from 12 seconds ago"
)
_WITHOUT_SAFE: dict[str, Any] = {"safe_iteration": None, "safe_at_s": None, "pushed": 0, "life": ()}
_NO_PUSH: dict[str, Any] = {
    **_WITHOUT_SAFE,
    "pushing": False,
    "run": "",
    "epoch": None,
    "remote_free_bytes": None,
}

STANDINGS: dict[str, Status] = {
    "training": TRAINING,
    "training, two GPUs and a slow network": replace(
        TRAINING,
        iteration=38,
        max_batches=500_500,
        per_minute=0.21,
        left_s=500_462 / 0.21 * 60.0,
        avg_loss=1789.4,
        earlier_loss=None,
        map_best=None,
        map_last=None,
        safe_iteration=30,
        safe_at_s=NOW_S - 2000.0,
        restarts=(),
        restarted=0,
        attempts=1,
        resumed_from=0,
        life=(),
        changes="",
        pending=2,
        waiting=_BUSY,
        gpus=(
            GpuNote("NVIDIA A100-SXM4-40GB", 38 << 30, 40 << 30, 100.0),
            GpuNote("NVIDIA L4", 0, 24 << 30, None),
        ),
    ),
    "nothing safe yet": replace(
        TRAINING,
        **_WITHOUT_SAFE,
        iteration=12,
        resumed_from=0,
        attempts=1,
        restarted=0,
        restarts=(),
        per_minute=None,
        left_s=None,
        earlier_loss=None,
        map_last=None,
        map_best=None,
        changes="",
    ),
    "no push": replace(TRAINING, **_NO_PUSH),
    "written to a mounted folder": replace(TRAINING, proven=False, remote_free_bytes=None),
    "restarting": replace(TRAINING, state="restarting", iteration=2613, ending="unknown", gpus=()),
    "diverged": replace(
        TRAINING,
        state="restarting",
        ending="diverged",
        avg_loss=None,
        changes="learning_rate=0.0005",
        restarts=(
            _CRASH,
            RestartNote(
                NOW_S - 5.0,
                2734,
                "the training diverged: the loss is not a number since iteration 2,731",
                2600,
            ),
        ),
    ),
    "gave up": replace(
        _OVER,
        state="gave up",
        ending="diverged",
        message="darknet diverged 3 times near iteration 2,730 with ever lower learning rates, the last 0.000125. "
        "What darknet said is in /content/darknet/.trainer/darknet.log.",
        exit_code=70,
    ),
    "failed": replace(
        _OVER,
        state="failed",
        message="the disk is full: backup/remote_last.weights cannot be written. Make room on it.",
        exit_code=73,
    ),
    "waiting for Drive": replace(
        TRAINING,
        trouble="waiting to push: Drive cannot be reached: connection refused",
        trouble_since_s=NOW_S - 780.0,
        pending=5,
        waiting=_BUSY,
        safe_iteration=2400,
        safe_at_s=NOW_S - 800.0,
    ),
    "Drive is full": replace(
        TRAINING,
        trouble="waiting to push: Drive has no room for backup/remote_last.weights (23.6 MB)",
        trouble_since_s=NOW_S - 95.0,
        remedy="Empty Drive's trash, which holds 4.1 GB, or remove files.",
        pending=2,
        waiting=_BUSY,
        remote_free_bytes=11_000_000,
    ),
    "login expired": replace(
        TRAINING,
        trouble="waiting to push: cannot upload: the access token has expired or is not valid",
        trouble_since_s=NOW_S - 3900.0,
        remedy="In Colab run `from google.colab import auth; auth.authenticate_user()` again; elsewhere run "
        "`python -m drivesync login`.",
        pending=14,
        waiting=_BUSY,
        safe_iteration=1800,
        safe_at_s=NOW_S - 3960.0,
    ),
    "starting": _AT_FIRST,
    "pulled, and not running here": replace(
        _OVER,
        state=AWAY,
        updated_s=0.0,
        ended_s=NOW_S - 3600.0,
        iteration=2700,
        attempts=0,
        restarts=(),
        restarted=0,
        pushed=0,
        disk_free_bytes=None,
        remote_free_bytes=None,
        changes="",
    ),
    "pulling": replace(_AT_FIRST, state="pulling", run="backup/remote", epoch=2),
    "another session holds the run": replace(
        _AT_FIRST,
        state="waiting",
        message=f"another session has had the run 'backup/remote': {_HOLDER}; waiting to see whether it is still "
        "there",
    ),
    "taken over by another session": replace(
        _OVER,
        state="stopped",
        ending="lost_lease",
        holder=f"another session has taken the run 'backup/remote': {_HOLDER}",
        message=f"stopped at iteration 2734: another session has taken the run 'backup/remote': {_HOLDER}; what is not "
        "on Drive stays here. What this session saved is still on its disk; --take-over takes the run back.",
        exit_code=76,
    ),
    "pushing": replace(TRAINING, state="pushing", iteration=6000, left_s=0.0, pending=2, waiting=_BUSY),
    "stopped": replace(
        _OVER,
        state="stopped",
        message="stopped at iteration 2734. Run the same command again to go on.",
        exit_code=75,
    ),
    "finished": replace(
        _OVER,
        state="finished",
        iteration=6000,
        avg_loss=0.3127,
        smooth_loss=0.3122,
        earlier_loss=0.3151,
        earlier_iteration=5400,
        map_last=0.7433,
        map_last_iteration=6000,
        map_best=0.7433,
        map_best_iteration=6000,
        safe_iteration=6000,
        safe_at_s=NOW_S - 30 * _HOUR_S - 10.0,
        updated_s=NOW_S - 30 * _HOUR_S,
        restarts=(replace(_CRASH, at_s=NOW_S - 31 * _HOUR_S), replace(_KILLED, at_s=NOW_S - 30.5 * _HOUR_S)),
        message="the training is finished; backup/remote_final.weights holds iteration 6000, verified on Drive",
        exit_code=0,
    ),
    "supervisor dead": replace(
        TRAINING,
        state=DEAD,
        restarts=(replace(_CRASH, at_s=NOW_S - 40 * _HOUR_S), replace(_KILLED, at_s=NOW_S - 6 * _HOUR_S)),
        updated_s=NOW_S - 5.5 * _HOUR_S,
        safe_at_s=NOW_S - 5.6 * _HOUR_S,
        pending=1,
        waiting=_BUSY[:1],
        message="The supervisor is gone without a word; `trainer supervise` goes on where it stopped.",
    ),
    "supervisor silent": replace(TRAINING, updated_s=NOW_S - 900.0),
    "hostile words": replace(
        TRAINING,
        warning="<script>alert('1')</script> & \x1b[2J\x07 \N{RIGHT-TO-LEFT OVERRIDE}abc",
        restarts=(RestartNote(NOW_S - 60.0, 7, '"><img src=x onerror=alert(1)> ' + "x" * 300, 0),),
        disk_free_bytes=50_000_000,
    ),
}


def render(status: Status) -> tuple[str, str, str]:
    """The card as text; as HTML, without its style; and that style."""
    card = make_card(status, NOW_S, zone=ZONE)
    body = to_html(card)
    style = re.search(r"<style>(.*?)</style>", body, re.DOTALL)
    return (
        "\n".join(to_lines(card)) + "\n",
        body.replace(style[1], "") if style else body,
        style[1] if style else "",
    )


def write_cards(folder: Path) -> None:
    """Write all of them, and remove those of before."""
    for old in folder.glob("*.*"):
        old.unlink()
    for name, status in STANDINGS.items():
        text, html, style = render(status)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        (folder / f"{name}.html").write_text(f"{html}\n", encoding="utf-8")
        (folder / "style.css").write_text(style, encoding="utf-8")


if __name__ == "__main__":
    write_cards(Path(sys.argv[1]))
