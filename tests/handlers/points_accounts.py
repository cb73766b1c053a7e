"""Orders that are paid with points, and what becomes of the accounts."""

from typing import Any

from messages.orders import OrderCreate
from tests.handlers.builders import create
from tests.handlers.harness import HandlerHarness


def spending(points: int = 300, request_id: str = "r1", qty: int = 2, **changes: Any) -> OrderCreate:
    fields: dict[str, Any] = {"use_points": points, "expected_pay_amount": qty * 500 - points}
    return create(("s1", qty), request_id=request_id, **fields | changes)


async def account(harness: HandlerHarness, user_id: str = "u1") -> tuple[int, int, int]:
    """Balance, held, growth."""
    [row] = await harness.rows("SELECT balance, held, growth FROM points_accounts WHERE user_id = $1", user_id)
    return row[0], row[1], row[2]


async def ledger_adds_up(harness: HandlerHarness) -> None:
    """Check that every account equals the sum of its ledger (INV-09)."""
    folded = await harness.rows("""
        SELECT user_id,
            sum(CASE WHEN op IN ('grant', 'award', 'return', 'restore') THEN points
                WHEN op IN ('use', 'revoke', 'reclaim') THEN -points ELSE 0 END),
            sum(CASE op WHEN 'hold' THEN points WHEN 'use' THEN -points WHEN 'release' THEN -points ELSE 0 END)
        FROM points_ledger GROUP BY user_id ORDER BY user_id""")
    assert folded == await harness.rows("SELECT user_id, balance, held FROM points_accounts ORDER BY user_id")


def point_events(harness: HandlerHarness) -> list[tuple[str, int, int, int]]:
    return [(e["op"], e["points"], e["balance"], e["held"]) for e in harness.events_of("points.changed")]
