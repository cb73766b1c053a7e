"""The version of this program, which dead letters name, because they outlive it."""

import os
import tomllib
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def version() -> str:
    """Return OMS_VERSION, which an image sets; else the version in pyproject.toml; else "0"."""
    return os.environ.get("OMS_VERSION", "").strip() or _of_checkout(PROJECT)


@cache  # a plan asks for each of its letters, and to read the file takes milliseconds
def _of_checkout(project: Path) -> str:
    try:
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])
    except (OSError, ValueError, KeyError):
        return "0"
