"""A provider's day against ours, on a real database: each difference is one event, and nothing else changes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from messages.payments import STATEMENT_BYTES_MAX, PaymentReconcile
from messages.refunds import RefundResult
from messages.roles import Role
from tests.handlers.builders import user
from tests.handlers.harness import HandlerHarness
from tests.handlers.statement_builders import (
    DAY,
    NOON,
    add_attempt,
    configure_fake_statements,
    pay_order_at,
    reconcile,
    refund_order_at,
    statement_of,
)
from workers.domain.reconciliation import LATE
from workers.handlers import reconciliations
from workers.providers import configure
from workers.runtime.decode import Decoder

MIDNIGHT = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
"""In Shanghai: DAY begins."""
NEXT = DAY + timedelta(days=1)


@pytest.fixture(autouse=True)
def providers() -> Iterator[None]:
    """Remove the test's configuration at its end."""
    yield
    configure({})


async def counts(harness: HandlerHarness, *bodies: PaymentReconcile) -> list[tuple[int, int, int]]:
    """(rows, matched, differences) of the reply to each statement."""
    configure_fake_statements("alipay", "wechat")
    harness.replies.clear()
    harness.events.clear()
    await harness.handle(*bodies, trusted=True, reply_to="client.a")
    assert {reply["type"] for reply in harness.replies} == {"payment.reconciled.v1"}, harness.replies
    return [(reply["rows"], reply["matched"], reply["differences"]) for reply in harness.replies]


def discrepancies(harness: HandlerHarness) -> list[tuple[str, str, str | None]]:
    return [(e["kind"], e["movement"], e["number"]) for e in harness.events_of("payment.discrepancy_found")]


async def everything(harness: HandlerHarness) -> dict[str, list[Any]]:
    """The rows of money and orders, which a statement must not change."""
    tables = ("orders", "payment_facts", "refunds", "payment_attempts", "stock")
    return {name: sorted(map(repr, await harness.pool.fetch(f"SELECT * FROM {name}"))) for name in tables}


