"""Handles order.create, with which a buyer places an order.

    order.create is                                  then
    -----------------------------------------------  ----------------------------------------------------------------
    new, its price is what the client expects        placing: coupon, points and limited prices held, saga timer,
                                                     stock.reserve with a deadline
    the same, in a shop with a risk check            placing: risk.requested; the stock waits for the verdict
    new, of several product types or sellers         the same, as a parent and its children
    new, with lines that name no warehouse           the same; the stock chooses from the lists of warehouses.set
    new, with the id of a draft                      the same with its lines, address and remark; it is used up
                                                     once the order is created
    new, with a group_id                             the same with a seat of that group, which its first order opens
    new, refused (user, rate, SKU, coupon, price,    command.rejected with a code; nothing else is written
    group)
    a repeat of the same request                     the stored outcome again, to the repeat's own reply_to
    the same request id with another payload         IDEMPOTENCY_CONFLICT

stock_results announces the order when everything that it needs is reserved. A user's orders are created one after the
other: each sees what the one before did to coupons, points, limits and the rate.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import outbox
from db.pool import Transaction
from messages.envelope import Envelope
from messages.orders import OrderCreate
from messages.risk import RiskRequested
from messages.stock import StockReserve
from workers import shop
from workers.domain.address_rules import FIELDS as ADDRESS_FIELDS
from workers.domain.address_rules import wrong_address
from workers.domain.benefits import Benefits
from workers.domain.buying_groups import Seats, unjoinable, wrong_group
from workers.domain.codes import Code
from workers.domain.order_validation import (
    against_policy,
    too_many_orders,
    unexpected_amounts,
    unknown_words,
    wrong_order_number,
    wrong_user,
)
from workers.domain.pricing.quote import PriceRequest, Quote, RequestedLine, Rules, quote
from workers.domain.pricing.splitting import split
from workers.domain.refusal import Refusal
from workers.domain.shop import BUSINESS_TYPES, Policy, Shop
from workers.domain.sourcing import ANYWHERE, Region, WarehouseLists
from workers.runtime.batch import Batch
from workers.runtime.route import Route
from workers.services import benefits, commands, order_counts, order_drafts
from workers.store import benefits as benefit_rows
from workers.store import buyers, buying_groups, catalogue_entries, ids, new_orders, promotions, skus
from workers.store import order_drafts as draft_rows
from workers.store.new_orders import Placed
from workers.store.order_drafts import Drafts

Item: TypeAlias = Envelope[OrderCreate]


@dataclass
class CreationContext:
    """What one batch reads and decides with, and what its decisions have held so far."""

    shop: Shop
    policies: Mapping[str, Policy]
    rules: Rules
    users: Mapping[str, buyers.User]
    benefits: Benefits
    numbers: dict[str, tuple[str, int | None]]
    lists: WarehouseLists
    hours: Mapping[str, Any]
    drafts: Drafts
    groups: Mapping[str, Seats]

    def warehouses_of(self, body: OrderCreate) -> dict[str, tuple[str, ...]]:
        """SKU -> the warehouses for its lines that name none, the best first. SKUs without a list are missing."""
        if not self.lists:
            return {}
        region = region_of(body)
        found = {line.sku_id: self.lists.of(line.sku_id, *region) for line in body.items if line.warehouse is None}
        return {sku_id: warehouses for sku_id, warehouses in found.items() if warehouses}


def decide(body: OrderCreate, context: CreationContext, now: datetime) -> Quote | Refusal:
    """Return the price of the order, or why the order is rejected. No I/O."""
    methods = None if body.payments is None else [payment.method for payment in body.payments]
    amounts = None if body.amounts is None else [(amount.type, amount.amount) for amount in body.amounts]
    refusal = order_drafts.unplaceable(body, context.drafts) or unknown_words(
        body.channel, body.source, body.business_type, methods, amounts
    )
    if refusal is not None:
        return refusal
    if body.address is None:
        return Refusal(Code.ORDER_ADDRESS_MISSING, "the order has no address", {"field": "address"})
    places = {name: getattr(body.address, name) for name in ADDRESS_FIELDS}
    user, policy = context.users[body.user_id], context.policies[body.business_type]
    wanted, coupon = [(line.sku_id, line.qty) for line in body.items], body.coupon_id is not None
    refusal = (
        wrong_address(body.address.country, places, context.shop.address_required_fields)
        or wrong_user(user.level, user.blocked, context.shop)
        or too_many_orders(user.accepted_at, policy, now)
        or against_policy(wanted, coupon, body.use_points, policy)
        or wrong_group(body.group_id, policy)
        or wrong_order_number(body.order_no, context.numbers, body.user_id)
    )
    if refusal is not None:
        return refusal
    buyer = context.benefits.buyer(body.user_id, user.level, body.coupon_id)
    price = quote(request_of(body, context), context.rules, buyer, context.shop, now)
    if isinstance(price, Refusal):
        return price
    return unexpected_amounts(amounts or (), price) or without_seat(body, price, context, now) or price


def without_seat(body: OrderCreate, price: Quote, context: CreationContext, now: datetime) -> Refusal | None:
    """Return why the order gets no seat of its group, or None. No I/O."""
    if body.group_id is None:
        return None
    parts = len(split(price, context.shop.split_by))
    spu_ids = {line.sku.spu_id for line in price.lines}
    return unjoinable(context.groups[body.group_id], body.user_id, spu_ids, parts, now)


def request_of(body: OrderCreate, context: CreationContext) -> PriceRequest:
    """Turn the command into the request that pricing takes. A line without a warehouse gets the best, for now."""
    lists, default = context.warehouses_of(body), (context.shop.default_warehouse,)
    wanted = [
        RequestedLine(
            line.sku_id, line.qty, line.warehouse or lists.get(line.sku_id, default)[0], line.expected_unit_price
        )
        for line in body.items
    ]
    return PriceRequest(
        wanted,
        body.currency,
        body.channel,
        body.address.country if body.address else None,
        body.coupon_id,
        body.use_points,
        body.expected_pay_amount,
    )


async def place_orders(tx: Transaction, batch: Batch[OrderCreate]) -> None:
    """Claim every request once, price them in order of arrival, write each table once."""
    claims = await commands.claim(tx, batch)
    new_ids = await buyers.lock_and_take_ids(tx, [item.body.user_id for item in claims.fresh])
    drafts = await order_drafts.of_items(tx, claims.fresh)
    fresh = [order_drafts.completed(item, drafts) for item in claims.fresh]
    context = await read(tx, fresh, drafts, batch.now)
    accepted: list[Placed] = []
    rejections: commands.Outcomes = {}

    for order_id, item in zip(new_ids, fresh, strict=True):
        match decide(item.body, context, batch.now):
            case Refusal() as refusal:
                rejections[commands.key_of(item)] = commands.rejected(item, refusal), item
            case Quote() as price:
                accepted.append(hold(context, order_id, item, price, batch.now))

    placed = await with_children(tx, accepted)
    deadline = batch.now + timedelta(seconds=context.shop.saga_deadline_seconds)
    await new_orders.insert_with_saga_timers(tx, placed, batch.now, deadline)
    await benefit_rows.save(tx, context.benefits)
    await buyers.use_numbers(tx, [(p.item.body.order_no, p.id) for p in placed if p.item.body.order_no])
    await buying_groups.join(tx, context.groups.values())
    await draft_rows.hold(tx, [(p.item.body.draft_id, p.id) for p in placed if p.item.body.draft_id is not None])
    answers = await commands.conclude(tx, rejections)
    rejected = [outbox.event(event, because=item) for event, item in rejections.values()]
    order_counts.note_refused([item.occurred_at for _, item in rejections.values()])
    held = benefits.announcements(benefits.Applied.by_order(context.benefits, {p.id: p.item for p in placed}))
    next_step = risk_check if context.shop.risk_check else reservation
    requests = [next_step(p, deadline) for p in placed]
    await outbox.append(tx, [*requests, *held, *rejected, *answers, *claims.answers])


async def read(tx: Transaction, items: Sequence[Item], drafts: Drafts, now: datetime) -> CreationContext:
    """Read everything that prices depend on: one statement per table, and none for a table that no command needs."""
    rules = shop.current()
    wanted = {line.sku_id for item in items for line in item.body.items}
    catalogue, lists = await skus.read_with_lists(tx, wanted, {region_of(item.body) for item in items})
    named = {line.warehouse or rules.default_warehouse for item in items for line in item.body.items}
    stored, hours = await catalogue_entries.read_rules(tx, named | lists.warehouses)
    known = {name: rules.policy_of(name, stored.get(name, {})) for name in BUSINESS_TYPES}
    window = max(policy.rate_limit_window_seconds for policy in known.values())
    orders_max = max(policy.rate_limit_orders for policy in known.values())
    since = now - timedelta(seconds=window)
    users = await buyers.read(tx, [item.body.user_id for item in items], since, orders_max)
    valid = await promotions.for_skus(tx, catalogue.values(), now)
    held = await buyers.benefits_for(tx, items, valid)
    numbers = await buyers.issued_numbers(tx, items)
    groups = await lock_groups(tx, items, known, now)
    return CreationContext(
        rules, known, Rules(catalogue, valid, held.quota_left), users, held, numbers, lists, hours, drafts, groups
    )


async def lock_groups(
    tx: Transaction, items: Sequence[Item], policies: Mapping[str, Policy], now: datetime
) -> dict[str, Seats]:
    """Lock the groups that the orders name, and open new ones by the policy of the first order that names each."""
    wanted: dict[str, tuple[int, datetime]] = {}
    for item in items:
        policy = policies.get(item.body.business_type)
        if item.body.group_id is not None and policy is not None and policy.group_size:
            deadline = now + timedelta(seconds=policy.group_window_seconds)
            wanted.setdefault(item.body.group_id, (policy.group_size, deadline))
    return await buying_groups.open_and_lock(tx, wanted, now)


def region_of(body: OrderCreate) -> Region:
    """Return the region that the order goes to."""
    return (body.address.country, body.address.province or "") if body.address else ANYWHERE


def other_warehouses(body: OrderCreate, context: CreationContext) -> dict[str, tuple[str, ...]]:
    """SKU -> the warehouses that the stock may choose in place of the best. A SKU with a named one has none."""
    named = {line.sku_id for line in body.items if line.warehouse is not None}
    lists = context.warehouses_of(body)
    return {sku_id: found[1:] for sku_id, found in lists.items() if len(found) > 1 and sku_id not in named}


def hold(context: CreationContext, order_id: int, item: Item, price: Quote, now: datetime) -> Placed:
    """Hold the coupon, points and limited units of the price, so that the batch's next orders see them gone."""
    body = item.body
    coupon = context.benefits.coupons.get(price.coupon_id) if price.coupon_id else None
    context.benefits.hold(order_id, body.user_id, price)
    context.users[body.user_id].accepted_at.insert(0, now)
    order_drafts.hold(context.drafts, body, order_id)
    if body.order_no is not None:
        context.numbers[body.order_no] = (body.user_id, order_id)
    groups = split(price, context.shop.split_by)
    policy, user = context.policies[body.business_type], context.users[body.user_id]
    others = other_warehouses(body, context)
    group = context.groups[body.group_id] if body.group_id is not None else None
    if group is not None:
        spu_id, deadline = price.lines[0].sku.spu_id, now + timedelta(seconds=policy.group_window_seconds)
        group.join(order_id, body.user_id, spu_id, policy.group_size, deadline)
    key, hours = None if group is None else group.group.key, context.hours
    return Placed(
        order_id, item, price, context.shop, policy, groups, user.key, coupon, others=others, hours=hours, group_key=key
    )


