"""``python -m scripts.bench_relay EMULATOR_URL``: TLS before an emulator until SIGINT or SIGTERM.

A process of its own, since neither its work nor its memory is the bench's. Prints one JSON object with the ways in.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path

from httplib2 import CA_CERTS

from drivesync.testing.tls import TlsFront


def main(emulator_url: str) -> None:
    """Serve until a signal comes."""
    # Blocked before the relay's thread starts, which inherits this: the signals wait for sigwait alone.
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with TlsFront(emulator_url) as front, tempfile.TemporaryDirectory() as folder:
        # Among the web's authorities, since reading so many is part of what a real run costs.
        bundle = Path(folder, "ca.pem")
        bundle.write_bytes(front.ca_pem.read_bytes() + Path(CA_CERTS).read_bytes())
        print(json.dumps({"url": front.url, "proxy_url": front.proxy_url, "ca_pem": str(bundle)}), flush=True)
        signal.sigwait(stops)


if __name__ == "__main__":
    main(sys.argv[1])
