"""What the shop earns with the goods of a line, as they were sold. Amounts are minor units of the order's currency.

    amount        is
    ------------  ------------------------------------------------------------------------------------------------------
    net sales     what the buyer pays for the goods: after promotion, coupon, points and what operators took off,
                  without tax and shipping. What operators took off beyond the goods was tax, so it is never below 0
    cost          the purchase price times the units; unknown if the SKU had no purchase price when it was sold
    margin        net sales less cost; below 0 if the goods were sold for less than they cost

Goods that come back later change none of these: what is lost by them is in the refunds.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SoldUnits:
    """The units of one line. `taken_off` is what operators took off their price, without what came off the shipping."""

    qty: int
    origin_amount: int
    discount_amount: int
    taken_off: int
    purchase_price: int | None

    @property
    def net_sales(self) -> int:
        return max(0, self.origin_amount - self.discount_amount - self.taken_off)

    @property
    def margin(self) -> int | None:
        """Net sales less cost; None if the cost is not known."""
        return None if self.purchase_price is None else self.net_sales - self.purchase_price * self.qty
