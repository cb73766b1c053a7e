"""Answers from memory are those that the database would give now."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime

import pytest

from messages.annotations import OrderChangeNote
from messages.base import Query, QueryRejected, Reply
from messages.fulfilments import FulfilmentAccept, FulfilmentFact, FulfilmentPack
from messages.order_queries import OrderDescribed, OrderGet, OrderHistory, OrderTrack, PaymentGet
from messages.orders import OrderChangeAddress, OrderDelete
from messages.subjects import SubjectErase
from tests.handlers.builders import ADDRESS, OPERATOR, book, cancel, captured, create, receive, sku, update, user
from tests.handlers.case_builders import apply, last, review
from tests.handlers.harness import HandlerHarness
from tests.handlers.hold_builders import hold, release
from tests.handlers.querying import ask
from tests.handlers.refund_builders import dispute, evidence
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.services import answer_cache
from workers.services.answer_cache import LOOKUPS, AnswerCache, AnswerKey
from workers.store import order_lists

KINDS = (OrderGet, OrderTrack, OrderHistory, PaymentGet)


@pytest.fixture(autouse=True)
def cache(harness: HandlerHarness) -> Iterator[None]:
    shop.configure(Shop(policy=Policy(rate_limit_orders=0), fulfilment_warehouses={"main": frozenset()}))
    answer_cache.configure(100)
    yield
    answer_cache.configure(answer_cache.ENTRIES_MAX)
    shop.configure(Shop())


def hits() -> float:
    return float(LOOKUPS.labels("hit")._value.get())


def queries_about(*orders: int) -> list[Query]:
    return [
        kind(actor=actor, order=str(order_id)) for order_id in orders for kind in KINDS for actor in (user(), OPERATOR)
    ]


async def fresh(harness: HandlerHarness, *orders: int) -> list[Reply]:
    """The answers without any memory."""
    kept = answer_cache.current()
    answer_cache.configure(0)
    replies = await ask(harness, *queries_about(*orders))
    answer_cache._Process.cache = kept
    return replies


Step = Callable[[HandlerHarness, int], Awaitable[object]]


def fact(kind: type[FulfilmentFact], order_id: int) -> FulfilmentFact:
    return kind(order_id=order_id, warehouse="main", number=1, occurred_at=datetime.now(UTC))


LIFE: dict[str, Step] = {
    "address changed": lambda h, o: h.handle(
        OrderChangeAddress(
            request_id="a1", actor=user(), order_id=o, address=ADDRESS.model_copy(update={"detail": "2"})
        )
    ),
    "noted": lambda h, o: h.handle(
        OrderChangeNote(request_id="o1", actor=OPERATOR, order_id=o, note="call first"), trusted=True
    ),
    "held": lambda h, o: h.handle(hold(o), trusted=True),
    "released": lambda h, o: h.handle(release(o), trusted=True),
    "paid": lambda h, o: h.handle(captured(o, 1500), trusted=True),
    "paid twice": lambda h, o: h.handle(captured(o, 1500, trade_no="again"), trusted=True),
    "accepted": lambda h, o: h.handle(fact(FulfilmentAccept, o), trusted=True),
    "packed": lambda h, o: h.handle(fact(FulfilmentPack, o), trusted=True),
    "booked": lambda h, o: h.handle(book(o, "T1")),
    "outbound": lambda h, o: h.handle(update(o, "T1", "outbound")),
    "in transit": lambda h, o: h.handle(update(o, "T1", "in_transit")),
    "delayed": lambda h, o: h.handle(update(o, "T1", "delayed")),
    "delivered": lambda h, o: h.handle(update(o, "T1", "delivered")),
    "completed": lambda h, o: h.make_timers_due("receipt"),
    "swept": lambda h, _: h.sweep("receipt"),
    "disputed": lambda h, _: h.handle(dispute()),
    "evidence submitted": lambda h, _: h.handle(evidence(), trusted=True),
    "case opened": lambda h, o: h.handle(apply(o, (1, 1), type="return_refund")),
    "case reviewed": lambda h, o: h.handle(review(last(h)), trusted=True),
    "deleted": lambda h, o: h.handle(OrderDelete(request_id="d1", actor=user(), order_ids=(o,))),
}


async def test_an_answer_from_memory_is_the_answer_of_now_after_every_step(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=100)
    order_id = await harness.place_order(("s1", 2), ("s2", 1))
    other = await harness.place_order(("s1", 1))
    changed = 0
    before = await ask(harness, *queries_about(order_id, other))
    for name, step in LIFE.items():
        await step(harness, order_id)
        known = hits()
        now = await ask(harness, *queries_about(order_id, other))
        assert now == await fresh(harness, order_id, other), name
        assert hits() - known >= len(queries_about(other)), f"{name}: the other order did not change"
        changed += now != before
        before = now
    assert changed > len(LIFE) - 3  # each step but few shows in an answer, so the test could see it missed


DISPUTED = (
    "dispute_id IN (SELECT d.id FROM payment_disputes d JOIN payment_facts f USING (trade_no)"
    " WHERE f.order_id = $1) AND $1"
)
KEYS = {
    "orders": "id",
    "order_items": "order_id",
    "payment_facts": "order_id = $1 AND verdict <> 'kept' AND $1",
    "payment_attempts": "order_id",
    "payment_authorizations": "order_id",
    "refunds": "order_id",
    "payment_disputes": "trade_no IN (SELECT trade_no FROM payment_facts WHERE order_id = $1) AND $1",
    "dispute_evidence": DISPUTED,
    "after_sales": "order_id",
    "after_sale_lines": "case_id IN (SELECT id FROM after_sales WHERE order_id = $1) AND $1",
    "after_sale_send_backs": "case_id IN (SELECT id FROM after_sales WHERE order_id = $1) AND $1",
    "after_sale_steps": "case_id IN (SELECT id FROM after_sales WHERE order_id = $1) AND $1",
    "shipment_items": "order_id",
    "shipments": "id IN (SELECT shipment_id FROM shipment_items WHERE order_id = $1) AND $1",
    "shipment_facts": "shipment_id IN (SELECT shipment_id FROM shipment_items WHERE order_id = $1) AND $1",
    "order_holds": "order_id",
    "fulfilments": "order_id",
    "stock_holders": "holder_id",
    "order_addresses": "order_id",
    "order_notes": "order_id",
    "user_keys": "key_id IN (SELECT key_id FROM order_addresses WHERE order_id = $1) AND $1",
}
"""Table that an answer shows -> the column that names the order, or a condition."""
ATTEMPT = """
INSERT INTO payment_attempts (id, out_trade_no, intent_id, order_id, provider, scene, amount, currency, state, command,
    key_id, details, started_at, expire_at)
