"""After a user is erased nothing of theirs can be read, and everything else goes on (S1-47, S0-25)."""

from base64 import b64encode
from typing import Any

import orjson
import pytest

from db import cipher
from db.statements import SQL
from messages.explanations import OrderExplain, OrderExplained
from messages.fulfilments import FulfilmentReview
from messages.subjects import SubjectErase
from scripts.commands.audit import check
from tests.handlers.alipay_payments import start
from tests.handlers.builders import OPERATOR, cancel, create, user
from tests.handlers.case_builders import apply, last, revoke
from tests.handlers.harness import HandlerHarness
from tests.handlers.personal_data import FIELDS, as_before_user_keys, canary, die, lived, readable
from tests.handlers.querying import ask
from tests.handlers.refund_builders import dispute, evidence, refund_result
from workers import shop
from workers.domain.order import State
from workers.domain.shop import Shop
from workers.services import dead_letters as decisions
from workers.services import subject_exports
from workers.services import subjects as services
from workers.store import dead_letters, orders, retention, subjects

pytestmark = pytest.mark.usefixtures("alipay_configured")


def erase(user_id: str = "u1", request_id: str = "e1") -> SubjectErase:
    return SubjectErase(request_id=request_id, actor=OPERATOR, user_id=user_id, reason_code="USER_REQUEST")


def seen(text: str, user_id: str = "u1") -> set[str]:
    """The fields whose canary can be read."""
    return {field for field in FIELDS if canary(field, user_id) in text}


async def explained(harness: HandlerHarness, order_id: int) -> OrderExplained:
    [reply] = await ask(harness, OrderExplain(actor=OPERATOR, order=str(order_id)))
    assert isinstance(reply, OrderExplained), reply
    return reply