async def with_children(tx: Transaction, placed: Sequence[Placed]) -> list[Placed]:
    """Give each part of the orders that are split its id."""
    parts = [p.item.body.user_id for p in placed if len(p.groups) > 1 for _ in p.groups]
    new_ids: Iterator[int] = iter(await ids.take(tx, parts))
    return [replace(p, children=tuple(next(new_ids) for _ in p.groups)) if len(p.groups) > 1 else p for p in placed]


def reservation(placed: Placed, deadline: datetime) -> outbox.Announcement:
    """Build stock.reserve: the stock reserves all lines or none, and none after the saga's deadline."""
    lines = tuple(
        {"holder_id": holder_id, "sku_id": line.sku.sku_id, "warehouse": line.warehouse, "qty": line.qty}
        | ({"others": placed.others[line.sku.sku_id]} if line.sku.sku_id in placed.others else {})
        for holder_id, line in placed.held_lines()
    )  # plain, so that the model reads all at once: making the ten lines of an order one by one takes twice as long
    reserve = StockReserve.model_validate({"group_id": placed.id, "deadline": deadline, "lines": lines})
    return outbox.internal(reserve, because=placed.item)


def risk_check(placed: Placed, deadline: datetime) -> outbox.Announcement:
    """Build risk.requested: the facts by which another system judges the order (S3-10)."""
    body, price = placed.item.body, placed.quote
    request = RiskRequested(
        order_id=placed.id,
        user_id=body.user_id,
        channel=body.channel,
        business_type=body.business_type,
        amount=price.payable_amount,
        currency=price.currency,
        units=sum(line.qty for line in price.lines),
        country=body.address.country if body.address else None,
        answer_before=deadline,
        client=body.client,
        captcha_token=body.captcha_token,
    )
    return outbox.event(request, because=placed.item, stream=placed.id)


ROUTE = Route(queue="order-creation", handler=place_orders)
