"""The demo exits 0 only if everything it promises is true: each promise, broken once."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from scripts.demo.books import Books, Letters, compare_books, compare_letters
from scripts.demo.figures import Figures
from scripts.demo.ledgers import Ledgers, compare_ledgers
from scripts.demo.passbook import Passbook
from scripts.demo.play import Standstill
from scripts.demo.statements import Reconciled
from scripts.demo.summary import as_json
from scripts.demo.verdict import Ending, checks
from scripts.demo.wire import Heard

BOOK: dict[str, Any] = {
    "captures": [], "refunds": [], "unpaid": 0, "habits": {"forged": 2, "reserialised": 1},
    "notifications": {"given up": 1},
}  # fmt: skip
GOOD = Ending(
    final={
        "disbelieved": 3,
        "commands_sent": 3,
        "commands_open": 0,
        "contradictions": [],
        "vandal": {"tag": "not JSON"},
    },
    figures=Figures(),
    books=Books({"CNY": 100}, [], []),
    letters=Letters([], [], []),
    ledgers=Ledgers([], [], []),
    gateways={"wechat": BOOK},
    statements=Reconciled(),
    audit=(0, "clean"),
    stuck=(),
    restarts={},
    seconds=1.0,
)


def test_a_good_ending_passes_every_check() -> None:
    assert all(check.ok for check in checks(GOOD))
    assert json.loads(as_json(GOOD))["ok"] is True


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("everything came to its end", replace(GOOD, stuck=("orders paid: 1",))),
        ("every command has its outcome", replace(GOOD, final=GOOD.final | {"commands_open": 1})),
        ("every command has its outcome", replace(GOOD, final={"disbelieved": 3})),
        ("no command has two outcomes", replace(GOOD, final=GOOD.final | {"contradictions": ["c"]})),
        ("what orders keep is what buyers paid", replace(GOOD, books=Books({}, ["order 1: ours 1, theirs 2"], []))),
        ("the channels' ledgers have what ours have", replace(GOOD, books=Books({}, [], ["alipay T"]))),
        ("orders cost what the checkout says", replace(GOOD, final=GOOD.final | {"surprises": ["s"]})),
        ("split orders add up", replace(GOOD, final=GOOD.final | {"split_wrongly": ["o"]})),
        ("the channels' day statements say the same", replace(GOOD, statements=Reconciled(1, 1, ("line 1",)))),
        ("no notification that was tampered with is believed", replace(GOOD, final=GOOD.final | {"disbelieved": 1})),
        ("no notification that was tampered with is believed", replace(GOOD, final=GOOD.final | {"disbelieved": 4})),
        ("every coupon is used once at most", replace(GOOD, ledgers=Ledgers(["c"], [], []))),
        ("every coupon is used once at most", replace(GOOD, ledgers=Ledgers([], ["c"], []))),
        ("every point is accounted for", replace(GOOD, ledgers=Ledgers([], [], ["u"]))),
        ("every malformed message is one dead letter", replace(GOOD, letters=Letters(["tag"], [], []))),
        ("every malformed message is one dead letter", replace(GOOD, letters=Letters([], ["tag"], []))),
        ("nothing else died", replace(GOOD, letters=Letters([], [], ["stock.reserve"]))),
        ("the audit is clean", replace(GOOD, audit=(1, "violated"))),
    ],
)
def test_one_broken_promise_fails_its_check_alone(name: str, ending: Ending) -> None:
    assert [check.name for check in checks(ending) if not check.ok] == [name]
    assert json.loads(as_json(ending))["ok"] is False


COUNTS = {
    "outbox_pending": 0.0,
    "outbox_age": 0.0,
    "undecided": 0.0,
    "timers": 0.0,
    "refunds_open": 0.0,
    "attempts_open": 0.0,
}
QUIET = Figures({"completed": 3, "cancelled": 1}, {"invalid": 2}, COUNTS, {"oms.stock": 0})


@pytest.mark.parametrize(
    "figures",
    [
        replace(QUIET, states={"paid": 1}),
        replace(QUIET, counts=COUNTS | {"outbox_pending": 1.0}),
        replace(QUIET, counts=COUNTS | {"undecided": 1.0}),
        replace(QUIET, counts=COUNTS | {"timers": 1.0}),
        replace(QUIET, counts=COUNTS | {"refunds_open": 1.0}),
        replace(QUIET, counts=COUNTS | {"attempts_open": 1.0}),
        replace(QUIET, queues={"oms.stock": 1}),
        replace(QUIET, queues=None),
        replace(QUIET, counts=None),
    ],
)
def test_what_is_under_way_is_not_quiet_and_has_a_name(figures: Figures) -> None:
    assert QUIET.quiet
    assert not QUIET.unquiet()
    assert not figures.quiet
    assert len(figures.unquiet()) == 1


def test_a_standstill_is_the_same_signature_for_the_whole_limit() -> None:
    at_once = Standstill(-1.0)
    assert at_once.since(lambda: 1)
    patient = Standstill(60.0)
    assert not patient.since(lambda: 1)
    assert not patient.since(lambda: 1)


ORDER = """
INSERT INTO orders (id, root_id, parent_id, order_no, request_id, business_type, channel, source, user_id, state,
    version, currency, origin_amount, payable_amount, captured_amount, refunded_amount, created_at, expire_at,
    cancel_type, cancelled_at)
