"""Parts that answers about orders share."""

from typing import Any

import orjson

from db import cipher
from messages.after_sale_queries import ExchangeShown
from messages.base import MoneyShown
from messages.dispute_queries import DisputeOfPayment
from messages.group_queries import GroupShown
from messages.order_history import HistoryStep
from messages.order_queries import AddressShown, HoldShown
from workers.domain.buying_groups import GroupStanding
from workers.domain.masking import MASK, masked
from workers.domain.money import render
from workers.store import orders
from workers.views.whole import ExchangeLink, RecordedDispute, Whole

ADDRESS_FIELDS = ("receiver", "phone", "detail")


def money(amount: int, currency: str) -> MoneyShown:
    """An amount in both forms."""
    return MoneyShown(minor=amount, currency=currency, text=render(amount, currency))


def named(whole: Whole) -> dict[str, Any]:
    """The fields with which every answer about one order begins."""
    head = whole.head
    return {"order_id": head.id, "order_no": head.order_no, "state": head.state.value, "version": head.version}


def exchanged(whole: Whole) -> dict[str, Any]:
    """The fields that link an order with the exchange orders of its cases, and an exchange order with its case."""
    replaces = None if whole.replaces is None else exchange(whole.replaces)
    return {"exchanges": tuple(exchange(link) for link in whole.exchanges), "replaces": replaces}


def exchange(link: ExchangeLink) -> ExchangeShown:
    """Show an exchange order with its case and the order whose goods it replaces."""
    return ExchangeShown(**{name: getattr(link, name) for name in ExchangeShown.model_fields})


def logged(row: Any, asks: str) -> dict[str, Any]:
    """Return what the steps of orders and of cases show alike. Of the shop's people a buyer sees nothing."""
    theirs = asks != "user" or row["actor_type"] == "user"
    return {
        "version": row["version"],
        "previous": row["pre_state"],
        "state": row["cur_state"],
        "actor_type": row["actor_type"],
        "actor_id": row["actor_id"] if theirs else "shop",
        "cause_type": row["cause_type"],
        "cause_id": row["cause_id"] if theirs else "",
        "at": row["at"],
    }


def step(row: Any, asks: str) -> HistoryStep:
    """Show one step. A buyer does not see which of the shop's people or systems acted, nor its messages."""
    return HistoryStep(
        **logged(row, asks),
        operate_type=row["operate_type"],
        trigger=row["remark"],
        discount=row["discount"],
        **{name: row.get(name) for name in ("case_id", "case_no", "case_state", "refund_no")},
    )


def address(row: Any, in_clear: bool) -> AddressShown:
    """Mask the address, unless it is to be in clear.

    Of an erased user, or with a key that is not configured any more, only the country is left.
    """
    try:
        opened = orjson.loads(orders.decrypt_address(row["order_id"], row))
        plain = opened if in_clear else masked(opened)
    except cipher.ErasedError:
        plain = dict.fromkeys(ADDRESS_FIELDS, cipher.ERASED)
    except cipher.CipherError:
        plain = dict.fromkeys(ADDRESS_FIELDS, MASK)
    shown = {name: plain[name] for name in ADDRESS_FIELDS}
    return AddressShown(country=row["country"], changes=row["modify_count"], **shown)


def note(text: str | None, in_clear: bool) -> str | None:
    """Show the operators' note to an operator: its phone numbers are masked, unless it is to be in clear."""
    return text if text is None or in_clear else str(masked(text))


def hold(row: Any, asks: str) -> HoldShown:
    """Show a hold. A buyer does not see why the shop holds an order."""
    return HoldShown(
        order_id=row["order_id"],
        hold_id=row["id"],
        kind=row["kind"],
        reason_code=None if asks == "user" else row["reason_code"],
        placed_at=row["placed_at"],
        released_at=row["released_at"],
    )


def group(found: GroupStanding | None) -> GroupShown | None:
    """Show a group of buyers. Who they are is shown to nobody."""
    if found is None:
        return None
    one = found.group
    return GroupShown(
        group_id=one.group_id,
        state=one.state,
        size=one.size,
        seated=found.seated,
        paid=found.paid,
        deadline=one.deadline,
        otherwise=found.otherwise,
    )


def disputed(one: RecordedDispute, asks: str) -> DisputeOfPayment:
    """Show a dispute. A buyer does not see what the shop does against it, nor until when it has to."""
    return DisputeOfPayment(
        dispute_no=one.dispute_no,
        state=one.state,
        amount=money(one.amount, one.currency),
        reason_code=one.reason_code,
        occurred_at=one.occurred_at,
        due_at=None if asks == "user" else one.due_at,
        submitted=() if asks == "user" else one.submitted,
    )
