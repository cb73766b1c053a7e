"""The folder of one run of private servers, which makes sure that no server outlives the run.

Each server's process id is kept in a file here. A small shell process reads from a pipe: when this process ends,
however it ends, the pipe closes, and the shell stops the servers and removes the folder. So no signal handler is
needed, and SIGKILL is covered. `stop` in the folder does the same by hand for servers that were kept.
"""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

# Copying a database of 500 files takes 30 to 900 ms on ext4 and always 30 ms here.
_MEMORY = Path("/dev/shm")  # noqa: S108 (mkdtemp makes a fresh folder in it)
_ROOM_BYTES = 1 << 30  # both servers were seen to use 200 MB

_STOP = """\
#!/bin/sh
# Stops the private servers of this folder and removes it.
cd "$(dirname "$0")" || exit 1
for file in *.pid; do [ -f "$file" ] && kill $(cat "$file") 2>/dev/null; done
group() { cut -d' ' -f2 "$1"; }  # each server leads a process group
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  left=
  for file in *.pid; do [ -f "$file" ] && kill -s 0 -- -$(group "$file") 2>/dev/null && left=1; done
  [ -z "$left" ] && break
  sleep 1
done
for file in *.pid; do [ -f "$file" ] && kill -s KILL -- -$(group "$file") 2>/dev/null; done
folder=$(pwd) && cd / && rm -rf "$folder"
"""


class RunFolder:
    """A temporary folder whose servers end with this process, unless they are kept.

    Without `durable` the folder is in memory if that has room: the data need not outlive the machine.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="oms-", dir=_base(durable)))
        self.path.chmod(0o711)  # a server that runs as another user must pass through
        self.stop_script = self.path / "stop"
        self.stop_script.write_text(_STOP)
        self.stop_script.chmod(0o700)
        self._watcher = self._watch()
        atexit.register(self.close)

    def remember(self, name: str, pid: int, stop_signal: signal.Signals) -> None:
        """Remember a server that must be stopped."""
        (self.path / f"{name}.pid").write_text(f"-{stop_signal.value} {pid}")

    def forget(self, name: str) -> None:
        """Forget a server that has ended."""
        (self.path / f"{name}.pid").unlink(missing_ok=True)

    def close(self, keep: bool = False) -> None:
        """End the watching shell.

        With `keep` the servers and the folder stay, otherwise the servers still running are stopped.
        """
        atexit.unregister(self.close)
        if self._watcher.stdin is None or self._watcher.stdin.closed:
            return
        if keep:
            self._watcher.stdin.write(b"keep\n")
        self._watcher.stdin.close()
        self._watcher.wait()
        if not keep:
            shutil.rmtree(self.path, ignore_errors=True)

    def _watch(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            ["/bin/sh", "-c", 'read answer || exec "$0"', str(self.stop_script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _base(durable: bool) -> str | None:
    """Return the parent of the run's folder; None means the default of tempfile."""
    if not durable and _has_room(_MEMORY):
        return str(_MEMORY)
    # The unprivileged user that runs root's servers could not enter a private TMPDIR.
    shared = Path("/tmp")  # noqa: S108 (mkdtemp makes a fresh folder in it)
    return str(shared) if os.geteuid() == 0 and shared.is_dir() else None


def _has_room(folder: Path) -> bool:
    """Tell whether both servers fit. Containers often have 64 MB there, and may forbid to run programs from it."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize >= _ROOM_BYTES and not system.f_flag & os.ST_NOEXEC