VALUES ($1::bigint, coalesce($2, $1), $2, $1::text, $1::text, 'normal', 'pc', 'cart', 'u', 'cancelled', 1,
    'USD', 100, 100, $3, $4, now(), now(), 'user', now())
"""


async def test_the_books_agree_to_the_cent_or_name_the_order(database_url: str, tmp_path: Path) -> None:
    """A split order is one in the books: its parent is paid, its parts are refunded."""
    receipts = tmp_path / "receipts.csv"
    lines = ("1,t,100", "1,r,-40", "2,t,50", "4,t,7", "5,t,90", "51,r,-30", "6,t,90", "61,r,-30")
    receipts.write_text("".join(f"demo-pay,{line}\n" for line in lines))
    session = await asyncpg.connect(database_url)
    whole = [(1, None, 100, 40), (2, None, 50, 50), (3, None, 9, 0), (5, None, 90, 0), (6, None, 90, 0)]
    await session.executemany(ORDER, [*whole, (51, 5, 0, 30), (52, 5, 0, 0), (61, 6, 0, 29)])
    books = await compare_books(session, receipts, {})
    await session.close()
    assert (books.kept_cents, books.channels) == ({"USD": 9 + 60 + 60 + 61}, [])
    assert books.differences == [
        "order 2: ours 0, theirs 50",
        "order 3: ours 9, theirs 0",
        "order 4: ours 0, theirs 7",
        "order 6: ours 61, theirs 60",
    ]


FACT = """
INSERT INTO payment_facts (channel, trade_no, kind, order_id, intent_id, amount, currency, verdict, occurred_at)
VALUES ($1, $2, 'captured', 1, NULL, $3, 'CNY', 'late', now())
"""
REFUND = """
INSERT INTO refunds (id, refund_no, order_id, channel, trade_no, cause, amount, currency, state)
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


async def test_every_movement_of_a_channel_s_ledger_is_in_ours_and_in_the_receipts_or_is_named(
    database_url: str, tmp_path: Path
) -> None:
    receipts = tmp_path / "receipts.csv"
    payments, refunds = "T1,60 T1,40 T2,99 T3,5 T4,100 T5,100", "R1,-40 R2,-9 R3,-8 R4,-7 R6,-1 R9,-2"
    told = f"{payments} {refunds}".split()
    receipts.write_text("demo-pay,1,T8,1\n" + "".join(f"wechat,1,{line}\n" for line in told))
    session = await asyncpg.connect(database_url)
    await session.executemany(ORDER, [(1, None, 0, 0)])
    facts = [("wechat", "T1", 100), ("wechat", "T2", 100), ("wechat", "T3", 5), ("wechat", "T5", 100)]
    await session.executemany(FACT, [*facts, ("demo-pay", "T8", 1)])
    await session.executemany(
        REFUND, [(1, 40, "succeeded"), (2, 8, "succeeded"), (3, 8, "succeeded"), (4, 7, "failed")]
    )
    books = await compare_books(session, receipts, {"wechat": LEDGER})
    await session.close()
    assert [difference.split(":")[0] for difference in books.channels] == [
        f"wechat {number}" for number in ("R2", "R3", "R4", "R6", "R9", "T2", "T3", "T4", "T5")
    ]
    assert books.channels[-1] == 'wechat T5: ours "100 CNY", theirs "100 USD", receipts 100'


COUPON = "INSERT INTO coupon_ledger (coupon_id, order_id, op) VALUES ($1, $2, $3)"
ACCOUNT = "INSERT INTO points_accounts (user_id, balance, held) VALUES ($1, $2, $3)"


