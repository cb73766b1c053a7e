"""Answers queries about single orders. One batch takes a fixed number of statements, whatever it asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from db.pool import Transaction
from messages.base import MoneyShown, QueryRejected, Reply, without_subject
from messages.envelope import Envelope
from messages.explanations import OrderAsOf, OrderExplain
from messages.order_history import OrderHistoryListed
from messages.order_queries import (
    AttemptShown,
    FacetsShown,
    HandOverShown,
    LineShown,
    OrderDescribed,
    OrderGet,
    OrderHistory,
    OrderQuery,
    OrderTrack,
    OrderTracked,
    ParcelLine,
    ParcelShown,
    PaymentDescribed,
    PaymentGet,
    PaymentShown,
    RefundShown,
    TrackedFact,
)
from messages.orders import Amounts
from workers import views
from workers.domain.codes import Code
from workers.domain.holds import HoldKind
from workers.services import answer_cache, archive_answers, case_answers, order_explanations
from workers.services.answer_cache import AnswerCache, AnswerKey
from workers.services.answer_parts import address, disputed, exchanged, group, hold, money, named, note, step
from workers.services.order_explanations import ExplanationContext
from workers.store import explanations, order_annotations, order_lists
from workers.store.archived_orders import ArchivedName
from workers.views import loading
from workers.views.facets import captured
from workers.views.keys import uuid_of
from workers.views.whole import Line, RecordedPayment, Whole

CACHED = (OrderGet, OrderTrack, OrderHistory, PaymentGet)
"""The queries whose answers depend on the rows alone that a stamp covers: no timer, no time, no dead letter."""
NOTHING_REVEALED: Mapping[Any, int] = {}
NOT_FOUND = QueryRejected(code=Code.ORDER_NOT_FOUND, message="there is no such order", path="$.order")
"""The same for an unknown order and for another user's, so that nothing is given away (S1-46)."""


@dataclass(frozen=True)
class OrdersRead:
    """What one batch has read of the orders that it asks about, by order id."""

    ids: Mapping[str, int]
    wholes: Mapping[int, Whole]
    rows: Mapping[str, loading.Rows] = field(default_factory=dict)
    attempts: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    facts: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    notes: Mapping[int, str] = field(default_factory=dict)
    explanation: ExplanationContext = field(default_factory=ExplanationContext)
    archived: Mapping[str, ArchivedName] = field(default_factory=dict)


async def answer_about_orders(
    tx: Transaction, items: Sequence[Envelope[OrderQuery]], revealed: Mapping[Any, int] = NOTHING_REVEALED
) -> list[Reply]:
    """Answer each query about one order, in order: from memory where no row of the order has changed.

    `revealed` has, by `id(item)`, the order whose address in clear the sender may see, because it is recorded.
    """
    bodies, cache = [item.body for item in items], answer_cache.current()
    ids = await loading.find_all(tx, {body.order for body in bodies})
    stamps = {} if cache.off else await order_lists.stamps(tx, _cacheable(bodies, ids))
    kept = [_kept(body, ids, stamps, cache) for body in bodies]
    read = await _read(tx, [body for body, reply in zip(bodies, kept, strict=True) if reply is None], ids)
    in_clear = [revealed.get(id(item)) for item in items]
    answers = zip(bodies, kept, in_clear, strict=True)
    replies = [reply or _about_one(body, read, order_id) for body, reply, order_id in answers]
    for body, reply, known in zip(bodies, replies, kept, strict=True):
        if known is not None or not _is_kept(body) or isinstance(reply, QueryRejected):
            continue
        if ids[body.order] in stamps and not _shows_others(reply):
            cache.put(_cache_key(body, ids), stamps[ids[body.order]].mark, reply)
    return replies


def _cacheable(bodies: Sequence[OrderQuery], ids: Mapping[str, int]) -> set[int]:
    return {ids[body.order] for body in bodies if _is_kept(body) and body.order in ids}


def _is_kept(body: OrderQuery) -> bool:
    """True if the answer may be kept in memory. One with an address in clear never is."""
    return isinstance(body, CACHED) and not (isinstance(body, OrderGet) and body.reveal_reason is not None)


def _shows_others(reply: Reply) -> bool:
    """True if the answer shows a group of buyers, because the stamp does not cover their orders."""
    return isinstance(reply, OrderDescribed) and reply.group is not None


def _cache_key(body: OrderQuery, ids: Mapping[str, int]) -> AnswerKey:
    return AnswerKey(ids[body.order], body.TYPE, "user" if body.actor.type == "user" else "shop")


def _kept(
    body: OrderQuery, ids: Mapping[str, int], stamps: Mapping[int, order_lists.Stamp], cache: AnswerCache
) -> Reply | None:
    """Return an answer from memory if the user may have it; what is refused is decided by `_about_one` alone."""
    stamp = stamps.get(ids.get(body.order, 0))
    if stamp is None or not _is_kept(body) or stamp.version < body.min_version:
        return None
    theirs = body.actor.type == "user" and stamp.user_id != body.actor.id
    return None if theirs else cache.get(_cache_key(body, ids), stamp.mark)


