"""Why a message was not done, in words that may be shown: no stack, no value out of the body."""

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from db.errors import OmsError, UnavailableError
from messages.reasons import Reason
from workers.runtime.batch import Verdict

MESSAGE_CHARS_MAX = 512
ROOT = str(Path(__file__).parents[2])
UNAVAILABLE_STATES = ("08", "53", "57P", "58", "25006")
TRANSIENT_STATES = ("40001", "40P01", "55P03", "25P03")  # 25P03: this process slept, and lost its transaction
_LONG_NUMBER = re.compile(r"\d{6,}")


class Trouble(Enum):
    """What an exception says about whose fault it is."""

    UNAVAILABLE = auto()  # the database is away: nobody's fault, wait
    TRANSIENT = auto()  # a neighbour was in the way: at once again
    IMPOSSIBLE = auto()  # an assertion: trying again cannot help
    FAILURE = auto()  # anything else: a message of the batch is to blame


def trouble(error: BaseException) -> Trouble:
    """Classify by SQLSTATE, else by type."""
    state = str(error.sqlstate) if isinstance(error, asyncpg.PostgresError) else ""
    # asyncpg says only in words that a connection or pool is closed; other InterfaceErrors are mistakes in our calls
    closed = isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)
    # InternalClientError: the connection was cut in the middle of an answer
    away = isinstance(error, UnavailableError | OSError | asyncpg.InternalClientError)
    if state.startswith(TRANSIENT_STATES):
        return Trouble.TRANSIENT
    if state.startswith(UNAVAILABLE_STATES) or closed or away:
        return Trouble.UNAVAILABLE
    return Trouble.IMPOSSIBLE if isinstance(error, AssertionError) else Trouble.FAILURE


class RefusedError(OmsError):
    """Ends the reading of one message. Its arguments are those of `Failure.invalid`."""


@dataclass(frozen=True)
class Failure:
    """Why a message was not done. Dead letters are grouped by `reason` and `fingerprint`."""

    reason: str
    error_type: str
    message: str
    fingerprint: str
    retry: bool
    path: str = ""

    @classmethod
    def invalid(cls, error_type: str, message: str, path: str = "$", reason: str = Reason.INVALID) -> "Failure":
        """It cannot be read, or may not be said by who said it: dead at once."""
        return cls(reason, error_type, message, _fingerprint(reason, error_type, path), retry=False, path=path)

    @classmethod
    def judged(cls, verdict: Verdict, body: bytes) -> "Failure":
        """Its handler put it off or gave it up."""
        why = redacted(verdict.why, body)
        return cls(verdict.reason, "verdict", why, _fingerprint(verdict.reason), retry=verdict.retry)

    @classmethod
    def raised(cls, error: BaseException, body: bytes) -> "Failure":
        """Its handler raised. An assertion says that it can never work."""
        name, impossible = type(error).__qualname__, trouble(error) is Trouble.IMPOSSIBLE
        reason = Reason.IMPOSSIBLE if impossible else Reason.FAILED
        fingerprint = _fingerprint(name, *_own_frames(error))
        return cls(reason, name, redacted(_said(error), body), fingerprint, retry=not impossible)


def _said(error: BaseException) -> str:
    """A database error's own text may quote values of a row; its state and names cannot."""
    if not isinstance(error, asyncpg.PostgresError):
        return str(error)
    names = (getattr(error, key, None) for key in ("sqlstate", "table_name", "column_name", "constraint_name"))
    return " ".join(str(part) for part in names if part)


def _own_frames(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(ROOT) and "site-packages" not in frame.filename:
            yield f"{frame.filename.removeprefix(ROOT)}:{frame.name}"


def _fingerprint(*parts: str) -> str:
    return blake2b("\n".join(parts).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()


def redacted(text: str, body: bytes) -> str:
    """The text without any value of the body, and without long numbers: phone numbers hide in all sorts of errors."""
    try:
        values = set(_leaves(orjson.loads(body)))
    except (ValueError, RecursionError):
        values = set()
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "…")
    return _LONG_NUMBER.sub("…", text)[:MESSAGE_CHARS_MAX]


def _leaves(value: Any) -> Iterator[str]:
    """Every value as text, but those too short to tell anything."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    elif len(str(value)) >= 3 and value not in (None, True, False):
        yield str(value)
