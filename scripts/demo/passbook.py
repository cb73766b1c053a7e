"""What is announced of coupons and points, written down to be compared with the order system's ledgers."""

from collections import Counter
from pathlib import Path

from scripts.demo.wire import Heard

EVENTS = ("coupon.changed", "points.changed")


class Passbook:
    """A line `what,whose,order,step,how many` for each step: coupons by their id, points by their owner."""

    def __init__(self, file: Path) -> None:
        self.coupons: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self._file = file.open("w", encoding="utf-8")

    def hear(self, heard: Heard) -> None:
        """An event of the order system."""
        body = heard.body
        if heard.type == "coupon.changed.v1" and body["order_id"] is not None:
            self.coupons[body["state"]] += 1
            self._file.write(f"coupon,{body['coupon_id']},{body['order_id']},{body['state']},1\n")
        elif heard.type == "points.changed.v1":
            self.points[body["op"]] += body["points"]
            self._file.write(f"points,{body['user_id']},{body['order_id'] or ''},{body['op']},{body['points']}\n")

    def flush(self) -> None:
        """Write everything down."""
        self._file.flush()

    @property
    def coupons_used(self) -> int:
        """Coupons that paid for an order, less those that came back."""
        return self.coupons["used"] - self.coupons["returned"]

    @property
    def points_used(self) -> int:
        """Points that paid for an order, less those that came back."""
        return self.points["use"] - self.points["return"]
