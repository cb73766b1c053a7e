"""How the orders of one batch hold, use and give back coupons, points and limited prices (R-16).

    the root order                  coupon               points                        units at a limited price
    ------------------------------  -------------------  ----------------------------  ------------------------
    is placed                       issued -> locked     held                          taken
    is paid                         locked -> used       leave the account             -
    is rejected, or ends unpaid     -> issued, expired   no longer held                given back
    is cancelled after payment      -> issued, expired   the rest comes back           given back
    is partly refunded              stays used           come back in proportion       -
    loses a refund that failed      stays used           are taken again               -

An order earns points for its goods. They are awarded when it completes. Later refunds revoke them in proportion. Only
refunds that succeeded or are under way count: if one fails, what followed it is undone, until it is requested again or
another one takes its place. No step takes more than the account has free; the ledger keeps what is then short.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from workers.domain.order import Order, OrderKind, State
from workers.domain.pricing.coupons import HELD, Coupon, CouponState
from workers.domain.pricing.quote import Buyer, Quote


@dataclass(frozen=True)
class Account:
    """One user's points and growth. 0 <= held <= balance always holds."""

    balance: int = 0
    held: int = 0
    growth: int = 0

    @property
    def available(self) -> int:
        """The points that a new order may use."""
        return self.balance - self.held


class CouponOp(StrEnum):
    """The steps that an order takes with its coupon. One that is reinstated locks it, and may release it, once more."""

    LOCK = "lock"
    USE = "use"
    RELEASE = "release"
    RETURN = "return"
    RELOCK = "relock"
    RERELEASE = "rerelease"


PointsOp = Literal["hold", "use", "release", "return", "reclaim", "award", "revoke", "restore"]
"""The steps that an order takes with its buyer's points. points.changed has the same words on the wire."""
TAKING = frozenset[PointsOp]({"reclaim", "revoke"})
"""These undo what another step gave: reclaim a return, revoke an award."""


class CouponMove(NamedTuple):
    """One step of one coupon. (coupon, order, op) is unique. `order_id` is the root order."""

    coupon_id: str
    user_id: str
    order_id: int
    op: CouponOp
    state: CouponState


class PointsMove(NamedTuple):
    """One ledger row, and the account after it. (user, op, ref) is unique.

    `short` is the points that the row should have taken besides, but that the account did not have free.
    """

    user_id: str
    op: PointsOp
    ref: str
    order_id: int
    points: int
    growth: int
    after: Account
    short: int = 0


class QuotaUse(NamedTuple):
    """The units that a new order takes of a limited promotion."""

    promo_id: str
    order_id: int
    user_id: str
    units: int


class ReturnedValue(NamedTuple):
    """The sums of everything that has gone back of one order.

    The first four belong to units that went back: `points_amount` is the part that was paid with points and
    `line_amount` the part that was paid with money, both in minor units; `gift_points` and `gift_growth` are what the
    units had earned. `refunded` is the money of all refunds that count (the view `counted_refunds`).
    """

    points_amount: int = 0
    gift_points: int = 0
    gift_growth: int = 0
    line_amount: int = 0
    refunded: int = 0

    @property
    def goodwill(self) -> int:
        """The money that went back beyond that of the units. Replacing a failed refund of units adds nothing."""
        return max(0, self.refunded - self.line_amount)


def share(whole: int, part: int, total: int) -> int:
    """The share of `whole` that `part` has of `total`.

    `part` is cumulative, so any sequence of refunds adds up (R-08).
    """
    return whole * min(part, total) // total if total else 0


def due_back(root: Order, returned: Sequence[ReturnedValue]) -> int:
    """The used points that must be back on the buyer's account while the order is alive.

    These are the points that paid for the returned units, and of the others the share that goodwill has of the money
    that was paid for them. So all points are back once all the money is.
    """
    lines = share(root.use_points, sum(value.points_amount for value in returned), root.points_amount)
    paid = root.payable_amount - sum(value.line_amount for value in returned)
    return lines + share(root.use_points - lines, sum(value.goodwill for value in returned), paid)


