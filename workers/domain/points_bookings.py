"""What marketing and operators book on a user's points outside of orders (R-05)."""

from dataclasses import replace
from typing import Literal

from workers.domain.benefits import Account
from workers.domain.codes import Code
from workers.domain.refusal import Refusal

BALANCE_MAX = 10**15  # points: sums stay far inside 64 bits, and exact for clients that read numbers as floats
BookingOp = Literal["grant", "add", "deduct"]
"""The steps outside of orders. points.changed has the same words on the wire."""


def booked(account: Account, points: int) -> Account | Refusal:
    """Return the account with so many points more, or less if they are below 0; or why it cannot have them.

    It keeps the points that orders hold, so it never goes below zero.
    """
    if not points:
        return Refusal(Code.POINTS_RULE, "0 points change nothing", {"field": "points"})
    if account.balance + points > BALANCE_MAX:
        return Refusal(Code.POINTS_RULE, f"an account has {BALANCE_MAX} points at most", {"max": BALANCE_MAX})
    if account.available + points < 0:
        details = {"wanted": -points, "available": account.available}
        return Refusal(Code.POINTS_INSUFFICIENT, "the account has fewer points that no order holds", details)
    return replace(account, balance=account.balance + points)
