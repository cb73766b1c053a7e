"""Order numbers in the format of S4 with our own ids. They stay unique when many are issued at the same time."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from db.statements import SQL
from messages.orders import OrderNumberIssue
from messages.user_shards import shard_of_user
from tests.handlers.builders import create, receive, sku, user
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.ids import EPOCH_MS, make_id
from workers.domain.shop import CHANNELS, Policy, Shop
from workers.store import buyers, ids

NUMBER = re.compile(r"^(\d{8})(\d{2})(\d{2})(\d{6,})\d{2}$")
"""yyyyMMdd, source, pay type, sequence, and the shard of the user"""
ZONE = "Asia/Shanghai"


def issue(request_id: str = "n1", user_id: str = "u1", **changes: Any) -> OrderNumberIssue:
    fields: dict[str, Any] = {"request_id": request_id, "actor": user(user_id), "user_id": user_id, "channel": "pc"}
    return OrderNumberIssue(**fields | changes)


async def issued(harness: HandlerHarness, **changes: Any) -> str:
    await harness.handle(issue(**changes))
    number: str = harness.events_of("order_number.issued")[-1]["order_no"]
    return number


def parts(number: str) -> tuple[str, str, str, int]:
    match = NUMBER.match(number)
    assert match, number
    day, source, pay_type, sequence = match.groups()
    return day, source, pay_type, int(sequence)


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.fill_stock(qty=1000)
    return harness


async def test_an_order_is_numbered_by_day_channel_and_sequence_once_it_is_accepted(harness: HandlerHarness) -> None:
    before = datetime.now(ZoneInfo(ZONE))
    await harness.handle(*(create(("s1", 1), request_id=name, channel=name) for name in CHANNELS))
    after = datetime.now(ZoneInfo(ZONE))
    numbers = [parts(event["order_no"]) for event in harness.events_of("order.created")]
    assert [(source, pay_type, sequence) for _, source, pay_type, sequence in numbers] == [
        ("00", "00", 1),
        ("01", "00", 2),
        ("02", "00", 3),
        ("03", "00", 4),
    ]
    assert {day for day, _, _, _ in numbers} <= {f"{before:%Y%m%d}", f"{after:%Y%m%d}"}


@pytest.mark.parametrize(
    ("method", "pay_type"),
    [(None, "00"), ("alipay", "01"), ("wechat", "02"), ("paypal", "00"), ("unionpay", "00"), ("stripe", "00")],
)
async def test_an_issued_number_shows_how_it_will_be_paid(
    harness: HandlerHarness, method: str | None, pay_type: str
) -> None:
    assert parts(await issued(harness, method=method, channel="api"))[1:] == ("02", pay_type, 1)


async def test_a_number_has_the_day_of_the_shops_time_zone_and_the_sequence_goes_on(harness: HandlerHarness) -> None:
    """These two zones are a day apart at any time."""
    seen = []
    for number, zone in enumerate(("Pacific/Kiritimati", "Etc/GMT+11", "Pacific/Kiritimati")):
        shop.configure(Shop(business_time_zone=zone, policy=Policy(rate_limit_orders=0)))
        seen.append(parts(await issued(harness, request_id=f"n{number}")))
    assert [sequence for _, _, _, sequence in seen] == [1, 2, 3]
    assert seen[0][0] == seen[2][0] != seen[1][0]


async def test_a_sequence_outgrows_its_six_digits(harness: HandlerHarness) -> None:
    await harness.create_order(create(("s1", 1)))
    await harness.pool.execute("SELECT setval('order_no_sequence', 999999)")
    assert parts(await issued(harness))[3] == 1_000_000


async def test_an_issued_number_is_used_once_and_by_its_user_only(harness: HandlerHarness) -> None:
    mine, theirs = await issued(harness), await issued(harness, user_id="u2")
    await harness.handle(create(("s1", 1), order_no=theirs))
    await harness.handle(create(("s1", 1), request_id="r2", order_no="202601010000000001"))
    await harness.handle(
        create(("s1", 1), request_id="r3", order_no=mine), create(("s1", 1), request_id="r4", order_no=mine)
    )
    await harness.handle(create(("s1", 1), request_id="r5", order_no=mine))
    [(order_id,)] = await harness.rows("SELECT id FROM orders")
    taken = {"field": "order_no", "order_id": str(order_id)}
    not_theirs, used = ("ORDER_PARAM_INVALID", {"field": "order_no"}), ("ORDER_PARAM_INVALID", taken)
    assert harness.rejections() == [not_theirs, not_theirs, used, used]
    assert await harness.rows("SELECT request_id, order_no FROM orders") == [("r3", mine)]
    assert [event["order_no"] for event in harness.events_of("order.created")] == [mine]
    await harness.create_order(create(("s1", 1), user_id="u2", order_no=theirs))


async def test_of_two_workers_with_one_number_one_uses_it(harness: HandlerHarness) -> None:
    mine = await issued(harness)
    await harness.handle_overlapping(*([create(("s1", 1), request_id=name, order_no=mine)] for name in "ab"))
    assert await harness.rows("SELECT request_id, order_no FROM orders") == [("a", mine)]
    [(code, details)] = harness.rejections()
    assert (code, details["field"]) == ("ORDER_PARAM_INVALID", "order_no")


async def test_a_number_that_a_rejected_order_brought_along_is_free_for_the_next_try(harness: HandlerHarness) -> None:
    mine = await issued(harness)
    await harness.handle(create(("s1", 9_999), order_no=mine))
    assert [event["order_no"] for event in harness.events_of("order.rejected")] == [None]
    await harness.handle(create(("s1", 1), request_id="r2", order_no=mine))
    assert [event["order_no"] for event in harness.events_of("order.created")] == [mine]


async def test_a_refused_order_leaves_its_number_for_another(harness: HandlerHarness) -> None:
    mine = await issued(harness)
    await harness.handle(create(("none", 1), order_no=mine))
    await harness.create_order(create(("s1", 1), request_id="r2", order_no=mine))


async def test_of_a_split_order_the_parent_bears_the_number_and_each_child_one_of_its_own(
    harness: HandlerHarness,
) -> None:
    await harness.handle(sku("card", product_type="virtual"))
    await harness.handle(receive("card", 10))
    mine = await issued(harness)
    root = await harness.create_order(create(("s1", 1), ("card", 1), order_no=mine))
    numbers = dict(await harness.rows("SELECT id, order_no FROM orders"))
    assert numbers[root] == mine
    assert sorted(parts(number)[3] for number in numbers.values()) == [1, 2, 3]


async def test_a_repeated_request_gives_the_same_number_and_a_new_one_another(harness: HandlerHarness) -> None:
    first = await issued(harness)
    await harness.handle(issue(), reply_to="client.a")
    assert [(reply["order_no"], reply["duplicate"]) for reply in harness.replies] == [(first, True)]
    assert await issued(harness, request_id="n2") != first


async def test_no_number_is_issued_for_an_unknown_value_or_for_another_user(harness: HandlerHarness) -> None:
    await harness.handle(issue("a", channel="fax"), issue("b", method="gold"), issue("c", actor=user("thief")))
    assert sorted(code for code, _ in harness.rejections()) == [
        "AUTH_FORBIDDEN",
        "ORDER_CHANNEL_INVALID",
        "PAY_METHOD_INVALID",
    ]
    assert await harness.rows("SELECT * FROM issued_order_numbers") == []
    assert await harness.rows("SELECT is_called FROM order_no_sequence") == [(False,)]


async def test_eight_workers_at_once_never_give_a_number_or_an_id_twice(harness: HandlerHarness) -> None:
    async def work(worker: int) -> tuple[list[str], list[int]]:
        numbers: list[str] = []
        keys: list[int] = []
        for _ in range(10):
            async with harness.pool.acquire() as tx, tx.transaction():
                user = f"u{worker}"
                more, named = await ids.take_with_numbers(tx, [user] * 25, [ids.NumberOf(user, "pc")] * 25, ZONE)
                keys, numbers = keys + more, numbers + named
        return numbers, keys

    done = await asyncio.gather(*(work(worker) for worker in range(8)))
    numbers, keys = [n for one, _ in done for n in one], [key for _, one in done for key in one]
    assert (len(set(numbers)), len(set(keys))) == (2000, 2000)
    assert {key >> 16 & 63 for key in keys} == {shard_of_user(f"u{worker}") for worker in range(8)}


async def test_orders_that_workers_accept_at_once_have_numbers_of_their_own(harness: HandlerHarness) -> None:
    await harness.handle_concurrently(*([create(("s1", 1), request_id=f"{n}", user_id=f"u{n % 7}")] for n in range(21)))
    numbers = [event["order_no"] for event in harness.events_of("order.created")]
    assert sorted(parts(number)[3] for number in numbers) == list(range(1, 22))


async def test_an_id_that_exists_is_refused_by_the_database_and_the_order_placed_with_the_next(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue the same id again: the clock stands still and the sequence is reset."""
    noon = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp() * 1000)
    for module in (ids, buyers):
        monkeypatch.setattr(module, "make_id", lambda _, shard, sequence: make_id(noon, shard, sequence))
    await harness.pool.execute("ALTER SEQUENCE id_sequence RESTART")
    first = await harness.create_order(create(("s1", 1)))
    await harness.pool.execute("ALTER SEQUENCE id_sequence RESTART")
    with pytest.raises(asyncpg.UniqueViolationError):
        await harness.create_order(create(("s1", 1), request_id="r2"))
    assert await harness.states() == ["awaiting_payment"]
    second = await harness.create_order(create(("s1", 1), request_id="r2"))
    assert (first, second) == tuple(make_id(noon, shard_of_user("u1"), sequence) for sequence in (1, 2))
    assert first >> 22 == noon - EPOCH_MS
    assert await harness.stock() == (1000, 2)


async def test_a_clock_that_is_set_back_gives_no_id_again(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([5_000, 5_001, 4_000, 4_001, 5_000, 5_001] * 50)
    monkeypatch.setattr(ids, "make_id", lambda _, shard, sequence: make_id(EPOCH_MS + next(clock), shard, sequence))
    async with harness.pool.acquire() as tx:
        keys = await ids.take(tx, ["u1"] * 300)
    assert len(set(keys)) == 300


async def test_a_number_leads_to_one_order_in_all_months(harness: HandlerHarness) -> None:
    await harness.handle(create(("s1", 1)))
    ((order_id, number),) = await harness.rows("SELECT order_id, order_no FROM order_numbers")
    found = await harness.pool.fetch(SQL["order_view.find"], [number, str(order_id)], [None, order_id])
    assert {row["id"] for row in found} == {order_id}
    with pytest.raises(asyncpg.UniqueViolationError):
        await harness.pool.execute("INSERT INTO order_numbers (order_no, order_id) VALUES ($1, 1)", number)
