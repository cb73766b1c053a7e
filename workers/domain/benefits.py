"""Coupons, points and limited prices of one batch as orders hold, use and give them back (R-16).

    the root order                  coupon               points                        units at a limited price
    ------------------------------  -------------------  ----------------------------  ------------------------
    is placed                       issued -> locked     held                          taken
    is paid                         locked -> used       leave the account             -
    is rejected, or ends unpaid     -> issued, expired   no longer held                given back
    is cancelled after payment      -> issued, expired   the rest comes back           given back
    is partly refunded              stays used           come back in proportion       -

Points that goods earn are awarded with completion and revoked in proportion to later refunds, as far as they are there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from workers.domain.order import Order, State
from workers.domain.pricing.coupons import HELD, Coupon, CouponState
from workers.domain.pricing.quote import Buyer, Quote


@dataclass(frozen=True)
class Account:
    """One user's points: 0 <= held <= balance, always."""

    balance: int = 0
    held: int = 0
    growth: int = 0

    @property
    def available(self) -> int:
        """What a new order may use."""
        return self.balance - self.held


class CouponOp(StrEnum):
    """What an order does with its coupon."""

    LOCK = "lock"
    USE = "use"
    RELEASE = "release"
    RETURN = "return"


PointsOp = Literal["hold", "use", "release", "return", "award", "revoke"]
"""What an order does with its buyer's points. The wire has the same words (points.changed)."""


class CouponMove(NamedTuple):
    """One step of one coupon; unique by (coupon, order, op). `order_id` is the root order's."""

    coupon_id: str
    user_id: str
    order_id: int
    op: CouponOp
    state: CouponState


class PointsMove(NamedTuple):
    """One ledger row, and the account after it; unique by (user, op, ref)."""

    user_id: str
    op: PointsOp
    ref: str
    order_id: int
    points: int
    growth: int
    after: Account


class QuotaUse(NamedTuple):
    """Units that a new order takes of a promotion that is limited."""

    promo_id: str
    order_id: int
    user_id: str
    units: int


class Worth(NamedTuple):
    """What of an order's lines went back, in all: what they were paid with in points (as money), what they earn; and
    `goodwill` is money that operators gave back without naming units.
    """

    points_amount: int = 0
    gift_points: int = 0
    gift_growth: int = 0
    goodwill: int = 0


def share(whole: int, part: int, total: int) -> int:
    """`whole` in proportion to part of total: cumulative, so that any sequence of parts adds up (R-08)."""
    return whole * min(part, total) // total if total else 0


def due_back(root: Order, worths: Sequence[Worth]) -> int:
    """Used points that have to be back by now: those that paid for what went back, and goodwill's proportion."""
    lines = share(root.use_points, sum(worth.points_amount for worth in worths), root.points_amount)
    goodwill = share(root.use_points, sum(worth.goodwill for worth in worths), root.payable_amount)
    return min(root.use_points, lines + goodwill)


def still_earned(order: Order, worth: Worth) -> tuple[int, int]:
    """Points and growth that the order's goods earn after all that went back."""
    points = order.gift_points - worth.gift_points - share(order.gift_points, worth.goodwill, order.payable_amount)
    growth = order.gift_growth - worth.gift_growth - share(order.gift_growth, worth.goodwill, order.payable_amount)
    return max(points, 0), max(growth, 0)


