"""coupon*.*, points.*, member.*: coupons, points and levels of users (R-16, R-04, R-05)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import (
    AMOUNT_MAX,
    QUANTITY_MAX,
    Actor,
    Amount,
    Command,
    Currency,
    Event,
    ExternalId,
    FreeText,
    Moment,
    OrderId,
    ReasonCode,
    RequestId,
    ShortText,
)
from messages.catalogue import POINTS_MAX, Revision
from messages.roles import Role

SCOPE_IDS_MAX = 1000
Some = Annotated[tuple[ExternalId, ...], Field(max_length=100)]


class CouponTemplateUpsert(Command):
    """Set the terms of coupons that are issued from now on. Existing coupons keep theirs.

    A coupon takes `amount` off orders whose eligible lines cost `min_amount` or more, both in minor units. Empty
    `channels` and `member_levels` mean any. `count` limits all coupons, `per_user_limit` those of one user.
    """

    TYPE: ClassVar[str] = "coupon_template.upsert.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.CATALOGUE})
    SCOPE: ClassVar[str] = "coupon_template.upsert:{template_id}"
    KEY: ClassVar[str] = "revision"
    template_id: ExternalId
    revision: Revision
    name: ShortText
    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
    currency: Currency
    min_amount: Amount = 0
    scope: Literal["all", "category", "sku"]
    scope_ids: Annotated[tuple[ExternalId, ...], Field(max_length=SCOPE_IDS_MAX)] = ()
    channels: Some = ()
    member_levels: Some = ()
    valid_from: Moment
    valid_to: Moment
    per_user_limit: Annotated[int, Field(ge=1, le=QUANTITY_MAX)] | None = None
    count: Annotated[int, Field(ge=0, le=1000 * QUANTITY_MAX)] | None = None


class CouponTemplateChanged(Event):
    """New coupons have the terms of this revision."""

    TYPE: ClassVar[str] = "coupon_template.changed.v1"
    template_id: str
    revision: int


class CouponTemplateUnchanged(Event):
    """The revision is not above the stored one. It is recorded and changes nothing."""

    TYPE: ClassVar[str] = "coupon_template.unchanged.v1"
    template_id: str
    revision: int
    current_revision: int


class CouponIssue(Command):
    """Give a user one coupon of a template. The sender chooses `coupon_id`, which can be given once."""

    TYPE: ClassVar[str] = "coupon.issue.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.MARKETING})
    SCOPE: ClassVar[str] = "coupon.issue"
    KEY: ClassVar[str] = "coupon_id"
    coupon_id: ExternalId
    template_id: ExternalId
    user_id: ExternalId


class CouponIssued(Event):
    """The user has the coupon, under these terms."""

    TYPE: ClassVar[str] = "coupon.issued.v1"
    coupon_id: str
    template_id: str
    user_id: str
    name: str
    amount: int
    currency: str
    min_amount: int
    valid_from: Moment
    valid_to: Moment


class CouponChanged(Event):
    """A coupon is held for an order, used by it, given back before or after its use, or expired."""

    TYPE: ClassVar[str] = "coupon.changed.v1"
    coupon_id: str
    user_id: str
    state: Literal["locked", "used", "released", "returned", "expired"]
    order_id: OrderId | None = None


class PointsGrant(Command):
    """Give a user points outside of orders."""

    TYPE: ClassVar[str] = "points.grant.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.MARKETING})
    SCOPE: ClassVar[str] = "points.grant:{user_id}"
    request_id: RequestId
    user_id: ExternalId
    points: Annotated[int, Field(ge=1, le=POINTS_MAX)]
    reason: FreeText


class PointsAdjust(Command):
    """An operator corrects a user's points: by `points` up, or down if they are below 0.

    The account never goes below what orders hold.
    """

    TYPE: ClassVar[str] = "points.adjust.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.OPERATOR})
    SCOPE: ClassVar[str] = "points.adjust:{user_id}"
    request_id: RequestId
    actor: Actor
    user_id: ExternalId
    points: Annotated[int, Field(ge=-POINTS_MAX, le=POINTS_MAX)]
    reason_code: ReasonCode
    reason: FreeText


class PointsChanged(Event):
    """One entry of a user's points ledger, and the account after it. Available are `balance` - `held`.

    If a refund fails, `reclaim` takes back the points that it returned, and `restore` gives back those that it revoked.
    `add` and `deduct` are corrections of operators, with their `reason_code`.
    """

    TYPE: ClassVar[str] = "points.changed.v1"
    user_id: str
    op: Literal["grant", "hold", "use", "release", "return", "reclaim", "award", "revoke", "restore", "add", "deduct"]
    points: int
    growth: int
    balance: int
    held: int
    order_id: OrderId | None = None
    reason_code: str | None = None


class MemberUpsert(Command):
    """Set the level of a member, and whether the member may order. A blocked one keeps the orders that there are.

    `blocked` has no default, because a sender that leaves it out would let blocked members order again.
    """

    TYPE: ClassVar[str] = "member.upsert.v1"
    SENDERS: ClassVar[frozenset[Role]] = frozenset({Role.MARKETING})
    SCOPE: ClassVar[str] = "member.upsert:{user_id}"
    KEY: ClassVar[str] = "revision"
    user_id: ExternalId
    revision: Revision
    level: ExternalId
    blocked: bool


class MemberChanged(Event):
    """The user has this level from now on, and may order unless blocked."""

    TYPE: ClassVar[str] = "member.changed.v1"
    user_id: str
    revision: int
    level: str
    blocked: bool = False


class MemberUnchanged(Event):
    """The revision is not above the stored one. It is recorded and changes nothing."""

    TYPE: ClassVar[str] = "member.unchanged.v1"
    user_id: str
    revision: int
    current_revision: int
