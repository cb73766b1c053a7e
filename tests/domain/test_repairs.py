"""What is owed to an order whose stock is behind: the table of workers/domain/repairs.py."""

from datetime import UTC, datetime

import pytest

from workers.domain.order import State
from workers.domain.repairs import StockMessage, StockSituation, stock_owed
from workers.domain.shop import DeductOn
from workers.domain.stock_reservations import HolderState

COMMIT, RELEASE = (StockMessage.COMMIT, ""), (StockMessage.RELEASE, "")
BACK, PARCEL_BACK = (StockMessage.RESTOCK, "cancel"), (StockMessage.RESTOCK, "parcel:7")
PAY, CREATE, SHIP = DeductOn.PAY, DeductOn.CREATE, DeductOn.SHIP
NONE, RESERVED, COMMITTED = None, HolderState.RESERVED, HolderState.COMMITTED
WAITING, PAID, SHIPPED, CANCELLED, REJECTED = (
    State.AWAITING_PAYMENT, State.PAID, State.SHIPPED, State.CANCELLED, State.REJECTED,
)  # fmt: skip


def situation(
    state: State, deduct_on: DeductOn, holder: HolderState | None, *, paid: bool, any_left: bool
) -> StockSituation:
    at = datetime(2026, 11, 28, tzinfo=UTC)
    return StockSituation(1, None, state, paid, deduct_on, any_left, holder, at)


@pytest.mark.parametrize(
    ("found", "refs", "owed"),
    [
        # held
        (situation(WAITING, PAY, RESERVED, paid=False, any_left=False), (), ()),
        (situation(WAITING, PAY, NONE, paid=False, any_left=False), (), ()),
        (situation(PAID, SHIP, RESERVED, paid=True, any_left=False), (), ()),
        # deducted
        (situation(WAITING, CREATE, RESERVED, paid=False, any_left=False), (), (COMMIT,)),
        (situation(PAID, PAY, RESERVED, paid=True, any_left=False), (), (COMMIT,)),
        (situation(SHIPPED, SHIP, RESERVED, paid=True, any_left=True), (), (COMMIT,)),
        (situation(PAID, PAY, COMMITTED, paid=True, any_left=False), (), ()),
        (situation(PAID, PAY, NONE, paid=True, any_left=False), (), ()),
        # given back before the deduction
        (situation(REJECTED, PAY, RESERVED, paid=False, any_left=False), (), (RELEASE,)),
        (situation(REJECTED, CREATE, RESERVED, paid=False, any_left=False), (), (RELEASE,)),
        (situation(REJECTED, PAY, NONE, paid=False, any_left=False), (), (RELEASE,)),
        (situation(REJECTED, PAY, HolderState.REFUSED, paid=False, any_left=False), (), ()),
        (situation(CANCELLED, PAY, RESERVED, paid=False, any_left=False), ("cancel",), (RELEASE,)),
        (situation(CANCELLED, SHIP, RESERVED, paid=True, any_left=False), ("cancel",), (RELEASE,)),
        (situation(CANCELLED, PAY, HolderState.RELEASED, paid=False, any_left=False), ("cancel",), ()),
        # given back after it
        (situation(CANCELLED, PAY, RESERVED, paid=True, any_left=False), ("cancel",), (COMMIT, BACK)),
        (situation(CANCELLED, CREATE, RESERVED, paid=False, any_left=False), ("cancel",), (COMMIT, BACK)),
        (situation(CANCELLED, PAY, COMMITTED, paid=True, any_left=False), ("cancel",), (BACK,)),
        (situation(CANCELLED, PAY, COMMITTED, paid=True, any_left=True), (), ()),
        (
            situation(SHIPPED, PAY, COMMITTED, paid=True, any_left=True),
            ("parcel:7",),
            (PARCEL_BACK,),
        ),
        (situation(CANCELLED, PAY, HolderState.RESTOCKED, paid=True, any_left=False), (), ()),
    ],
)
def test_what_is_owed(found: StockSituation, refs: tuple[str, ...], owed: tuple[tuple[StockMessage, str], ...]) -> None:
    assert stock_owed(found, refs) == owed
