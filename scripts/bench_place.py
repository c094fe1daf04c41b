"""An emulated Drive behind TLS, in processes of its own, so that its work is not counted as the tools'.

Every tool goes through the same relay, since rclone knows no address but Google's and needs a CONNECT proxy that ends
TLS; the product is given the relay's address. Two processes::

    tool --TLS--> relay (python -m scripts.bench_relay) --> emulator (python -m drivesync.testing)
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TOKEN = "bench"  # noqa: S105 - the emulator takes any token


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run asked of Drive, by the emulator's own counters.

    Attributes:
        requests: by kind of call, ``files.get.media`` for one.
        media_bytes: bytes of files' contents that were sent.
        units: quota units of requests that were let through.
        rate_limited: requests that were refused for coming too fast.
    """

    requests: Mapping[str, int]
    media_bytes: int
    units: int
    rate_limited: int

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())


@dataclass(frozen=True, slots=True)
class Place:
    """Where the emulator is, and the ways in over TLS (``drivesync.testing.tls``).

    Attributes:
        emulator_url: past the relay, for the bench's own questions, which are not counted.
        tls_url: the relay, for a program that can be given an address.
        proxy_url: the relay, for a program that takes a proxy.
        ca_pem: whom to trust: the relay's authority among those of the web, since reading so many is part of what a
            real run costs.
    """

    emulator_url: str
    tls_url: str
    proxy_url: str
    ca_pem: Path

    def set_costs(self, **costs: float | None) -> None:
        """Change what requests cost; ``drivesync.testing.costs.Costs`` names them. Allowances are full again."""
        self._ask("POST", "/emulator/reset")
        self._ask("POST", "/emulator/costs", json.dumps(costs).encode())

    def usage(self) -> Usage:
        """What was asked since the costs were set."""
        counts = self._ask("GET", "/emulator/counters")
        total = counts.pop("total")
        requests = {kind: count["requests"] for kind, count in counts.items() if count["requests"]}
        media_bytes = sum(count["bytes_down"] for kind, count in counts.items() if kind.endswith(".media"))
        return Usage(requests, media_bytes, total["units"], total["rate_limited"])

    def overwrite(self, path: str, data: bytes) -> None:
        """Give the file at ``path`` below My Drive a new content."""
        self._ask("PATCH", f"/upload/drive/v3/files/{self._find(path)}?uploadType=media", data)

    def md5_of(self, path: str) -> str:
        """What the emulator says of the file at ``path`` below My Drive."""
        md5: str = self._ask("GET", f"/drive/v3/files/{self._find(path)}?fields=md5Checksum")["md5Checksum"]
        return md5

    def _find(self, path: str) -> str:
        at = "root"
        for name in path.split("/"):
            query = quote(f"name = '{name}' and '{at}' in parents and trashed = false")
            at = self._ask("GET", f"/drive/v3/files?q={query}")["files"][0]["id"]
        return at

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        request = Request(  # noqa: S310 - http on loopback
            f"{self.emulator_url}{path}",
            data=body,
            method=method,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        with urlopen(request) as answer:  # noqa: S310 - http on loopback
            return json.load(answer)


@contextmanager
def serve(seeds: Mapping[str, Path]) -> Iterator[Place]:
    """Run emulator and relay; ``seeds`` are directories by the name they get in My Drive."""
    arguments = [part for name, folder in seeds.items() for part in ("--seed", f"{folder}:{name}")]
    with _child("drivesync.testing", *arguments) as line:
        emulator_url = line.removeprefix("DRIVE_EMULATOR_HOST=")
        with _child("scripts.bench_relay", emulator_url) as answer:
            way_in = json.loads(answer)
            yield Place(emulator_url, way_in["url"], way_in["proxy_url"], Path(way_in["ca_pem"]))


@contextmanager
def _child(module: str, *arguments: str) -> Iterator[str]:
    """A module that serves until SIGTERM, and the line that it prints when it is ready."""
    child = subprocess.Popen([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True)
    output: IO[str] | None = child.stdout
    assert output is not None
    try:
        line = output.readline().strip()
        if not line:
            raise RuntimeError(f"{module} did not start")
        yield line
    finally:
        child.terminate()
        child.wait()
        output.close()
