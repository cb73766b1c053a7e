"""coupon*.*, points.*, member.*: what users have (R-16, R-04, R-05)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from messages.base import (
    AMOUNT_MAX,
    QUANTITY_MAX,
    Amount,
    Command,
    Currency,
    Event,
    ExternalId,
    Moment,
    OrderId,
    RequestId,
    ShortText,
)
from messages.catalogue import POINTS_MAX, Revision

SCOPE_IDS_MAX = 1000
Some = Annotated[tuple[ExternalId, ...], Field(max_length=100)]


class CouponTemplateUpsert(Command):
    """The terms of coupons that are issued from now on; coupons that exist keep theirs.

    `amount` off orders whose eligible lines cost `min_amount` or more, both minor units. Empty `channels` and
    `member_levels` mean any. `count` is how many there are in all, `per_user_limit` how many one user may get.
    """

    TYPE: ClassVar[str] = "coupon_template.upsert.v1"
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

    def command_scope(self) -> str:
        return f"coupon_template.upsert:{self.template_id}"

    def command_key(self) -> str:
        return str(self.revision)


class CouponTemplateChanged(Event):
    """Coupons are issued as this revision says."""

    TYPE: ClassVar[str] = "coupon_template.changed.v1"
    template_id: str
    revision: int


class CouponTemplateUnchanged(Event):
    """A revision at or below the one we have: recorded, nothing changed."""

    TYPE: ClassVar[str] = "coupon_template.unchanged.v1"
    template_id: str
    revision: int
    current_revision: int


class CouponIssue(Command):
    """Give a user one coupon of a template. `coupon_id` is the sender's and can be given once."""

    TYPE: ClassVar[str] = "coupon.issue.v1"
    coupon_id: ExternalId
    template_id: ExternalId
    user_id: ExternalId

    def command_scope(self) -> str:
        return "coupon.issue"

    def command_key(self) -> str:
        return self.coupon_id


class CouponIssued(Event):
    """The coupon is the user's, under these terms."""

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
    """Held for an order, used by it, given back before or after its use, or no longer valid."""

    TYPE: ClassVar[str] = "coupon.changed.v1"
    coupon_id: str
    user_id: str
    state: Literal["locked", "used", "released", "returned", "expired"]
    order_id: OrderId | None = None


class PointsGrant(Command):
    """Give a user points."""

    TYPE: ClassVar[str] = "points.grant.v1"
    request_id: RequestId
    user_id: ExternalId
    points: Annotated[int, Field(ge=1, le=POINTS_MAX)]
    reason: ShortText

    def command_scope(self) -> str:
        return f"points.grant:{self.user_id}"

    def command_key(self) -> str:
        return self.request_id


class PointsChanged(Event):
    """One entry of a user's points ledger, and the account after it. Available are `balance` - `held`."""

    TYPE: ClassVar[str] = "points.changed.v1"
    user_id: str
    op: Literal["grant", "hold", "use", "release", "return", "award", "revoke"]
    points: int
    growth: int
    balance: int
    held: int
    order_id: OrderId | None = None


class MemberUpsert(Command):
    """The level of a member from now on."""

    TYPE: ClassVar[str] = "member.upsert.v1"
    user_id: ExternalId
    revision: Revision
    level: ExternalId

    def command_scope(self) -> str:
        return f"member.upsert:{self.user_id}"

    def command_key(self) -> str:
        return str(self.revision)


class MemberChanged(Event):
    """The user has this level."""

    TYPE: ClassVar[str] = "member.changed.v1"
    user_id: str
    revision: int
    level: str


class MemberUnchanged(Event):
    """A revision at or below the one we have: recorded, nothing changed."""

    TYPE: ClassVar[str] = "member.unchanged.v1"
    user_id: str
    revision: int
    current_revision: int
