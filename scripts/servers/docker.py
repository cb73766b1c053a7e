"""Finds out whether a Docker engine answers."""

import shutil
import subprocess


def docker_answers(timeout_seconds: float = 5) -> bool:
    """Tell whether `docker info` succeeds in time. An installed client alone is not enough."""
    if shutil.which("docker") is None:
        return False
    try:
        result = subprocess.run(
            ["docker", "info"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0
