"""The version of this program, which dead letters name, because they outlive it."""

import os
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def version() -> str:
    """Return OMS_VERSION, which an image sets; else the version in pyproject.toml; else "0"."""
    return os.environ.get("OMS_VERSION", "").strip() or _of_checkout()


def _of_checkout() -> str:
    try:
        return str(tomllib.loads(PROJECT.read_text("utf-8"))["project"]["version"])
    except (OSError, ValueError, KeyError):
        return "0"
