"""The order's transition table, written out by hand, with the effects of each step."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.domain.builders import order
from workers.domain.order import FINISHED, STEPS, TRANSITIONS, Effect, State, Trigger
from workers.domain.owed_effects import owed

AT = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)

COLUMNS = {
    "pl": "placing", "aw": "awaiting_payment", "pd": "paid", "fu": "fulfilling", "sh": "shipped", "de": "delivered",
    "cg": "cancelling", "ca": "cancelled", "co": "completed", "df": "delivery_failed", "sp": "split", "re": "rejected",
    "ri": "reinstating",
}  # fmt: skip

TABLE = """
                    pl  aw  pd  fu  sh  de  cg  ca  co  df  sp  re  ri
created             .   .   .   .   .   .   .   .   .   .   .   .   .
reserved            aw  .   .   .   .   .   .   .   .   .   .   .   .
refused             re  .   .   .   .   .   .   .   .   .   .   .   .
placing_expired     re  .   .   .   .   .   .   .   .   .   .   .   .
nothing_to_pay      .   pd  .   .   .   .   .   .   .   .   .   .   .
captured            .   pd  .   .   .   .   .   .   .   .   .   .   .
authorized          .   pd  .   .   .   .   .   .   .   .   .   .   .
cancel              .   ca  ca  cg  .   .   .   .   .   .   .   .   ca
payment_expired     .   ca  .   .   .   .   .   .   .   .   .   .   .
payment_failed      .   ca  .   .   .   .   .   .   .   .   .   .   .
accepted            .   .   fu  .   .   .   .   .   .   .   .   .   .
cancel_accepted     .   .   .   .   .   .   ca  .   .   .   .   .   .
cancel_refused      .   .   .   .   .   .   fu  .   .   .   .   .   .
rest_cancelled      .   .   pd  fu  .   .   .   .   .   .   .   .   .
shortage            .   .   pd  fu   .   .   .   .   .   .   .   .   .
all_short           .   .   ca  ca   .   .   .   .   .   .   .   .   .
all_shipped         .   .   sh  sh   .   .   .   .   .   .   .   .   .
all_delivered       .   .   .   .   de  .   .   .   .   de  .   .   .
all_failed          .   .   .   .   df  .   .   .   .   .   .   .   .
failure_settled     .   .   .   .   .   .   .   .   .   ca  .   .   .
receipt_confirmed   .   .   .   .   co  co  .   .   .   .   .   .   .
receipt_expired     .   .   .   .   .   co  .   .   .   .   .   .   .
all_returned        .   .   .   .   ca  ca  .   .   ca  .   .   .   .
risk_rejected       re  .   .   .   .   .   .   .   .   .   .   .   .
exchange_ended      re  .   .   .   .   .   .   .   .   .   .   .   .
split               .   .   sp  .   .   .   .   .   .   .   .   .   .
late_captured       .   .   .   .   .   .   .   ri  .   .   .   .   .
reinstated          .   .   .   .   .   .   .   .   .   .   .   .   aw
not_reinstated      .   .   .   .   .   .   .   .   .   .   .   .   ca
merged              .   aw  .   .   .   .   .   .   .   .   .   .   .
amount_changed      .   aw  .   .   .   .   .   .   .   .   .   .   .
address_changed     .   aw  pd  .   .   .   .   .   .   .   .   .   .
held                pl  aw  pd  fu  sh  de  cg  .   .   df  .   .   ri
released            pl  aw  pd  fu  sh  de  cg  .   .   df  .   .   ri
deleted             .   .   .   .   .   .   .   ca  co  .   sp  re  .
"""
"""Row: the trigger. Column: the state before it. A dot: refused, nothing is written (S1-08)."""

PAID = {"payment_timer_ends", "stock_commit", "benefits_used", "hand_over"}
GIVEN_BACK = {"refund_all", "stock_restock", "benefits_returned", "hand_over"}
UNPAID = {"payment_timer_ends", "stock_release", "benefits_returned"}
LEFT_CANCELLED = {"saga_timer_ends", "stock_release", "benefits_returned", "capture_refunded"}
OWES = {
    ("placing", "reserved"): {"saga_timer_ends", "payment_timer_starts", "cart_emptied"},
    ("placing", "refused"): {"saga_timer_ends", "benefits_returned"},
    ("placing", "risk_rejected"): {"saga_timer_ends", "stock_release", "benefits_returned"},
    ("placing", "exchange_ended"): {"saga_timer_ends", "stock_release"},
    ("placing", "placing_expired"): {"saga_timer_ends", "stock_release", "benefits_returned"},
    ("awaiting_payment", "nothing_to_pay"): PAID,
    ("awaiting_payment", "captured"): PAID,
    ("awaiting_payment", "authorized"): PAID,
    ("awaiting_payment", "cancel"): UNPAID,
    ("awaiting_payment", "payment_expired"): UNPAID,
    ("awaiting_payment", "payment_failed"): UNPAID,
    ("cancelled", "late_captured"): {"saga_timer_starts", "stock_reserve"},
    ("reinstating", "reinstated"): {"saga_timer_ends", "capture_kept"},
    ("reinstating", "not_reinstated"): LEFT_CANCELLED,
    ("reinstating", "cancel"): LEFT_CANCELLED,
    ("paid", "cancel"): GIVEN_BACK,
    ("paid", "all_short"): {"benefits_returned", "hand_over"},
    ("paid", "address_changed"): {"hand_over"},
    ("paid", "held"): {"hand_over"},
    ("paid", "released"): {"hand_over"},
    ("fulfilling", "held"): {"hand_over"},
    ("fulfilling", "released"): {"hand_over"},
    ("paid", "rest_cancelled"): {"hand_over"},
    ("paid", "shortage"): {"hand_over"},
    ("paid", "all_shipped"): {"hand_over"},
    ("fulfilling", "cancel"): {"hand_over"},
    ("fulfilling", "rest_cancelled"): {"hand_over"},
    ("fulfilling", "shortage"): {"hand_over"},
    ("fulfilling", "all_short"): {"benefits_returned", "hand_over"},
    ("fulfilling", "all_shipped"): {"hand_over"},
    ("cancelling", "cancel_accepted"): GIVEN_BACK,
    ("cancelling", "cancel_refused"): {"hand_over"},
    ("shipped", "all_delivered"): {"receipt_timer_starts"},
    ("delivery_failed", "all_delivered"): {"receipt_timer_starts"},
    ("shipped", "receipt_confirmed"): {"points_awarded"},
    ("delivered", "receipt_confirmed"): {"receipt_timer_ends", "points_awarded"},
    ("delivered", "receipt_expired"): {"receipt_timer_ends", "points_awarded"},
    ("shipped", "all_returned"): {"benefits_returned"},
    ("delivered", "all_returned"): {"receipt_timer_ends", "benefits_returned"},
    ("completed", "all_returned"): {"benefits_returned"},
    ("delivery_failed", "failure_settled"): {"benefits_returned", "hand_over"},
}
"""A step that is not listed here has no effects."""

CODES = {
    "placing": 5, "awaiting_payment": 10, "paid": 20, "fulfilling": 30, "shipped": 40, "delivered": 60,
    "cancelling": 65, "cancelled": 70, "completed": 80, "delivery_failed": 100, "split": 126, "rejected": 127,
    "reinstating": 75,
}  # fmt: skip

OPERATE_TYPES = {
    "created": 10, "reserved": 10, "refused": 30, "placing_expired": 30, "nothing_to_pay": 40, "captured": 40,
    "cancel": 20, "payment_expired": 30, "payment_failed": 30, "all_shipped": 60, "all_delivered": 80,
    "all_failed": 30, "failure_settled": 30, "receipt_confirmed": 90, "receipt_expired": 90, "address_changed": 100,
    "amount_changed": 110,
    "deleted": 150, "risk_rejected": 30, "split": 130, "merged": 140,
    "late_captured": 210, "reinstated": 220, "not_reinstated": 160,
    "accepted": 50, "cancel_accepted": 20, "cancel_refused": 50, "authorized": 40,
    "rest_cancelled": 20, "shortage": 120, "all_short": 120, "held": 180, "released": 190,
    "all_returned": 30, "exchange_ended": 30,
}  # fmt: skip


def cells() -> list[tuple[str, str, str | None]]:
    """(state, trigger, state after it or None) for every cell of the table."""
    header, *rows = [line.split() for line in TABLE.strip().splitlines()]
    found = []
    for trigger, *row in rows:
        for column, cell in zip(header, row, strict=True):
            found.append((COLUMNS[column], trigger, COLUMNS.get(cell)))
    return found


def test_the_table_has_a_cell_for_every_state_and_every_trigger() -> None:
    assert {(state, trigger) for state, trigger, _ in cells()} == {(s.value, t.value) for s in State for t in Trigger}


def test_every_trigger_in_every_state_leads_where_the_table_says_or_is_refused() -> None:
    for state, trigger, after in cells():
        case = f"{trigger} in {state}"
        before = order(State(state), version=4)
        assert before.allows(Trigger(trigger)) is (after is not None), case
        if after is None:
            with pytest.raises(AssertionError, match=f"{state} does not allow {trigger}"):
                before.become(Trigger(trigger), AT)
        else:
            moved = before.become(Trigger(trigger), AT)
            assert (moved.state, moved.version) == (after, 5), case


@pytest.mark.parametrize(("state", "trigger", "after"), [c for c in cells() if c[2]], ids=str)
def test_every_step_owes_what_is_written_here_and_nothing_else(state: str, trigger: str, after: str) -> None:
    effects = owed(order(State(state)), Trigger(trigger))
    assert len(set(effects)) == len(effects)
    assert set(effects) == OWES.get((state, trigger), set())


MONEY = {"saga_timer_starts", "stock_reserve", "capture_kept", "capture_refunded", "saga_timer_ends",
         "payment_timer_starts", "payment_timer_ends", "benefits_used", "benefits_returned",
         "cart_emptied"}  # fmt: skip
GOODS = {"stock_commit", "stock_release", "stock_restock", "points_awarded", "hand_over"}


@pytest.mark.parametrize(("state", "trigger", "after"), [c for c in cells() if c[2]], ids=str)
def test_a_split_orders_parent_owes_what_concerns_money_and_its_children_what_concerns_goods(
    state: str, trigger: str, after: str
) -> None:
    whole = set(owed(order(State(state)), Trigger(trigger)))
    parent = set(owed(order(State(state), kind="split_parent"), Trigger(trigger)))
    child = set(owed(order(State(state), kind="split_child", parent_id=1), Trigger(trigger)))
    assert parent == whole - GOODS
    assert child == whole - MONEY


POLICIES = {
    ("create", "placing", "reserved"): {"saga_timer_ends", "payment_timer_starts", "cart_emptied", "stock_commit"},
    ("create", "awaiting_payment", "captured"): PAID - {"stock_commit"},
    ("create", "awaiting_payment", "authorized"): PAID - {"stock_commit"},
    ("create", "awaiting_payment", "cancel"): UNPAID - {"stock_release"} | {"stock_restock"},
    ("create", "awaiting_payment", "payment_expired"): UNPAID - {"stock_release"} | {"stock_restock"},
    ("create", "placing", "placing_expired"): {"saga_timer_ends", "stock_release", "benefits_returned"},
    ("ship", "placing", "reserved"): {"saga_timer_ends", "payment_timer_starts", "cart_emptied"},
    ("ship", "awaiting_payment", "captured"): PAID - {"stock_commit"},
    ("ship", "awaiting_payment", "authorized"): PAID - {"stock_commit"},
    ("ship", "awaiting_payment", "cancel"): UNPAID,
}


@pytest.mark.parametrize(("deduct_on", "state", "trigger"), POLICIES)
def test_stock_is_deducted_at_the_step_that_the_policy_names(deduct_on: str, state: str, trigger: str) -> None:
    effects = owed(order(State(state), deduct_on=deduct_on), Trigger(trigger))
    assert set(effects) == POLICIES[deduct_on, state, trigger]


def test_the_states_carry_the_codes_that_s3_knows() -> None:
    assert {state.value: state.code for state in State} == CODES
    assert len(set(CODES.values())) == len(State)


def test_every_trigger_has_its_operate_type() -> None:
    assert {trigger.value: trigger.operate_type for trigger in Trigger} == OPERATE_TYPES


def test_the_operate_log_may_hold_the_tables_pairs_and_the_first_step_only() -> None:
    assert {("", "placing")} | {(state, after) for state, _, after in cells() if after} == STEPS


def test_finished_orders_are_hidden_or_cancelled_once_all_came_back_or_reinstated_by_a_late_payment() -> None:
    assert {"cancelled", "completed", "rejected"} == FINISHED
    moves = {(state, trigger, after) for state, trigger, after in cells() if after and state in FINISHED}
    others = {("completed", "all_returned", "cancelled"), ("cancelled", "late_captured", "reinstating")}
    assert moves == {(state, "deleted", state) for state in FINISHED} | others


def test_every_state_but_the_finished_ones_has_a_way_on() -> None:
    stuck = set(State) - {state for state, _, after in cells() if after and after != state}
    assert stuck == {"rejected", "split"}


STAMPS = {"paid": "paid_at", "shipped": "shipped_at", "delivered": "delivered_at", "completed": "completed_at",
          "cancelled": "cancelled_at"}  # fmt: skip


@pytest.mark.parametrize(("state", "trigger", "after"), [c for c in cells() if c[2]], ids=str)
def test_a_step_stamps_the_time_of_the_state_it_reaches_and_touches_nothing_else(
    state: str, trigger: str, after: str
) -> None:
    before = order(State(state), version=1)
    moved = before.become(Trigger(trigger), AT)
    stamped = {STAMPS[after]: AT} if after != state and after in STAMPS else {}
    number = None if after == "rejected" else before.order_no
    assert moved == replace(before, state=State(after), version=2, order_no=number, **stamped)  # type: ignore[arg-type]


def test_a_step_that_stays_in_its_state_does_not_stamp_it_again() -> None:
    paid = order(State.PAID, paid_at=AT)
    assert paid.become(Trigger.ADDRESS_CHANGED, AT.replace(year=2027)).paid_at == AT


STOCK = {"stock_commit": ("locked", "deducted"), "stock_release": ("locked", "free"),
         "stock_restock": ("deducted", "free")}  # fmt: skip
HELD = {"awaiting_payment": "locked", "paid": "deducted", "fulfilling": "deducted", "cancelling": "deducted"}
"""The stock that an order holds, where a step may still change it. A placing order may hold its lock or not yet."""


@pytest.mark.parametrize(("state", "trigger", "after"), [c for c in cells() if c[2] and c[0] in HELD], ids=str)
def test_what_an_order_holds_in_stock_follows_its_state(state: str, trigger: str, after: str) -> None:
    held = HELD[state]
    for effect in owed(order(State(state)), Trigger(trigger)):
        if effect in STOCK:
            assert held == STOCK[effect][0]
            held = STOCK[effect][1]
    wanted = {
        "awaiting_payment": "locked",
        "paid": "deducted",
        "fulfilling": "deducted",
        "cancelling": "deducted",
        "shipped": "deducted",
        "cancelled": "free",
        "split": "deducted",
    }
    short = trigger == "all_short"  # the warehouse does not have the units, so none of them is free again
    assert held == ("deducted" if short else wanted[after])


def test_only_an_order_that_is_paid_and_whose_warehouses_stopped_owes_all_its_money_back() -> None:
    owing = {pair for pair, transition in TRANSITIONS.items() if Effect.REFUND_ALL in transition.effects}
    assert owing == {(State.PAID, Trigger.CANCEL), (State.CANCELLING, Trigger.CANCEL_ACCEPTED)}
