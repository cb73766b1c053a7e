"""Child processes of the demo: workers and relays, which are started again when they die."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

STOP_TIMEOUT_SECONDS = 40.0
"""Longer than the grace that workers and relays allow themselves."""
YOUNG_SECONDS = 5.0
YOUNG_DEATHS_MAX = 10
PR_SET_PDEATHSIG = 1


class KeepsDyingError(Exception):
    """A process dies again and again soon after its start. The message has the end of its log."""


def ends_with_parent() -> None:
    """Run in a new child: ask Linux to send it SIGTERM when the demo ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class ChildProcess:
    """One process. Its output goes to `<name>.log` in the run's folder."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    restarts: int = 0
    _process: asyncio.subprocess.Process | None = None
    _started: float = 0.0
    _stopping: bool = False
    _young_deaths: int = 0

    async def watch(self) -> None:
        """Keep the process running until `stop`. Raises KeepsDyingError."""
        while not self._stopping:
            await self._start()
            assert self._process is not None
            await self._process.wait()
            if self._stopping:
                return
            self.restarts += 1
            self._young_deaths = self._young_deaths + 1 if time.monotonic() - self._started < YOUNG_SECONDS else 0
            if self._young_deaths >= YOUNG_DEATHS_MAX:
                raise KeepsDyingError(f"{self.name} keeps dying; the end of {self.log}:\n{self._last_words()}")
            await asyncio.sleep(min(0.2 * 2**self._young_deaths, 5.0))

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self.folder / f"{self.name}.log"

    @property
    def up(self) -> bool:
        """True while it runs."""
        return self._process is not None and self._process.returncode is None

    def memory_bytes(self) -> int:
        """Return the resident memory, 0 if the process does not run."""
        if not self.up or self._process is None:
            return 0
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(self._process.pid).memory_info().rss)
        return 0

    def kill(self) -> None:
        """Kill it with SIGKILL; `watch` starts it again."""
        if self.up and self._process is not None:
            self._process.kill()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.up and self._process is not None:
            self._process.send_signal(number)

    async def stop(self) -> None:
        """Stop it with SIGTERM; kill it if it does not end in time."""
        self._stopping = True
        if not self.up or self._process is None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _start(self) -> None:
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self.command,
                env=dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal reaches the demo alone, which then drains
                preexec_fn=ends_with_parent,
            )
        self._started = time.monotonic()

    def _last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class ChildProcesses:
    """All child processes of a run."""

    children: list[ChildProcess] = field(default_factory=list)
    _group: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start and watch all of them. One that keeps dying ends the task group."""
        self._group = [group.create_task(child.watch()) for child in self.children]

    async def stop(self) -> None:
        """Stop all of them at the same time."""
        await asyncio.gather(*(child.stop() for child in self.children))
        await asyncio.gather(*self._group, return_exceptions=True)

    def first(self, prefix: str) -> ChildProcess:
        """Return the first process whose name begins with this prefix."""
        return next(child for child in self.children if child.name.startswith(prefix))


def python(*arguments: str) -> list[str]:
    """Return a command line for the running interpreter."""
    return [sys.executable, *arguments]


def inherited_variables(**variables: str) -> dict[str, str]:
    """Return this process's environment with these variables on top."""
    return dict(os.environ) | variables