async def _read(tx: Transaction, bodies: Sequence[OrderQuery], ids: Mapping[str, int]) -> OrdersRead:
    if not bodies:
        return OrdersRead({}, {})
    archived = await archive_answers.find(tx, {body.order for body in bodies} - ids.keys())
    ids = {body.order: ids[body.order] for body in bodies if body.order in ids}
    wholes = await loading.read_all(tx, ids.values())

    def needed(*models: type[OrderQuery]) -> list[int]:
        wanted = {ids.get(body.order, 0) for body in bodies if isinstance(body, models)}
        return sorted(wanted & wholes.keys())

    parcels = [parcel.id for key in needed(OrderGet, OrderTrack) for parcel in wholes[key].shipments]
    family = [one.head.id for key in needed(OrderGet) for one in (wholes[key], *wholes[key].children)]
    rows = {
        "log": await loading.history(tx, needed(OrderHistory)),
        "holds": await explanations.read_holds(tx, family),
        "hand_overs": await explanations.read_hand_overs(tx, family),
    }
    attempts = await order_lists.attempts(tx, needed(OrderGet, PaymentGet))
    facts = await order_lists.carrier_facts(tx, parcels)
    explained, as_of = ([wholes[key] for key in needed(model)] for model in (OrderExplain, OrderAsOf))
    explanation = await order_explanations.read(tx, explained, as_of)
    operators = {ids.get(body.order, 0) for body in bodies if body.actor.type != "user"}
    notes = await order_annotations.notes(tx, operators & set(needed(OrderGet)))
    return OrdersRead(ids, wholes, rows, attempts, facts, notes, explanation, archived)


def _about_one(body: OrderQuery, read: OrdersRead, in_clear: int | None) -> Reply:
    whole = read.wholes.get(read.ids.get(body.order, 0))
    if whole is None:
        return archive_answers.why_unknown(body.actor, body.order, read.archived, NOT_FOUND)
    if body.actor.type == "user" and whole.head.user_id != body.actor.id:
        return NOT_FOUND
    if whole.head.version < body.min_version:
        message = f"the order is at version {whole.head.version}, which is not yet the version that you name"
        return QueryRejected(code=Code.ORDER_VERSION_BEHIND, message=message, path="$.min_version")
    if isinstance(body, OrderGet) and body.reveal_reason is not None and in_clear != whole.head.id:
        return NOT_FOUND  # it was placed after the looks were recorded
    return _answer(body, whole, read)


def _answer(body: OrderQuery, whole: Whole, read: OrdersRead) -> Reply:
    match body:
        case OrderGet():
            return described(whole, read, body.actor.type, in_clear=body.reveal_reason is not None)
        case PaymentGet():
            return _paid(whole, read, body.actor.type)
        case OrderTrack():
            return OrderTracked(**named(whole), parcels=_parcels(whole, read.facts))
        case OrderHistory():
            steps = read.rows["log"].get(whole.head.id, ())
            shown = tuple(step(row, body.actor.type) for row in steps)
            return OrderHistoryListed(**named(whole), **exchanged(whole), steps=shown)
        case OrderExplain():
            return order_explanations.explain(whole, read.explanation, body.actor.type)
        case OrderAsOf():
            return order_explanations.show_as_of(whole, body, read.explanation)
    raise AssertionError(f"{body.TYPE} is no query about one order")


def described(whole: Whole, read: OrdersRead, asks: str, *, in_clear: bool) -> OrderDescribed:
    """Build order.described for `asks`, a user or an operator: all of it, its address masked unless `in_clear`."""
    head, facets = whole.head, views.facets_of(whole)
    times = {name: getattr(head, name) for name in TIMES}
    return OrderDescribed(
        **named(whole),
        **exchanged(whole),
        **times,
        order_uuid=uuid_of(head.id),
        user_id=head.user_id,
        request_id=head.request_id,
        channel=head.channel,
        business_type=head.business_type,
        reason_code=head.reason_code,
        amounts=Amounts(
            currency=head.currency,
            origin=head.origin_amount,
            promotion=head.promotion_amount,
            coupon=head.coupon_amount,
            points=head.points_amount,
            shipping=head.shipping_fee,
            tax=head.tax_amount,
            adjustment=head.adjustment_amount,
            payable=head.payable_amount,
        ),
        payable=money(head.payable_amount, head.currency),
        captured=money(captured(whole), head.currency),
        refunded=_refunded(whole),
        facets=FacetsShown(**{name: getattr(facets, name) for name in FacetsShown.model_fields}),
        lines=tuple(_line(one.head.id, line, asks) for one in whole.children or (whole,) for line in one.lines),
        payments=tuple(_payment(fact, asks) for fact in whole.facts),
        attempts=tuple(_attempt(row) for row in read.attempts.get(head.id, ())),
        refunds=tuple(_refund(refund) for refund in whole.refunds),
        parcels=_parcels(whole, read.facts),
        hand_overs=tuple(_hand_over(row) for row in _of_family(whole, read.rows["hand_overs"])),
        holds=tuple(
            hold(row, asks)
            for row in _of_family(whole, read.rows["holds"])
            if asks != "user" or row["kind"] == HoldKind.SHORTAGE
        ),
        address=address(whole.sealed_address, in_clear) if whole.sealed_address is not None else None,
        cases=case_answers.summaries_of(whole),
        children=tuple(child.head.id for child in whole.children),
        held=head.held,
        deleted=head.deleted,
        commented=head.commented,
        ship_by=whole.ship_by,
        group=group(whole.group),
        note=None if asks == "user" else note(read.notes.get(head.id), in_clear),
    )


