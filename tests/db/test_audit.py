"""The audit on a world that handlers made: clean as it is, and each invariant sees the one thing that breaks it."""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import asyncpg
import pytest

from db import cipher
from db.pool import Pool, Transaction, open_pool
from db.statements import SQL
from messages.orders import OrderConfirmReceipt
from messages.refunds import RefundResult
from scripts.commands.audit import GRACE_SECONDS, check, findings
from scripts.commands.invariants import INVARIANTS, Invariant
from scripts.servers.find import Servers
from tests.handlers.floor import Floor, book, cancel, captured, create, update, user
from workers.domain.shop import Policy, Shop
from workers.store import shop

NO_GUARDS = """
DO $$ DECLARE rule record; BEGIN
    FOR rule IN SELECT conrelid::regclass AS place, conname AS name FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f', 'u', 'p') LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', rule.place, rule.name);
    END LOOP;
    FOR rule IN SELECT tgrelid::regclass AS place, tgname AS name FROM pg_trigger WHERE NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', rule.name, rule.place);
    END LOOP;
    DROP INDEX orders_order_no;
    DROP INDEX payment_facts_one_kept;
END $$
"""


async def live(url: str) -> None:
    """Orders that end in every way there is; then no constraint is left, so that anything can be planted."""
    pool = await open_pool(url, application_name="tests")
    floor = Floor(pool)
    await floor.open_shop(qty=50)
    done = await floor.shipped([("s1", 1)], [("s2", 2)], lines=[("s1", 1), ("s2", 2)])
    await floor.say(update(done, "T1", "delivered"), update(done, "T2", "delivered"))
    await floor.say(OrderConfirmReceipt(request_id="c1", actor=user(), order_id=done))
    late = await floor.placed(("s1", 2))
    await floor.say(cancel(late))
    await floor.say(captured(late, 1000, trade_no="late-1"), trusted=True)
    paid = await bought(floor, "s1", "trade-2")
    await floor.say(cancel(paid))
    lost = await bought(floor, "s2", "trade-3")
    await floor.say(book(lost, "L1"))
    await floor.say(update(lost, "L1", "outbound"), update(lost, "L1", "lost"), update(lost, "L1", "loss_confirmed"))
    await floor.say(create(("s1", 9_999), request_id="big"))
    await floor.placed(("s1", 3))
    for row in await pool.fetch("SELECT refund_no, amount, currency FROM refunds"):
        result = RefundResult(status="succeeded", occurred_at=datetime.now(UTC), reason=None, **dict(row))
        await floor.say(result, trusted=True)
    await pool.execute(NO_GUARDS)
    await pool.close()


async def bought(floor: Floor, sku_id: str, trade_no: str) -> int:
    """A paid order of one unit."""
    order_id = await floor.placed((sku_id, 1))
    await floor.say(captured(order_id, await floor.payable(order_id), trade_no=trade_no), trusted=True)
    return order_id


@pytest.fixture(scope="module")
def world(servers: Servers, database_template: str) -> Iterator[str]:
    """URL of the world's database. Tests change it in transactions that they roll back."""
    cipher.configure(os.environ["OMS_ENCRYPTION_KEYS"])
    shop.configure(Shop(policy=Policy(rate_limit_orders=0)))
    name = f"audit_{secrets.token_hex(6)}"
    url = servers.postgres.new_database(name, template=database_template)
    asyncio.run(live(url))
    yield url
    servers.postgres.drop_database(name)


@pytest.fixture
async def tx(world: str) -> AsyncIterator[Transaction]:
    connection = await asyncpg.connect(world, server_settings={"jit": "off"})
    doomed = connection.transaction()
    await doomed.start()
    yield connection
    await doomed.rollback()
    await connection.close()


async def violated(tx: Transaction, *, drained: bool = False) -> dict[str, tuple[str, ...]]:
    """Statement -> the first offending ids, of everything that is violated."""
    chosen = [invariant for invariant in INVARIANTS if drained or not invariant.drained]
    found = await findings(tx, drained=drained, grace_seconds=GRACE_SECONDS)
    return {one.statement: seen.first for one, seen in zip(chosen, found, strict=True) if seen.violations}


async def test_a_world_that_handlers_made_is_clean(tx: Transaction) -> None:
    states = {row["state"] for row in await tx.fetch("SELECT DISTINCT state FROM orders")}
    assert states == {"completed", "cancelled", "rejected", "awaiting_payment"}
    assert await tx.fetchval("SELECT count(*) FROM refunds") == 3
    assert await violated(tx) == {}
    assert await violated(tx, drained=True) == {}


