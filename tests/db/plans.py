"""The plans of the statements in db/sql: those that read a whole table, and those that change as tables grow."""

import re
from collections.abc import Collection, Mapping

import psycopg

from db.statements import SQL

WHOLE_TABLE = re.compile(r"Seq Scan on (\w+)")
LOCK = re.compile(r"^LOCK ", re.MULTILINE)  # has no plan
COSTS = re.compile(r"\s+\(cost=.*?\)$", re.MULTILINE)
READS_ALL = ("audit", "audit_benefits", "audit_payments", "repairs")
"""Families of statements that a person runs and that look at everything."""
LISTS = {"dead_letters.list", "dead_letters.count", "dead_letters.values", "outbox.list_held", "outbox.count_held"}
"""Statements that a person runs, over tables that stay small."""


def hot() -> dict[str, str]:
    """The statements of workers and relays."""
    return {
        name: text
        for name, text in SQL.items()
        if name.partition(".")[0] not in READS_ALL and name not in LISTS and not LOCK.search(text)
    }


def plans(url: str, *, seqscan: bool = True) -> dict[str, str]:
    """Statement -> its generic plan without costs. Without `seqscan` only what has no index reads a whole table."""
    found = {}
    with psycopg.connect(url, autocommit=True) as connection:  # asyncpg cannot explain a statement without arguments
        connection.execute(f"SET enable_seqscan = {'on' if seqscan else 'off'}")
        for name, text in hot().items():
            rows = connection.execute(f"EXPLAIN (GENERIC_PLAN) {text}".encode()).fetchall()
            found[name] = COSTS.sub("", "\n".join(row[0] for row in rows))
    return found


def reading_whole_tables(found: Mapping[str, str], big: Collection[str]) -> dict[str, list[str]]:
    """The statements that read all rows of a big table, and which tables."""
    read = {name: sorted(set(WHOLE_TABLE.findall(plan)) & set(big)) for name, plan in found.items()}
    return {name: tables for name, tables in read.items() if tables}


def big_tables(url: str, rows_min: int) -> set[str]:
    """The tables that have at least so many rows."""
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples >= %s",
            [rows_min],
        ).fetchall()
    return {row[0] for row in found}
