"""One private server process, in a process group of its own: Ctrl-C in the terminal does not reach it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from scripts.servers.folder import RunFolder


@dataclass(frozen=True)
class OsAccount:
    """The operating system user that a server runs as."""

    uid: int
    gid: int


def as_account(account: OsAccount | None) -> dict[str, Any]:
    """Return the arguments with which subprocess runs a program as this user; none for None."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


@dataclass
class ServerProcess:
    """Starts, signals and awaits one process. Its output goes to `<name>.out` in the run's folder."""

    name: str
    folder: RunFolder
    command: Sequence[str]
    environment: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    account: OsAccount | None = None
    _child: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Start the process. It may not be ready yet."""
        with self._output.open("ab") as output:
            self._child = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **as_account(self.account),
            )
        self.folder.remember(self.name, self._child.pid, self.stop_signal)

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._child is not None and self._child.poll() is None

    def stop(self, timeout_seconds: float = 30) -> None:
        """Stop it with SIGTERM; kill it if it does not end in time."""
        if self._child is None:
            return
        if self.alive():
            os.kill(self._child.pid, self.stop_signal)
            try:
                self._child.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                return
        self._end()

    def kill(self) -> None:
        """Kill the process and all it has started, whatever their process groups."""
        if self._child is None:
            return
        if self.alive():
            parent = psutil.Process(self._child.pid)
            for victim in [parent, *parent.children(recursive=True)]:
                _kill(victim)
        self._child.wait()
        self._end()

    def last_output(self, lines: int = 15) -> str:
        """Return the end of the process's output."""
        return "\n".join(self._output.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _output(self) -> Path:
        return self.folder.path / f"{self.name}.out"

    def _end(self) -> None:
        """Kill what is left in its group: a start script may end before its server."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
        self._child = None
        self.folder.forget(self.name)


def _kill(victim: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        victim.kill()
