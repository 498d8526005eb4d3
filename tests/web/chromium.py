"""A real Chromium, driven by its DevTools protocol: what a person would see, click and type."""

from __future__ import annotations

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
_PATIENCE_S = 30.0


class Tab:
    """One open page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []  # of the browser: what a policy blocked, what did not load

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await self._until(lambda told: told.get("id") == number)

    async def open(self, address: str) -> None:
        """Go there, and wait until it is loaded."""
        await self._loading("Page.navigate", url=address)

    async def click(self, selector: str) -> None:
        """Click what leads to another page, and wait until that is loaded."""
        await self._loading("Runtime.evaluate", expression=f"document.querySelector({selector!r}).click()")

    async def look(self, expression: str) -> Any:
        """The value of a JavaScript expression, which no policy of the page forbids to us."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def press(self, key: str) -> None:
        """A key, down and up."""
        text = {"text": "\r"} if key == "Enter" else {}
        code = {"Tab": 9, "Enter": 13}[key]
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    async def screen(self, width: int, *, scheme: str = "light", height: int = 900) -> None:
        """A screen so wide, of somebody who prefers a colour scheme."""
        phone = width < 600
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        preference = {"name": "prefers-color-scheme", "value": scheme}
        await self.call("Emulation.setEmulatedMedia", features=[preference])

    async def picture(self) -> bytes:
        """The whole page as PNG."""
        found = await self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    async def _loading(self, method: str, **parameters: Any) -> None:
        await self.call(method, **parameters)
        await self._until(lambda told: told.get("method") == "Page.loadEventFired")

    async def _until(self, wanted: Any) -> dict[str, Any]:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                told = await self._socket.receive_json()
                if told.get("method") == "Log.entryAdded":
                    self.complaints.append(told["params"]["entry"]["text"])
                if wanted(told):
                    assert "error" not in told, told
                    result: dict[str, Any] = told.get("result", {})
                    return result


@asynccontextmanager
async def chromium(folder: Path) -> AsyncIterator[Tab]:
    """A browser with one empty page and a profile of its own in `folder`."""
    words = ("chromium", *_QUIET, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0", "about:blank")
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stdout=quiet, stderr=asyncio.subprocess.PIPE)
    try:
        port = await _port(process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (page, *_) = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Log", "Runtime"):
                    await tab.call(f"{domain}.enable")
                yield tab
    finally:
        process.terminate()
        await process.wait()


async def _port(process: asyncio.subprocess.Process) -> int:
    """Where it listens, which it says on stderr."""
    assert process.stderr is not None
    async with asyncio.timeout(_PATIENCE_S):
        while line := (await process.stderr.readline()).decode():
            if line.startswith("DevTools listening on "):
                return int(line.split("/")[2].rpartition(":")[2])
    raise AssertionError("chromium ended")
