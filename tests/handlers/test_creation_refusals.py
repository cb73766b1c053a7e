"""Every reason why an order is refused: its code and details; and nothing is held afterwards."""

from datetime import timedelta
from typing import Any

import pytest

import outbox
from messages.base import Message
from messages.benefits import MemberUpsert
from messages.orders import CreateLine, ExpectedAmount, OrderCreate, PaymentChoice
from messages.promotions import ReductionStep
from tests.handlers.builders import ADDRESS, create, receive, sku, user
from tests.handlers.catalogue_builders import DAY, NOW, coupon, grant, member, promotion, template
from tests.handlers.harness import HandlerHarness
from workers import shop
from workers.domain.shop import Policy, Shop
from workers.store import benefits, new_orders

Refusal = tuple[str, dict[str, Any]]
LAST_YEAR = {"valid_from": NOW - timedelta(days=9), "valid_to": NOW - timedelta(days=8)}
GOODS: tuple[Message, ...] = (
    *(sku(name) for name in ("s1", "s2", "flash")),
    sku("gone", status="off_sale"),
    sku("euro", currency="EUR"),
    sku("dear", price=10**15),
)
TEMPLATES: dict[str, dict[str, Any]] = {
    "any": {}, "new": {"valid_from": NOW + DAY / 2}, "euro": {"currency": "EUR"}, "much": {"min_amount": 1001},
    "mobile": {"channels": ("mobile",)}, "silver": {"member_levels": ("silver",)},
    "other": {"scope": "sku", "scope_ids": ("s2",)},
}  # fmt: skip
RULES: tuple[Message, ...] = (
    member("gold"),
    grant(500),
    promotion("p-flash", kind="flash", scope_id="spu-flash", prices={"flash": 300}, quantity=2, per_user_limit=2),
    *(template(name, **terms) for name, terms in TEMPLATES.items()),
    *(coupon(f"c-{name}", template_id=name) for name in TEMPLATES),
    coupon("c-theirs", user_id="u2", template_id="any"),
    coupon("c-old", template_id="any"),
)


def line(sku_id: str = "s1", qty: int = 1, **changes: Any) -> CreateLine:
    return CreateLine(sku_id=sku_id, qty=qty, **changes)


def pays(*terms: tuple[str, int]) -> dict[str, Any]:
    return {"amounts": tuple(ExpectedAmount(type=name, amount=amount) for name, amount in terms)}


def unusable(coupon_id: str, why: str, **numbers: int) -> Refusal:
    return "COUPON_NOT_USABLE", {"coupon_id": coupon_id, "why": why, **numbers}


