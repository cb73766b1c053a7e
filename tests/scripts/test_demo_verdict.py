"""The demo exits 0 only if everything it promises is true: each promise, broken once."""

import json
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from scripts.demo.books import Books, Letters, compare_books, compare_letters
from scripts.demo.figures import Figures
from scripts.demo.play import Standstill
from scripts.demo.verdict import Ending, as_json, checks

GOOD = Ending(
    final={"commands_sent": 3, "commands_open": 0, "contradictions": [], "vandal": {"tag": "not JSON"}},
    figures=Figures(),
    books=Books(100, []),
    letters=Letters([], [], []),
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
        ("every command has its outcome", replace(GOOD, final={})),
        ("no command has two outcomes", replace(GOOD, final=GOOD.final | {"contradictions": ["c"]})),
        ("our books and the gateway's agree", replace(GOOD, books=Books(100, ["order 1: ours 1, theirs 2"]))),
        ("every malformed message is one dead letter", replace(GOOD, letters=Letters(["tag"], [], []))),
        ("every malformed message is one dead letter", replace(GOOD, letters=Letters([], ["tag"], []))),
        ("nothing else died", replace(GOOD, letters=Letters([], [], ["stock.reserve"]))),
        ("the audit is clean", replace(GOOD, audit=(1, "violated"))),
    ],
)
def test_one_broken_promise_fails_its_check_alone(name: str, ending: Ending) -> None:
    assert [check.name for check in checks(ending) if not check.ok] == [name]
    assert json.loads(as_json(ending))["ok"] is False


COUNTS = {"outbox_pending": 0.0, "outbox_age": 0.0, "undecided": 0.0, "timers": 0.0, "refunds_open": 0.0}
QUIET = Figures({"completed": 3, "cancelled": 1}, {"invalid": 2}, COUNTS, {"oms.stock": 0})


@pytest.mark.parametrize(
    "figures",
    [
        replace(QUIET, states={"paid": 1}),
        replace(QUIET, counts=COUNTS | {"outbox_pending": 1.0}),
        replace(QUIET, counts=COUNTS | {"undecided": 1.0}),
        replace(QUIET, counts=COUNTS | {"timers": 1.0}),
        replace(QUIET, counts=COUNTS | {"refunds_open": 1.0}),
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
INSERT INTO orders (id, root_id, order_no, request_id, business_type, channel, source, user_id, state, version,
    currency, origin_amount, payable_amount, captured_amount, refunded_amount, created_at, expire_at,
    cancel_type, cancelled_at)
VALUES ($1, $1, $4, $4, 'normal', 'pc', 'cart', 'u', 'cancelled', 1,
    'USD', 100, 100, $2, $3, now(), now(), 'user', now())
"""


async def test_the_books_agree_to_the_cent_or_name_the_order(database_url: str, tmp_path: Path) -> None:
    journal = tmp_path / "gateway.csv"
    journal.write_text("1,trade-1,100\n1,refund-1,-40\n2,trade-2,50\n4,trade-4,7\n")
    session = await asyncpg.connect(database_url)
    await session.executemany(ORDER, [(1, 100, 40, "a"), (2, 50, 50, "b"), (3, 9, 0, "c")])
    books = await compare_books(session, journal)
    await session.close()
    assert books.kept_cents == 69
    assert books.differences == ["order 2: ours 0, theirs 50", "order 3: ours 9, theirs 0", "order 4: ours 0, theirs 7"]


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
