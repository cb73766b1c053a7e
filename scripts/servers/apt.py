"""Installs what a test or a private server needs by apt, if it is missing and we have the rights."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.servers.lifecycle import ServersUnavailableError, say

_COMMAND = "apt-get install --no-install-recommends"


def install(what: str, package: str) -> None:
    """Install the package without starting its service. Raises ServersUnavailableError, which names it `what`."""
    command = f"{_COMMAND} {package}"
    if shutil.which("apt-get") is None:
        raise ServersUnavailableError(f"{what} is not installed, and there is no apt-get to install it")
    rights = _rights()
    if rights is None:
        raise ServersUnavailableError(f"{what} is not installed, and only root can install it; type: sudo {command}")
    say(f"{what}: not installed; {' '.join([*rights, command])} ...")
    with _one_at_a_time():
        _apt(rights, "update", "-qq")
        failure = _apt(rights, "install", "-y", "-qq", "--no-install-recommends", package)
    if failure:
        raise ServersUnavailableError(f"{what} could not be installed ({command}):\n{failure}")


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Test processes start together: a second `update` would fail, and the install after it would find no package."""
    with (Path(tempfile.gettempdir()) / f"oms-apt-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _apt(rights: list[str], *arguments: str) -> str:
    """Run apt-get. Returns the end of its output if it fails, else nothing."""
    # RUNLEVEL=1 keeps Debian's invoke-rc.d from starting the system's own node.
    environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
    lock = ["-o", "DPkg::Lock::Timeout=120"]
    done = subprocess.run(
        [*rights, *environment, "apt-get", *lock, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return (done.stdout[-500:] + done.stderr[-1500:]) if done.returncode else ""


def _rights() -> list[str] | None:
    """Return the words to put before a command that needs root; None if we may not run such commands."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    result = subprocess.run(["sudo", "-n", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return ["sudo", "-n"] if result.returncode == 0 else None