WRONG: dict[str, tuple[dict[str, Any], Refusal]] = {
    # changes to an order of two s1 for 1000 -> the refusal
    "no such channel": ({"channel": "fax"}, ("ORDER_CHANNEL_INVALID", {"field": "channel"})),
    "no such business type": ({"business_type": "b2b"}, ("ORDER_BUSINESS_TYPE_INVALID", {"field": "business_type"})),
    "no such source": ({"source": "dream"}, ("ORDER_PARAM_INVALID", {"field": "source"})),
    "no payments in the list": ({"payments": ()}, ("ORDER_PAYMENT_LIST_INVALID", {"field": "payments"})),
    "no such method": (
        {"payments": (PaymentChoice(method="alipay"), PaymentChoice(method="gold"))},
        ("ORDER_PAYMENT_LIST_INVALID", {"field": "payments"}),
    ),
    "amounts without what is paid": (pays(("origin", 1000)), ("ORDER_AMOUNT_LIST_INVALID", {"field": "amounts"})),
    "an amount twice": (
        pays(("real_pay", 1000), ("real_pay", 1000)), ("ORDER_AMOUNT_LIST_INVALID", {"field": "amounts"}),
    ),
    "a negative amount": (
        pays(("real_pay", 1000), ("coupon", -1)), ("ORDER_AMOUNT_LIST_INVALID", {"field": "amounts"}),
    ),
    "no such amount": (pays(("real_pay", 1000), ("tip", 1)), ("ORDER_AMOUNT_LIST_INVALID", {"field": "amounts"})),
    "an amount that differs": (
        pays(("real_pay", 1000), ("origin", 999)),
        ("ORDER_PRICE_MISMATCH", {"type": "origin", "expected": 1000, "got": 999, "currency": "CNY"}),
    ),
    "no address": ({"address": None}, ("ORDER_ADDRESS_MISSING", {"field": "address"})),
    "a postal code of nowhere": (
        {"address": ADDRESS.model_copy(update={"postcode": "12"})},
        ("ORDER_ADDRESS_INVALID", {"field": "address.postcode", "country": "CN"}),
    ),
    "nothing in it": ({"items": ()}, ("ORDER_ITEMS_EMPTY", {"field": "items"})),
    "an unknown SKU": (
        {"items": (line(), line("none"))}, ("PRODUCT_NOT_FOUND", {"line_no": 2, "sku_id": "none"}),
    ),
    "a SKU that is not on sale": (
        {"items": (line("gone"), line())}, ("PRODUCT_NOT_ON_SALE", {"line_no": 1, "sku_id": "gone"}),
    ),
    "none of it": (
        {"items": (line(qty=0),)},
        ("ORDER_PARAM_INVALID", {"field": "items[0].qty", "line_no": 1, "sku_id": "s1"}),
    ),
    "less than none": (
        {"items": (line(), line("s2", -1))},
        ("ORDER_PARAM_INVALID", {"field": "items[1].qty", "line_no": 2, "sku_id": "s2"}),
    ),
    "more than can be counted": (
        {"items": (line(qty=2**62),)},
        ("ORDER_PARAM_INVALID", {"field": "items[0].qty", "line": 1, "max": 1_000_000}),
    ),
    "more money than there is": ({"items": (line("dear", 2),)}, ("ORDER_PARAM_INVALID", {"field": "items"})),
    "currencies mixed": (
        {"items": (line(), line("euro"))},
        ("ORDER_PARAM_INVALID", {"field": "currency", "sku_currency": "EUR", "line_no": 2, "sku_id": "euro"}),
    ),
    "one minor unit too little": (
        {"expected_pay_amount": 999}, ("ORDER_PRICE_MISMATCH", {"expected": 1000, "got": 999, "currency": "CNY"}),
    ),
    "one minor unit too much": (
        {"expected_pay_amount": 1001}, ("ORDER_PRICE_MISMATCH", {"expected": 1000, "got": 1001, "currency": "CNY"}),
    ),
    "another unit price": (
        {"items": (line(expected_unit_price=500), line(expected_unit_price=499))},
        ("ORDER_PRICE_MISMATCH", {"line": 2, "sku_id": "s1", "expected": 500, "got": 499, "currency": "CNY"}),
    ),
    "an unknown coupon": ({"coupon_id": "c-none"}, ("COUPON_NOT_FOUND", {})),
    "another user's coupon": ({"coupon_id": "c-theirs"}, ("COUPON_NOT_FOUND", {})),
    "a coupon that expired": ({"coupon_id": "c-old"}, unusable("c-old", "expired")),
    "a coupon for tomorrow": ({"coupon_id": "c-new"}, unusable("c-new", "not_yet_valid")),
    "a coupon of another currency": ({"coupon_id": "c-euro"}, unusable("c-euro", "currency")),
    "a coupon for dearer orders": (
        {"coupon_id": "c-much"}, unusable("c-much", "threshold", min_amount=1001, base=1000),
    ),
    "a coupon for another channel": ({"coupon_id": "c-mobile"}, unusable("c-mobile", "channel")),
    "a coupon for other members": ({"coupon_id": "c-silver"}, unusable("c-silver", "member_level")),
    "a coupon for other goods": ({"coupon_id": "c-other"}, unusable("c-other", "scope")),
    "negative points": ({"use_points": -100}, ("POINTS_RULE", {"why": "negative", "requested": -100})),
    "more points than there are": (
        {"use_points": 501}, ("POINTS_INSUFFICIENT", {"requested": 501, "available": 500}),
    ),
    "a number that was never issued": (
        {"order_no": "202601010000000001"}, ("ORDER_PARAM_INVALID", {"field": "order_no"}),
    ),
    "everything held but for the price": (
        {"items": (line("flash", 2), line()), "coupon_id": "c-any", "use_points": 200, "expected_pay_amount": 801},
        ("ORDER_PRICE_MISMATCH", {"expected": 800, "got": 801, "currency": "CNY"}),
    ),
}  # fmt: skip
TABLES = ("orders", "order_items", "order_snapshots", "operate_logs", "coupon_ledger", "promotion_uses", "timers",
          "stock_holders", "outbox", "payment_intents")  # fmt: skip


@pytest.fixture
async def harness(harness: HandlerHarness) -> HandlerHarness:
    await harness.handle(*GOODS)
    await harness.handle(*RULES)
    await harness.handle(*(receive(name, 100) for name in ("s1", "s2", "flash", "gone", "euro", "dear")))
    await harness.pool.execute(
        "UPDATE coupons SET valid_from = $1, valid_to = $2 WHERE coupon_id = 'c-old'", *LAST_YEAR.values()
    )
    assert harness.rejections() == []
    harness.events.clear()
    return harness


