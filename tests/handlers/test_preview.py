"""A preview has the price that the order then costs, and writes nothing."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from db import cipher
from db.pool import Pool
from messages.base import Actor, QueryRejected, Reply
from messages.catalogue import SettingsSet
from messages.envelope import Envelope
from messages.orders import Address, CreateLine
from messages.queries import OrderPreview, OrderPreviewed
from messages.roles import FOR_BUYERS, Role
from tests.handlers.builders import ADDRESS, OPERATOR, cancel, create, receive, user
from tests.handlers.catalogue_builders import member
from tests.handlers.harness import HandlerHarness
from tests.handlers.preview_builders import BENEFITS, CATALOGUE, FROM, SHOP, TO
from workers import shop
from workers.domain.shop import Shop
from workers.handlers import queries
from workers.runtime.batch import Batch


def preview(*lines: tuple[str, int], user_id: str = "u1", **changes: Any) -> OrderPreview:
    fields: dict[str, Any] = {
        "actor": user(user_id),
        "user_id": user_id,
        "channel": "pc",
        "currency": "CNY",
        "country": "CN",
        "items": tuple(CreateLine(sku_id=name, qty=qty) for name, qty in lines),
    }
    return OrderPreview(**(fields | changes))


async def answers_to(pool: Pool, *bodies: OrderPreview, trusted: bool = False) -> list[Reply]:
    """Answer the queries as the runtime does, in a transaction that cannot write."""
    roles = frozenset({Role.OPERATOR if trusted else Role.STOREFRONT})
    items = [
        Envelope(body=body, message_id="same", correlation_id="c", occurred_at=FROM, roles=roles, reply_to="mine")
        for body in bodies
    ]
    async with pool.acquire() as tx, tx.transaction(readonly=True):
        return await queries.answer(tx, Batch(items, await tx.fetchval("SELECT clock_timestamp()")))


async def answer_to(pool: Pool, body: OrderPreview) -> OrderPreviewed:
    [reply] = await answers_to(pool, body)
    assert isinstance(reply, OrderPreviewed), reply
    return reply


@pytest.fixture
async def harness(harness: HandlerHarness) -> AsyncIterator[HandlerHarness]:
    """A shop with every kind of promotion, and a buyer with coupons, points and a level."""
    shop.configure(SHOP)
    await harness.handle(*CATALOGUE, trusted=True)
    await harness.handle(*BENEFITS, trusted=True)
    await harness.handle(*(receive(name, 1000) for name in ("tea", "cake", "cup", "pot", "plate")))
    refused = harness.events_of("command.rejected")
    assert not refused, refused
    harness.events.clear()
    yield harness
    shop.configure(Shop())


EQUAL: list[tuple[str, Sequence[tuple[str, int]], dict[str, Any]]] = [
    ("one line", [("plate", 3)], {}),
    ("a ladder below its first step", [("tea", 1)], {}),
    ("a ladder", [("tea", 7)], {}),
    ("a full reduction", [("cake", 2)], {}),
    ("a member's price", [("cup", 3)], {}),
    ("without a member price", [("cup", 3)], {"user_id": "u2"}),
    ("a flash price, and the rest at the normal one", [("pot", 5)], {}),
    ("free shipping", [("cup", 9)], {}),
    ("a dear country", [("plate", 1)], {"country": "US"}),
    ("a coupon", [("plate", 5)], {"coupon_id": "c-all"}),
    ("a coupon for some lines", [("cake", 1), ("tea", 1)], {"coupon_id": "c-food"}),
    ("points", [("plate", 10)], {"use_points": 1_000}),
    ("more points than fit", [("plate", 10)], {"use_points": 5_000}),
    ("points that a line limits", [("cup", 1)], {"use_points": 5_000}),
    (
        "everything at once",
        [("tea", 3), ("cake", 4), ("cup", 2), ("pot", 1), ("plate", 1)],
        {"coupon_id": "c-all", "use_points": 2_345, "country": "US"},
    ),
]


@pytest.mark.parametrize(("lines", "changes"), [case[1:] for case in EQUAL], ids=[case[0] for case in EQUAL])
async def test_an_order_costs_what_its_preview_showed(
    harness: HandlerHarness, lines: Sequence[tuple[str, int]], changes: dict[str, Any]
) -> None:
    previewed = await answer_to(harness.pool, preview(*lines, **changes))
    assert (previewed.refusal, previewed.amounts is not None) == (None, True)
    assert previewed.amounts is not None
    country, given = changes.get("country", "CN"), {k: v for k, v in changes.items() if k != "country"}
    address = ADDRESS.model_copy(update={"country": country})
    await harness.handle(create(*lines, **given, address=address, expected_pay_amount=previewed.amounts.payable))
    [created] = harness.events_of("order.created")
    assert created["amounts"] == previewed.amounts.model_dump()
    sums = {
        name: sum(getattr(line, name) for line in previewed.items) for name in ("origin", "promotion", "coupon", "tax")
    }
    assert sums == {name: getattr(previewed.amounts, name) for name in sums}
    assert sum(line.payable for line in previewed.items) == previewed.amounts.payable
    assert sum(line.shipping_share for line in previewed.items) == previewed.amounts.shipping
    stored = "SELECT line_no, sku_id, payable_amount, promotion_id, promotion_text FROM order_items ORDER BY line_no"
    assert [tuple(row) for row in await harness.pool.fetch(stored)] == [
        (line.line_no, line.sku_id, line.payable, line.promotion_id, line.promotion_text) for line in previewed.items
    ]


async def test_units_that_the_buyer_had_at_a_limited_price_count(harness: HandlerHarness) -> None:
    first = await answer_to(harness.pool, preview(("pot", 2)))
    assert first.amounts is not None
    await harness.handle(create(("pot", 2), expected_pay_amount=first.amounts.payable))
    second = await answer_to(harness.pool, preview(("pot", 1)))
    assert second.amounts is not None
    assert (first.amounts.promotion, second.amounts.promotion) == (10_000, 0)
    await harness.handle(create(("pot", 1), request_id="r2", expected_pay_amount=second.amounts.payable))
    assert len(harness.events_of("order.created")) == 2
    other = await answer_to(harness.pool, preview(("pot", 2), user_id="u2"))
    assert other.amounts is not None
    assert other.amounts.promotion == 5_000  # one unit is left at the flash price


async def test_the_cart_costs_what_its_lines_cost(harness: HandlerHarness) -> None:
    await harness.pool.execute(
        "INSERT INTO cart_lines (user_id, sku_id, qty) VALUES ('u1', 'tea', 4), ('u1', 'cup', 1)"
    )
    carried = await answer_to(harness.pool, preview(from_cart=True, coupon_id="c-all", use_points=300))
    bought = await answer_to(harness.pool, preview(("cup", 1), ("tea", 4), coupon_id="c-all", use_points=300))
    assert carried.amounts is not None
    assert (carried.amounts, carried.items) == (bought.amounts, bought.items)


async def test_an_empty_cart_and_a_cart_with_items_beside_it_are_refused(harness: HandlerHarness) -> None:
    empty, both = [
        await answer_to(harness.pool, body) for body in (preview(from_cart=True), preview(("tea", 1), from_cart=True))
    ]
    assert empty.refusal is not None
    assert (empty.refusal.code, empty.items, empty.amounts) == ("ORDER_ITEMS_EMPTY", (), None)
    assert both.refusal is not None
    assert (both.refusal.code, both.amounts) == ("ORDER_PARAM_INVALID", None)


async def test_a_cart_of_more_lines_than_an_order_has_is_refused(harness: HandlerHarness) -> None:
    await harness.pool.execute(
        "INSERT INTO cart_lines (user_id, sku_id, qty) SELECT 'u1', 'sku-' || n, 1 FROM generate_series(1, 201) n"
    )
    previewed = await answer_to(harness.pool, preview(from_cart=True))
    assert previewed.refusal is not None
    assert previewed.refusal.details == {"field": "items"}


async def test_the_buyer_is_shown_with_level_and_points(harness: HandlerHarness) -> None:
    previewed = await answer_to(harness.pool, preview(("plate", 10), use_points=1_050))
    assert previewed.user.model_dump() == {"user_id": "u1", "member_level": "gold", "points_available": 5_050}
    # Points are used in whole hundreds, up to half of 77.70 yuan.
    assert (previewed.points_used, previewed.points_usable) == (1_000, 3_800)
    assert previewed.amounts is not None
    assert previewed.amounts.points == 1_000
    unknown = await answer_to(harness.pool, preview(("plate", 10), user_id="u9"))
    assert unknown.user.model_dump() == {"user_id": "u9", "member_level": None, "points_available": 0}
    assert (unknown.points_usable, unknown.coupons, unknown.addresses) == (0, (), ())


async def test_the_points_of_another_order_are_not_available(harness: HandlerHarness) -> None:
    first = await answer_to(harness.pool, preview(("plate", 10), use_points=3_000))
    assert first.amounts is not None
    await harness.handle(create(("plate", 10), use_points=3_000, expected_pay_amount=first.amounts.payable))
    assert (await answer_to(harness.pool, preview(("plate", 1)))).user.points_available == 2_050


async def test_the_buyers_coupons_say_whether_this_order_can_use_them(harness: HandlerHarness) -> None:
    await harness.pool.execute(
        "INSERT INTO coupons (coupon_id, template_id, name, user_id, state, amount, currency, min_amount, scope,"
        " scope_ids, channels, member_levels, valid_from, valid_to)"
        " SELECT 'c-old', template_id, name, 'u1', 'issued', amount, currency, min_amount, scope, scope_ids, channels,"
        " member_levels, valid_from, valid_to FROM coupon_templates WHERE template_id = 't-old'"
    )
    previewed = await answer_to(harness.pool, preview(("plate", 5)))
    assert {coupon.coupon_id: coupon.why for coupon in previewed.coupons} == {
        "c-all": None,
        "c-food": "scope",
        "c-much": "threshold",
        "c-close": "threshold",
        "c-mobile": "channel",
        "c-old": "expired",
    }
    assert all(coupon.usable is (coupon.why is None) for coupon in previewed.coupons)
    assert previewed.coupons[0].coupon_id == "c-old"  # what ends first comes first
    cake = await answer_to(harness.pool, preview(("cake", 1)))
    assert {coupon.coupon_id for coupon in cake.coupons if coupon.usable} == {"c-all", "c-food"}


@pytest.mark.parametrize("coupon_id", ["c-all", "c-food", "c-much", "c-close", "c-mobile"])
@pytest.mark.parametrize("lines", [(("plate", 5),), (("cake", 1), ("tea", 2)), (("tea", 1),), (("tea", 2),)])
async def test_a_coupon_is_usable_exactly_when_the_order_would_be_taken_with_it(
    harness: HandlerHarness, coupon_id: str, lines: Sequence[tuple[str, int]]
) -> None:
    previewed = await answer_to(harness.pool, preview(*lines, coupon_id=coupon_id))
    [offered] = [coupon for coupon in previewed.coupons if coupon.coupon_id == coupon_id]
    assert offered.usable is (previewed.refusal is None)
    if previewed.refusal is not None:
        assert (previewed.refusal.code, previewed.refusal.details["why"]) == ("COUPON_NOT_USABLE", offered.why)


async def test_a_coupon_that_an_order_holds_is_offered_no_more(harness: HandlerHarness) -> None:
    previewed = await answer_to(harness.pool, preview(("plate", 5), coupon_id="c-all"))
    assert previewed.amounts is not None
    await harness.handle(create(("plate", 5), coupon_id="c-all", expected_pay_amount=previewed.amounts.payable))
    again = await answer_to(harness.pool, preview(("plate", 5), coupon_id="c-all"))
    assert again.refusal is not None
    assert again.refusal.code == "COUPON_ALREADY_LOCKED"
    assert "c-all" not in {coupon.coupon_id for coupon in again.coupons}


REFUSED: list[tuple[str, dict[str, Any], str, int]] = [
    ("a coupon that is none", {"coupon_id": "nope"}, "COUPON_NOT_FOUND", 1),
    ("another user's coupon", {"coupon_id": "c-theirs"}, "COUPON_NOT_FOUND", 1),
    ("too many points", {"use_points": 5_051}, "POINTS_INSUFFICIENT", 1),
    ("points that are none", {"use_points": -1}, "POINTS_RULE", 1),
    ("an unknown channel", {"channel": "carrier-pigeon"}, "ORDER_CHANNEL_INVALID", 1),
    ("an unknown business type", {"business_type": "barter"}, "ORDER_BUSINESS_TYPE_INVALID", 1),
    ("no lines", {"items": ()}, "ORDER_ITEMS_EMPTY", 0),
    ("an unknown SKU", {"items": (CreateLine(sku_id="x", qty=1),)}, "PRODUCT_NOT_FOUND", 0),
    ("a quantity that is none", {"items": (CreateLine(sku_id="tea", qty=0),)}, "ORDER_PARAM_INVALID", 0),
    ("another currency", {"currency": "EUR"}, "ORDER_PARAM_INVALID", 0),
]


@pytest.mark.parametrize(
    ("changes", "code", "lines"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
async def test_a_preview_of_a_refused_order_has_the_reason_and_all_other_fields(
    harness: HandlerHarness, changes: dict[str, Any], code: str, lines: int
) -> None:
    await harness.place_order(("plate", 1), price=777 + 101 + 700)
    previewed = await answer_to(harness.pool, preview(("plate", 5), **changes))
    assert previewed.refusal is not None
    assert (previewed.refusal.code, previewed.amounts, len(previewed.items), previewed.points_used) == (
        code,
        None,
        lines,
        0,
    )
    assert previewed.user.points_available == 5_050
    assert len(previewed.coupons) == 5
    assert len(previewed.addresses) == 1
    body = create(("plate", 5), request_id="same", **{"expected_pay_amount": 1} | changes)
    await harness.handle(body)
    [rejected] = [event for event in harness.events_of("command.rejected") if event["code"] != "RISK_RATE_LIMITED"]
    assert (rejected["code"], rejected["details"]) == (previewed.refusal.code, previewed.refusal.details)


async def test_a_preview_says_that_the_user_may_place_no_orders(harness: HandlerHarness) -> None:
    await harness.handle(member(revision=2, blocked=True), trusted=True)
    shown = await answer_to(harness.pool, preview(("s1", 1)))
    assert shown.refusal is not None
    assert (shown.refusal.code, shown.refusal.details) == ("USER_INVALID", {"field": "user_id", "why": "blocked"})


async def test_what_a_business_type_does_not_take_is_not_offered(harness: HandlerHarness) -> None:
    terms = {"allow_coupon": False, "allow_points": False}
    await harness.handle(SettingsSet(business_type="group_buy", revision=1, **terms), trusted=True)  # type: ignore[arg-type]
    previewed = await answer_to(harness.pool, preview(("plate", 5), business_type="group_buy"))
    assert (previewed.refusal, previewed.points_usable) == (None, 0)
    assert {coupon.why for coupon in previewed.coupons} == {"business_type"}


async def test_the_newest_different_addresses_are_shown_masked(harness: HandlerHarness) -> None:
    async def order(detail: str) -> str:
        address = Address(receiver="Wang Fang", phone="13812345678", country="CN", detail=detail)
        await harness.pool.execute("UPDATE orders SET created_at = created_at - interval '1 hour'")  # no rate limit
        harness.count += 1
        paid = 777 + 101 + 700
        await harness.handle(
            create(("plate", 1), request_id=f"r{harness.count}", address=address, expected_pay_amount=paid)
        )
        return str(harness.events_of("order.created")[-1]["order_id"])

    numbers = [await order(f"{n} Nanjing Road") for n in (1, 2, 3, 4, 5, 6)]
    again = await order("3 Nanjing Road")
    previewed = await answer_to(harness.pool, preview(("plate", 1)))
    assert [str(a.order_id) for a in previewed.addresses] == [again, numbers[5], numbers[4], numbers[3], numbers[1]]
    assert {(a.country, a.receiver, a.phone) for a in previewed.addresses} == {("CN", "W****", "138****5678")}
    assert [a.detail for a in previewed.addresses] == ["3****", "6****", "5****", "4****", "2****"]
    everything = previewed.model_dump_json()
    assert "Nanjing" not in everything
    assert "13812345678" not in everything
    other = await answer_to(harness.pool, preview(("plate", 1), user_id="u2"))
    assert other.addresses == ()


async def test_an_address_whose_key_is_gone_is_left_out_and_the_price_is_shown(
    harness: HandlerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.place_order(("plate", 1), price=777 + 101 + 700)
    monkeypatch.setattr(cipher, "current", lambda: cipher.Cipher.from_keys(cipher.new_key("other")))
    previewed = await answer_to(harness.pool, preview(("plate", 1)))
    assert (previewed.addresses, previewed.amounts is not None) == ((), True)


async def test_an_order_that_is_hidden_or_was_rejected_shows_no_address(harness: HandlerHarness) -> None:
    hidden = await harness.place_order(("plate", 1), price=777 + 101 + 700)
    await harness.handle(cancel(hidden))
    await harness.pool.execute("UPDATE orders SET deleted = true")
    price = (await answer_to(harness.pool, preview(("plate", 1001)))).amounts
    assert price is not None
    await harness.handle(create(("plate", 1001), request_id="r2", expected_pay_amount=price.payable))
    assert await harness.states() == ["cancelled", "rejected"]
    assert (await answer_to(harness.pool, preview(("plate", 1)))).addresses == ()


WHO: list[tuple[Actor, bool, bool]] = [
    (user("u1"), False, True),
    (user("u2"), False, False),
    (user("u2"), True, False),
    (OPERATOR, False, False),
    (OPERATOR, True, True),
    (Actor(type="system", id="x"), False, False),
]


@pytest.mark.parametrize(("actor", "trusted", "answered"), WHO)
async def test_a_user_gets_its_own_preview_and_an_operator_is_vouched_for(
    harness: HandlerHarness, actor: Actor, trusted: bool, answered: bool
) -> None:
    first, second = await answers_to(
        harness.pool, preview(("tea", 1), actor=actor), preview(("tea", 1)), trusted=trusted
    )
    assert isinstance(second, OrderPreviewed)
    if answered:
        assert isinstance(first, OrderPreviewed)
    else:
        assert isinstance(first, QueryRejected)
        assert first.code == "AUTH_FORBIDDEN"


async def test_each_of_many_questions_gets_its_own_answer_in_order(harness: HandlerHarness) -> None:
    bodies = [preview(("plate", n), user_id=f"u{n % 3}") for n in range(1, 20)]
    replies = await answers_to(harness.pool, *bodies)
    answers = [(r.user.user_id, r.items[0].qty) for r in replies if isinstance(r, OrderPreviewed)]
    assert answers == [(body.user_id, body.items[0].qty) for body in bodies]


async def test_many_questions_take_no_more_statements_than_one(harness: HandlerHarness) -> None:
    async def statements(count: int) -> int:
        seen: list[str] = []

        def look(record: Any) -> None:
            seen.append(record.query)

        async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
            bodies = [preview(("plate", 1), ("tea", 2), user_id=f"u{n}", coupon_id="c-all") for n in range(count)]
            envelopes = [
                Envelope(body=body, message_id=str(n), correlation_id="c", occurred_at=FROM, roles=FOR_BUYERS)
                for n, body in enumerate(bodies)
            ]
            tx.add_query_logger(look)
            await queries.answer(tx, Batch(envelopes, datetime.now(UTC)))
            tx.remove_query_logger(look)
        return len(seen)

    assert await statements(1) == await statements(50)


async def test_a_preview_writes_nothing_and_locks_nothing(harness: HandlerHarness) -> None:
    counts = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_xact_user_tables"
    everything = preview(("pot", 1), ("tea", 2), coupon_id="c-all", use_points=100)
    envelope = Envelope(body=everything, message_id="m", correlation_id="c", occurred_at=FROM, roles=FOR_BUYERS)
    async with harness.pool.acquire() as other, other.transaction():
        # the locks that an order holds while it is placed
        await other.execute("SELECT 1 FROM coupons, points_accounts, promotion_quotas FOR UPDATE")
        async with harness.pool.acquire() as tx, tx.transaction():
            await tx.execute("SET LOCAL lock_timeout = '100ms'")
            before = await tx.fetchval(counts)
            [reply] = await queries.answer(tx, Batch([envelope], datetime.now(UTC)))
            assert isinstance(reply, OrderPreviewed)
            assert reply.refusal is None
            assert await tx.fetchval(counts) == before
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
            await tx.execute("DELETE FROM coupons")


async def test_a_price_is_that_of_the_moment_of_the_preview(harness: HandlerHarness) -> None:
    envelope = Envelope(
        body=preview(("tea", 2)), message_id="m", correlation_id="c", occurred_at=FROM, roles=FOR_BUYERS
    )
    amounts = []
    for now in (FROM - timedelta(days=1), FROM, TO):
        async with harness.pool.acquire() as tx, tx.transaction(readonly=True):
            [reply] = await queries.answer(tx, Batch([envelope], now))
        assert isinstance(reply, OrderPreviewed)
        assert reply.amounts is not None
        amounts.append(reply.amounts.promotion)
    assert amounts == [0, 833, 0]  # an eighth of 66.66 yuan, while the promotion is valid
