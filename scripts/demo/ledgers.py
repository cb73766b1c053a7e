"""Coupons and points: what was announced against what the order system has booked; and that nobody has any twice."""

import csv
from dataclasses import dataclass
from pathlib import Path

import asyncpg

CREATE_SQL = "CREATE TEMP TABLE passbook (what text, whose text, order_id bigint, step text, many bigint)"
COUPONS_SQL = """
WITH told AS (SELECT whose, order_id, step, sum(many) AS many FROM passbook WHERE what = 'coupon' GROUP BY 1, 2, 3),
     booked AS (
        SELECT coupon_id AS whose, order_id, CASE op WHEN 'lock' THEN 'locked' WHEN 'use' THEN 'used'
            WHEN 'release' THEN 'released' ELSE 'returned' END AS step, count(*) AS many
        FROM coupon_ledger
        GROUP BY coupon_id, order_id, op)
SELECT format('coupon %s, order %s: %s %s times, told %s times', whose, order_id, step, coalesce(booked.many, 0),
    coalesce(told.many, 0)) AS difference
FROM told FULL JOIN booked USING (whose, order_id, step)
WHERE coalesce(booked.many, 0) <> coalesce(told.many, 0)
ORDER BY whose, order_id, step
"""
TWICE_SQL = """
SELECT format('coupon %s: %s orders hold it, %s have used it', whose, held, used) AS difference
FROM (SELECT whose,
        count(*) FILTER (WHERE step = 'locked') - count(*) FILTER (WHERE step IN ('released', 'returned')) AS held,
        count(*) FILTER (WHERE step = 'used') - count(*) FILTER (WHERE step = 'returned') AS used
      FROM passbook WHERE what = 'coupon' GROUP BY whose) AS coupons
WHERE held NOT IN (0, 1) OR used NOT IN (0, 1)
ORDER BY whose
"""
POINTS_SQL = """
WITH signs (step, of_balance, of_held) AS (
        VALUES ('grant', 1, 0), ('hold', 0, 1), ('use', -1, -1), ('release', 0, -1), ('return', 1, 0), ('award', 1, 0),
            ('revoke', -1, 0)),
     told AS (
        SELECT whose AS user_id, sum(many * of_balance) AS balance, sum(many * of_held) AS held
        FROM passbook LEFT JOIN signs USING (step)
        WHERE what = 'points'
        GROUP BY whose)
SELECT format('%s has %s points and %s held, told %s and %s', user_id, a.balance, a.held, told.balance, told.held)
    AS difference
FROM told FULL JOIN points_accounts a USING (user_id)
WHERE (told.balance, told.held) IS DISTINCT FROM (a.balance, a.held) OR a.held <> 0
ORDER BY user_id
"""


@dataclass(frozen=True)
class Ledgers:
    """Where what was announced of coupons and points is not what is booked, and coupons that served two orders."""

    coupons: list[str]
    twice: list[str]
    points: list[str]


async def compare_ledgers(session: "asyncpg.Connection[asyncpg.Record]", passbook: Path) -> Ledgers:
    """Load the client's passbook beside our ledgers. Nothing is under way: no points may be held."""
    await session.execute(CREATE_SQL)
    with passbook.open(encoding="utf-8", newline="") as lines:
        records = [
            (what, whose, int(order) if order else None, step, int(many))
            for what, whose, order, step, many in csv.reader(lines)
        ]
    await session.copy_records_to_table("passbook", records=records)

    async def differences(statement: str) -> list[str]:
        return [row["difference"] for row in await session.fetch(statement)]

    return Ledgers(await differences(COUPONS_SQL), await differences(TWICE_SQL), await differences(POINTS_SQL))
