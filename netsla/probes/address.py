"""What is an address already, and what is a name."""

from __future__ import annotations

import ipaddress
import socket


def is_numeric(name: str) -> bool:
    """Whether this is an address already; with a zone, too."""
    try:
        socket.inet_pton(socket.AF_INET, name)  # as a rule, and quick
    except OSError:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
    return True