OUTBOX = (
    "INSERT INTO outbox (shard, stream, message_id, destination, routing_key, correlation_id, headers, must_route, "
)
PLANTS = {
    "audit.stock_counters": ("UPDATE stock SET locked = on_hand + 1 WHERE sku_id = 's1'", "^s1@main$"),
    "audit.stock_ledger": ("UPDATE stock SET on_hand = on_hand - 1 WHERE sku_id = 's2'", "^s2@main$"),
    "audit.stock_holds": (
        "INSERT INTO stock_ledger (holder_id, sku_id, warehouse, op, qty) "
        "SELECT holder_id, sku_id, warehouse, 'release', qty FROM stock_ledger "
        "WHERE op = 'commit' AND sku_id = 's1' LIMIT 1",
        r"^\d+:s1@main$",
    ),
    "audit.refunds_within_captures": ("UPDATE refunds SET amount = amount + 1 WHERE trade_no = 'late-1'", ":late-1$"),
    "audit.money_goes_back": ("DELETE FROM refunds WHERE trade_no = 'late-1'", r"^\d+ \w+:late-1$"),
    "audit.money_is_back": ("UPDATE refunds SET state = 'failed' WHERE trade_no = 'late-1'", ":late-1$"),
    "audit.stock_follows_orders": (
        "UPDATE stock_holders SET state = 'reserved' WHERE state = 'committed';"
        "UPDATE orders SET updated_at = updated_at - interval '2 min'",
        r"completed, stock reserved$",
    ),
    "audit.paid_orders": ("UPDATE payment_facts SET verdict = 'failed' WHERE verdict = 'kept'", "completed$"),
    "audit.money_totals": ("UPDATE orders SET captured_amount = 1 WHERE state = 'completed'", r"^\d+$"),
    "audit.line_totals": ("UPDATE order_items SET payable_amount = payable_amount - 1 WHERE line_no = 2", r"^\d+$"),
    "audit.histories": ("DELETE FROM operate_logs WHERE version = 2 AND cur_state = 'awaiting_payment'", r"^\d+$"),
    "audit.states_from_logs": ("UPDATE orders SET state = 'delivered' WHERE state = 'completed'", r"^\d+$"),
    "audit.outcomes": (
        "UPDATE commands SET outcome_type = 'order.rejected.v1' WHERE outcome_type = 'order.created.v1'",
        r"^\d+$",
    ),
    "audit.undecided": (
        "INSERT INTO commands (scope, request_id, type, payload_hash, message_id, correlation_id) "
        "VALUES ('order.create:u9', 'r9', 'order.create.v1', '', 'm', 'c')",
        "^order.create:u9 r9$",
    ),
    "audit.order_numbers": ("UPDATE orders SET order_no = 'same' WHERE order_no IS NOT NULL", "^same$"),
    "audit.deadlines": ("UPDATE timers SET due_at = now() - interval '2 min'", "awaiting_payment$"),
    "audit.placing": ("UPDATE orders SET state = 'placing' WHERE state = 'rejected'", r"^\d+$"),
    "audit.timers": ("INSERT INTO timers VALUES ('saga', 42, now() - interval '2 min', now())", "^saga 42$"),
    "audit.finished_timers": (
        "INSERT INTO timers SELECT 'receipt', id, now() + interval '1 d', now() FROM orders WHERE state = 'completed'",
        r"^receipt \d+$",
    ),
    "audit.refunded_lines": ("UPDATE order_items SET refunded_qty = qty + 1 WHERE line_no = 2", r"^\d+#2$"),
    "audit.parcels": ("UPDATE shipment_items SET qty = 99", r"^\d+#1$"),
    "audit.times": ("UPDATE orders SET delivered_at = paid_at - interval '1 s' WHERE state = 'completed'", r"^\d+$"),
    "audit.transitions": (
        "UPDATE operate_logs SET cur_state = 'paid' WHERE pre_state = 'placing' AND cur_state = 'rejected'",
        r"^\d+ 2 placing>paid$",
    ),
    "audit.personal_data": (
        "UPDATE order_snapshots SET data = jsonb_build_object('phone', '1') WHERE type = 2",
        r"^snapshot \d+/2$",
    ),
    "audit.outbox_age": (
        OUTBOX + "type, body, created_at) VALUES (1, 's', 'm', 'events', 'k', 'c', '{}', false, "
        "'order.paid.v1', '{}', now() - interval '2 min')",
        r"^\d+ order.paid.v1$",
    ),
}  # fmt: skip


