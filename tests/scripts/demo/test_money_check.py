"""The demo compares money with the receipts and ledgers to the cent, and dead letters with malformed messages."""

from pathlib import Path

import asyncpg

from scripts.demo.money_check import DeadLetterComparison, compare_dead_letters, compare_money

ORDER = """
INSERT INTO orders (id, root_id, parent_id, order_no, request_id, business_type, channel, source, user_id, state,
    version, currency, origin_amount, payable_amount, captured_amount, refunded_amount, created_at, expire_at,
    cancel_type, cancelled_at, conversation_id)
VALUES ($1::bigint, coalesce($2, $1), $2, $1::text, $1::text, 'normal', 'pc', 'cart', 'u', 'cancelled', 1,
    'USD', 100, 100, $3, $4, now(), now(), 'user', now(), 'c')
"""


async def test_a_difference_between_orders_and_receipts_is_reported_to_the_cent(
    database_url: str, tmp_path: Path
) -> None:
    """A split order is compared as one order: its parent is paid, its parts are refunded."""
    receipts = tmp_path / "receipts.csv"
    lines = ("1,t,100", "1,r,-40", "2,t,50", "4,t,7", "5,t,90", "51,r,-30", "6,t,90", "61,r,-30")
    receipts.write_text("".join(f"demo-pay,{line}\n" for line in lines))
    session = await asyncpg.connect(database_url)
    whole = [(1, None, 100, 40), (2, None, 50, 50), (3, None, 9, 0), (5, None, 90, 0), (6, None, 90, 0)]
    await session.executemany(ORDER, [*whole, (51, 5, 0, 30), (52, 5, 0, 0), (61, 6, 0, 29)])
    money = await compare_money(session, receipts, {})
    await session.close()
    assert (money.kept_cents, money.providers) == ({"USD": 9 + 60 + 60 + 61}, [])
    assert money.differences == [
        "order 2: ours 0, theirs 50",
        "order 3: ours 9, theirs 0",
        "order 4: ours 0, theirs 7",
        "order 6: ours 61, theirs 60",
    ]


FACT = """
INSERT INTO payment_facts (provider, trade_no, kind, order_id, intent_id, amount, currency, verdict, occurred_at)
VALUES ($1, $2, 'captured', 1, NULL, $3, 'CNY', 'late', now())
"""
REFUND = """
INSERT INTO refunds (id, refund_no, order_id, provider, trade_no, cause, amount, currency, state)
VALUES ($1::bigint, 'R' || ($1::bigint)::text, 1, 'wechat', 'T1', ($1::bigint)::text, $2, 'CNY', $3)
"""
LEDGER = {
    "captures": [
        {"trade_no": "T1", "amount": 100, "currency": "CNY"},
        {"trade_no": "T2", "amount": 100, "currency": "CNY"},
        {"trade_no": "T4", "amount": 100, "currency": "CNY"},
        {"trade_no": "T5", "amount": 100, "currency": "USD"},
    ],
    "refunds": [
        {"refund_no": "R1", "amount": 40, "currency": "CNY", "state": "succeeded"},
        {"refund_no": "R2", "amount": 9, "currency": "CNY", "state": "succeeded"},
        {"refund_no": "R3", "amount": 8, "currency": "CNY", "state": "processing"},
        {"refund_no": "R4", "amount": 7, "currency": "CNY", "state": "processing"},
        {"refund_no": "R6", "amount": 1, "currency": "CNY", "state": "succeeded"},
    ],
}


async def test_a_movement_that_is_missing_in_a_ledger_or_in_the_receipts_is_reported(
    database_url: str, tmp_path: Path
) -> None:
    receipts = tmp_path / "receipts.csv"
    payments, refunds = "T1,60 T1,40 T2,99 T3,5 T4,100 T5,100", "R1,-40 R2,-9 R3,-8 R4,-7 R6,-1 R9,-2"
    receipt_lines = f"{payments} {refunds}".split()
    receipts.write_text("demo-pay,1,T8,1\n" + "".join(f"wechat,1,{line}\n" for line in receipt_lines))
    session = await asyncpg.connect(database_url)
    await session.executemany(ORDER, [(1, None, 0, 0)])
    facts = [("wechat", "T1", 100), ("wechat", "T2", 100), ("wechat", "T3", 5), ("wechat", "T5", 100)]
    await session.executemany(FACT, [*facts, ("demo-pay", "T8", 1)])
    await session.executemany(
        REFUND, [(1, 40, "succeeded"), (2, 8, "succeeded"), (3, 8, "succeeded"), (4, 7, "failed")]
    )
    money = await compare_money(session, receipts, {"wechat": LEDGER})
    await session.close()
    assert [difference.split(":")[0] for difference in money.providers] == [
        f"wechat {number}" for number in ("R2", "R3", "R4", "R6", "R9", "T2", "T3", "T4", "T5")
    ]
    assert money.providers[-1] == 'wechat T5: ours "100 CNY", theirs "100 USD", receipts 100'


DEAD_LETTER = """
INSERT INTO dead_letters (queue, message_id, correlation_id, type, reason, body_hash, key_id, body, headers)
VALUES ('order-creation', $1, $2, 'order.create.v1', 'invalid', $3, 'k', '', '')
"""


async def test_dead_letters_are_matched_with_the_malformed_messages(database_url: str) -> None:
    session = await asyncpg.connect(database_url)
    await session.executemany(
        DEAD_LETTER, [(str(n), tag, b"") for n, tag in enumerate(("one", "twice", "twice", "unrelated"))]
    )
    dead_letters = await compare_dead_letters(session, {"one": "not JSON", "twice": "too deep", "gone": "a float"})
    await session.close()
    assert dead_letters == DeadLetterComparison(
        missing=["a float (gone)"],
        twice=["twice"],
        unexpected=["order.create.v1 in order-creation: invalid (unrelated)"],
    )