async def test_a_day_that_agrees_has_no_differences_and_changes_nothing(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id, number = await pay_order_at(harness)
    refund_no = await refund_order_at(harness, order_id, 300)
    before = await everything(harness)
    statement = statement_of(f"capture {number} t1 1000 CNY", f"refund {refund_no} t1 300 CNY")
    assert await counts(harness, reconcile(statement)) == [(2, 2, 0)]
    assert [event["type"] for event in harness.events] == ["payment.reconciled.v1"]
    assert await everything(harness) == before


async def test_every_kind_of_difference_is_an_event_that_says_where_to_look(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id, number = await pay_order_at(harness)
    other_id, other = await pay_order_at(harness, trade_no="t2")
    refund_no = await refund_order_at(harness, other_id, 300)
    statement = statement_of(f"capture {number} t1 999 USD", "capture X9 t9 5 CNY", f"capture {other} t2 1000 CNY")
    assert await counts(harness, reconcile(statement)) == [(3, 1, 3)]
    common = {"provider": "alipay", "day": "2026-11-21", "stream": None, "seq": None}
    found = [{k: v for k, v in e.items() if k != "type"} for e in harness.events_of("payment.discrepancy_found")]
    assert found == [
        common | {
            "kind": "amount", "movement": "capture", "number": number, "trade_no": "t1", "ours": 1000, "theirs": 999,
            "currency": "CNY", "their_currency": "USD", "order_id": str(order_id), "line": 2,
        },
        common | {
            "kind": "missing_here", "movement": "capture", "number": "X9", "trade_no": "t9", "ours": None, "theirs": 5,
            "currency": "CNY", "their_currency": None, "order_id": None, "line": 3,
        },
        common | {
            "kind": "missing_there", "movement": "refund", "number": refund_no, "trade_no": "t2", "ours": 300,
            "theirs": None, "currency": "CNY", "their_currency": None, "order_id": str(other_id), "line": None,
        },
    ]  # fmt: skip
    assert harness.events_of("payment.reconciled") == [
        {
            "provider": "alipay",
            "day": "2026-11-21",
            "rows": 3,
            "matched": 1,
            "differences": 3,
            "type": "payment.reconciled.v1",
            "stream": None,
            "seq": None,
        }
    ]


async def test_what_is_missing_here_leads_to_its_order_where_the_number_is_ours(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order()
    number = await add_attempt(harness, order_id, "t1", state="failed")
    assert await counts(harness, reconcile(statement_of(f"capture {number} t1 1000 CNY"))) == [(1, 0, 1)]
    [found] = harness.events_of("payment.discrepancy_found")
    assert (found["kind"], found["order_id"]) == ("missing_here", str(order_id))


async def test_a_capture_that_another_system_collected_is_found_by_the_providers_number(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id, _ = await pay_order_at(harness)
    await harness.pool.execute("DELETE FROM payment_attempts")
    assert await counts(harness, reconcile(statement_of("capture SHOP-1 t1 1000 CNY"))) == [(1, 1, 0)]
    assert await counts(harness, reconcile(statement_of())) == [(0, 0, 1)]
    assert harness.events_of("payment.discrepancy_found")[0]["order_id"] == str(order_id)
    assert discrepancies(harness) == [("missing_there", "capture", None)]


@pytest.mark.parametrize(
    ("at", "missing_there"),
    [
        (MIDNIGHT - LATE - timedelta(microseconds=1), False),
        (MIDNIGHT - LATE, True),
        (MIDNIGHT, True),
        (MIDNIGHT + timedelta(days=1, microseconds=-1) - LATE, True),
        (MIDNIGHT + timedelta(days=1) - LATE, False),
        (MIDNIGHT + timedelta(days=1), False),
    ],
    ids=["before", "late the day before", "its first moment", "before its last hours", "its last hours", "after it"],
)
async def test_the_day_is_one_in_the_business_time_zone_and_a_providers_may_end_a_little_earlier(
    harness: HandlerHarness, at: datetime, missing_there: bool
) -> None:
    await harness.fill_stock()
    _, number = await pay_order_at(harness, at)
    assert await counts(harness, reconcile(statement_of())) == [(0, 0, int(missing_there))]
    assert await counts(harness, reconcile(statement_of(f"capture {number} t1 1000 CNY"))) == [(1, 1, 0)]


@pytest.mark.parametrize("days", [-1, 2])
async def test_beyond_the_neighbouring_days_a_capture_is_another_one(harness: HandlerHarness, days: int) -> None:
    await harness.fill_stock()
    at = MIDNIGHT + timedelta(days=days, microseconds=-1 if days < 0 else 0)
    _, number = await pay_order_at(harness, at)
    assert await counts(harness, reconcile(statement_of(f"capture {number} t1 1000 CNY"))) == [(1, 0, 1)]


async def test_what_one_day_listed_is_neither_missed_nor_found_on_the_next(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    _, number = await pay_order_at(harness, MIDNIGHT + timedelta(days=1))
    line = f"capture {number} t1 1000 CNY"
    assert await counts(harness, reconcile(statement_of(line))) == [(1, 1, 0)]
    assert await counts(harness, reconcile(statement_of(day=NEXT), day=NEXT)) == [(0, 0, 0)]
    assert await counts(harness, reconcile(statement_of(line, day=NEXT), day=NEXT)) == [(1, 0, 1)]
    assert discrepancies(harness) == [("missing_here", "capture", number)]


async def test_two_days_in_one_batch_are_compared_one_after_the_other(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    _, number = await pay_order_at(harness, MIDNIGHT + timedelta(days=1))
    line = f"capture {number} t1 1000 CNY"
    both = await counts(harness, reconcile(statement_of(line)), reconcile(statement_of(line, day=NEXT), day=NEXT))
    assert sorted(both) == [(1, 0, 1), (1, 1, 0)]


async def test_two_workers_with_two_days_never_find_one_capture_twice(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    _, number = await pay_order_at(harness, MIDNIGHT + timedelta(days=1))
    line = f"capture {number} t1 1000 CNY"
    configure_fake_statements()
    await harness.handle_overlapping(
        [reconcile(statement_of(line))], [reconcile(statement_of(line, day=NEXT), day=NEXT)], trusted=True
    )
    assert [event["matched"] for event in harness.events_of("payment.reconciled")] == [1, 0]


async def test_a_refund_counts_once_it_has_succeeded(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id, number = await pay_order_at(harness)
    capture = f"capture {number} t1 1000 CNY"
    refund_no = await refund_order_at(harness, order_id, 300, at=None)
    assert await counts(harness, reconcile(statement_of(capture))) == [(1, 1, 0)]
    assert await counts(harness, reconcile(statement_of(capture, f"refund {refund_no} t1 300 CNY"))) == [(2, 2, 0)]


async def test_a_refund_that_the_provider_lists_days_before_it_is_done_is_missed_on_neither_day(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id, number = await pay_order_at(harness)
    refund_no = await refund_order_at(harness, order_id, 300, at=None)
    statement = statement_of(f"capture {number} t1 1000 CNY", f"refund {refund_no} t1 300 CNY")
    assert await counts(harness, reconcile(statement)) == [(2, 2, 0)]
    done = RefundResult(refund_no=refund_no, status="succeeded", amount=300, currency="CNY", occurred_at=NOON)
    await harness.handle(done, trusted=True)
    later = NOON + timedelta(days=3)
    await harness.pool.execute("UPDATE refunds SET finished_at = $1", later)
    assert await counts(harness, reconcile(statement_of(day=later.date()), day=later.date())) == [(0, 0, 0)]


async def test_a_refund_that_failed_here_and_succeeded_there_is_missing_here(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id, number = await pay_order_at(harness)
    refund_no = await refund_order_at(harness, order_id, 300, at=None)
    failed = RefundResult(refund_no=refund_no, status="failed", amount=300, currency="CNY", occurred_at=NOON)
    await harness.handle(failed, trusted=True)
    statement = statement_of(f"capture {number} t1 1000 CNY", f"refund {refund_no} t1 300 CNY")
    assert await counts(harness, reconcile(statement)) == [(2, 1, 1)]
    [found] = harness.events_of("payment.discrepancy_found")
    assert (found["kind"], found["number"], found["order_id"]) == ("missing_here", refund_no, str(order_id))


async def test_another_providers_payments_are_not_looked_at(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await pay_order_at(harness, provider="wechat")
    assert await counts(harness, reconcile(statement_of())) == [(0, 0, 0)]
    assert await counts(harness, reconcile(statement_of(), provider="wechat")) == [(0, 0, 1)]


async def test_a_trade_number_has_the_number_that_its_own_provider_was_given(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    for provider in ("wechat", "alipay"):
        await pay_order_at(harness, provider=provider)
    await harness.pool.execute("DELETE FROM payment_attempts WHERE provider = 'alipay'")
    assert await counts(harness, reconcile(statement_of("capture SHOP-1 t1 1000 CNY"))) == [(1, 1, 0)]


async def test_the_same_file_again_is_the_same_outcome_without_events(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await pay_order_at(harness)
    statement = statement_of("capture X9 t9 5 CNY")
    assert await counts(harness, reconcile(statement)) == [(1, 0, 2)]
    assert len(harness.events) == 3
    assert await counts(harness, reconcile(statement), reconcile(statement)) == [(1, 0, 2)] * 2
    assert harness.events == []
    assert await harness.rows("SELECT rows, matched, differences FROM reconciliations") == [(1, 0, 2)]


async def test_the_same_file_twice_in_one_batch_is_compared_once(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    statement = statement_of("capture X9 t9 5 CNY")
    assert await counts(harness, reconcile(statement), reconcile(statement)) == [(1, 0, 1)] * 2
    assert sorted(event["type"] for event in harness.events) == [
        "payment.discrepancy_found.v1",
        "payment.reconciled.v1",
    ]


async def test_the_same_file_by_two_workers_at_once_is_compared_once(harness: HandlerHarness) -> None:
    configure_fake_statements()
    statement = statement_of("capture X9 t9 5 CNY")
    await harness.handle_overlapping(*([reconcile(statement)] for _ in range(3)), trusted=True)
    assert len(harness.events_of("payment.discrepancy_found")) == len(harness.events_of("payment.reconciled")) == 1


async def test_a_command_that_is_repeated_has_its_stored_outcome(harness: HandlerHarness) -> None:
    configure_fake_statements()
    body = reconcile(statement_of("capture X9 t9 5 CNY"))
    await harness.handle(body, trusted=True)
    harness.events.clear()
    await harness.handle(body, trusted=True, reply_to="client.a")
    assert harness.events == []
    assert [(r["differences"], r["duplicate"]) for r in harness.replies] == [(1, True)]
    other = body.model_copy(update={"content": reconcile(statement_of()).content})
    await harness.handle(other, trusted=True)
    assert harness.events_of("command.rejected")[-1]["code"] == "IDEMPOTENCY_CONFLICT"


async def test_a_corrected_file_is_compared_anew(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    _, number = await pay_order_at(harness)
    line = f"capture {number} t1 1000 CNY"
    assert await counts(harness, reconcile(statement_of(line, "capture X9 t9 5 CNY"))) == [(2, 1, 1)]
    assert await counts(harness, reconcile(statement_of(line))) == [(1, 1, 0)]
    assert await counts(harness, reconcile(statement_of())) == [(0, 0, 1)]


CASES: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("an unknown provider", {"provider": "cheque"}, "PAY_METHOD_INVALID", {"field": "provider"}),
    ("no layout of the provider", {"content": "aGVsbG8="}, "RECONCILE_FILE_INVALID", {"line": 1}),
    ("nothing", {"content": "===="[:2]}, "RECONCILE_FILE_INVALID", {}),
    ("no base64", {"content": "abcde"}, "RECONCILE_FILE_INVALID", {}),
    ("another day", {"day": NEXT}, "RECONCILE_FILE_INVALID", {"line": 1}),
    ("a broken line", {"content": reconcile(statement_of("capture P1 t1 5 CNY", "oops")).content},
     "RECONCILE_FILE_INVALID", {"line": 3}),
    (
        "a NUL byte",
        {"content": reconcile(statement_of("capture \0 t1 5 CNY")).content},
        "RECONCILE_FILE_INVALID",
        {"line": 2},
    ),
    ("an endless number", {"content": reconcile(statement_of(f"refund P{'1' * 128} t1 5 CNY")).content},
     "RECONCILE_FILE_INVALID", {"line": 2}),
    ("less than nothing", {"content": reconcile(statement_of("capture P1 t1 -5 CNY")).content},
     "RECONCILE_FILE_INVALID", {"line": 2}),
    ("an amount beyond all", {"content": reconcile(statement_of(f"capture P1 t1 {10**15 + 1} CNY")).content},
     "RECONCILE_FILE_INVALID", {"line": 2}),
    ("a currency that is none", {"content": reconcile(statement_of("capture P1 t1 5 yuan")).content},
     "RECONCILE_FILE_INVALID", {"line": 2}),
    ("a user", {"actor": user()}, "AUTH_FORBIDDEN", {}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "details"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_what_is_no_statement_is_refused_and_changes_nothing(
    harness: HandlerHarness, changes: dict[str, Any], code: str, details: dict[str, Any]
) -> None:
    configure_fake_statements()
    await harness.handle(reconcile(statement_of()).model_copy(update=changes), trusted=True)
    [refusal] = harness.events
    assert (refusal["type"], refusal["code"], refusal["details"]) == ("command.rejected.v1", code, details)
    assert await harness.rows("SELECT * FROM reconciliations") == []


async def test_a_bad_file_does_not_hold_up_its_neighbours(harness: HandlerHarness) -> None:
    configure_fake_statements()
    bodies = [
        reconcile(b"hello"),
        reconcile(statement_of("capture X9 t9 5 CNY")),
        reconcile(statement_of(), provider="cheque"),
    ]
    await harness.handle(*bodies, trusted=True)
    assert sorted(event["type"] for event in harness.events) == [
        "command.rejected.v1",
        "command.rejected.v1",
        "payment.discrepancy_found.v1",
        "payment.reconciled.v1",
    ]


async def test_only_the_payments_role_is_believed(harness: HandlerHarness) -> None:
    configure_fake_statements()
    await harness.handle(reconcile(statement_of()), roles=frozenset(Role) - {Role.PAYMENTS})
    assert [event["code"] for event in harness.events] == ["AUTH_FORBIDDEN"]
    assert await harness.rows("SELECT * FROM commands WHERE scope NOT LIKE 'refused:%'") == []


def test_the_largest_file_fits_into_a_message() -> None:
    body = reconcile(b"x" * STATEMENT_BYTES_MAX, request_id="r" * 128)
    assert len(body.json_bytes) < Decoder.body_max_bytes
    with pytest.raises(ValueError, match="at most"):
        reconcile(b"x" * (STATEMENT_BYTES_MAX + 3))


def test_few_statements_are_taken_at_a_time() -> None:
    assert reconciliations.ROUTE.batch_max_items <= 5


@pytest.mark.parametrize("day", [date(1999, 12, 31), date(2200, 1, 1)])
def test_a_day_beyond_all_calendars_is_refused_at_the_door(day: date) -> None:
    with pytest.raises(ValueError, match=r"2000|2200"):
        reconcile(statement_of(), day=day)
