"""HTTP basic auth against bcrypt hashes.

Rules: hashing (50 to 300 ms) runs in a thread of its own, a bounded number at a time; what was right
once is remembered by a keyed digest. An unknown user takes as long as a wrong password.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from netsla.web.access import checker

WAITING = 16  # passwords being checked or waiting for it; beyond that the answer is 503
REMEMBERED = 256
_LONGEST = 72  # bytes that bcrypt takes
_NOBODY = b"$2b$10$abcdefghijklmnopqrstuuKDSB9bMWpnbNHIpTLIoj6vMQDQN3bXe"  # a hash to spend the same time on


class Login:
    """Who may ask."""

    def __init__(self, users: Mapping[str, bytes]) -> None:
        self._users = users
        self._key = secrets.token_bytes(32)
        self._right: set[bytes] = set()
        self._waiting = 0
        self._worker = ThreadPoolExecutor(1, "netsla-login") if users else None

    def close(self) -> None:
        """End the thread."""
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)

    async def check(self, request: web.Request) -> None:
        """Nothing if the request may pass; raises the answer otherwise."""
        if self._worker is None:
            return
        user, password = credentials(request.headers.get("Authorization", ""))
        expected = self._users.get(user)
        digest = hashlib.blake2b(b"\0".join((user.encode(), password, expected or b"")), key=self._key).digest()
        if digest in self._right:
            return
        if not await self._matches(password, expected or _NOBODY) or expected is None:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="netsla", charset="UTF-8"'})
        if len(self._right) >= REMEMBERED:
            self._right.clear()
        self._right.add(digest)

    async def _matches(self, password: bytes, hashed: bytes) -> bool:
        check = checker()
        if not password or len(password) > _LONGEST or b"\0" in password or check is None:
            return False
        if self._waiting >= WAITING:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"}, text="too many logins at once\n")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._worker, check, password, hashed)
        finally:
            self._waiting -= 1


def credentials(header: str) -> tuple[str, bytes]:
    """User and password of an `Authorization` header; empty ones if it holds none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", b""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).partition(b":")
        return user.decode(), password
    except (binascii.Error, UnicodeDecodeError):
        return "", b""
