"""A log of the announced steps of coupons and points, for the comparison with the order system's ledgers."""

from collections import Counter
from pathlib import Path

from scripts.amqp_client import ReceivedMessage

EVENTS = ("coupon.changed", "points.changed")


class BenefitsLog:
    """Writes a line `what,whose,order,step,how many` for each step: coupons by their id, points by their user.

    The step is `free` for a coupon that its order no longer has, because it was released, returned or expired.
    """

    def __init__(self, file: Path) -> None:
        self._coupons: dict[str, dict[str, set[str]]] = {}
        self.points: Counter[str] = Counter()
        self._file = file.open("w", encoding="utf-8")

    def receive(self, received: ReceivedMessage) -> None:
        """Log one event of the order system."""
        body = received.body
        if received.type == "coupon.changed.v1" and body["order_id"] is not None:
            step = body["state"] if body["state"] in {"locked", "used"} else "free"
            self._coupons.setdefault(body["coupon_id"], {}).setdefault(body["order_id"], set()).add(step)
            self._file.write(f"coupon,{body['coupon_id']},{body['order_id']},{step},1\n")
        elif received.type == "points.changed.v1":
            self.points[body["op"]] += body["points"]
            self._file.write(f"points,{body['user_id']},{body['order_id'] or ''},{body['op']},{body['points']}\n")

    def flush(self) -> None:
        """Write all lines to the file."""
        self._file.flush()

    @property
    def coupons_used(self) -> int:
        """The number of coupons that an order used and did not give back."""
        orders = (steps for orders in self._coupons.values() for steps in orders.values())
        return sum("used" in steps and "free" not in steps for steps in orders)

    @property
    def points_used(self) -> int:
        """The points that orders used, less those that came back."""
        return self.points["use"] - self.points["return"]