async def test_nothing_of_an_erased_user_can_be_decrypted_with_all_keys_of_the_shop(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    subject = await lived(harness)
    await lived(harness, "u2")
    assert seen(await readable(harness.pool)) == set(FIELDS)
    sums = "SELECT id, state, payable_amount, captured_amount, refunded_amount, user_id FROM orders"
    before = await harness.rows(sums)
    await harness.handle(erase(), trusted=True)
    [erased] = harness.events_of("subject.erased")
    assert (erased["user_id"], erased["orders"], erased["reason_code"]) == ("u1", 2, "USER_REQUEST")
    left = await readable(harness.pool)
    assert seen(left) == set()
    assert seen(left, "u2") == set(FIELDS)
    assert await harness.rows(sums) == before
    assert await harness.state(subject.completed) == "completed"
    async with harness.pool.acquire() as tx:
        assert [finding for finding in await check(tx) if finding.violations] == []


@pytest.mark.parametrize("table", ["order_addresses", "orders", "payment_attempts", "free_texts"])
async def test_what_belongs_to_a_user_is_encrypted_with_the_key_of_the_user(
    harness: HandlerHarness, table: str
) -> None:
    await harness.fill_stock()
    await lived(harness)
    key = "remark_key_id" if table == "orders" else "key_id"
    found = f"SELECT DISTINCT t.{key} = k.key_id FROM {table} t CROSS JOIN user_keys k WHERE t.{key} IS NOT NULL"
    assert await harness.rows(found) == [(True,)]


async def test_what_was_stored_before_users_had_keys_stays_readable_and_is_erased_as_well(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    await lived(harness)
    await as_before_user_keys(harness)
    assert seen(await readable(harness.pool)) == set(FIELDS)
    async with harness.pool.acquire() as tx:
        (row,) = (await tx.fetch(SQL["order_view.address"], [await tx.fetchval("SELECT min(id) FROM orders")]),)
        assert row
    await harness.handle(erase(), trusted=True)
    assert seen(await readable(harness.pool)) == set()


async def test_a_user_with_a_live_order_is_not_erased_and_the_refusal_lists_it(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await lived(harness)
    waits = await harness.place_order(("s1", 1))
    await harness.handle(erase(), trusted=True)
    [(code, details)] = harness.rejections()
    assert (code, details["count"]) == ("SUBJECT_HAS_LIVE_ORDERS", 1)
    assert details["live"] == [{"order_id": str(waits), "state": "awaiting_payment"}]
    assert seen(await readable(harness.pool)) == set(FIELDS)
    await harness.handle(cancel(waits, "stop it"))
    await harness.handle(erase(request_id="e2"), trusted=True)
    assert len(harness.events_of("subject.erased")) == 1
    assert seen(await readable(harness.pool)) == set()


async def test_a_payment_under_way_of_a_cancelled_order_keeps_its_user(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(start(order_id, 1000))
    await harness.handle(cancel(order_id))
    await harness.handle(erase(), trusted=True)
    [(_, details)] = harness.rejections()
    assert details["live"] == [{"order_id": str(order_id), "state": "payment attempt closing"}]


async def test_a_refund_or_a_dispute_under_way_of_an_ended_order_keeps_its_user(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 2))
    await harness.handle(cancel(order_id))
    await harness.handle(erase(), trusted=True)
    await harness.handle(refund_result(harness.events_of("refund.requested")[0]), trusted=True)
    await harness.handle(dispute(), trusted=True)
    await harness.handle(erase(request_id="e2"), trusted=True)
    assert [details["live"] for _, details in harness.rejections()] == [
        [{"order_id": str(order_id), "state": matter}] for matter in ("refund requested", "dispute opened")
    ]
    await harness.handle(dispute("won", days=1), trusted=True)
    await harness.handle(erase(request_id="e3"), trusted=True)
    assert len(harness.events_of("subject.erased")) == 1


async def test_an_open_case_of_a_completed_order_keeps_its_user(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    subject = await lived(harness)
    await harness.handle(apply(subject.completed, (1, 1)))
    await harness.handle(erase(), trusted=True)
    assert [details["live"] for _, details in harness.rejections()] == [
        [{"order_id": str(subject.completed), "state": "after-sale case requested"}]
    ]
    await harness.handle(revoke(last(harness)))
    await harness.handle(erase(request_id="e2"), trusted=True)
    assert len(harness.events_of("subject.erased")) == 1


async def test_a_message_with_the_users_data_that_is_not_published_keeps_the_user(harness: HandlerHarness) -> None:
    await die(harness, b'{"user_id": "u1", "phone": "13800001234"}')
    async with harness.pool.acquire() as tx, tx.transaction():
        rows = await dead_letters.lock(tx, [await tx.fetchval("SELECT id FROM dead_letters")])
        await decisions.replay(tx, rows, to="order-creation", note="n", reason="r")
    await harness.handle_batch([harness.envelope(erase(), trusted=True)])
    assert await harness.rows("SELECT outcome -> 'details' ->> 'unpublished' FROM commands") == [
        ('["stock.receive.v1"]',)
    ]


async def test_a_waybill_that_a_carrier_has_to_book_or_to_cancel_keeps_its_user(harness: HandlerHarness) -> None:
    """The booking needs the address; and the carrier has it until the cancellation."""
    await harness.fill_stock()
    order_id = await harness.place_order(("s1", 2))
    await harness.handle(cancel(order_id))
    kept = {}
    for state in ("requested", "booked", "refused", "unused", "cancelled", "uncancelled"):
        await harness.pool.execute("DELETE FROM waybills")
        await harness.pool.execute(
            "INSERT INTO waybills (id, order_id, scope, request_id, carrier, state, plan, tracking_no)"
            " VALUES (1, $1, 's', 'r', 'sf', $2, '{}',"
            " CASE WHEN $2 NOT IN ('requested', 'refused') THEN 'T1' END)",
            order_id,
            state,
        )
        async with harness.pool.acquire() as tx:
            kept[state] = [matter.state for matter in await subjects.live(tx, ["u1"])]
    assert {state: found for state, found in kept.items() if found} == {
        "requested": ["waybill requested"],
        "unused": ["waybill unused"],
    }


async def test_an_instruction_that_is_not_published_keeps_its_user_and_is_read_for_no_other(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    order_id = await harness.place_paid_order(("s1", 1))
    await harness.handle(cancel(await harness.place_order(("s1", 1), user_id="u2"), actor=user("u2")))
    shop.configure(Shop(fulfilment_warehouses={"main": frozenset()}))
    await harness.handle_batch([harness.envelope(FulfilmentReview(order_id=order_id))])
    shop.configure(Shop())
    async with harness.pool.acquire() as tx:
        assert [row["type"] for row in await subjects.unpublished(tx, {"u1"})] == ["fulfilment.requested.v1"]
        assert await services.waiting(tx, {"u1"}) == {"u1": {"fulfilment.requested.v1"}}
        assert await subjects.unpublished(tx, {"u2"}) == []
    await harness.handle_batch([harness.envelope(erase("u2"), trusted=True)])
    assert await harness.rows("SELECT outcome_type FROM commands WHERE scope = 'subject.erase:u2'") == [
        ("subject.erased.v1",)
    ]


async def test_a_user_who_comes_back_gets_another_key(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(cancel(await harness.place_order(("s1", 1))))
    await harness.handle(erase(), erase(request_id="e2"), trusted=True)
    order_id = await harness.place_order(("s1", 1))
    async with harness.pool.acquire() as tx:
        row = await tx.fetchrow(SQL["order_view.address"], [order_id])
        assert row is not None
        assert b"Wang Fang" in orders.decrypt_address(order_id, row)
    assert await harness.rows("SELECT user_id, erased_at IS NULL FROM user_keys ORDER BY created_at") == [
        ("u1", False),
        ("u1", True),
    ]


async def test_an_order_that_waits_for_the_erasure_of_its_user_gets_another_key(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(cancel(await harness.place_order(("s1", 1))))
    again = create(("s1", 1), request_id="again")
    await harness.handle_overlapping([erase()], [again], trusted=True)
    await harness.handle_overlapping([create(("s1", 1), request_id="third")], [create(("s2", 1), request_id="fourth")])
    keys = await harness.rows(
        "SELECT DISTINCT k.erased_at IS NULL, o.request_id LIKE 'r%' FROM orders o"
        " JOIN order_addresses a ON a.order_id = o.id JOIN user_keys k ON k.key_id = a.key_id ORDER BY 1"
    )
    assert keys == [(False, True), (True, False)]
    assert await harness.rows("SELECT count(*) FROM user_keys") == [(2,)]


async def test_an_erased_letter_is_shown_as_erased_and_cannot_be_replayed(harness: HandlerHarness) -> None:
    await die(harness, b'{"user_id": "u1", "phone": "13800001234"}')
    await harness.handle(erase(), trusted=True)
    async with harness.pool.acquire() as tx, tx.transaction():
        (row,) = await dead_letters.lock(tx, [await tx.fetchval("SELECT id FROM dead_letters")])
        with pytest.raises(cipher.ErasedError):
            await decisions.replay(tx, [row], to="order-creation", note="n", reason="r")


async def test_letters_that_name_an_order_or_belong_to_its_conversation_are_erased_and_others_are_not(
    harness: HandlerHarness,
) -> None:
    await harness.fill_stock()
    orders_of = {name: await harness.place_order(("s1", 1), user_id=name) for name in ("u1", "u2")}
    for order_id in orders_of.values():
        await harness.handle(cancel(order_id, f"stop {order_id}", OPERATOR), trusted=True)
    about = dict(await harness.rows("SELECT user_id, conversation_id FROM orders"))
    for name in ("u1", "u2"):
        await die(harness, b'{"order_id": "%d", "phone": "13800001234"}' % orders_of[name])
        await die(harness, b"no JSON, phone 13800001234, of %b" % name.encode(), about[name])
    async with harness.pool.acquire() as tx:
        exported = await subject_exports.part(tx, "u1", "letters", None)
    assert [row["correlation_id"] for row in exported.data["letters"]] == [None, about["u1"]]
    await harness.handle(erase(), trusted=True)
    assert await harness.rows("SELECT key_id = 'erased', length(body) = 0 FROM dead_letters ORDER BY id") == [
        *[(True, True)] * 2,
        *[(False, False)] * 2,
    ]


async def test_letters_that_name_a_payment_of_the_user_are_exported_and_erased_and_others_are_not(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notification, a refund's result and evidence name no order: they have numbers of payments."""
    await harness.fill_stock()
    completed = dict[str, int]()
    for name in ("u1", "u2"):
        subject = await lived(harness, name)
        completed[name] = subject.completed
        await harness.handle(dispute("won", trade_no=f"trade-{name}", dispute_no=f"D-{name}"))
        number = harness.events_of("refund.requested")[-1]["refund_no"]
        raw = b64encode(f"buyer_logon_id={name}%40mail&out_trade_no={subject.out_trade_no}".encode()).decode()
        bodies: dict[str, dict[str, Any]] = {
            "payment.callback": {"provider": "alipay", "headers": {}, "body": raw},
            "refund.result": {"refund_no": number, "status": "failed", "reason": name},
            "payment.result": {"provider": "alipay", "trade_no": f"trade-{name}", "reason": name},
            "dispute.submit_evidence": {"provider": "alipay", "dispute_no": f"D-{name}", "description": name},
            "revision.reset": {"kind": "member", "id": name, "reason": "wrong level"},
        }
        await harness.pool.execute("DELETE FROM dead_letters WHERE about = $1", [f"user:{name}"])
        for type, body in bodies.items():
            await die(harness, orjson.dumps(body), type=f"{type}.v1")
    async with harness.pool.acquire() as tx:
        exported = await subject_exports.part(tx, "u1", "letters", None)
        assert (await subjects.kept(tx, "u1"))["dead_letters"] == 5
    assert len(exported.data["letters"]) == 5
    seen_by_operator = await explained(harness, completed["u1"])
    assert len(seen_by_operator.died) == 4, "what died of a payment died of its order"
    await harness.pool.execute("UPDATE dead_letters SET about = NULL")
    monkeypatch.setattr("workers.store.subjects.OLD_LETTERS_AT_ONCE", 3)
    await harness.handle(erase(), trusted=True)
    ((code, details),) = harness.rejections()
    assert (code, len(details["dead_letters"])) == ("SUBJECT_HAS_LIVE_ORDERS", 4), "the member's level is not money"
    await harness.pool.execute("UPDATE dead_letters SET state = 'discarded'")
    await harness.handle(erase(request_id="e2"), trusted=True)
    erased = await harness.rows("SELECT key_id = 'erased' FROM dead_letters ORDER BY id")
    assert [one for (one,) in erased] == [True] * 5 + [False] * 5


def test_an_order_is_live_until_nothing_needs_its_address() -> None:
    assert set(State) - set(subjects.LIVE) == {State.COMPLETED, State.CANCELLED, State.REJECTED, State.SPLIT}


async def test_personal_data_of_ended_orders_is_deleted_when_its_retention_has_passed(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    subject = await lived(harness)
    await harness.handle(apply(subject.completed, (1, 1), evidence=("photo/1.jpg",)))
    await harness.handle(dispute(trade_no="trade-u1"))
    await harness.handle(evidence("e9"), trusted=True)
    await harness.pool.execute("UPDATE shipment_facts SET place = 'her door'")
    await harness.place_order(("s1", 1), user_id="u3")
    async with harness.pool.acquire() as tx:
        assert await retention.purge(tx, "personal_data", 1, 1000) == 0
        await tx.execute("UPDATE orders SET updated_at = updated_at + interval '1 d'")
        assert await retention.purge(tx, "personal_data", 0, 1000) == 0  # it ended later than it was created
        await tx.execute("UPDATE orders SET updated_at = updated_at - interval '1 d'")
        assert seen(await readable(harness.pool)) == set(FIELDS)
        assert [await retention.purge(tx, "personal_data", 0, 1) for _ in range(3)] == [1, 1, 0]
        assert [finding for finding in await check(tx) if finding.violations] == []
    assert seen(await readable(harness.pool)) == set(FIELDS) - {"address", "remark", "attempt"}
    left = "SELECT user_id FROM order_addresses JOIN orders ON id = order_id"
    assert await harness.rows(left) == [("u3",)]
    places = "SELECT evidence::text FROM after_sales UNION ALL SELECT evidence::text FROM dispute_evidence"
    assert await harness.rows(f"{places} UNION ALL SELECT DISTINCT place FROM shipment_facts") == [
        *[("[]",)] * 2,
        (None,),
    ]
