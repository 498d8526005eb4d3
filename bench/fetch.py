"""Fetching a page again and again, as a Prometheus server does: from a process of its own, thrown away as it comes.

`python -m bench.fetch PORT PATH TIMES PAUSE`: prints `SECONDS BYTES` for each, PAUSE seconds between two.
"""

from __future__ import annotations

import socket
import sys
import time

_CHUNK = 1 << 20  # bytes read at a time
_TIMEOUT = 60.0  # s


def fetch(port: int, path: str) -> tuple[float, int]:
    """One GET: how long to the last byte, and how many bytes came."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    space, size, first = bytearray(_CHUNK), 0, b""
    start = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), _TIMEOUT) as link:
        link.sendall(request.encode())
        while count := link.recv_into(space):
            first = first or bytes(space[:15])
            size += count
    if first != b"HTTP/1.1 200 OK":
        raise RuntimeError(f"{path} answered {first!r}")
    return time.perf_counter() - start, size


def main() -> None:
    """Fetch so many times."""
    port, path, times, pause = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    for _ in range(times):
        seconds, size = fetch(port, path)
        print(f"{seconds:.6f} {size}", flush=True)
        time.sleep(pause)


if __name__ == "__main__":
    main()
