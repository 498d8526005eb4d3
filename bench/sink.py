"""The far end of TCP probes: accepts whatever comes on a port of every address, and lets it go.

`python -m bench.sink PORT`: prints `listening` when it does, ends by SIGTERM.
"""

from __future__ import annotations

import contextlib
import socket
import sys

_BACKLOG = 8192  # as much as the lab's net.core.somaxconn allows


def main() -> None:
    """Accept and close, for ever."""
    with socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=_BACKLOG) as server:  # noqa: S104 - in its own namespace
        print("listening", flush=True)
        while True:
            with contextlib.suppress(ConnectionError):
                server.accept()[0].close()


if __name__ == "__main__":
    main()
