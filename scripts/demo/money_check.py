"""Check of money and dead letters: the database against receipts, providers' ledgers and malformed messages."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

CREATE_SQL = (
    "CREATE TEMP TABLE receipts (provider text, order_id bigint, number text, amount bigint)",
    "CREATE TEMP TABLE provider_ledger (provider text, number text, amount bigint, currency text, state text)",
)
COMPARE_SQL = """
WITH theirs AS (
        SELECT coalesce(o.root_id, r.order_id) AS order_id, sum(r.amount)::bigint AS net
        FROM receipts r LEFT JOIN orders o ON o.id = r.order_id
        GROUP BY 1),
     ours AS (
        SELECT root_id AS order_id, sum(captured_amount - refunded_amount)::bigint AS net FROM orders GROUP BY root_id)
SELECT format('order %s: ours %s, theirs %s', order_id, coalesce(ours.net, 0), coalesce(theirs.net, 0)) AS difference
FROM ours FULL JOIN theirs USING (order_id)
WHERE coalesce(ours.net, 0) <> coalesce(theirs.net, 0)
ORDER BY order_id
"""
KEPT_SQL = """
SELECT currency, sum(captured_amount - refunded_amount)::bigint AS kept FROM orders GROUP BY currency ORDER BY currency
"""
PROVIDERS_SQL = """
WITH ours AS (
        SELECT provider, trade_no AS number, amount, currency, NULL AS state FROM payment_facts WHERE kind = 'captured'
        UNION ALL
        SELECT provider, refund_no, -amount, currency, state FROM refunds WHERE state <> 'released'),
     receipt_sums AS (SELECT provider, number, sum(amount)::bigint AS amount FROM receipts GROUP BY provider, number),
     compared AS (
        SELECT provider, number,
            concat_ws(' ', l.amount, l.currency, l.state) AS theirs,
            concat_ws(' ', o.amount, o.currency, o.state) AS ours,
            l.amount AS ledger, receipt_sums.amount AS receipt
        FROM provider_ledger l
        FULL JOIN (SELECT * FROM ours WHERE provider = ANY($1::text[])) o USING (provider, number)
        FULL JOIN (SELECT * FROM receipt_sums WHERE provider = ANY($1::text[])) receipt_sums USING (provider, number))
SELECT format('%s %s: ours "%s", theirs "%s", receipts %s', provider, number, ours, theirs, receipt) AS difference
FROM compared
WHERE ours <> theirs OR ledger IS DISTINCT FROM receipt
ORDER BY provider, number
"""
DEAD_LETTERS_SQL = """
SELECT coalesce(correlation_id, message_id) AS tag, queue, type,
       concat_ws(' ', reason, error_path, error_message) AS why
FROM dead_letters
"""


@dataclass(frozen=True)
class MoneyComparison:
    """What all orders keep, by currency, and the differences.

    `differences` are orders that differ from the buyers' receipts. `providers` are captures and refunds that differ
    from the providers' ledgers: a capture goes by the provider's number, a refund by ours.
    """

    kept_cents: Mapping[str, int]
    differences: list[str]
    providers: list[str]

    @property
    def kept(self) -> str:
        """The kept amounts as text."""
        return ", ".join(f"{cents / 100:,.2f} {currency}" for currency, cents in self.kept_cents.items()) or "nothing"


@dataclass(frozen=True)
class DeadLetterComparison:
    """Malformed messages without a dead letter or with two, and dead letters of other messages."""

    missing: list[str]
    twice: list[str]
    unexpected: list[str]


async def compare_money(
    session: "asyncpg.Connection[asyncpg.Record]", receipts: Path, ledgers: Mapping[str, Mapping[str, Any]]
) -> MoneyComparison:
    """Load the receipts and the providers' ledgers beside our tables and compare them."""
    for statement in CREATE_SQL:
        await session.execute(statement)
    with receipts.open(encoding="utf-8", newline="") as lines:
        records = [(provider, int(order), number, int(amount)) for provider, order, number, amount in csv.reader(lines)]
    await session.copy_records_to_table("receipts", records=records)
    await session.copy_records_to_table("provider_ledger", records=movements(ledgers))
    kept = {row["currency"]: row["kept"] for row in await session.fetch(KEPT_SQL)}
    orders = [row["difference"] for row in await session.fetch(COMPARE_SQL)]
    return MoneyComparison(
        kept, orders, [row["difference"] for row in await session.fetch(PROVIDERS_SQL, list(ledgers))]
    )


def movements(ledgers: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, int, str, str | None]]:
    """Return (provider, number, amount, currency, state of a refund) for each capture and each refund."""
    return [
        *(
            (name, one["trade_no"], one["amount"], one["currency"], None)
            for name, ledger in ledgers.items()
            for one in ledger["captures"]
        ),
        *(
            (name, one["refund_no"], -one["amount"], one["currency"], one["state"])
            for name, ledger in ledgers.items()
            for one in ledger["refunds"]
        ),
    ]


async def compare_dead_letters(
    session: "asyncpg.Connection[asyncpg.Record]", sent: dict[str, str]
) -> DeadLetterComparison:
    """Compare dead letters with malformed messages: each message must have one row, and there must be no other."""
    rows = await session.fetch(DEAD_LETTERS_SQL)
    found = [str(row["tag"]) for row in rows]
    return DeadLetterComparison(
        missing=[f"{defect} ({tag})" for tag, defect in sent.items() if tag not in found],
        twice=[tag for tag in sent if found.count(tag) > 1],
        unexpected=[
            f"{row['type']} in {row['queue']}: {row['why']} ({row['tag']})" for row in rows if row["tag"] not in sent
        ],
    )
