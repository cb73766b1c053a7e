"""The file with the body of a message, as a command names it."""

import sys
from pathlib import Path

from scripts.commands.problems import Code, CommandError


def read_body(file: str, hint: str) -> bytes:
    """Return the bytes of a file, or those of stdin for `-`. Raises CommandError with the hint."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        why = f"{type(error).__name__}: {error.strerror}"
        raise CommandError(Code.FAILED, f"{file} cannot be read", why=why, hint=hint) from error
