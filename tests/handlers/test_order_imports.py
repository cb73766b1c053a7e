"""Orders of other systems are taken as they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

from messages.order_queries import OrderDescribed, OrderGet, OrderList, OrderListed
from messages.refunds import RefundRequest
from tests.handlers.builders import OPERATOR, create, user
from tests.handlers.harness import HandlerHarness
from tests.handlers.import_builders import BEGAN, CUP, TEA, TIMES, back, cancelled, imported, unpaid
from tests.handlers.querying import ask
from workers.domain.ids import EPOCH_MS, SPREAD_MS
from workers.store import retention


async def taken(harness: HandlerHarness) -> list[dict[str, Any]]:
    return harness.events_of("order_import.recorded")


async def test_an_order_of_another_system_is_here_as_it_was_sold(harness: HandlerHarness) -> None:
    await harness.handle(imported(), trusted=True)
    [event] = await taken(harness)
    assert [event[name]["minor"] for name in ("payable", "captured", "refunded")] == [1237, 1237, 455]
    [shown] = await ask(harness, OrderGet(actor=user(), order=event["order_no"]))
    assert isinstance(shown, OrderDescribed)
    assert (shown.state, shown.version, shown.created_at) == ("completed", 1, BEGAN)
    assert [(line.name, line.payable, line.refunded) for line in shown.lines] == [("Tea", 910, 455), ("Cup", 327, 0)]
    assert [(refund.state, refund.amount.minor) for refund in shown.refunds] == [("succeeded", 455)]
    assert shown.address is not None
    assert await harness.rows("SELECT count(*) FROM stock_ledger") == [(0,)]
    assert [type_ for type_ in {one["type"] for one in harness.events} if type_.startswith("order.")] == []


async def test_it_is_listed_by_the_time_at_which_it_was_placed_there(harness: HandlerHarness) -> None:
    await harness.fill_stock()
    await harness.handle(create(("s1", 1)))
    await harness.handle(imported(), trusted=True)
    [event] = await taken(harness)
    assert 0 < (int(event["order_id"]) >> 22) + EPOCH_MS - BEGAN.timestamp() * 1000 <= SPREAD_MS
    [page] = await ask(harness, OrderList(actor=user(), user_id="u1"))
    assert isinstance(page, OrderListed)
    assert [one.order_id for one in page.orders][-1:] == [int(event["order_id"])]
    assert len(page.orders) == 2


async def test_operators_find_an_order_from_before_our_ids_by_its_time(harness: HandlerHarness) -> None:
    """Its id has the beginning of 2024, and its time does not."""
    times: dict[str, Any] = {name: at - timedelta(days=900) for name, at in TIMES.items()}
    await harness.handle(imported(refunds=(), **times), trusted=True)
    [event] = await taken(harness)
    before = BEGAN - timedelta(days=899)
    filters: list[dict[str, Any]] = [{"states": ("completed",)}, {"user_id": "u1"}, {"sku_id": "old-tea"}, {}]
    for other in (*filters, {"user_id": "u1", "states": ("completed",)}, {"user_id": "u1", "sku_id": "old-tea"}):
        [page] = await ask(harness, OrderList(actor=OPERATOR, created_before=before, **other))
        assert isinstance(page, OrderListed)
        assert [one.order_id for one in page.orders] == [int(event["order_id"])], other


async def test_a_repeat_is_answered_and_another_order_under_its_number_is_known(harness: HandlerHarness) -> None:
    for _ in range(2):
        await harness.handle(imported(), trusted=True, reply_to="client.a")
    assert [reply.get("duplicate", False) for reply in harness.replies] == [False, True]
    await harness.handle(imported(user_id="u2"), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["ORDER_IMPORT_KNOWN"]
    await harness.pool.execute("DELETE FROM commands")  # as their retention does
    await harness.handle(imported(), trusted=True)
    assert [code for code, _ in harness.rejections()] == ["ORDER_IMPORT_KNOWN"] * 2
    assert await harness.states() == ["completed"]


async def test_an_order_that_was_rejected_is_taken_once_it_is_corrected(harness: HandlerHarness) -> None:
    wrong = imported(payment={**PAID, "trade_no": "old-A-1", "amount": 1236})
    for body in (wrong, imported(), wrong, imported(address=None), imported(actor={"type": "operator", "id": "bob"})):
        await harness.handle(body, trusted=True, reply_to="client.a")
    assert [(reply["type"], reply.get("code"), reply.get("duplicate", False)) for reply in harness.replies] == [
        ("command.rejected.v1", "ORDER_IMPORT_UNBALANCED", False),
        ("order_import.recorded.v1", None, False),
        ("command.rejected.v1", "ORDER_IMPORT_UNBALANCED", True),
        ("command.rejected.v1", "IDEMPOTENCY_CONFLICT", False),
        ("command.rejected.v1", "IDEMPOTENCY_CONFLICT", False),
    ]
    assert await harness.states() == ["completed"]


async def test_what_is_left_of_an_imported_order_can_be_refunded(harness: HandlerHarness) -> None:
    await harness.handle(imported(), trusted=True)
    [event] = await taken(harness)
    for amount, name in ((783, "f1"), (782, "f2")):
        request = RefundRequest(
            request_id=name, actor=OPERATOR, order_id=int(event["order_id"]), amount=amount, reason="sorry"
        )
        await harness.handle(request, trusted=True)
    assert [code for code, _ in harness.rejections()] == ["PAY_REFUND_EXCEEDS"]
    assert [one["amount"] for one in harness.events_of("refund.requested")] == [782]


async def test_its_address_and_remark_are_kept_as_long_as_those_of_any_order_that_ended_then(
    harness: HandlerHarness,
) -> None:
    await harness.handle(imported(remark="ring twice"), cancelled(remark="ring once"), trusted=True)
    days = (datetime.now(UTC) - BEGAN).days
    async with harness.pool.acquire() as tx:
        assert await retention.purge(tx, "personal_data", days + 1, 1000) == 0
        assert await retention.purge(tx, "personal_data", days - 4, 1000) == 2
    assert await harness.rows("SELECT count(*) FROM order_addresses") == [(0,)]
    assert await harness.rows("SELECT count(*) FROM orders WHERE user_remark IS NOT NULL") == [(0,)]


LATE = BEGAN + timedelta(days=9999)
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "under way": ({"state": "paid"}, "ORDER_IMPORT_STATE_INVALID"),
    "of an unknown channel": ({"channel": "telex"}, "ORDER_CHANNEL_INVALID"),
    "without lines": ({"lines": ()}, "ORDER_ITEMS_EMPTY"),
    "a line that does not add up": ({"lines": (TEA | {"payable": 911}, CUP)}, "ORDER_IMPORT_UNBALANCED"),
    "more off than it costs": ({"lines": (TEA | {"promotion": 1001, "payable": 9}, CUP)}, "ORDER_IMPORT_UNBALANCED"),
    "without its payment": ({"payment": None, "refunds": ()}, "ORDER_IMPORT_UNBALANCED"),
    "a payment of less": (
        {"payment": {"provider": "alipay", "trade_no": "x", "amount": 1236}},
        "ORDER_IMPORT_UNBALANCED",
    ),
    "more back than was paid": ({"refunds": (back("a", (1, 1, 911)),)}, "ORDER_IMPORT_UNBALANCED"),
    "more units back": ({"refunds": (back("a", (1, 3, 1)),)}, "ORDER_IMPORT_UNBALANCED"),
    "an unknown line back": ({"refunds": (back("a", (3, 1, 1)),)}, "ORDER_IMPORT_UNBALANCED"),
    "one refund twice": ({"refunds": (back("a", (1, 1, 1)), back("a", (1, 1, 1)))}, "ORDER_IMPORT_UNBALANCED"),
    "a line twice in a refund": ({"refunds": (back("a", (1, 1, 1), (1, 1, 1)),)}, "ORDER_IMPORT_UNBALANCED"),
    "a refund of nothing": ({"refunds": (back("a", (1, 1, 0)),)}, "ORDER_IMPORT_UNBALANCED"),
    "never completed": ({"completed_at": None}, "ORDER_IMPORT_TIMES_INVALID"),
    "cancelled, too": ({"cancelled_at": LATE}, "ORDER_IMPORT_TIMES_INVALID"),
    "delivered before it left": ({"shipped_at": BEGAN + timedelta(hours=60)}, "ORDER_IMPORT_TIMES_INVALID"),
    "completed in the future": ({"completed_at": LATE}, "ORDER_IMPORT_TIMES_INVALID"),
    "refunded before it was paid": ({"refunds": (back("a", (1, 1, 1), hours=0),)}, "ORDER_IMPORT_TIMES_INVALID"),
    "by a user": ({"actor": {"type": "user", "id": "u1"}}, "AUTH_FORBIDDEN"),
}


async def test_an_order_that_cannot_be_is_rejected_with_a_code(harness: HandlerHarness) -> None:
    await harness.handle(*(imported(name, **changes) for name, (changes, _) in BAD.items()), trusted=True)
    assert [code for code, _ in harness.rejections()] == [code for _, code in BAD.values()]
    kept = cancelled("A-2", refunds=(back("a", (1, 2, 910)),))
    await harness.handle(kept, unpaid(), imported("A-4", payment={**PAID, "trade_no": "t"}), trusted=True)
    await harness.handle(imported("A-5", payment={**PAID, "trade_no": "t"}), trusted=True)
    assert [code for code, _ in harness.rejections()][len(BAD) :] == ["ORDER_IMPORT_UNBALANCED", "ORDER_IMPORT_KNOWN"]
    assert sorted(await harness.states()) == ["cancelled", "completed"]


PAID = {"provider": "alipay", "amount": 1237}
