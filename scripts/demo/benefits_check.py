"""Check of coupons and points: what was announced against what the order system has booked."""

import csv
from dataclasses import dataclass
from pathlib import Path

import asyncpg

CREATE_SQL = "CREATE TEMP TABLE benefits_log (what text, whose text, order_id bigint, step text, many bigint)"
COUPONS_SQL = """
WITH announced AS (
        SELECT whose, order_id, step, sum(many) AS many
        FROM benefits_log WHERE what = 'coupon'
        GROUP BY whose, order_id, step),
     names (op, step) AS (VALUES ('lock', 'locked'), ('use', 'used'), ('release', 'free'), ('return', 'free')),
     booked AS (
        SELECT coupon_id AS whose, order_id, step, count(*) AS many
        FROM coupon_ledger JOIN names USING (op)
        GROUP BY coupon_id, order_id, step)
SELECT format('coupon %s, order %s: %s %s times, announced %s times', whose, order_id, step, coalesce(booked.many, 0),
    coalesce(announced.many, 0)) AS difference
FROM announced FULL JOIN booked USING (whose, order_id, step)
WHERE coalesce(booked.many, 0) <> coalesce(announced.many, 0)
ORDER BY whose, order_id, step
"""
USED_TWICE_SQL = """
SELECT format('coupon %s: orders %s', whose, string_agg(order_id::text, ' ' ORDER BY order_id)) AS difference
FROM (SELECT whose, order_id FROM benefits_log WHERE what = 'coupon'
      GROUP BY whose, order_id HAVING NOT bool_or(step = 'free')) AS kept
GROUP BY whose
HAVING count(*) > 1
ORDER BY whose
"""
POINTS_SQL = """
WITH signs (step, of_balance, of_held) AS (
        VALUES ('grant', 1, 0), ('hold', 0, 1), ('use', -1, -1), ('release', 0, -1), ('return', 1, 0), ('award', 1, 0),
            ('revoke', -1, 0), ('reclaim', -1, 0), ('restore', 1, 0), ('add', 1, 0), ('deduct', -1, 0)),
     announced AS (
        SELECT whose AS user_id, sum(many * of_balance) AS balance, sum(many * of_held) AS held
        FROM benefits_log LEFT JOIN signs USING (step)
        WHERE what = 'points'
        GROUP BY whose)
SELECT format('%s has %s points and %s held, announced %s and %s', user_id, coalesce(a.balance, 0), coalesce(a.held, 0),
    coalesce(announced.balance, 0), coalesce(announced.held, 0)) AS difference
FROM announced FULL JOIN points_accounts a USING (user_id)
WHERE coalesce(announced.balance, 0) <> coalesce(a.balance, 0)
   OR coalesce(announced.held, 0) <> 0
   OR coalesce(a.held, 0) <> 0
ORDER BY user_id
"""


@dataclass(frozen=True)
class BenefitsComparison:
    """Differences of coupons between announced and booked, coupons used by two orders, and differences of points."""

    coupons: list[str]
    twice: list[str]
    points: list[str]


async def compare_benefits(session: "asyncpg.Connection[asyncpg.Record]", benefits_log: Path) -> BenefitsComparison:
    """Load the client's benefits log beside our ledgers and compare them. At the end of a run no points may be held."""
    await session.execute(CREATE_SQL)
    with benefits_log.open(encoding="utf-8", newline="") as lines:
        records = [
            (what, whose, int(order) if order else None, step, int(many))
            for what, whose, order, step, many in csv.reader(lines)
        ]
    await session.copy_records_to_table("benefits_log", records=records)

    async def differences(statement: str) -> list[str]:
        return [row["difference"] for row in await session.fetch(statement)]

    return BenefitsComparison(
        await differences(COUPONS_SQL), await differences(USED_TWICE_SQL), await differences(POINTS_SQL)
    )