def test_every_invariant_has_a_violation_planted() -> None:
    assert {invariant.statement for invariant in INVARIANTS} == set(PLANTS)


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda invariant: invariant.statement)
async def test_a_planted_violation_is_reported_with_its_id(tx: Transaction, invariant: Invariant) -> None:
    plant, first = PLANTS[invariant.statement]
    await tx.execute(plant)
    found = await violated(tx, drained=invariant.drained)
    assert re.search(first, found[invariant.statement][0])


MORE = [
    ("audit.stock_counters", "UPDATE stock SET locked = -1"),
    ("audit.stock_ledger", "DELETE FROM stock WHERE sku_id = 's1'"),
    ("audit.stock_ledger", "INSERT INTO stock VALUES ('s9', 'main', 1, 0)"),
    ("audit.stock_holds", "UPDATE stock_ledger SET qty = qty + 1 WHERE op = 'restock'"),
    ("audit.stock_holds", "DELETE FROM stock_ledger WHERE op = 'reserve'"),
    ("audit.stock_holds", "UPDATE stock_holders SET state = 'released' WHERE state = 'committed'"),
    ("audit.stock_holds", "INSERT INTO stock_ledger SELECT * FROM stock_ledger WHERE op = 'reserve'"),
    ("audit.refunds_within_captures", "DELETE FROM payment_facts WHERE trade_no = 'late-1'"),
    ("audit.money_goes_back", "UPDATE refunds SET amount = amount - 1 WHERE trade_no = 'late-1'"),
    ("audit.paid_orders", "INSERT INTO payment_facts SELECT * FROM payment_facts WHERE verdict = 'kept'"),
    ("audit.paid_orders", "UPDATE payment_facts SET verdict = 'kept' WHERE verdict = 'late'"),
    ("audit.paid_orders", "UPDATE payment_facts SET currency = 'XXX' WHERE verdict = 'kept'"),
    ("audit.money_totals", "UPDATE orders SET refunded_amount = 0"),
    ("audit.line_totals", "DELETE FROM order_items WHERE line_no = 2"),
    ("audit.line_totals", "UPDATE order_items SET shipping_share = shipping_share + 1"),
    ("audit.histories", "UPDATE operate_logs SET pre_state = 'shipped' WHERE version = 3"),
    ("audit.states_from_logs", "UPDATE orders SET version = version + 1"),
    ("audit.states_from_logs", "DELETE FROM operate_logs"),
    ("audit.outcomes", "DELETE FROM orders WHERE state = 'completed'"),
    ("audit.outcomes", "DELETE FROM commands WHERE outcome_type = 'order.rejected.v1'"),
    ("audit.outcomes", "UPDATE commands SET outcome_type = NULL WHERE type = 'order.cancel.v1'"),
    ("audit.outcomes", "UPDATE commands SET outcome_type = NULL WHERE outcome_type = 'order.created.v1'"),
    (
        "audit.outcomes",
        "UPDATE commands SET outcome = jsonb_build_object('order_id', '7') WHERE type = 'order.create.v1'",
    ),
    ("audit.order_numbers", "UPDATE orders SET order_no = NULL WHERE state = 'completed'"),
    ("audit.deadlines", "DELETE FROM timers"),
    ("audit.refunded_lines", "UPDATE order_items SET refunded_amount = payable_amount + 1 WHERE line_no = 2"),
    ("audit.refunded_lines", "UPDATE refund_lines SET amount = amount + 1"),
    ("audit.parcels", "UPDATE shipment_items SET line_no = 7"),
    ("audit.times", "UPDATE orders SET completed_at = NULL WHERE state = 'completed'"),
    ("audit.personal_data", "UPDATE commands SET outcome = jsonb_build_object('a', jsonb_build_object('phone', '1'))"),
    ("audit.personal_data", "UPDATE operate_logs SET remark = 'call 13812345678'"),
]


@pytest.mark.parametrize(("statement", "plant"), MORE)
async def test_other_ways_to_break_it_are_seen_too(tx: Transaction, statement: str, plant: str) -> None:
    await tx.execute(plant)
    assert statement in await violated(tx)


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