async def holds_nothing(harness: HandlerHarness) -> None:
    assert {table: await harness.rows(f"SELECT * FROM {table}") for table in TABLES} == {table: [] for table in TABLES}
    assert await harness.rows("SELECT is_called FROM order_no_sequence") == [(False,)]
    assert await harness.rows("SELECT DISTINCT state, order_id FROM coupons") == [("issued", None)]
    assert await harness.rows("SELECT balance, held FROM points_accounts") == [(500, 0)]
    assert await harness.rows("SELECT op FROM points_ledger") == [("grant",)]
    assert await harness.rows("SELECT sold FROM promotion_quotas") == [(0,)]
    assert await harness.rows("SELECT DISTINCT on_hand, locked FROM stock") == [(100, 0)]


def order(number: int, changes: dict[str, Any]) -> OrderCreate:
    fields: dict[str, Any] = {"items": (line(qty=2),), "expected_pay_amount": 1000, "request_id": f"r{number}"}
    return create(**fields | changes)


def named(found: Refusal, expected: Refusal) -> Refusal:
    """The rejection, without the details that the table does not name."""
    return found[0], {name: value for name, value in found[1].items() if name in expected[1]}


async def test_each_wrong_order_is_refused_with_its_code_and_what_is_at_fault_and_holds_nothing(
    harness: HandlerHarness,
) -> None:
    for number, (changes, _) in enumerate(WRONG.values()):
        await harness.handle(order(number, changes))
    found = dict(zip(WRONG, harness.rejections(), strict=True))
    assert {name: named(found[name], refusal) for name, (_, refusal) in WRONG.items()} == {
        name: refusal for name, (_, refusal) in WRONG.items()
    }
    await holds_nothing(harness)


USERS: dict[str, tuple[bool, MemberUpsert | None, str | None]] = {
    # does the shop sell to members only; the newest about the user -> why the user's order is refused
    "nobody": (False, None, None),
    "nobody, in a shop for members": (True, None, "unknown"),
    "a member, in a shop for members": (True, member(revision=3), None),
    "a blocked member": (False, member(revision=3, blocked=True), "blocked"),
    "a member who is blocked no more": (False, member(revision=3), None),
}


@pytest.mark.parametrize("name", USERS)
async def test_users_whom_the_shop_does_not_know_or_has_blocked_place_no_orders(
    harness: HandlerHarness, name: str
) -> None:
    members_only, newest, why = USERS[name]
    shop.configure(Shop(members_only=members_only, policy=Policy(rate_limit_orders=0)))
    user_id = "u9" if newest is None else newest.user_id
    if newest is not None:
        await harness.handle(member(revision=2, blocked=True), newest)
    await harness.handle(order(0, {"user_id": user_id, "actor": user(user_id)}))
    refused = [] if why is None else [("USER_INVALID", {"field": "user_id", "why": why})]
    assert harness.rejections() == refused
    assert await harness.states() == ([] if refused else ["awaiting_payment"])


async def test_wrong_orders_in_one_batch_hold_nothing_from_the_right_one_among_them(harness: HandlerHarness) -> None:
    right = create(
        ("flash", 2), ("s1", 1), request_id="right", coupon_id="c-any", use_points=200, expected_pay_amount=800
    )
    wrong = [order(number, changes) for number, (changes, _) in enumerate(WRONG.values())]
    await harness.handle(*wrong, right)
    assert await harness.states() == ["awaiting_payment"]
    assert sorted(code for code, _ in harness.rejections()) == sorted(code for _, (code, _) in WRONG.values())


async def test_the_right_order_pays_what_the_table_says(harness: HandlerHarness) -> None:
    """Otherwise the table would refuse for another reason than it states."""
    await harness.create_order(order(0, pays(("real_pay", 1000), ("origin", 1000), ("coupon", 0))))


PROMOTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one that overlaps": ({"scope_id": "spu-flash"}, {"promo_id": "p2", "overlaps": "p-flash"}),
    "one that makes a line negative": (
        {"kind": "full_reduction", "steps": (ReductionStep(full=100, reduce=101),)},
        {"promo_id": "p2", "field": "steps"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROMOTIONS)
async def test_a_promotion_that_no_order_could_follow_is_refused_before_any_is_placed(
    harness: HandlerHarness, name: str
) -> None:
    terms, details = PROMOTIONS[name]
    await harness.handle(promotion("p2", **terms))
    assert harness.rejections() == [("PROMOTION_INVALID", details)]
    await harness.create_order(order(0, {}))


async def test_a_promotion_dearer_than_the_price_takes_nothing_off_and_adds_nothing(harness: HandlerHarness) -> None:
    await harness.handle(promotion("p2", prices={"s1": 501}))
    await harness.create_order(order(0, {}))
    assert await harness.rows("SELECT promotion_amount, payable_amount FROM orders") == [(0, 1000)]


async def test_no_number_of_the_clients_enters_the_price(harness: HandlerHarness) -> None:
    """A client that claims a high origin amount gets no free shipping by it."""
    shop.configure(
        Shop(
            shipping_fee_minor_units={"CNY": 500},
            free_shipping_from_minor_units={"CNY": 4900},
            policy=Policy(rate_limit_orders=0),
        )
    )
    claimed = pays(("origin", 5000), ("shipping", 0), ("real_pay", 1000))
    await harness.handle(order(1, claimed), order(2, claimed | {"expected_pay_amount": 1500}))
    assert harness.rejections() == [
        ("ORDER_PRICE_MISMATCH", {"expected": 1500, "got": 1000, "currency": "CNY"}),
        ("ORDER_PRICE_MISMATCH", {"type": "origin", "expected": 1000, "got": 5000, "currency": "CNY"}),
    ]
    await holds_nothing(harness)


STEPS = {
    "orders": (new_orders, "insert_with_saga_timers"),
    "benefits": (benefits, "save"),
    "events": (outbox, "append"),
}


@pytest.mark.parametrize("written", STEPS)
async def test_a_fault_once_anything_is_written_leaves_nothing_of_an_order(
    harness: HandlerHarness, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name = STEPS[written]
    write = getattr(module, name)

    async def fail_after(*arguments: Any) -> None:
        await write(*arguments)
        raise ConnectionError

    body = create(("flash", 1), coupon_id="c-any", use_points=100, expected_pay_amount=100)
    with monkeypatch.context() as patched:
        patched.setattr(module, name, fail_after)
        with pytest.raises(ConnectionError):
            await harness.handle(body)
    await holds_nothing(harness)
    await harness.create_order(body)


async def test_the_same_request_again_gets_the_stored_outcome_and_holds_nothing_twice(harness: HandlerHarness) -> None:
    body = create(("flash", 1), request_id="once", coupon_id="c-any", use_points=100, expected_pay_amount=100)
    await harness.handle(body, body, reply_to="client.a")
    await harness.handle(body, reply_to="client.b")
    first, second, third = harness.replies
    assert {reply["order_id"] for reply in (first, second, third)} == {
        harness.events_of("order.created")[0]["order_id"]
    }
    assert (third["to"], third["duplicate"]) == ("client.b", True)
    assert await harness.rows("SELECT balance, held FROM points_accounts") == [(500, 100)]
    assert await harness.rows("SELECT sold FROM promotion_quotas") == [(1,)]
    assert await harness.stock("flash") == (100, 1)


async def test_the_same_request_id_with_another_payload_is_an_idempotency_conflict_and_holds_nothing(
    harness: HandlerHarness,
) -> None:
    await harness.handle(order(0, {}))
    others: list[dict[str, Any]] = [
        {"coupon_id": "c-any"},
        {"use_points": 100},
        {"items": (line(qty=3),)},
        {"remark": "x"},
    ]
    for changes in others:
        await harness.handle(order(0, changes), reply_to="client.a")
    assert harness.rejections() == [("IDEMPOTENCY_CONFLICT", {})] * len(others)
    assert [reply["code"] for reply in harness.replies] == ["IDEMPOTENCY_CONFLICT"] * len(others)
    assert await harness.rows("SELECT DISTINCT state FROM coupons") == [("issued",)]
    assert await harness.stock() == (100, 2)


async def test_the_same_request_from_two_workers_is_one_order(harness: HandlerHarness) -> None:
    body = order(0, {"coupon_id": "c-any", "expected_pay_amount": 900})
    await harness.handle_overlapping([body], [body])
    assert await harness.states() == ["awaiting_payment"]
    assert harness.rejections() == []


@pytest.mark.parametrize("currency", ["USD", "JPY", "KRW", "KWD"])
async def test_points_of_the_shop_pay_nothing_in_a_currency_that_they_have_no_value_in(
    harness: HandlerHarness, currency: str
) -> None:
    await harness.handle(sku("x1", currency=currency, price=5000))
    body = create(("x1", 1), currency=currency, use_points=500, expected_pay_amount=4500)
    await harness.handle(body)
    assert harness.rejections() == [("POINTS_RULE", {"why": "currency", "requested": 500, "currency": currency})]
    assert await harness.states() == []
