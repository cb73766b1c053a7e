"""Handles changes of the shop's catalogue: products, promotions, coupons, points, members, rules.

sku.upsert, promotion.upsert, coupon_template.upsert, member.upsert, settings.set, warehouses.set and
warehouse_hours.set carry a revision:

    revision                then
    ----------------------  ----------------------------------------------------------------------------------------
    the same or lower       recorded, nothing changes: sku.unchanged and so on
    higher                  written as the message says: sku.changed and so on
    higher, but invalid     rejected: PROMOTION_INVALID (promotions, templates), ORDER_BUSINESS_TYPE_INVALID (settings)
    higher, overlaps        rejected: PROMOTION_INVALID. One promotion of a scope and currency is valid at a time
    higher by 10**17        rejected: CATALOGUE_REVISION_STEP, because a mistake like that could hardly be corrected

    revision.reset          the entry has this revision and keeps its values: revision.changed. Later messages with a
                            revision above it count again, also those that were decided before; who and why is kept

    coupon.issue            the user has a coupon with the template's terms, which it keeps: coupon.issued
    points.grant            the user has more points: points.changed
    points.adjust           the user has more points, or fewer: points.changed; POINTS_INSUFFICIENT if orders hold
                            them, or they are not there; AUTH_FORBIDDEN for a user

Every 30 seconds the unused coupons whose validity has ended are expired: coupon.changed. Orders check the dates
themselves, so a coupon that has ended is not accepted in between either.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Generic, TypeAlias, TypeVar

import outbox
from db.pool import Transaction
from messages.base import Command, Event
from messages.benefits import (
    CouponChanged,
    CouponIssue,
    CouponIssued,
    CouponTemplateChanged,
    CouponTemplateUnchanged,
    CouponTemplateUpsert,
    MemberChanged,
    MemberUnchanged,
    MemberUpsert,
    PointsAdjust,
    PointsChanged,
    PointsGrant,
)
from messages.catalogue import (
    RevisionChanged,
    RevisionReset,
    SettingsChanged,
    SettingsSet,
    SettingsUnchanged,
    SkuChanged,
    SkuUnchanged,
    SkuUpsert,
    WarehousesChanged,
    WarehousesSet,
    WarehousesUnchanged,
)
from messages.envelope import Envelope
from messages.promotions import PromotionChanged, PromotionUnchanged, PromotionUpsert
from messages.warehouse_hours import WarehouseHoursChanged, WarehouseHoursSet, WarehouseHoursUnchanged
from workers.domain.benefits import Account
from workers.domain.codes import Code
from workers.domain.coupon_issuing import Issuing
from workers.domain.points_bookings import BookingOp, booked
from workers.domain.refusal import Refusal
from workers.domain.revision_steps import too_far
from workers.runtime.batch import Batch
from workers.runtime.route import Every, Route
from workers.services import admissions, authorization, commands
from workers.store import benefits, buyers, catalogue_entries, coupons, free_texts, promotions, skus
from workers.store.benefits import Booking
from workers.store.catalogue_entries import Reset

Item: TypeAlias = Envelope[Any]
OfTheShop: TypeAlias = MemberUpsert | SettingsSet | WarehousesSet | WarehouseHoursSet | SkuUpsert
U = TypeVar("U", bound=OfTheShop | CouponTemplateUpsert | PromotionUpsert)
Admit: TypeAlias = Callable[[U], Refusal | None]
"""Returns why a new revision is rejected, or None."""
EXPIRY_SECONDS = 30.0


@dataclass(frozen=True)
class CatalogueKind(Generic[U]):
    """One kind of entry with a revision: its id, the statement that locks entries, their writer, and their events.

    `unchanged` also takes the revision that is stored.
    """

    model: type[U]
    id_of: Callable[[U], str]
    lock: str
    write: Callable[[Transaction, Sequence[U]], Awaitable[None]]
    changed: Callable[[U], Event]
    unchanged: Callable[[U, int], Event]


MEMBERS = CatalogueKind(
    MemberUpsert,
    lambda body: body.user_id,
    "members.lock_revisions",
    buyers.upsert_members,
    lambda body: MemberChanged(user_id=body.user_id, revision=body.revision, level=body.level, blocked=body.blocked),
    lambda body, have: MemberUnchanged(user_id=body.user_id, revision=body.revision, current_revision=have),
)
SETTINGS = CatalogueKind(
    SettingsSet,
    lambda body: body.business_type,
    "policies.lock_revisions",
    catalogue_entries.upsert_policies,
    lambda body: SettingsChanged(business_type=body.business_type, revision=body.revision),
    lambda body, have: SettingsUnchanged(
        business_type=body.business_type, revision=body.revision, current_revision=have
    ),
)
WAREHOUSES = CatalogueKind(
    WarehousesSet,
    lambda body: body.entry_id,
    "warehouse_lists.lock_revisions",
    catalogue_entries.upsert_warehouse_lists,
    lambda body: WarehousesChanged(**body.model_dump(exclude={"warehouses"})),
    lambda body, have: WarehousesUnchanged(**body.model_dump(exclude={"warehouses"}), current_revision=have),
)
HOURS = CatalogueKind(
    WarehouseHoursSet,
    lambda body: body.warehouse,
    "warehouse_hours.lock_revisions",
    catalogue_entries.upsert_warehouse_hours,
    lambda body: WarehouseHoursChanged(warehouse=body.warehouse, revision=body.revision),
    lambda body, have: WarehouseHoursUnchanged(warehouse=body.warehouse, revision=body.revision, current_revision=have),
)
SKUS = CatalogueKind(
    SkuUpsert,
    lambda body: body.sku_id,
    "skus.lock_revisions",
    skus.upsert,
    lambda body: SkuChanged(sku_id=body.sku_id, revision=body.revision),
    lambda body, have: SkuUnchanged(sku_id=body.sku_id, revision=body.revision, current_revision=have),
)
TEMPLATES = CatalogueKind(
    CouponTemplateUpsert,
    lambda body: body.template_id,
    "coupons.lock_revisions",
    coupons.upsert_templates,
    lambda body: CouponTemplateChanged(template_id=body.template_id, revision=body.revision),
    lambda body, have: CouponTemplateUnchanged(
        template_id=body.template_id, revision=body.revision, current_revision=have
    ),
)
PROMOTIONS = CatalogueKind(
    PromotionUpsert,
    lambda body: body.promo_id,
    "promotions.lock_revisions",
    promotions.upsert,
    lambda body: PromotionChanged(promo_id=body.promo_id, revision=body.revision),
    lambda body, have: PromotionUnchanged(promo_id=body.promo_id, revision=body.revision, current_revision=have),
)


KINDS: Mapping[str, CatalogueKind[Any]] = {
    "member": MEMBERS,
    "settings": SETTINGS,
    "warehouses": WAREHOUSES,
    "warehouse_hours": HOURS,
    "sku": SKUS,
    "coupon_template": TEMPLATES,
    "promotion": PROMOTIONS,
}
"""The kinds of entries, as revision.reset names them."""


def newest(
    kind: CatalogueKind[U], items: Sequence[Envelope[U]], known: Mapping[str, int], admit: Admit[U]
) -> tuple[dict[str, U], commands.Outcomes]:
    """Return the newest message about each entry that changes, and the outcome of each message. No I/O."""
    current, wins = dict(known), dict[str, U]()
    outcomes: commands.Outcomes = {}
    for item in items:
        body, key = item.body, kind.id_of(item.body)
        have = current.get(key, 0)
        event: Event
        if body.revision <= have:
            event = kind.unchanged(body, have)
        elif (refusal := too_far(body.revision, have) or admit(body)) is not None:
            event = commands.rejected(item, refusal)
        else:
            current[key], wins[key] = body.revision, body
            event = kind.changed(body)
        outcomes[commands.key_of(item)] = event, item
    return wins, outcomes


def any_revision(_: Any) -> None:
    """Accept every revision: the model of the message has checked all there is to check."""


async def change_catalogue(tx: Transaction, batch: Batch[Command]) -> None:
    """Write each entry once, however many messages name it; what comes after a reset of revisions is done after it."""
    for resets, items in groupby(batch, lambda item: isinstance(item.body, RevisionReset)):
        claims = await commands.claim(tx, items)
        outcomes = await reset_revisions(tx, claims.fresh) if resets else await decide_all(tx, claims.fresh, batch.now)
        answers = await commands.conclude(tx, outcomes)
        news = [outbox.event(event, because=item) for event, item in outcomes.values()]
        await outbox.append(tx, [*news, *answers, *claims.answers])


async def decide_all(tx: Transaction, fresh: Sequence[Item], now: datetime) -> commands.Outcomes:
    """Decide and write. The locks come in the same order as those of order.create: coupons, points, quotas."""
    outcomes = await change(tx, MEMBERS, fresh, any_revision)
    outcomes |= await change(tx, SETTINGS, fresh, admissions.settings)
    outcomes |= await change(tx, WAREHOUSES, fresh, admissions.warehouse_list)
    outcomes |= await change(tx, HOURS, fresh, any_revision)
    outcomes |= await change(tx, SKUS, fresh, any_revision)
    outcomes |= await change(tx, TEMPLATES, fresh, admissions.template)
    outcomes |= await issue_coupons(tx, fresh, now)
    outcomes |= await book_points(tx, fresh)
    return outcomes | await change_promotions(tx, fresh)


async def reset_revisions(tx: Transaction, fresh: Sequence[Item]) -> commands.Outcomes:
    """Set revisions in order of arrival, those of one kind of entry after the other, in the order of their locks."""
    outcomes: commands.Outcomes = {}
    for name, kind in KINDS.items():
        items: list[Envelope[RevisionReset]] = [item for item in fresh if item.body.kind == name]
        if not items:
            continue
        if kind is PROMOTIONS:
            await promotions.lock(tx)
        known = await catalogue_entries.lock_revisions(tx, kind.lock, [item.body.id for item in items])
        resets: list[Reset] = []
        for item in items:
            outcomes[commands.key_of(item)] = reset(item, known, resets), item
        await catalogue_entries.reset_revisions(tx, name, kind.model.SCOPE.partition(":")[0], resets)
    return outcomes


def reset(item: Envelope[RevisionReset], known: dict[str, int], resets: list[Reset]) -> Event:
    """Set one revision in `known`, and add it to `resets`; or reject a reset of an unknown entry."""
    body, previous = item.body, known.get(item.body.id)
    if previous is None:
        refusal = Refusal(Code.CATALOGUE_ENTRY_UNKNOWN, f"there is no such {body.kind}", {"field": "id"})
        return commands.rejected(item, refusal)
    known[body.id] = body.revision
    resets.append(Reset(body, previous, item.user or ""))
    return RevisionChanged(kind=body.kind, id=body.id, revision=body.revision, previous_revision=previous)


async def change(tx: Transaction, kind: CatalogueKind[U], fresh: Sequence[Item], admit: Admit[U]) -> commands.Outcomes:
    """Lock the entries that the messages of one kind name, decide in order of arrival, write the newest revisions."""
    items: list[Envelope[U]] = [item for item in fresh if isinstance(item.body, kind.model)]
    if not items:
        return {}
    known = await catalogue_entries.lock_revisions(tx, kind.lock, [kind.id_of(item.body) for item in items])
    wins, outcomes = newest(kind, items, known, admit)
    await kind.write(tx, list(wins.values()))
    return outcomes


async def change_promotions(tx: Transaction, fresh: Sequence[Item]) -> commands.Outcomes:
    """Change promotions in one worker at a time: two new ones that overlap have no rows yet that could be locked."""
    bodies = [item.body for item in fresh if isinstance(item.body, PromotionUpsert)]
    if not bodies:
        return {}
    await promotions.lock(tx)
    calendar = admissions.Calendar(await promotions.beside(tx, bodies))
    return await change(tx, PROMOTIONS, fresh, calendar.admit)


async def issue_coupons(tx: Transaction, fresh: Sequence[Item], now: datetime) -> commands.Outcomes:
    """Lock the templates, and issue their coupons in order of arrival until none are left."""
    items = [item for item in fresh if isinstance(item.body, CouponIssue)]
    if not items:
        return {}
    issuing = await coupons.open_issuing(tx, [item.body for item in items])
    outcomes: commands.Outcomes = {commands.key_of(i): (issue(issuing, i, now), i) for i in items}
    issued = [item.body for event, item in outcomes.values() if isinstance(event, CouponIssued)]
    await coupons.issue(tx, issued, issuing.given)
    return outcomes


def issue(issuing: Issuing, item: Item, now: datetime) -> Event:
    """Issue one coupon. Returns coupon.issued or command.rejected."""
    body: CouponIssue = item.body
    match issuing.issue(body.template_id, body.user_id, now):
        case Refusal() as refusal:
            return commands.rejected(item, refusal)
        case template:
            return CouponIssued(
                coupon_id=body.coupon_id,
                template_id=body.template_id,
                user_id=body.user_id,
                name=template.name,
                amount=template.amount,
                currency=template.currency,
                min_amount=template.min_amount,
                valid_from=template.valid_from,
                valid_to=template.valid_to,
            )


async def book_points(tx: Transaction, fresh: Sequence[Item]) -> commands.Outcomes:
    """Lock the accounts, book each grant and each correction, write each account once."""
    items = [item for item in fresh if isinstance(item.body, PointsGrant | PointsAdjust)]
    if not items:
        return {}
    accounts = await benefits.lock_or_create_accounts(tx, {item.body.user_id for item in items})
    outcomes: commands.Outcomes = {commands.key_of(i): (book_one(accounts, i), i) for i in items}
    done = [(event, item) for event, item in outcomes.values() if isinstance(event, PointsChanged)]
    rows = [Booking(event.user_id, event.op, commands.request_of(item), event.points) for event, item in done]
    await benefits.save_bookings(tx, accounts, rows)
    await free_texts.keep(tx, [(item, item.body.user_id, item.body.user_id) for _, item in done])
    return outcomes


def book_one(accounts: dict[str, Account], item: Envelope[PointsGrant | PointsAdjust]) -> Event:
    """Grant or correct points. Returns points.changed, or command.rejected if the account cannot have so many."""
    body = item.body
    if isinstance(body, PointsAdjust) and body.actor.type == "user":
        return commands.rejected(item, authorization.FORBIDDEN)
    after = booked(accounts[body.user_id], body.points)
    if isinstance(after, Refusal):
        return commands.rejected(item, after)
    accounts[body.user_id] = after
    op: BookingOp = "grant" if isinstance(body, PointsGrant) else "add" if body.points >= 0 else "deduct"
    return PointsChanged(
        user_id=body.user_id,
        op=op,
        points=abs(body.points),
        growth=0,
        balance=after.balance,
        held=after.held,
        reason_code=body.reason_code if isinstance(body, PointsAdjust) else None,
    )


async def expire_coupons(tx: Transaction) -> None:
    """Expire the unused coupons whose validity has ended, and announce each of them."""
    ended = await coupons.expire(tx)
    news = [CouponChanged(coupon_id=coupon_id, user_id=user_id, state="expired") for coupon_id, user_id in ended]
    await outbox.append(tx, [outbox.event(event, because=None) for event in news])


ROUTE = Route(queue="catalogue", handler=change_catalogue, every=(Every(EXPIRY_SECONDS, expire_coupons),))
