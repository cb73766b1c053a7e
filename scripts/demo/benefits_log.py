"""What is announced of coupons and points, written down to be compared with the order system's ledgers."""

from collections import Counter
from pathlib import Path

from scripts.amqp_client import ReceivedMessage

EVENTS = ("coupon.changed", "points.changed")


class BenefitsLog:
    """A line `what,whose,order,step,how many` for each step: coupons by their id, points by their owner.

    A coupon that an order no longer has, released, returned or expired, is free of it.
    """

    def __init__(self, file: Path) -> None:
        self._coupons: dict[str, dict[str, set[str]]] = {}
        self.points: Counter[str] = Counter()
        self._file = file.open("w", encoding="utf-8")

    def receive(self, received: ReceivedMessage) -> None:
        """An event of the order system."""
        body = received.body
        if received.type == "coupon.changed.v1" and body["order_id"] is not None:
            step = body["state"] if body["state"] in {"locked", "used"} else "free"
            self._coupons.setdefault(body["coupon_id"], {}).setdefault(body["order_id"], set()).add(step)
            self._file.write(f"coupon,{body['coupon_id']},{body['order_id']},{step},1\n")
        elif received.type == "points.changed.v1":
            self.points[body["op"]] += body["points"]
            self._file.write(f"points,{body['user_id']},{body['order_id'] or ''},{body['op']},{body['points']}\n")

    def flush(self) -> None:
        """Write everything down."""
        self._file.flush()

    @property
    def coupons_used(self) -> int:
        """Coupons that paid for an order and did not come back."""
        orders = (steps for orders in self._coupons.values() for steps in orders.values())
        return sum("used" in steps and "free" not in steps for steps in orders)

    @property
    def points_used(self) -> int:
        """Points that paid for an order, less those that came back."""
        return self.points["use"] - self.points["return"]