def _paid(whole: Whole, read: OrdersRead, asks: str) -> PaymentDescribed:
    head = whole.head
    return PaymentDescribed(
        **named(whole),
        payable=money(head.payable_amount, head.currency),
        captured=money(captured(whole), head.currency),
        refunded=_refunded(whole),
        expire_at=head.expire_at,
        payments=tuple(_payment(fact, asks) for fact in whole.facts),
        attempts=tuple(_attempt(row) for row in read.attempts.get(head.id, ())),
        refunds=tuple(_refund(refund) for refund in whole.refunds),
    )


def _refunded(whole: Whole) -> MoneyShown:
    currency = whole.head.currency
    return money(sum(refund.gone for refund in whole.refunds if refund.currency == currency), currency)


def _of_family(whole: Whole, rows: loading.Rows) -> list[Any]:
    return [row for one in (whole, *whole.children) for row in rows.get(one.head.id, ())]


def _hand_over(row: Any) -> HandOverShown:
    return HandOverShown(**{name: row[name] for name in HandOverShown.model_fields})


TIMES = (
    "created_at",
    "expire_at",
    "paid_at",
    "shipped_at",
    "delivered_at",
    "completed_at",
    "cancelled_at",
)


def _line(order_id: int, line: Line, asks: str) -> LineShown:
    return LineShown(
        order_id=order_id,
        line_no=line.line_no,
        sku_id=line.sku_id,
        name=line.name,
        warehouse=line.warehouse,
        qty=line.qty,
        unit_price=line.unit_price,
        payable=line.payable_amount,
        adjustment=line.adjustment_amount,
        refunded_qty=line.refunded_qty,
        refunded=line.refunded_amount,
        short_qty=line.short_qty,
        cancelled_qty=line.cancelled_qty,
        purchase_price=None if asks == "user" else line.purchase_price,
        margin=None if asks == "user" else line.margin,
    )


def _payment(fact: RecordedPayment, asks: str) -> PaymentShown:
    return PaymentShown(
        provider=fact.provider,
        trade_no=fact.trade_no,
        kind=fact.kind,
        amount=money(fact.amount, fact.currency),
        verdict=fact.verdict,
        reason_code=fact.reason_code,
        occurred_at=fact.occurred_at,
        disputes=tuple(disputed(one, asks) for one in fact.disputes),
    )


def _attempt(row: Any) -> AttemptShown:
    return AttemptShown(
        attempt_id=row["id"],
        amount=money(row["amount"], row["currency"]),
        **{name: row[name] for name in ("provider", "scene", "state", "reason_code", "started_at", "expire_at")},
    )


def _refund(refund: Any) -> RefundShown:
    return RefundShown(
        order_id=refund.order_id,
        refund_no=refund.refund_no,
        replaces=refund.replaces,
        provider=refund.provider,
        amount=money(refund.amount, refund.currency),
        state=refund.state,
        cause=without_subject(refund.cause),
        reason_code=refund.reason_code,
        requested_at=refund.requested_at,
        finished_at=refund.finished_at,
    )


def _parcels(whole: Whole, facts: Mapping[int, Sequence[Any]]) -> tuple[ParcelShown, ...]:
    owners: dict[int, list[ParcelLine]] = {}
    for one in whole.children or (whole,):
        for parcel in one.shipments:
            lines = [ParcelLine(order_id=one.head.id, line_no=no, qty=qty) for no, qty in sorted(parcel.units.items())]
            owners.setdefault(parcel.id, []).extend(lines)
    return tuple(
        ParcelShown(
            carrier=parcel.carrier,
            tracking_no=parcel.tracking_no,
            state=parcel.state,
            delayed=parcel.delayed,
            booked_at=parcel.booked_at,
            outbound_at=parcel.outbound_at,
            delivered_at=parcel.delivered_at,
            lines=tuple(owners.get(parcel.id, ())),
            facts=tuple(_fact(row) for row in facts.get(parcel.id, ())),
            case_id=parcel.case_id,
            to_buyer=parcel.to_buyer,
        )
        for parcel in whole.shipments
    )


def _fact(row: Any) -> TrackedFact:
    return TrackedFact(**{name: row[name] for name in TrackedFact.model_fields})