SELECT 1, 'o1', intent_id, id, 'alipay', 'page', 1500, 'CNY', 'closed', '{a,b}', 'k', '', now(), now()
FROM orders WHERE id = $1
"""
SEND_BACK = """
INSERT INTO after_sale_send_backs (case_id, line_no, warehouse, qty, requested_at, cause_type, cause_id)
SELECT id, 1, 'main', 1, now(), 't', 'c' FROM after_sales WHERE order_id = $1
"""
AUTHORIZATION = """
INSERT INTO payment_authorizations (attempt_id, order_id, provider, authorization_no, amount, currency, verdict, state,
    authorized_at, expire_at)
VALUES (1, $1, 'paypal', 'a1', 1500, 'CNY', 'kept', 'voided', now(), now())
"""


async def test_a_change_of_any_row_that_an_answer_shows_changes_the_stamp(harness: HandlerHarness) -> None:
    await harness.fill_stock(qty=100)
    order_id = await harness.place_order(("s1", 2), ("s2", 1))
    for name in ("noted", "held", "released", "paid", "paid twice", "accepted", "booked", "outbound", "case opened"):
        await LIFE[name](harness, order_id)
    await harness.handle(dispute())
    await harness.handle(evidence(), trusted=True)
    async with harness.pool.acquire() as tx:
        await tx.execute("SET session_replication_role = replica")  # some rows refuse a change, which this needs
        await tx.execute(ATTEMPT, order_id)
        await tx.execute(AUTHORIZATION, order_id)
        await tx.execute(SEND_BACK, order_id)
        unnoticed = []
        for table, key in KEYS.items():
            before = await order_lists.stamps(tx, [order_id])
            where = f"{key} = $1" if " " not in key else f"{key} > 0"
            column = await tx.fetchval(COLUMN, table)
            done = await tx.execute(f"UPDATE {table} SET {column} = {column} WHERE {where}", order_id)
            assert done != "UPDATE 0", table
            if await order_lists.stamps(tx, [order_id]) == before:
                unnoticed.append(table)
        await tx.execute("SET session_replication_role = origin")
    assert unnoticed == []


COLUMN = """
SELECT attname FROM pg_attribute
WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity = ''
ORDER BY attnum DESC LIMIT 1
"""


async def test_a_child_of_a_split_order_changes_the_answer_about_its_parent(harness: HandlerHarness) -> None:
    await harness.handle(sku("tea", seller_id="acme"), sku("cup", seller_id="bolt"), trusted=True)
    await harness.handle(receive("tea", 5), receive("cup", 5))
    order_id = await harness.create_order(create(("tea", 1), ("cup", 2)))
    await harness.pay(order_id)
    child = (await harness.children(order_id))[0]
    await ask(harness, *queries_about(order_id, child))
    for body in (book(child, "T1"), update(child, "T1", "outbound"), update(child, "T1", "delivered")):
        await harness.handle(body)
        assert await ask(harness, *queries_about(order_id, child)) == await fresh(harness, order_id, child)


async def test_no_reader_gets_a_version_older_than_the_one_it_names(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await ask(harness, *queries_about(order_id))
    await harness.handle(captured(order_id, 500), trusted=True)
    [reply, early] = await ask(
        harness,
        OrderGet(actor=user(), order=str(order_id), min_version=3),
        OrderGet(actor=user(), order=str(order_id), min_version=4),
    )
    assert isinstance(reply, OrderDescribed)
    assert (reply.version, reply.state) == (3, "paid")
    assert isinstance(early, QueryRejected)
    assert early.code == "ORDER_VERSION_BEHIND"
    [from_memory] = await ask(harness, OrderGet(actor=user(), order=str(order_id), min_version=4))
    assert from_memory == early


async def test_a_stranger_gets_nothing_from_memory(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await ask(harness, *queries_about(order_id))
    [reply] = await ask(harness, OrderGet(actor=user("u2"), order=str(order_id)))
    assert isinstance(reply, QueryRejected)
    assert reply.code == "ORDER_NOT_FOUND"


async def test_an_erased_address_is_not_given_out_of_memory(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await harness.handle(cancel(order_id))
    await harness.relay()
    [known] = await ask(harness, OrderGet(actor=OPERATOR, order=str(order_id)))
    assert isinstance(known, OrderDescribed)
    assert known.address is not None
    erase = SubjectErase(request_id="e1", actor=OPERATOR, user_id="u1", reason_code="USER_REQUEST")
    await harness.handle(erase, trusted=True)
    [reply] = await ask(harness, OrderGet(actor=OPERATOR, order=str(order_id)))
    assert isinstance(reply, OrderDescribed)
    assert reply.address != known.address


async def test_an_answer_from_memory_takes_few_statements(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 1))
    await fresh(harness, order_id)  # a new connection asks for types first
    first, second = list[str](), list[str]()
    await ask(harness, *queries_about(order_id), statements=first)
    await ask(harness, *queries_about(order_id), statements=second)
    assert len(second) == 2 < len(first)


async def test_an_answer_from_memory_is_not_kept_again(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.fill_stock()
    first, second = await harness.place_order(("s1", 1)), await harness.place_order(("s1", 1))
    await ask(harness, *queries_about(first))
    kept = list[AnswerKey]()
    monkeypatch.setattr(AnswerCache, "put", lambda _, key, *__: kept.append(key))
    await ask(harness, *queries_about(first, second))
    assert {key.order_id for key in kept} == {second}
    assert len(kept) == len(queries_about(second))


def test_the_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    cache = AnswerCache(2)
    keys = [AnswerKey(number, "order.get.v1", "user") for number in (1, 2, 3)]
    answers = [QueryRejected(code="ORDER_NOT_FOUND", message=str(key.order_id)) for key in keys]
    for key, answer in zip(keys[:2], answers, strict=False):
        cache.put(key, "s", answer)
    assert cache.get(keys[0], "s") is answers[0]
    cache.put(keys[2], "s", answers[2])
    assert [cache.get(key, "s") for key in keys] == [answers[0], None, answers[2]]
    assert len(cache) == 2


def test_an_answer_of_another_stamp_is_forgotten() -> None:
    cache, key = AnswerCache(2), AnswerKey(1, "order.get.v1", "user")
    cache.put(key, "old", QueryRejected(code="ORDER_NOT_FOUND", message="m"))
    assert cache.get(key, "new") is None
    assert cache.get(key, "old") is None


def test_a_long_answer_is_not_kept() -> None:
    cache, key = AnswerCache(2), AnswerKey(1, "order.get.v1", "user")
    cache.put(key, "s", QueryRejected(code="ORDER_NOT_FOUND", message="m" * answer_cache.BODY_MAX_BYTES))
    assert len(cache) == 0
