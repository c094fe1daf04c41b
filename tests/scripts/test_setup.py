from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = "bash cat dirname env flock grep id mkdir mktemp rm sha256sum tail"
OLD_PYTHON = '#!/bin/sh\ncase "$*" in *print*) echo 3.9 ;; *) exit 1 ;; esac\n'
BROKEN_PYTHON = "#!/bin/sh\nexit 127\n"
APT_WITHOUT_NETWORK = "#!/bin/sh\necho E: no network >&2\nexit 100\n"


@pytest.mark.parametrize(
    ("arguments", "programs", "status", "said"),
    [
        pytest.param(["--dark"], {}, 64, "usage: scripts/setup [--darknet]", id="an unknown option"),
        pytest.param([], {"python3": OLD_PYTHON}, 78, "found: {tools}/python3 (3.9)", id="an old Python"),
        pytest.param([], {"python3": BROKEN_PYTHON}, 78, "{tools}/python3 (unusable)", id="a broken Python"),
        pytest.param(["--darknet"], {}, 69, "python3-venv darknet. There is no apt-get", id="no apt-get"),
        pytest.param(
            ["--darknet"],
            {"apt-get": APT_WITHOUT_NETWORK},
            69 if os.geteuid() == 0 else 77,
            "apt-get update && apt-get install -y python3-venv darknet",
            id="apt-get does not get it",
        ),
    ],
)
def test_what_setup_says_where_it_cannot(
    tmp_path: Path, arguments: list[str], programs: dict[str, str], status: int, said: str
) -> None:
    checkout, tools = tmp_path / "a checkout", tmp_path / "bin"
    (checkout / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", checkout / "scripts")
    shutil.copy(ROOT / "pyproject.toml", checkout)
    tools.mkdir()
    for tool in TOOLS.split():
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    for name, text in programs.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    done = subprocess.run(
        [tools / "bash", checkout / "scripts" / "setup", *arguments],
        env={"PATH": str(tools), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert said.format(tools=tools) in done.stderr
    assert not (checkout / ".venv").exists()