@dataclass
class Benefits:
    """What the users of one batch have, locked, and every change that the batch makes.

    `booked` is (order, op) -> points and growth that the ledger has of it already.
    """

    coupons: dict[str, Coupon] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    quota_left: dict[str, int] = field(default_factory=dict)
    quota_used: dict[str, dict[str, int]] = field(default_factory=dict)
    booked: Mapping[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    coupon_moves: list[CouponMove] = field(default_factory=list)
    points_moves: list[PointsMove] = field(default_factory=list)
    quota_uses: list[QuotaUse] = field(default_factory=list)
    quotas_returned: list[int] = field(default_factory=list)

    def buyer(self, user_id: str, member_level: str | None, coupon_id: str | None) -> Buyer:
        """The user as the price sees them now, after the orders before in this batch."""
        return Buyer(
            user_id=user_id,
            member_level=member_level,
            points_available=self.accounts.get(user_id, Account()).available,
            coupon=self.coupons.get(coupon_id) if coupon_id else None,
            quota_used=self.quota_used.get(user_id, {}),
        )

    def hold(self, order_id: int, user_id: str, quote: Quote) -> None:
        """A new order takes what its price is made of."""
        if quote.coupon_id is not None:
            self._move_coupon(quote.coupon_id, order_id, CouponOp.LOCK, CouponState.LOCKED)
        if quote.points_used:
            account = self.accounts[user_id]
            after = replace(account, held=account.held + quote.points_used)
            self._move_points(user_id, "hold", str(order_id), order_id, quote.points_used, after)
        for promo_id, units in quote.quota_uses.items():
            self.quota_uses.append(QuotaUse(promo_id, order_id, user_id, units))
            if promo_id in self.quota_left:
                self.quota_left[promo_id] -= units
            used = self.quota_used.setdefault(user_id, {})
            used[promo_id] = used.get(promo_id, 0) + units

    def use(self, order: Order) -> None:
        """The order is paid: what it held is spent."""
        if order.coupon_id is not None:
            self._move_coupon(order.coupon_id, order.id, CouponOp.USE, CouponState.USED)
        if order.use_points:
            account = self.accounts[order.user_id]
            left = account.held - order.use_points
            after = replace(account, balance=account.balance - order.use_points, held=left)
            self._move_points(order.user_id, "use", str(order.id), order.id, order.use_points, after)

    def give_back(self, order: Order, now: datetime, because: str) -> None:
        """The order ends without goods: what it held is free, what it used comes back."""
        paid = order.paid_at is not None
        if order.coupon_id is not None:
            ended = self.coupons[order.coupon_id].valid_to <= now
            state = CouponState.EXPIRED if ended else CouponState.ISSUED
            self._move_coupon(order.coupon_id, order.id, CouponOp.RETURN if paid else CouponOp.RELEASE, state)
        if order.use_points and paid:
            self.return_points(order, order.use_points, because)
        elif order.use_points:
            account = self.accounts[order.user_id]
            after = replace(account, held=account.held - order.use_points)
            self._move_points(order.user_id, "release", str(order.id), order.id, order.use_points, after)
        if order.quota_units:
            self.quotas_returned.append(order.id)

    def return_points(self, order: Order, upto: int, because: str) -> None:
        """Used points come back until `upto` of them have, in all."""
        points = upto - self._booked(order.id, "return")[0]
        if points > 0:
            account = self.accounts[order.user_id]
            after = replace(account, balance=account.balance + points)
            self._move_points(order.user_id, "return", f"{order.id}:{because}", order.id, points, after)

    def award(self, order: Order, points: int, growth: int) -> None:
        """The goods were received: what they earn."""
        if points or growth:
            account = self.accounts.get(order.user_id, Account())
            after = replace(account, balance=account.balance + points, growth=account.growth + growth)
            self._move_points(order.user_id, "award", str(order.id), order.id, points, after, growth)

    def revoke(self, order: Order, keep: tuple[int, int], because: str) -> None:
        """Earned points and growth go away until `keep` of them are left; never more than the account has free."""
        (awarded, grown), (revoked, shrunk) = (
            self._booked(order.id, "award"),
            self._booked(order.id, "revoke"),
        )
        account = self.accounts.get(order.user_id, Account())
        points = min(awarded - revoked - keep[0], account.available)
        growth = min(grown - shrunk - keep[1], account.growth)
        if points > 0 or growth > 0:
            points, growth = max(points, 0), max(growth, 0)
            after = replace(account, balance=account.balance - points, growth=account.growth - growth)
            self._move_points(order.user_id, "revoke", f"{order.id}:{because}", order.id, points, after, growth)

    @property
    def changed_coupons(self) -> list[Coupon]:
        """The coupons whose rows must be written, by id."""
        return [self.coupons[key] for key in sorted({move.coupon_id for move in self.coupon_moves})]

    @property
    def changed_accounts(self) -> dict[str, Account]:
        """The accounts whose rows must be written, by user."""
        return {user: self.accounts[user] for user in sorted({move.user_id for move in self.points_moves})}

    def _booked(self, order_id: int, op: PointsOp) -> tuple[int, int]:
        new = [move for move in self.points_moves if (move.order_id, move.op) == (order_id, op)]
        points, growth = self.booked.get((order_id, op), (0, 0))
        return points + sum(move.points for move in new), growth + sum(move.growth for move in new)

    def _move_coupon(self, coupon_id: str, order_id: int, op: CouponOp, state: CouponState) -> None:
        coupon = self.coupons[coupon_id]
        theirs = coupon.order_id == order_id if coupon.state in HELD else op is CouponOp.LOCK
        assert theirs, f"coupon {coupon_id} is not this order's"
        self.coupons[coupon_id] = replace(coupon, state=state, order_id=order_id if state in HELD else None)
        self.coupon_moves.append(CouponMove(coupon_id, coupon.user_id, order_id, op, state))

    def _move_points(  # noqa: PLR0917 (the columns of a ledger row)
        self, user_id: str, op: PointsOp, ref: str, order_id: int, points: int, after: Account, growth: int = 0
    ) -> None:
        assert 0 <= after.held <= after.balance, f"{op} of {points} points would leave {after}"
        self.accounts[user_id] = after
        self.points_moves.append(PointsMove(user_id, op, ref, order_id, points, growth, after))


def all_cancelled(family: Sequence[Order]) -> bool:
    """Whether nothing of a split order is left."""
    return all(order.state is State.CANCELLED for order in family if order.is_child)
