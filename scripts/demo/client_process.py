"""The client process as the demo sees it: what it was job, and what it last reported."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.demo.processes import ends_with_parent, inherited_variables, python

LINE_MAX_BYTES = 16 * 1024 * 1024
FINISH_TIMEOUT_SECONDS = 30.0


class ClientDiedError(Exception):
    """The client ended before it was told to. The message has the end of its log."""


@dataclass
class ClientProcess:
    """Runs `scripts.demo.client`."""

    job: Mapping[str, Any]
    log: Path
    report: dict[str, Any] = field(default_factory=dict)
    _process: asyncio.subprocess.Process | None = None
    _finishing: bool = False

    async def watch(self) -> None:
        """Start it and read its reports until it ends. Raises ClientDiedError when that is too early."""
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
        self._say(json.dumps(self.job))
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.report = json.loads(line)
        await self._process.wait()
        if not self._finishing:
            words = "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
            raise ClientDiedError(f"the client ended by itself; the end of {self.log}:\n{words}")

    def drain(self) -> None:
        """No more orders."""
        self._say("drain")

    async def finish(self) -> None:
        """Ask for the last report and the end."""
        self._finishing = True
        self._say("finish")
        if self._process is None:
            return
        try:
            async with asyncio.timeout(FINISH_TIMEOUT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()

    def _say(self, word: str) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(word.encode() + b"\n")
