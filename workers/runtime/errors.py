"""Classifies errors, and describes failures in text that is safe to show: no stack, no value of the body."""

from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2b

import asyncpg

from db.errors import OmsError, UnavailableError
from messages.reasons import Reason
from messages.strict_json import Fault
from outbox.redacted_text import redacted
from outbox.tracebacks import own_frames, traceback_of
from workers.runtime.batch import Verdict

UNAVAILABLE_STATES = ("08", "53", "57P", "58", "25006")
TRANSIENT_STATES = ("40001", "40P01", "25P03")  # 25P03: the server ended an idle transaction


class LocalDispatchError(OmsError):
    """A handler raised on messages that came to it within another handler's transaction. The cause is its error."""


class ErrorClass(Enum):
    """What the runtime does about an exception."""

    UNAVAILABLE = auto()  # the database is away: pause the queue, count no attempt
    SLOW = auto()  # a statement had no answer in time: the database is away, or the statement takes too long
    LOCKED = auto()  # another session holds a lock for too long: find the messages that need it, and set them aside
    TRANSIENT = auto()  # another transaction was in the way: run the batch again at once
    IMPOSSIBLE = auto()  # an assertion failed: no retry can help
    FAILURE = auto()  # anything else: one message of the batch is the cause, so halve the batch to find it


def classify(error: BaseException) -> ErrorClass:
    """Classify an exception by its SQLSTATE, else by its type. What local dispatch wraps is classified by its cause."""
    if isinstance(error, LocalDispatchError) and error.__cause__ is not None:
        return classify(error.__cause__)
    state = str(error.sqlstate) if isinstance(error, asyncpg.PostgresError) else ""
    # asyncpg reports a closed connection or pool only in its text; other InterfaceErrors are mistakes in our calls
    closed = isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)
    # asyncpg raises InternalClientError when the connection was cut in the middle of a response
    away = isinstance(error, UnavailableError | OSError | asyncpg.InternalClientError)
    if state.startswith(TRANSIENT_STATES):
        return ErrorClass.TRANSIENT
    if isinstance(error, asyncpg.LockNotAvailableError):
        return ErrorClass.LOCKED
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        return ErrorClass.SLOW
    if state.startswith(UNAVAILABLE_STATES) or closed or away:
        return ErrorClass.UNAVAILABLE
    return ErrorClass.IMPOSSIBLE if isinstance(error, AssertionError) else ErrorClass.FAILURE


@dataclass(frozen=True)
class Failure:
    """Why a message failed. Dead letters are grouped by `reason` and `fingerprint`; `faults` are all that was found.

    `traceback` says where an exception came from, without any value.
    A message that belongs to another `cell` is handed on to it, unless it came from there.
    """

    reason: str
    error_type: str
    message: str
    fingerprint: str
    retry: bool
    path: str = ""
    faults: tuple[Fault, ...] = ()
    traceback: tuple[str, ...] = ()
    cell: str | None = None

    @classmethod
    def invalid(cls, *faults: Fault, reason: str = Reason.INVALID, cell: str | None = None) -> "Failure":
        """Describe a message that cannot be decoded, or that its sender may not send. It is dead-lettered at once."""
        first = faults[0]
        fingerprint = _fingerprint(reason, first.error, first.path)
        return cls(reason, first.error, first.message, fingerprint, False, first.path, faults, cell=cell)

    @classmethod
    def of_verdict(cls, verdict: Verdict, body: bytes) -> "Failure":
        """Describe a message that its handler retries or dead-letters."""
        why = redacted(verdict.why, body)
        return cls(verdict.reason, "verdict", why, _fingerprint(verdict.reason), verdict.retry, cell=verdict.cell)

    @classmethod
    def of_exception(cls, error: BaseException, body: bytes) -> "Failure":
        """Describe a message whose handler raised. After an AssertionError it is not retried."""
        name, impossible = type(error).__qualname__, classify(error) is ErrorClass.IMPOSSIBLE
        reason = Reason.IMPOSSIBLE if impossible else Reason.FAILED
        fingerprint = _fingerprint(name, *own_frames(error))
        text, lines = redacted(_safe_text(error), body), traceback_of(error)
        return cls(reason, name, text, fingerprint, retry=not impossible, traceback=lines)


def _safe_text(error: BaseException) -> str:
    """The text of an error. A database error may quote values of a row, so only its SQLSTATE and names are used."""
    if not isinstance(error, asyncpg.PostgresError):
        return str(error)
    keys = ["sqlstate", "table_name", "column_name", "constraint_name"]
    keys += ["context"] if isinstance(error, asyncpg.LockNotAvailableError) else []  # it names the row by its place
    names = (getattr(error, key, None) for key in keys)
    return " ".join(str(part) for part in names if part)


def _fingerprint(*parts: str) -> str:
    return blake2b("\n".join(parts).encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()