def still_earned(order: Order, returned: ReturnedValue) -> tuple[int, int]:
    """(points, growth) that the order still earns after everything that has gone back.

    Goodwill takes its share of what the units that the buyer keeps have earned.
    """
    points, growth = order.gift_points - returned.gift_points, order.gift_growth - returned.gift_growth
    paid = order.payable_amount - returned.line_amount
    return points - share(points, returned.goodwill, paid), growth - share(growth, returned.goodwill, paid)


@dataclass
class Benefits:
    """The locked coupons, accounts and quotas of one batch, and every change that the batch makes to them.

    `booked` maps (order, op) to the (points, growth) that the ledger already holds.
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
        """The user as pricing sees them now: earlier orders of this batch already hold their part."""
        return Buyer(
            user_id=user_id,
            member_level=member_level,
            points_available=self.accounts.get(user_id, Account()).available,
            coupon=self.coupons.get(coupon_id) if coupon_id else None,
            quota_used=self.quota_used.get(user_id, {}),
        )

    def hold(self, order_id: int, user_id: str, quote: Quote) -> None:
        """Take the coupon, the points and the limited units that the price of a new order uses."""
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

    def may_hold_again(self, order: Order, now: datetime) -> bool:
        """True if the coupon and the points of an order that gave them back can be had again."""
        coupon = self.coupons.get(order.coupon_id or "")
        valid = order.coupon_id is None or (
            coupon is not None and coupon.state is CouponState.ISSUED and coupon.valid_from <= now < coupon.valid_to
        )
        return valid and self.accounts.get(order.user_id, Account()).available >= order.use_points

    def hold_again(self, order: Order) -> None:
        """Take the coupon and the points of an order that is to be reinstated."""
        if order.coupon_id is not None:
            self._move_coupon(order.coupon_id, order.id, CouponOp.RELOCK, CouponState.LOCKED)
        if order.use_points:
            account = self.accounts[order.user_id]
            after = replace(account, held=account.held + order.use_points)
            self._move_points(order.user_id, "hold", again(order.id), order.id, order.use_points, after)

    def use(self, order: Order) -> None:
        """Spend the coupon and the points that the order held, because it is paid."""
        if order.coupon_id is not None:
            self._move_coupon(order.coupon_id, order.id, CouponOp.USE, CouponState.USED)
        if order.use_points:
            account = self.accounts[order.user_id]
            left = account.held - order.use_points
            after = replace(account, balance=account.balance - order.use_points, held=left)
            self._move_points(order.user_id, "use", str(order.id), order.id, order.use_points, after)

    def give_back(self, order: Order, now: datetime, because: str, *, second: bool = False) -> None:
        """Free what the order held and return what it used, because the order ends without goods.

        `second`: it had given them back before, and was to be reinstated.
        """
        paid, freed = order.paid_at is not None, CouponOp.RERELEASE if second else CouponOp.RELEASE
        if order.coupon_id is not None:
            ended = self.coupons[order.coupon_id].valid_to <= now
            state = CouponState.EXPIRED if ended else CouponState.ISSUED
            self._move_coupon(order.coupon_id, order.id, CouponOp.RETURN if paid else freed, state)
        if order.use_points and paid:
            self.return_points(order, order.use_points, because)
        elif order.use_points:
            account = self.accounts[order.user_id]
            after = replace(account, held=account.held - order.use_points)
            ref = again(order.id) if second else str(order.id)
            self._move_points(order.user_id, "release", ref, order.id, order.use_points, after)
        if order.quota_units:
            self.quotas_returned.append(order.id)

    def return_points(self, order: Order, total_points: int, because: str) -> None:
        """Return used points until `total_points` of them are back; take those again that a failed refund returned."""
        points = total_points - self._net(order.id, "return", "reclaim")[0]
        account, ref = self.accounts[order.user_id], f"{order.id}:{because}"
        if points > 0:
            after = replace(account, balance=account.balance + points)
            self._move_points(order.user_id, "return", ref, order.id, points, after)
        elif points < 0:
            free = min(-points, account.available)
            after = replace(account, balance=account.balance - free)
            self._move_points(order.user_id, "reclaim", ref, order.id, free, after, short=-points - free)

    def award(self, order: Order, points: int, growth: int) -> None:
        """Give the buyer the points and growth that the received goods earn."""
        if points or growth:
            account = self.accounts.get(order.user_id, Account())
            after = replace(account, balance=account.balance + points, growth=account.growth + growth)
            self._move_points(order.user_id, "award", str(order.id), order.id, points, after, growth)

    def earn(self, order: Order, keep: tuple[int, int], because: str) -> None:
        """Revoke awarded points and growth until `keep` of them are left; restore those that a failed refund took."""
        earned, grown = self._net(order.id, "award", "revoke", "restore")
        account, ref = self.accounts.get(order.user_id, Account()), f"{order.id}:{because}"
        points, growth = keep[0] - earned, keep[1] - grown
        if points < 0 or growth < 0:
            free, shrunk = min(max(-points, 0), account.available), min(max(-growth, 0), account.growth)
            after = replace(account, balance=account.balance - free, growth=account.growth - shrunk)
            short = max(-points, 0) - free
            self._move_points(order.user_id, "revoke", ref, order.id, free, after, shrunk, short)
        if points > 0 or growth > 0:
            account = self.accounts.get(order.user_id, Account())
            points, growth = max(points, 0), max(growth, 0)
            after = replace(account, balance=account.balance + points, growth=account.growth + growth)
            self._move_points(order.user_id, "restore", ref, order.id, points, after, growth)

    @property
    def changed_coupons(self) -> list[Coupon]:
        """The coupons that changed and must be written, sorted by id."""
        return [self.coupons[key] for key in sorted({move.coupon_id for move in self.coupon_moves})]

    @property
    def changed_accounts(self) -> dict[str, Account]:
        """User -> the account that changed and must be written, sorted by user."""
        return {user: self.accounts[user] for user in sorted({move.user_id for move in self.points_moves})}

    def _booked(self, order_id: int, op: PointsOp) -> tuple[int, int]:
        new = [move for move in self.points_moves if (move.order_id, move.op) == (order_id, op)]
        points, growth = self.booked.get((order_id, op), (0, 0))
        return points + sum(move.points for move in new), growth + sum(move.growth for move in new)

    def _net(self, order_id: int, *ops: PointsOp) -> tuple[int, int]:
        """(points, growth) that these operations gave the account, less what they took."""
        booked = [(-1 if op in TAKING else 1, self._booked(order_id, op)) for op in ops]
        return sum(sign * points for sign, (points, _) in booked), sum(sign * growth for sign, (_, growth) in booked)

    def _move_coupon(self, coupon_id: str, order_id: int, op: CouponOp, state: CouponState) -> None:
        coupon = self.coupons[coupon_id]
        allowed = coupon.order_id == order_id if coupon.state in HELD else op in (CouponOp.LOCK, CouponOp.RELOCK)
        assert allowed, f"coupon {coupon_id} is not this order's"
        self.coupons[coupon_id] = replace(coupon, state=state, order_id=order_id if state in HELD else None)
        self.coupon_moves.append(CouponMove(coupon_id, coupon.user_id, order_id, op, state))

    def _move_points(  # noqa: PLR0917 (the columns of a ledger row)
        self,
        user_id: str,
        op: PointsOp,
        ref: str,
        order_id: int,
        points: int,
        after: Account,
        growth: int = 0,
        short: int = 0,
    ) -> None:
        assert 0 <= after.held <= after.balance, f"{op} of {points} points would leave {after}"
        self.accounts[user_id] = after
        self.points_moves.append(PointsMove(user_id, op, ref, order_id, points, growth, after, short))


def again(order_id: int) -> str:
    """The ref of ledger entries of an order that holds its points a second time."""
    return f"{order_id}:again"


def all_cancelled(family: Sequence[Order]) -> bool:
    """True if every order of the family that carries goods is cancelled: the only one, or every child."""
    return all(order.state is State.CANCELLED for order in family if order.kind is not OrderKind.SPLIT_PARENT)
