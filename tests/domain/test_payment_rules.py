"""When an attempt is polled, and whether orders can be paid."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.builders import NOW, order
from workers.domain.order import Order, State
from workers.domain.payment_rules import FIRST_POLL, LAST_POLL, poll_at, unpayable, wrong_amount

GRACE = timedelta(seconds=60)
START = datetime(2026, 1, 21, 2, 0, tzinfo=UTC)
HALF_AN_HOUR, QUARTER_MINUTE, MOMENT = 1800, 15, 5
POLLED = [
    (HALF_AN_HOUR, [60, 120, 240, 480, 960, 1755, 1800, 1860]),
    (QUARTER_MINUTE, [11.25, 15, 60, 75]),
    (MOMENT, [3.75, 5, 60, 65]),
]
"""(seconds of the window, seconds after the start at which it is polled)"""


@pytest.mark.parametrize(("window_seconds", "expected"), POLLED)
def test_an_attempt_is_polled_in_ever_longer_steps_before_its_window_ends_and_when_it_has(
    window_seconds: int, expected: list[int]
) -> None:
    expire, now = START + timedelta(seconds=window_seconds), START
    polled: list[float] = []
    while now < expire + GRACE:
        now = poll_at(START, expire, now, GRACE)
        polled.append((now - START).total_seconds())
    assert polled == expected


@given(window_seconds=st.integers(1, 10**6), passed_seconds=st.floats(0, 2 * 10**6))
def test_the_next_time_is_always_later_and_never_jumps_over_the_last_moments(
    window_seconds: int, passed_seconds: float
) -> None:
    expire, now = START + timedelta(seconds=window_seconds), START + timedelta(seconds=passed_seconds)
    at = poll_at(START, expire, now, GRACE)
    assert at > now
    last = expire - min(LAST_POLL, (expire - START) / 4)
    for fence in (last, expire, expire + GRACE):
        assert at <= fence or now >= fence
    assert at - START >= min(FIRST_POLL, last - START)


MOMENT_LEFT = timedelta(microseconds=1)
OPEN = order(expire_at=NOW + MOMENT_LEFT)
STATES = {
    State.PLACING: "ORDER_STATE_INVALID",
    State.AWAITING_PAYMENT: None,
    State.REJECTED: "ORDER_STATE_INVALID",
    State.REINSTATING: "ORDER_STATE_INVALID",
    State.CANCELLING: "ORDER_STATE_INVALID",
    State.CANCELLED: "ORDER_STATE_INVALID",
    State.DELIVERY_FAILED: "ORDER_STATE_INVALID",
} | dict.fromkeys(
    (State.PAID, State.FULFILLING, State.SHIPPED, State.DELIVERED, State.COMPLETED, State.SPLIT), "PAY_ALREADY_PAID"
)


def code(orders: Sequence[Order]) -> str | None:
    refusal = unpayable(orders, NOW)
    return refusal.code if refusal else None


@pytest.mark.parametrize("state", State)
def test_an_order_is_paid_while_it_awaits_payment_and_all_that_are_paid_together_must(state: State) -> None:
    one = replace(OPEN, state=state)
    assert code([one]) == code([OPEN, one]) == code([one, OPEN]) == STATES[state]


def test_an_order_is_not_paid_at_the_moment_when_its_window_ends_nor_as_a_part_of_another() -> None:
    assert code([OPEN]) is None
    assert code([replace(OPEN, expire_at=NOW)]) == "PAY_EXPIRED"
    assert code([replace(OPEN, parent_id=6, root_id=6)]) == "ORDER_STATE_INVALID"


@pytest.mark.parametrize(
    ("amount", "currency", "fits"), [(1000, "CNY", True), (999, "CNY", False), (1000, "USD", False)]
)
def test_the_client_must_show_what_is_due(amount: int, currency: str, fits: bool) -> None:
    assert (wrong_amount(amount, currency, 1000, OPEN) is None) == fits
