"""Our own processes: started, watched, started again when they die."""

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
"""Above the grace that workers and relays allow themselves."""
YOUNG_SECONDS = 5.0
YOUNG_DEATHS_MAX = 10
PR_SET_PDEATHSIG = 1


class KeepsDyingError(Exception):
    """A process dies again and again right after its start. The message has the end of its log."""


def ends_with_parent() -> None:
    """In a new process: be told to stop when the demo is gone, however it went (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class ChildProcess:
    """One process. Its output goes to `<name>.log` in the run folder."""

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
        """Keep it running until `stop`. Raises KeepsDyingError."""
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
        """Where it writes."""
        return self.folder / f"{self.name}.log"

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    def memory_bytes(self) -> int:
        """Resident memory, 0 when it does not run."""
        if not self.up or self._process is None:
            return 0
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(self._process.pid).memory_info().rss)
        return 0

    def kill(self) -> None:
        """As a power cut would; `watch` starts it again."""
        if self.up and self._process is not None:
            self._process.kill()

    async def stop(self) -> None:
        """Ask it to stop, wait, and kill it when it does not."""
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
                start_new_session=True,  # Ctrl-C in the terminal is for the demo, which then drains
                preexec_fn=ends_with_parent,
            )
        self._started = time.monotonic()

    def _last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class ChildProcesses:
    """All of them."""

    children: list[ChildProcess] = field(default_factory=list)
    _group: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start and watch every one; one that keeps dying ends the group."""
        self._group = [group.create_task(child.watch()) for child in self.children]

    async def stop(self) -> None:
        """Stop every one, side by side."""
        await asyncio.gather(*(child.stop() for child in self.children))
        await asyncio.gather(*self._group, return_exceptions=True)

    def first(self, prefix: str) -> ChildProcess:
        """The first whose name begins so."""
        return next(child for child in self.children if child.name.startswith(prefix))


def python(*arguments: str) -> list[str]:
    """A command line of this interpreter, in this checkout."""
    return [sys.executable, *arguments]


def inherited_variables(**variables: str) -> dict[str, str]:
    """This process's environment, with these on top."""
    return dict(os.environ) | variables