@pytest.fixture
def passbook(tmp_path: Path) -> Passbook:
    return Passbook(tmp_path / "passbook.csv")


def coupon(passbook: Passbook, order_id: int | None, *states: str) -> None:
    for state in states:
        passbook.hear(Heard("coupon.changed.v1", {"coupon_id": "c", "order_id": order_id, "state": state}, ""))


def points(passbook: Passbook, **ops: int) -> None:
    for op, many in ops.items():
        passbook.hear(Heard("points.changed.v1", {"user_id": "u", "op": op, "points": many, "order_id": None}, ""))


Booked = Callable[..., Awaitable[Ledgers]]


@pytest.fixture
def ledgers(database_url: str, tmp_path: Path, passbook: Passbook) -> Booked:
    """What the comparison finds when these rows are booked."""

    async def compare(sql: str, *rows: tuple[object, ...]) -> Ledgers:
        passbook.flush()
        session = await asyncpg.connect(database_url)
        await session.executemany(sql, rows)
        found = await compare_ledgers(session, tmp_path / "passbook.csv")
        await session.close()
        return found

    return compare


async def test_a_coupon_that_was_given_back_may_serve_again(ledgers: Booked, passbook: Passbook) -> None:
    coupon(passbook, 1, "locked", "released")
    coupon(passbook, 2, "locked", "used", "returned")
    coupon(passbook, 3, "locked", "expired")
    coupon(passbook, 4, "locked", "used")
    coupon(passbook, None, "expired")
    ends = {1: ("release",), 2: ("use", "return"), 3: ("release",), 4: ("use",)}
    booked = [(order_id, op) for order_id, ops in ends.items() for op in ("lock", *ops)]
    found = await ledgers(COUPON, *(("c", *row) for row in booked))
    assert found == Ledgers([], [], [])
    assert passbook.coupons_used == 1


@pytest.mark.parametrize("second", [("locked", "used"), ("locked",), ("used",)])
async def test_a_coupon_that_serves_two_orders_is_named(
    second: tuple[str, ...], ledgers: Booked, passbook: Passbook
) -> None:
    coupon(passbook, 1, "locked", "used")
    coupon(passbook, 2, *second)
    found = await ledgers(COUPON)
    assert found.twice == ["coupon c: orders 1 2"]


async def test_a_coupon_s_step_that_is_announced_but_not_booked_or_the_reverse_is_named(
    ledgers: Booked, passbook: Passbook
) -> None:
    coupon(passbook, 1, "locked", "used")
    found = await ledgers(COUPON, ("c", 1, "lock"), ("c", 1, "release"))
    assert found.coupons == [
        "coupon c, order 1: free 1 times, told 0 times",
        "coupon c, order 1: used 0 times, told 1 times",
    ]


@pytest.mark.parametrize(
    ("ops", "account", "wrong"),
    [
        ({"grant": 250, "hold": 200, "use": 200, "award": 7, "return": 100, "revoke": 3}, (154, 0), 0),
        ({"grant": 250, "hold": 200, "release": 200}, (250, 0), 0),
        ({"grant": 250, "hold": 200}, (250, 200), 1),
        ({"grant": 250}, (249, 0), 1),
        ({}, (1, 0), 1),
        ({}, (0, 0), 0),
    ],
)
async def test_points_are_what_was_announced_and_none_is_held_in_the_end(
    ops: dict[str, int], account: tuple[int, int], wrong: int, ledgers: Booked, passbook: Passbook
) -> None:
    points(passbook, **ops)
    found = await ledgers(ACCOUNT, ("u", *account))
    assert len(found.points) == wrong


LETTER = """
INSERT INTO dead_letters (queue, message_id, correlation_id, type, reason, body_hash, key_id, body, headers)
VALUES ('order-creation', $1, $2, 'order.create.v1', 'invalid', $3, 'k', '', '')
"""


async def test_dead_letters_are_matched_with_what_the_vandal_sent(database_url: str) -> None:
    session = await asyncpg.connect(database_url)
    await session.executemany(
        LETTER, [(str(n), tag, b"") for n, tag in enumerate(("one", "twice", "twice", "stranger"))]
    )
    letters = await compare_letters(session, {"one": "not JSON", "twice": "too deep", "gone": "a float"})
    await session.close()
    assert letters == Letters(
        missing=["a float (gone)"],
        twice=["twice"],
        unexpected=["order.create.v1 in order-creation: invalid (stranger)"],
    )
