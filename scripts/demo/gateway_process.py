"""The providers of the demo: test gateways in a process of their own, which misbehave, and their books."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from scripts.demo.processes import ends_with_parent, python

HABITS = {
    "late": 0.02,
    "doubled": 0.08,
    "untold": 0.02,
    "reserialised": 0.03,
    "forged": 0.03,
    "wrong_amount": 0.015,
    "error": 0.006,
    "slow": 0.002,
    "lost": 0.006,
    "refund_processing": 0.2,
    "paid_at_close": 0.4,
}
"""How likely each is, each time that it could be."""
LATE_SECONDS, SLOW_SECONDS, CALL_SECONDS = 12, 6, 4
"""A late notification, and an answer that is too slow for calls that wait no longer than the last."""
SAME_CLOCK_SECONDS = 1
"""The providers' clock is ours: nobody need wait until a window has surely ended there too."""
TIME_FACTOR = 0.02
"""A notification that is not acknowledged comes again in seconds, not in minutes."""
START_SECONDS, STOP_SECONDS, LEDGER_SECONDS = 60.0, 10.0, 10.0
LEDGER_SHARE = 50
"""Asking for the books takes at most one part in so many of the time."""
Ledgers = Mapping[str, Mapping[str, Any]]
"""Provider -> its ledger."""


class GatewaysDiedError(Exception):
    """The gateways ended by themselves. The message has the end of their log."""


@dataclass
class GatewayProcess:
    """The process. `environment` is what workers are configured with, `urls` where each gateway is."""

    process: asyncio.subprocess.Process
    log: Path
    environment: Mapping[str, str]
    urls: Mapping[str, str]
    name: str = "gateways"
    restarts: int = 0
    ledgers: Ledgers = field(default_factory=dict)
    _next_refresh: float = 0.0
    _stopping: bool = False

    async def watch(self) -> None:
        """Until it ends. Raises GatewaysDiedError when nobody stopped it: the books are gone."""
        await self.process.wait()
        if not self._stopping:
            raise GatewaysDiedError(f"the gateways ended by themselves; the end of {self.log}:\n{last_words(self.log)}")

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self.process.returncode is None

    def memory_bytes(self) -> int:
        """Resident memory, 0 when it does not run."""
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(self.process.pid).memory_info().rss) if self.up else 0
        return 0

    @property
    def waiting(self) -> int:
        """Notifications that will still be sent."""
        return sum(book["notifications"]["waiting"] for book in self.ledgers.values())

    async def refresh(self) -> None:
        """Read the books, unless that was just done. What cannot be read stays as it was."""
        if time.monotonic() < self._next_refresh:
            return
        begun = time.monotonic()
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            self.ledgers = await self.read()
        self._next_refresh = begun + LEDGER_SHARE * (time.monotonic() - begun)

    async def read(self) -> Ledgers:
        """Every gateway's ledger. Raises ClientError, TimeoutError."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LEDGER_SECONDS)) as session:
            return {name: await _ledger(session, f"{url}/ledger") for name, url in self.urls.items()}

    async def stop(self) -> None:
        """Ask it to stop, wait, and kill it when it does not."""
        self._stopping = True
        if not self.up:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def _ledger(session: aiohttp.ClientSession, url: str) -> Mapping[str, Any]:
    async with session.get(url) as answer:
        book: Mapping[str, Any] = await answer.json()
        return book


@asynccontextmanager
async def running_gateways(
    folder: Path, environment: Mapping[str, str], rotate_after: int
) -> AsyncIterator[GatewayProcess]:
    """All four, until the block ends. `environment` has the broker for the edge. Raises GatewaysDiedError."""
    log, keys = folder / "gateways.log", folder / "gateways"
    habits = [word for name, value in HABITS.items() for word in ("--habit", f"{name}={value}")]
    numbers = {
        "late-seconds": LATE_SECONDS,
        "slow-seconds": SLOW_SECONDS,
        "time-factor": TIME_FACTOR,
        "rotate-after": rotate_after,
    }
    settings = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *python("-m", "scripts.gateways", "--folder", str(keys), *habits, *settings),
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            preexec_fn=ends_with_parent,
        )
    gateways = GatewayProcess(process, log, {}, {})
    try:
        await _begun(gateways)
        yield gateways
    finally:
        await gateways.stop()


async def _begun(gateways: GatewayProcess) -> None:
    """Wait for what it says of itself."""
    assert gateways.process.stdout is not None
    line = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            line = await gateways.process.stdout.readline()
    if not line:
        raise GatewaysDiedError(f"the gateways did not start; the end of {gateways.log}:\n{last_words(gateways.log)}")
    answer = json.loads(line)
    gateways.environment, gateways.urls = answer["environment"], answer["gateways"]
    _same_clock(Path(gateways.environment["OMS_UNIONPAY"].removeprefix("file:")))


def _same_clock(file: Path) -> None:
    """UnionPay's attempts end by its clock alone."""
    settings = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(settings | {"grace_seconds": SAME_CLOCK_SECONDS}), "utf-8")


def last_words(log: Path, lines: int = 15) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
