"""The client process as the demo sees it: it gives the job, and keeps the last report."""

import asyncio
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.demo.client_job import ClientJob
from scripts.demo.processes import ends_with_parent, inherited_variables, python

LINE_MAX_BYTES = 16 * 1024 * 1024
FINISH_TIMEOUT_SECONDS = 30.0


class ClientDiedError(Exception):
    """The client ended too early. The message has the end of its log."""


@dataclass
class ClientProcess:
    """Runs `scripts.demo.client` as a child process."""

    job: ClientJob
    log: Path
    report: dict[str, Any] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None
    _finishing: bool = False

    async def watch(self) -> None:
        """Start the client and read its reports until it ends. Raises ClientDiedError if that is too early."""
        with self.log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *python("-m", "scripts.demo.client"),
                env={name: value for name, value in inherited_variables().items() if not name.startswith("OMS_")},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=ends_with_parent,
                limit=LINE_MAX_BYTES,
            )
        self._write(json.dumps(asdict(self.job)))
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.report = json.loads(line)
        await self._process.wait()
        if not self._finishing:
            words = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            raise ClientDiedError(f"the client ended by itself; the end of {self.log}:\n{words}")

    def drain(self) -> None:
        """Ask the client to place no more orders."""
        self._write("drain")

    async def finish(self) -> None:
        """Ask the client for its last report and wait until it has ended."""
        self._finishing = True
        self._write("finish")
        if self._process is None:
            return
        try:
            async with asyncio.timeout(FINISH_TIMEOUT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()

    def _write(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(line.encode() + b"\n")
