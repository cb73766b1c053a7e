"""Parts that answers about orders share."""

from typing import Any

from messages.order_queries import HistoryStep, MoneyShown
from workers.domain.money import render
from workers.views.whole import Whole


def money(amount: int, currency: str) -> MoneyShown:
    """An amount in both forms."""
    return MoneyShown(minor=amount, currency=currency, text=render(amount, currency))


def named(whole: Whole) -> dict[str, Any]:
    """The fields with which every answer about one order begins."""
    head = whole.head
    return {"order_id": head.id, "order_no": head.order_no, "state": head.state.value, "version": head.version}


def step(row: Any, asks: str) -> HistoryStep:
    """Show one step. A buyer does not see which of the shop's people or systems acted, nor its messages."""
    theirs = asks != "user" or row["actor_type"] == "user"
    return HistoryStep(
        version=row["version"],
        operate_type=row["operate_type"],
        previous=row["pre_state"],
        state=row["cur_state"],
        trigger=row["remark"],
        actor_type=row["actor_type"],
        actor_id=row["actor_id"] if theirs else "shop",
        cause_type=row["cause_type"],
        cause_id=row["cause_id"] if theirs else "",
        at=row["at"],
    )
