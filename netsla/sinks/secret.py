"""Secrets as they are now: a file that was changed since the configuration was read counts at its next use."""

from __future__ import annotations

import asyncio
from pathlib import Path

from netsla.model import Secret


async def current(secret: Secret) -> str:
    """The secret, read anew where it came from a file; the last one known while that cannot be read."""
    if not secret.file:
        return secret.value
    return await asyncio.to_thread(_first_line, secret)


def _first_line(secret: Secret) -> str:
    try:
        lines = Path(secret.file).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return secret.value
    return lines[0] if lines and lines[0] else secret.value
