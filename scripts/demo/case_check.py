"""Check of the after-sale cases: units and money in the database against what the demo's people did."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from scripts.demo.own_orders import CROWD
from scripts.demo.wanted_goods import EXCHANGES

CASES_SQL = """
WITH units AS (
        SELECT case_id, sum(refunded_qty)::int AS units, sum(replaced_qty)::int AS replaced
        FROM after_sale_lines GROUP BY case_id),
     instead AS (
        SELECT e.case_id, sum(o.captured_amount - o.refunded_amount)::bigint AS kept
        FROM exchange_orders e JOIN orders o ON o.id = e.order_id GROUP BY e.case_id),
     differences AS (
        SELECT cause, sum(amount)::bigint AS given FROM refunds
        WHERE state = 'succeeded' AND cause LIKE 'exchange:%' GROUP BY cause),
     given AS (SELECT case_id, sum(amount)::bigint AS given FROM refunds WHERE state = 'succeeded' GROUP BY case_id)
SELECT c.id::text AS case_id, c.state, greatest(0, -coalesce(c.balance_amount, 0)) AS owed, o.state AS order_state,
    CASE WHEN o.parent_id IS NULL THEN o.captured_amount ELSE o.payable_amount END - o.refunded_amount AS kept,
    c.refund_amount, u.units, coalesce(g.given, 0) AS given, u.replaced,
    coalesce(i.kept, 0) AS paid_on_top, coalesce(d.given, 0) AS given_of_difference
FROM after_sales c JOIN orders o ON o.id = c.order_id JOIN units u ON u.case_id = c.id
    LEFT JOIN given g ON g.case_id = c.id LEFT JOIN instead i ON i.case_id = c.id
    LEFT JOIN differences d ON d.cause = 'exchange:' || c.id
WHERE starts_with(o.user_id, $1)
"""
"""The cases of users whose ids begin with $1. The money of a part of a split order was captured with the whole."""
GOODS_SQL = """
SELECT split_part(ref, ':', 2) AS case_id, op, sku_id, sum(qty)::int AS qty
FROM stock_ledger
WHERE ref LIKE 'case:%'
GROUP BY 1, 2, 3
"""
SENT_BACK_SQL = """
SELECT b.case_id::text AS case_id, i.sku_id, coalesce(s.state, 'unsent') AS state, sum(b.qty)::int AS qty
FROM after_sale_send_backs b JOIN after_sales c ON c.id = b.case_id
    JOIN order_items i ON i.order_id = c.order_id AND i.line_no = b.line_no LEFT JOIN shipments s ON s.id = b.parcel_id
GROUP BY 1, 2, 3
"""
FAILED = frozenset({"lost", "loss_confirmed", "refused", "undeliverable", "returning", "returned"})
"""The states of a parcel with refused goods that explain why its buyer does not have them: people are alerted."""
WHOLE = "returns everything"


@dataclass(frozen=True)
class CaseComparison:
    """Cases of each kind, the units and the money that they gave back, and what is not where it should be."""

    kinds: Mapping[str, int]
    units: int
    cents: int
    differences: list[str]

    @property
    def summary(self) -> str:
        """The counts as text."""
        return f"{sum(self.kinds.values()):,} cases, {self.units:,} units and {self.cents / 100:,.2f} back"


async def compare_cases(
    session: "asyncpg.Connection[asyncpg.Record]", records: Sequence[Mapping[str, Any]]
) -> CaseComparison:
    """Compare each case that the demo knows with its rows, its refunds, its parcels and the stock's ledger."""
    rows = {row["case_id"]: row for row in await session.fetch(CASES_SQL, CROWD)}
    goods: dict[str, dict[tuple[str, str], int]] = {}
    for row in await session.fetch(GOODS_SQL):
        goods.setdefault(row["case_id"], {})[row["op"], row["sku_id"]] = row["qty"]
    sent_back: dict[str, dict[tuple[str, str], int]] = {}
    for row in await session.fetch(SENT_BACK_SQL):
        sent_back.setdefault(row["case_id"], {})[row["sku_id"], row["state"]] = row["qty"]
    known = {record["case_id"] for record in records}
    found = [f"case {case_id} is unknown to the demo" for case_id in rows.keys() - known]
    for record in records:
        there = rows.get(record["case_id"])
        wrong = ["is not there"]
        if there is not None:
            wrong = differences(record, dict(there), goods.get(record["case_id"], {}))
            wrong += missing_goods(record["found"].get("send_back", {}), sent_back.get(record["case_id"], {}))
        found += [f"case {record['case_id']}, {record['kind']}: {text}" for text in wrong]
    kinds = Counter(record["kind"] for record in records)
    return CaseComparison(kinds, sum(r["units"] for r in rows.values()), sum(r["given"] for r in rows.values()), found)


