"""A headless Chromium, which speaks its DevTools protocol: a page that is driven and watched.

`wait_until` takes an expression of JavaScript and returns once it is true. `faults` are the errors of the page and its
console, `requested` all addresses that it fetched.
"""

import asyncio
import os
import re
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from scripts.servers.apt import install
from scripts.servers.lifecycle import ServersUnavailableError

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PACKAGE = "chromium-headless-shell"
THREE_WAYS = (
    "the console is tested in a browser, and there is no Chromium:\n"
    f"  - Debian: sudo apt-get install --no-install-recommends {PACKAGE}\n"
    f"  - another system: install Chromium or Chrome, so that one of these is on the PATH: {', '.join(NAMES)}\n"
    "  - or name any of them: export OMS_TEST_CHROMIUM=/path/to/chrome"
)
# Without the network ones, Chromium asks its maker's hosts for news.
OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--remote-debugging-port=0",
)
WAIT_SECONDS = 30
LOOK_SECONDS = 0.05


def chromium() -> str:
    """The path of a Chromium, which is installed by apt if there is none. Fails the test if that does not work."""
    if found := os.environ.get("OMS_TEST_CHROMIUM") or _on_path():
        return found
    try:
        install("Chromium", PACKAGE)
    except ServersUnavailableError as error:
        pytest.fail(f"{THREE_WAYS}\n{error}", pytrace=False)
    return _on_path() or pytest.fail(THREE_WAYS, pytrace=False)


def _on_path() -> str | None:
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class BrowserPage:
    """One page of a browser."""

    socket: aiohttp.ClientWebSocketResponse
    session: str = ""
    faults: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    _sent: int = 0

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; take note of what happens until its answer comes."""
        self._sent += 1
        number = self._sent
        session = {"sessionId": self.session} if self.session else {}
        await self.socket.send_json({"id": number, "method": method, "params": parameters} | session)
        while True:
            got = await self.socket.receive_json(timeout=WAIT_SECONDS)
            if got.get("id") == number:
                assert "error" not in got, (method, got)
                return dict(got["result"])
            self._note(got.get("method"), got.get("params", {}))

    def _note(self, event: str | None, about: Any) -> None:
        match event:
            case "Network.requestWillBeSent":
                self.requested.append(about["request"]["url"])
            case "Log.entryAdded" if about["entry"]["level"] in ("error", "warning"):
                self.faults.append(about["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.faults.append(about["exceptionDetails"]["text"])
            case "Runtime.consoleAPICalled" if about["type"] in ("error", "warning", "assert"):
                self.faults.append(str(about["args"]))

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def value(self, expression: str) -> Any:
        """The value of an expression in the page; null while the page is being replaced by another."""
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def wait_until(self, expression: str) -> None:
        """Wait until an expression is true. Fails with the page's text if it never is."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not await self.value(f"document.readyState === 'complete' && Boolean({expression})"):
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            pytest.fail(f"never true: {expression}\n{await self.value('document.body.innerText')}\n{self.faults}")

    async def click(self, text: str) -> None:
        """Click the link or button with this text."""
        named = f"[...document.querySelectorAll('a, button')].find((one) => one.textContent.trim() === {text!r})"
        await self.wait_until(named)
        await self.value(f"{named}.click()")

    async def fill(self, name: str, text: str) -> None:
        """Type into a field as a keyboard does."""
        await self.value(f"document.querySelector('[name={name}]').focus(), document.activeElement.select()")
        await self.call("Input.insertText", text=text)


@asynccontextmanager
async def browser_page(profile: Path) -> AsyncIterator[BrowserPage]:
    """Start a browser with an empty profile, and open a page in it. Only root needs it without a sandbox."""
    alone = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [chromium(), *OPTIONS, *alone, f"--user-data-dir={profile}", "about:blank"]
    program = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=PIPE, start_new_session=True)
    try:
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(await _address(program), max_msg_size=0) as socket,
        ):
            page = BrowserPage(socket)
            target = await page.call("Target.createTarget", url="about:blank")
            attached = await page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            page.session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                await page.call(f"{domain}.enable")
            yield page
    finally:
        os.killpg(program.pid, signal.SIGKILL)  # the command may be a script, and the browser is many processes
        await program.wait()


async def _address(program: asyncio.subprocess.Process) -> str:
    assert program.stderr is not None
    lines = []
    async with asyncio.timeout(WAIT_SECONDS):
        while line := (await program.stderr.readline()).decode():
            lines.append(line)
            if found := re.search(r"ws://\S+", line):
                return found[0]
    return pytest.fail("".join(["Chromium ended: ", *lines]))
