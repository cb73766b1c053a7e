"""The audit on a database that handlers filled: it is clean, and each invariant reports the change that breaks it."""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from db import cipher
from db.pool import Pool, Transaction
from db.statements import SQL
from scripts.commands.audit import GRACE_SECONDS, check, findings
from scripts.commands.invariants import INVARIANTS, Invariant
from scripts.servers.find import Servers
from tests.db import audit_fixtures
from tests.db.audit_clause_violations import IN_ORDER
from tests.db.audit_violations import MORE, OUTBOX, VIOLATIONS
from tests.db.clauses import clauses

FIRST_ONES = [(statement, violation) for statement, (violation, _) in VIOLATIONS.items()]


@pytest.fixture(scope="module")
def audited_url(servers: Servers, database_template: str) -> Iterator[str]:
    """URL of the database that all tests check. Each changes it in a transaction that it rolls back."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    name = f"audit_{secrets.token_hex(6)}"
    url = servers.postgres.new_database(name, template=database_template)
    asyncio.run(audit_fixtures.build(url))
    yield url
    servers.postgres.drop_database(name)


@pytest.fixture(scope="module")
async def connection(audited_url: str) -> AsyncIterator[Transaction]:
    """One connection for all tests: two hundred violations take less time than two hundred connections."""
    opened = await asyncpg.connect(audited_url, server_settings={"jit": "off"})
    yield opened
    await opened.close()


@pytest.fixture
async def tx(connection: Transaction) -> AsyncIterator[Transaction]:
    """A transaction that is rolled back after the test."""
    doomed = connection.transaction()
    await doomed.start()
    yield connection
    await doomed.rollback()


async def violated(tx: Transaction, *, drained: bool = False) -> dict[str, tuple[str, ...]]:
    """Maps each violated statement to the first ids that violate it."""
    chosen = [invariant for invariant in INVARIANTS if drained or not invariant.drained]
    found = await findings(tx, drained=drained, grace_seconds=GRACE_SECONDS)
    return {one.statement: seen.first for one, seen in zip(chosen, found, strict=True) if seen.violations}


async def test_a_database_that_handlers_filled_is_clean(tx: Transaction) -> None:
    assert await violated(tx) == {}
    assert await violated(tx, drained=True) == {}


@pytest.mark.parametrize(
    ("what", "there"),
    [
        (
            "kind || ' ' || state FROM orders WHERE kind <> 'split_child'",
            (
                "exchange delivered",
                "exchange placing",
                "sale awaiting_payment",
                "sale cancelled",
                "sale cancelling",
                "sale completed",
                "sale delivered",
                "sale fulfilling",
                "sale paid",
                "sale rejected",
                "sale shipped",
                "split_parent awaiting_payment",
                "split_parent cancelled",
                "split_parent rejected",
                "split_parent split",
            ),
        ),
        (
            "state FROM orders WHERE kind = 'split_child'",
            (
                "awaiting_payment",
                "cancelled",
                "completed",
                "delivered",
                "paid",
                "rejected",
            ),
        ),
        ("verdict FROM payment_facts", ("duplicate", "failed", "kept", "late", "mismatch")),
        (
            "state FROM payment_attempts",
            ("authorized", "captured", "closed", "closing", "failed", "requested", "unknown"),
        ),
        ("state FROM payment_disputes", ("closed", "lost", "opened", "won")),
        ("state FROM payment_authorizations", ("authorized", "captured", "voided")),
        (
            "kind FROM timers",
            (
                "after_sale",
                "attempt",
                "authorization",
                "cancelling",
                "dispute",
                "group",
                "payment",
                "receipt",
                "shortage",
                "waybill",
            ),
        ),
        (
            "state FROM fulfilments",
            ("accepted", "handed_over", "packed", "picking", "refused", "requested", "withdrawn"),
        ),
        ("state FROM buying_groups", ("failed", "formed", "open")),
        ("state FROM waybills", ("booked", "refused", "unused")),
        (
            "state FROM after_sales",
            (
                "awaiting_return",
                "closed",
                "completed",
                "inspect_failed",
                "inspecting",
                "refund_failed",
                "refunding",
                "rejected",
                "reopened",
                "requested",
                "return_in_transit",
                "unreturned",
            ),
        ),
        ("state FROM buyer_notifications", ("failed", "pending", "sent", "skipped")),
        (
            "kind FROM buyer_notifications",
            (
                "after_sale_approved",
                "after_sale_rejected",
                "order_cancelled",
                "order_created",
                "order_delivered",
                "order_paid",
                "order_shipped",
                "refund_succeeded",
            ),
        ),
        ("kind FROM reconciliation_rows", ("capture", "refund")),
        ("state FROM coupons", ("expired", "issued", "locked", "used")),
        ("op FROM coupon_ledger", ("lock", "release", "relock", "rerelease", "return", "use")),
        (
            "op FROM points_ledger",
            ("add", "award", "deduct", "grant", "hold", "reclaim", "release", "restore", "return", "revoke", "use"),
        ),
        ("returned_at IS NULL FROM promotion_uses", (False, True)),
        ("state FROM stock_holders", ("committed", "refused", "released", "reserved", "restocked")),
    ],
    ids=lambda one: one.split(" FROM ")[1] if isinstance(one, str) else "",
)
async def test_the_database_has_something_of_everything(tx: Transaction, what: str, there: tuple[object, ...]) -> None:
    assert tuple(row[0] for row in await tx.fetch(f"SELECT DISTINCT {what} ORDER BY 1")) == there


async def test_every_invariant_has_a_violation() -> None:
    assert {invariant.statement for invariant in INVARIANTS} == set(VIOLATIONS)


async def test_a_statement_is_taken_apart_at_each_or_and_each_union() -> None:
    parts = [
        one.text
        for one in clauses(
            "WITH c AS (SELECT 1 UNION ALL SELECT 2) SELECT 3 FROM (SELECT 4 WHERE a OR (b AND (c OR d))) AS e"
        )
    ]
    assert parts == ["SELECT 1", "SELECT 2", "a", "(b AND (c OR d))", "c", "d"]


async def break_it(tx: Transaction, violation: str) -> None:
    """Add a violation. Fail if it changes nothing, since it would prove nothing."""
    assert not (await tx.execute(violation)).endswith(" 0")


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.statement)
async def test_a_violation_is_reported_with_its_id(tx: Transaction, invariant: Invariant) -> None:
    violation, first = VIOLATIONS[invariant.statement]
    await break_it(tx, violation)
    found = await violated(tx, drained=invariant.drained)
    assert re.search(first, found[invariant.statement][0])


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.statement)
async def test_every_violation_is_seen_and_no_clause_can_go(tx: Transaction, invariant: Invariant) -> None:
    """Without any one of its clauses, the statement misses a violation, or reports what is in order."""
    statement = SQL[invariant.statement]
    assert await seen(tx, statement, invariant) == 0, "what is planted would prove nothing"
    needless = [one for one in clauses(statement) if not await seen(tx, one.without, invariant)]
    for violation in (sql for name, sql in (*FIRST_ONES, *MORE) if name == invariant.statement):
        async with planted(tx, violation):
            assert await seen(tx, statement, invariant) > 0, violation
            needless = [one for one in needless if await seen(tx, one.without, invariant)]
    for change in IN_ORDER.get(invariant.statement, ()):
        async with planted(tx, change):
            assert await seen(tx, statement, invariant) == 0, change
            needless = [one for one in needless if not await seen(tx, one.without, invariant)]
    assert [one.text for one in needless] == []


@asynccontextmanager
async def planted(tx: Transaction, change: str) -> AsyncIterator[None]:
    """The change is there inside the block only."""
    inner = tx.transaction()
    await inner.start()
    await break_it(tx, change)
    yield
    await inner.rollback()


async def seen(tx: Transaction, statement: str, invariant: Invariant) -> int:
    """How many violations the statement reports, without any grace."""
    count: int = await tx.fetchval(statement, *invariant.arguments(0.0))
    return count


@pytest.mark.parametrize(
    ("type", "body"), [("order.create.v1", b"{}"), ("order.paid.v1", b'{"phone":"1"}')], ids=["type", "body"]
)
async def test_an_address_in_a_clear_outbox_row_is_seen(tx: Transaction, type: str, body: bytes) -> None:
    insert = OUTBOX + "type, body, key_id) VALUES (1, 's', 'm', 'queue', 'k', 'c', '{}', true, $1, $2, $3)"
    await tx.execute(insert, type, body, "k1")
    assert "audit.personal_data" not in await violated(tx)
    await tx.execute(insert, type, body, None)
    assert (await violated(tx))["audit.personal_data"]


async def test_what_is_fresh_is_excused_until_everything_is_drained(tx: Transaction) -> None:
    await tx.execute("UPDATE timers SET due_at = now() - interval '1 s'")
    assert "audit.deadlines" not in await violated(tx)
    assert "audit.deadlines" in await violated(tx, drained=True)


async def test_a_deduction_may_still_be_open_when_its_parcel_has_just_left(tx: Transaction) -> None:
    await tx.execute("UPDATE orders SET updated_at = updated_at - interval '2 min'")
    await break_it(tx, "UPDATE shipment_facts SET recorded_at = now()")
    await break_it(
        tx,
        "UPDATE stock_holders SET state = 'reserved' WHERE holder_id IN (SELECT o.id FROM orders o"
        " JOIN shipment_items i ON i.order_id = o.id WHERE o.policy ->> 'deduct_on' = 'ship' AND o.state = 'paid')",
    )
    assert "audit.stock_follows_orders" not in await violated(tx)
    assert "audit.stock_follows_orders" in await violated(tx, drained=True)


async def test_an_attempt_whose_provider_call_is_open_is_not_answered_yet(tx: Transaction) -> None:
    await break_it(tx, "UPDATE payment_attempts SET state = 'created' WHERE state = 'requested'")
    await break_it(
        tx,
        "UPDATE commands c SET outcome_type = NULL FROM payment_attempts a"
        " WHERE a.command = ARRAY[c.scope, c.request_id] AND a.state = 'created'",
    )
    assert await violated(tx) == {}
    assert set(await violated(tx, drained=True)) == {"audit.undecided"}


@pytest.mark.parametrize("state", ["requested", "submitted", "unknown"])
async def test_a_refund_that_its_provider_works_on_is_waited_for(tx: Transaction, state: str) -> None:
    await break_it(tx, f"UPDATE refunds SET state = '{state}' WHERE trade_no = 'ok-4'")
    await break_it(tx, "INSERT INTO timers SELECT 'refund', id, now(), now() FROM refunds WHERE trade_no = 'ok-4'")
    await break_it(
        tx,
        "UPDATE orders SET refunded_amount = refunded_amount - 507"
        " WHERE id = (SELECT order_id FROM refunds WHERE trade_no = 'ok-4')",
    )
    assert await violated(tx) == {}
    assert set(await violated(tx, drained=True)) == {"audit.money_is_back", "audit_payments.refunds_ended"}


async def test_a_refund_of_money_from_outside_our_attempts_is_not_ours_to_poll(tx: Transaction) -> None:
    await break_it(tx, "UPDATE refunds SET state = 'requested' WHERE trade_no = 'late-1'")
    assert "audit_payments.refunds" not in await violated(tx)


async def test_at_most_five_ids_are_shown_and_all_are_counted(tx: Transaction) -> None:
    await tx.execute("INSERT INTO stock SELECT 'x' || n, 'main', -1, 0 FROM generate_series(1, 9) AS n")
    (seen,) = [one for one in await findings(tx, drained=False, grace_seconds=0) if one.id == "INV-01"]
    assert (seen.violations, seen.first) == (9, ("x1@main", "x2@main", "x3@main", "x4@main", "x5@main"))


async def test_an_empty_database_is_clean(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert not any(seen.violations for seen in await check(connection, drained=True))


async def test_the_audit_can_only_read(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SQL, "audit.times", "DELETE FROM orders RETURNING 0, 1")
    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await check(connection)
