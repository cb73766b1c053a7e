"""Which version of this program runs: dead letters name it, and outlive it."""

import os
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def version() -> str:
    """OMS_VERSION, which an image is built with; without it the version in pyproject.toml; "0" without either."""
    return os.environ.get("OMS_VERSION", "").strip() or _of_checkout()


def _of_checkout() -> str:
    try:
        return str(tomllib.loads(PROJECT.read_text("utf-8"))["project"]["version"])
    except (OSError, ValueError, KeyError):
        return "0"
