"""Counts and logs the statements that PostgreSQL, or the way to it, takes long to answer (S0-45)."""

from functools import cache

import structlog
from prometheus_client import Counter, Histogram

from db.statements import SQL
from db.watching import StatementWatch
from outbox.bounded_label import OTHER, BoundedLabel

log = structlog.get_logger(__name__)

SLOW = Counter(
    "oms_db_slow_statements_total",
    "Statements that took OMS_SLOW_STATEMENT_SECONDS or longer, by name; a wait for a lock counts, and so do failures",
    ["statement"],
)
LOCK_SECONDS = Histogram(
    "oms_db_lock_seconds",
    "Duration of each statement that locks rows: a millisecond, and the wait for who holds them",
    buckets=(0.002, 0.01, 0.05, 0.25, 1, 5),
)
LOCKING = frozenset(text for name, text in SQL.items() if ".lock" in name or name == "inbox.claim")
COMMIT = "commit"
SLOW.labels(COMMIT)
_NAMES = BoundedLabel(40)  # a bad hour makes a few statements slow; one with hundreds needs no list


def slower_than(seconds: float) -> StatementWatch:
    """Return a function that is given each statement and its duration in seconds, and counts those that took long."""

    def note(statement: str, duration_seconds: float) -> None:
        if statement in LOCKING:
            LOCK_SECONDS.observe(duration_seconds)
        if duration_seconds >= seconds:
            name = name_of(statement)
            SLOW.labels(name if name == OTHER else _NAMES.of(name)).inc()
            log.warning("slow statement", statement=name, seconds=round(duration_seconds, 3))

    return note


def name_of(statement: str) -> str:
    """Return the name of a statement in db/sql; `commit` of a commit, and `other` of one that has no name."""
    return COMMIT if statement.startswith("COMMIT") else _names().get(statement, OTHER)


@cache
def _names() -> dict[str, str]:
    return {text: name for name, text in SQL.items()}
