"""The programs of Debian's package prometheus: installed ones, or those of the package, unpacked and not installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGE = "apt-get download prometheus"


def program(name: str, config: pytest.Config, scratch: pytest.TempPathFactory) -> str:
    """Return the path of `promtool` or `prometheus`. Skips the test if the package cannot be got."""
    kept = config.cache.mkdir("promtool") if config.cache else scratch.mktemp("promtool")
    found = shutil.which(name) or (str(kept / name) if (kept / name).exists() else None)
    return found or str(_unpacked(name, kept, scratch.mktemp("prometheus")))


def _unpacked(name: str, kept: Path, folder: Path) -> Path:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip(f"{name} is not installed, and there is no apt-get to get it")
    got = subprocess.run(PACKAGE.split(), cwd=folder, check=False, capture_output=True)
    packages = list(folder.glob("prometheus_*.deb"))
    if got.returncode != 0 or not packages:
        pytest.skip(f"{name} could not be got: {PACKAGE}: {got.stderr[-200:]!r}")
    subprocess.run(["dpkg-deb", "-x", packages[0], folder], check=True)
    return Path(shutil.move(folder / f"usr/bin/{name}", kept / name))
