"""Who may cancel an order that is paid, by the order's policy."""

import pytest

from tests.domain.builders import order
from workers.domain.order import State
from workers.domain.order_change_rules import refuse_paid
from workers.domain.shop import CancelPaid

UNTIL, NEVER = CancelPaid.UNTIL_HANDED_OVER, CancelPaid.NEVER
TABLE = [
    # (policy, state, actor, refused)
    (NEVER, State.PAID, "user", True),
    (NEVER, State.FULFILLING, "user", True),
    (NEVER, State.PAID, "operator", False),
    (NEVER, State.FULFILLING, "system", False),
    (NEVER, State.AWAITING_PAYMENT, "user", False),
    (UNTIL, State.PAID, "user", False),
    (UNTIL, State.FULFILLING, "user", False),
]


@pytest.mark.parametrize(("policy", "state", "actor", "refused"), TABLE)
def test_a_policy_may_keep_buyers_from_cancelling_what_is_paid(
    policy: CancelPaid, state: State, actor: str, refused: bool
) -> None:
    refusal = refuse_paid(order(state, cancel_paid=policy), actor)
    why = None if refusal is None else (refusal.code, refusal.details["state"], refusal.details["why"])
    assert why == (("ORDER_NOT_CANCELLABLE", state.value, "cancel_paid_never") if refused else None)