def differences(record: Mapping[str, Any], row: Mapping[str, Any], goods: Mapping[tuple[str, str], int]) -> list[str]:
    """Return what of one case is not where it should be, as text."""
    wanted = {
        (disposition, sku_id): qty
        for disposition, units in record["found"].items()
        if disposition != "send_back"
        for sku_id, qty in units.items()
    }
    found = []
    if row["state"] != record["state"]:
        found.append(f"is {row['state']}, was announced {record['state']}")
    if record["kind"] in EXCHANGES:
        found += exchange_differences(record, row)
    elif row["units"] != record["units"]:
        found.append(f"{row['units']} units given back, of {record['units']}")
    if row["state"] == "completed" and row["given"] != (row["refund_amount"] or 0):
        found.append(f"{row['given']} cents given back, of {row['refund_amount']}")
    if row["state"] != "completed" and row["given"]:
        found.append(f"{row['given']} cents given back by a case that is {row['state']}")
    if goods != wanted:
        found.append(f"stock got {dict(goods)}, the inspector found {wanted}")
    if (
        record["kind"] == WHOLE
        and row["state"] == "completed"
        and (row["order_state"], row["kept"]) != ("cancelled", 0)
    ):
        found.append(f"everything came back, and its order is {row['order_state']} and keeps {row['kept']} cents")
    return found


def missing_goods(refused: Mapping[str, int], sent_back: Mapping[tuple[str, str], int]) -> list[str]:
    """Return the refused units (by SKU) that neither reached their buyer nor are in a parcel that failed, as text.

    `sent_back` is (SKU, state of the parcel) -> units.
    """
    found = []
    for sku_id, qty in refused.items():
        states = {state: units for (sku, state), units in sent_back.items() if sku == sku_id}
        there = sum(units for state, units in states.items() if state == "delivered" or state in FAILED)
        if there != qty:
            found.append(f"{there} of {qty} refused {sku_id} went back to the buyer, as {states}")
    return found


def exchange_differences(record: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Return what of an exchange is not where it should be, as text.

    Each accepted unit was replaced or given back. If the buyer has the other goods, the exchange order keeps the
    difference that they cost more, or the first order has given back what they cost less; otherwise it keeps nothing.
    The buyer of an unreturned case has both goods, and owes what was announced.
    """
    done = record["state"] == "completed"
    if record["state"] == "unreturned":
        return unreturned_differences(record, row)
    accepted, difference = record["accepted"] if done else 0, record["difference"] or 0
    found = []
    if row["units"] + row["replaced"] != accepted:
        found.append(f"{row['units']} units given back and {row['replaced']} replaced, of {accepted}")
    on_top = max(0, difference) if row["replaced"] else 0
    if row["paid_on_top"] != on_top:
        found.append(f"its exchange order keeps {row['paid_on_top']} cents, of {on_top}")
    if done and row["given_of_difference"] != max(0, -difference):
        found.append(f"{row['given_of_difference']} cents of the difference given back, of {max(0, -difference)}")
    return found


def unreturned_differences(record: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """Return what of an exchange whose goods did not come back is not where it should be, as text."""
    found = []
    if row["owed"] != record["owed"] or not row["owed"]:
        found.append(f"its buyer owes {row['owed']} cents, was announced {record['owed']}")
    if row["units"] + row["replaced"] != record["accepted"]:
        found.append(f"{row['units']} units given back and {row['replaced']} replaced, of {record['accepted']}")
    if row["given_of_difference"]:
        found.append(f"{row['given_of_difference']} cents given back to a buyer who owes money")
    return found
