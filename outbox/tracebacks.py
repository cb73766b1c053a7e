"""Says where an exception came from: file, line and function of each step, and never a value.

A dead letter carries it encrypted, so that whoever looks at the broker learns nothing of our code.
"""

import traceback
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from db import cipher

ROOT = str(Path(__file__).parents[1])
PASSED = "db/watching.py:"
LINES_MAX = 80  # with 100 bytes each it fits into a header, encrypted
AAD = b"traceback"  # ciphertext of something else cannot be passed off as one


def own_frames(error: BaseException) -> Iterator[str]:
    """Yield file and function of each step through our own code, for a fingerprint that survives a change of lines."""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(ROOT) and "site-packages" not in frame.filename:
            yield f"{frame.filename.removeprefix(ROOT)}:{frame.name}"


def traceback_of(error: BaseException) -> tuple[str, ...]:
    """Return the steps to an error, each with its line, after those to its causes. The first may be cut off."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    lines: list[str] = []
    for one in reversed(chain):
        for frame in traceback.extract_tb(one.__traceback__):
            lines.append(f"{_place(frame.filename)}:{frame.lineno} in {frame.name}")
        lines.append(type(one).__qualname__)
    return tuple(lines[-LINES_MAX:])


def own_place(lines: Sequence[str]) -> str | None:
    """Return the last line of a traceback that is in our own code, as `workers/handlers/stock.py:42`.

    What every statement passes through says nothing about which one failed.
    """
    steps = (line.partition(" in ")[0] for line in reversed(lines) if " in " in line and not line.startswith(PASSED))
    return next((step for step in steps if (Path(ROOT) / step.rpartition(":")[0]).is_file()), None)


def _place(file: str) -> str:
    return file.rpartition("site-packages/")[2].removeprefix(f"{ROOT}/")


def seal(lines: Sequence[str]) -> str:
    """Encrypt a traceback with the shop's key, as text that a header can hold; empty without any line."""
    if not lines:
        return ""
    key_id, sealed = cipher.current().encrypt(orjson.dumps(lines), AAD)
    return f"{key_id}:{b64encode(sealed).decode()}"


def unseal(sealed: str) -> list[str]:
    """Return the lines of a sealed traceback; none if it cannot be read."""
    key_id, _, text = sealed.rpartition(":")
    try:
        return list(map(str, orjson.loads(cipher.current().decrypt(key_id, b64decode(text), AAD))))
    except (cipher.CipherError, ValueError, TypeError):
        return []
