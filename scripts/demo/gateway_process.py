"""The test gateways of the demo: they run in a process of their own, misbehave, and have the providers' ledgers."""

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

from scripts.demo.client_job import CARRIERS
from scripts.demo.processes import ends_with_parent, python

HABITS = {
    "late": 0.02,
    "doubled": 0.08,
    "unsent": 0.02,
    "reserialised": 0.03,
    "forged": 0.03,
    "wrong_amount": 0.015,
    "error": 0.006,
    "slow": 0.002,
    "lost": 0.006,
    "refund_processing": 0.2,
    "paid_at_close": 0.4,
    "carriers.error": 0.05,
    "carriers.lost": 0.05,
    "carriers.slow": 0.01,
    "carriers.refused": 0.05,
    "mails.error": 0.03,
    "mails.lost": 0.02,
}
"""The probability of each misbehaviour, each time that it is possible."""
LATE_SECONDS, SLOW_SECONDS, CALL_SECONDS = 12, 6, 4
"""How late a late notification is, how slow a slow answer is, and how long calls of workers wait."""
SAME_CLOCK_SECONDS = 1
"""Gateways and workers share a clock here, so workers need not allow for a clock that is behind."""
TIME_FACTOR = 0.02
"""Scales the waits between copies of a notification, so that copies come after seconds and not after minutes."""
START_SECONDS, STOP_SECONDS, LEDGER_SECONDS = 60.0, 10.0, 10.0
LEDGER_SHARE = 50
"""Reading the ledgers takes at most one part in so many of the time."""
Ledgers = Mapping[str, Mapping[str, Any]]
"""Provider -> its ledger."""


class GatewaysDiedError(Exception):
    """The gateways ended by themselves. The message has the end of their log."""


@dataclass
class GatewayProcess:
    """The process of all gateways. `environment` configures workers for them; `urls` is provider -> gateway's URL.

    `carriers_url` is that of the service of the carriers, `mails_url` that of the ledger of the mail server.
    """

    process: asyncio.subprocess.Process
    log: Path
    environment: Mapping[str, str]
    urls: Mapping[str, str]
    carriers_url: str = ""
    mails_url: str = ""
    name: str = "gateways"
    restarts: int = 0
    ledgers: Ledgers = field(default_factory=dict)
    _next_refresh: float = 0.0
    _stopping: bool = False

    async def watch(self) -> None:
        """Wait until the process ends. Raises GatewaysDiedError if it was not stopped, because its ledgers are lost."""
        await self.process.wait()
        if not self._stopping:
            raise GatewaysDiedError(f"the gateways ended by themselves; the end of {self.log}:\n{last_words(self.log)}")

    @property
    def up(self) -> bool:
        """True while the process runs."""
        return self.process.returncode is None

    def memory_bytes(self) -> int:
        """Return the resident memory, 0 if the process does not run."""
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(self.process.pid).memory_info().rss) if self.up else 0
        return 0

    @property
    def waiting(self) -> int:
        """The number of notifications that are still to be sent."""
        return sum(book["notifications"]["waiting"] for book in self.ledgers.values())

    async def refresh(self) -> None:
        """Read the ledgers, unless they were read just now. A ledger that cannot be read stays as it was."""
        if time.monotonic() < self._next_refresh:
            return
        begun = time.monotonic()
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            self.ledgers = await self.read()
        self._next_refresh = begun + LEDGER_SHARE * (time.monotonic() - begun)

    async def read(self) -> Ledgers:
        """Return the ledger of every gateway. Raises ClientError, TimeoutError."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LEDGER_SECONDS)) as session:
            return {name: await _ledger(session, f"{url}/ledger") for name, url in self.urls.items()}

    async def read_carriers(self) -> Mapping[str, Any]:
        """Return the ledger of the carriers. Raises ClientError, TimeoutError."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LEDGER_SECONDS)) as session:
            return await _ledger(session, f"{self.carriers_url}/ledger")

    async def read_mails(self) -> Mapping[str, Any]:
        """Return the ledger of the mail server. Raises ClientError, TimeoutError."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LEDGER_SECONDS)) as session:
            return await _ledger(session, f"{self.mails_url}/ledger")

    async def stop(self) -> None:
        """Stop the process; kill it if it does not end in time."""
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
    """Run all gateways until the block ends. `environment` has the edge's broker. Raises GatewaysDiedError."""
    log, keys = folder / "gateways.log", folder / "gateways"
    habits = [word for name, value in HABITS.items() for word in ("--habit", f"{name}={value}")]
    numbers = {
        "late-seconds": LATE_SECONDS,
        "slow-seconds": SLOW_SECONDS,
        "time-factor": TIME_FACTOR,
        "rotate-after": rotate_after,
    }
    others = ["--carriers", ";".join(CARRIERS), "--mails"]
    settings = [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *python("-m", "scripts.gateways", "--folder", str(keys), *habits, *settings, *others),
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
    """Wait for the line in which the process describes itself."""
    assert gateways.process.stdout is not None
    line = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            line = await gateways.process.stdout.readline()
    if not line:
        raise GatewaysDiedError(f"the gateways did not start; the end of {gateways.log}:\n{last_words(gateways.log)}")
    answer = json.loads(line)
    gateways.environment, urls = answer["environment"], answer["gateways"]
    gateways.carriers_url, gateways.mails_url = urls.pop("carriers"), urls.pop("mails")
    gateways.urls = urls
    _same_clock(Path(gateways.environment["OMS_UNIONPAY"].removeprefix("file:")))


def _same_clock(file: Path) -> None:
    """Set UnionPay's grace: UnionPay has no call to close an attempt, so only the clock ends it."""
    settings = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(settings | {"grace_seconds": SAME_CLOCK_SECONDS}), "utf-8")


def last_words(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
