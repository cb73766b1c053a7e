"""Our books against the gateway's: what each order keeps, its parts included, must be the same in both, to the cent."""

import csv
from dataclasses import dataclass
from pathlib import Path

import asyncpg

COMPARE_SQL = """
WITH theirs AS (
        SELECT coalesce(o.root_id, j.order_id) AS order_id, sum(j.amount)::bigint AS net
        FROM gateway_journal j LEFT JOIN orders o ON o.id = j.order_id
        GROUP BY 1),
     ours AS (
        SELECT root_id AS order_id, sum(captured_amount - refunded_amount)::bigint AS net FROM orders GROUP BY root_id)
SELECT order_id, coalesce(ours.net, 0) AS ours, coalesce(theirs.net, 0) AS theirs
FROM ours FULL JOIN theirs USING (order_id)
WHERE coalesce(ours.net, 0) <> coalesce(theirs.net, 0)
ORDER BY order_id
"""
KEPT_SQL = "SELECT coalesce(sum(captured_amount - refunded_amount), 0)::bigint FROM orders"
LETTERS_SQL = """
SELECT coalesce(correlation_id, message_id) AS tag, queue, type,
       concat_ws(' ', reason, error_path, error_message) AS why
FROM dead_letters
"""


@dataclass(frozen=True)
class Books:
    """`kept_cents` is what all orders keep; `differences` names the orders on which the two disagree."""

    kept_cents: int
    differences: list[str]


@dataclass(frozen=True)
class Letters:
    """Malformed messages that did not come back as a dead letter, and dead letters that nobody asked for."""

    missing: list[str]
    twice: list[str]
    unexpected: list[str]


async def compare_books(session: "asyncpg.Connection[asyncpg.Record]", journal: Path) -> Books:
    """Load the gateway's journal beside our orders."""
    await session.execute("CREATE TEMP TABLE gateway_journal (order_id bigint, number text, amount bigint)")
    with journal.open(encoding="utf-8", newline="") as lines:
        records = [(int(order), number, int(amount)) for order, number, amount in csv.reader(lines)]
    await session.copy_records_to_table("gateway_journal", records=records)
    rows = await session.fetch(COMPARE_SQL)
    kept = await session.fetchval(KEPT_SQL)
    return Books(kept, [f"order {row['order_id']}: ours {row['ours']}, theirs {row['theirs']}" for row in rows])


async def compare_letters(session: "asyncpg.Connection[asyncpg.Record]", sent: dict[str, str]) -> Letters:
    """Every malformed message must be one row in dead_letters; nothing else may be there."""
    rows = await session.fetch(LETTERS_SQL)
    found = [str(row["tag"]) for row in rows]
    return Letters(
        missing=[f"{trick} ({tag})" for tag, trick in sent.items() if tag not in found],
        twice=[tag for tag in sent if found.count(tag) > 1],
        unexpected=[
            f"{row['type']} in {row['queue']}: {row['why']} ({row['tag']})" for row in rows if row["tag"] not in sent
        ],
    )
