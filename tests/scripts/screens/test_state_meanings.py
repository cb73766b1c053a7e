"""Every state and everything that an order can wait for has a sentence of its own."""

import string

import pytest

from messages.explanations import AwaitedShown, MissingTimerShown
from scripts.screens.state_meanings import AWAITED, MEANINGS, awaited_text
from workers.domain.order import State
from workers.views.awaits import Awaits


def awaited(what: str, name: str | None = None, ref: str | None = None) -> AwaitedShown:
    return AwaitedShown(
        order_id=1, what=what, whom="carrier", name=name, ref=ref, since=None, until=None, otherwise=None
    )


def test_nothing_is_without_a_sentence() -> None:
    assert MEANINGS.keys() == set(State)
    assert AWAITED.keys() == set(Awaits)
    assert len({*MEANINGS.values(), *AWAITED.values()}) == len(MEANINGS) + len(AWAITED)
    assert {field for text in AWAITED.values() for _, field, *_ in string.Formatter().parse(text)} == {
        "name",
        "ref",
        "case",
        None,
    }


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (awaited(Awaits.PAYMENT), "the buyer to pay"),
        (awaited(Awaits.DELIVERY, "sf", "SF1"), "sf to deliver parcel SF1"),
        (awaited(Awaits.ACCEPTANCE, "main"), "warehouse main to accept it"),
        (
            awaited(Awaits.CASE_GOODS, None, "E1").model_copy(update={"case_no": "C1"}),
            "exchange order E1 to be with the buyer, for case C1",
        ),
        (awaited(Awaits.RELEASE, None, "7"), "an operator to release hold 7 (order.release)"),
        (
            awaited(Awaits.PAYMENT).model_copy(
                update={"missing_timer": MissingTimerShown(kind="payment", key=1, cancelled_at=None, cancelled_by=None)}
            ),
            "the buyer to pay; its payment timer is missing",
        ),
    ],
)
def test_a_sentence_names_who_and_what(one: AwaitedShown, text: str) -> None:
    assert awaited_text(one) == text
