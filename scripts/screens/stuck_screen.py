"""The screen of `oms stuck`: how many wait for what, then each thing that waits, with what to type next."""

from datetime import datetime

from messages.stuck_waits import OrderStuckListed, StuckCount, StuckShown
from scripts.screens.layout import NUMBER_COLUMNS, Column, Lines, section, title
from scripts.screens.state_meanings import awaited_text, start_again
from scripts.screens.timeline import duration, when
from workers.views.awaits import Awaits
from workers.views.wait_limits import LIMITS

NEXT = {
    Awaits.PAYMENT: "oms dead-letters list --queue timeouts",
    Awaits.PAYMENT_RESULT: "oms dead-letters list --queue provider-calls.{name}",
    Awaits.RESERVATION: "oms dead-letters list --queue stock",
    Awaits.RECEIPT: "oms dead-letters list --queue timeouts",
    Awaits.GROUP: "oms dead-letters list --queue buying-groups",
    Awaits.GROUP_OUTCOME: "oms repair --order {order}",
    Awaits.DECISION: "oms dead-letters list --queue timeouts",
    Awaits.CANCELLATION_WITHDRAWN: "oms dead-letters list --queue order-cancellations",
    Awaits.CAPTURE: "oms dead-letters list --queue provider-calls.{name}",
    Awaits.BOOKING: "oms dead-letters list --queue carrier-calls.{name}",
    Awaits.BOOKING_CANCELLED: "oms dead-letters list --queue carrier-calls.{name}",
    Awaits.REFUND: "oms payments notifications --about {ref}",
    Awaits.CASE_REFUND: "oms payments notifications --about {ref}",
    Awaits.CASE_STOCK: "oms dead-letters list --queue stock",
    Awaits.DISPUTE_ANSWER: "oms disputes show {ref}",
    Awaits.DISPUTE_DECISION: "oms disputes show {ref}",
    **dict.fromkeys(
        (
            Awaits.CASE_REVIEW,
            Awaits.CASE_RETURN,
            Awaits.CASE_ARRIVAL,
            Awaits.CASE_INSPECTION,
            Awaits.CASE_DECISION,
            Awaits.CASE_PAYMENT,
            Awaits.CASE_GOODS,
            Awaits.CASE_REFUND_AGAIN,
            Awaits.CASE_SEND_BACK,
        ),
        "oms cases show {case}",
    ),
}
"""What is awaited -> the command that shows more than the order does, with `name`, `ref` and `case_no` of the wire."""


def stuck_screen(found: OrderStuckListed, now: datetime, width: int) -> Lines:
    """Return both tables; nothing if nothing waits."""
    if not found.counts:
        return []
    counts = [
        Column("kind"),
        Column("waiting", right=True),
        Column("longer than", right=True),
        Column("the oldest for", right=True),
        Column("since (UTC)", extra=True),
    ]
    kinds = [(one.what, one.count, _limit(one), _age(one.oldest, now), when(one.oldest, width)) for one in found.counts]
    waits = [
        Column("waits", right=True),
        Column("order", least=NUMBER_COLUMNS),
        Column("state", extra=True),
        Column("for", least=20),
        Column("next", least=18),
        Column("until (UTC)", extra=True),
        Column("moved by", least=18, extra=True),
    ]
    rows = [
        (_age(one.since, now), one.order_no or one.order_id, one.state, awaited_text(one), next_command(one),
         when(one.until, width), ", ".join(one.moved_by))
        for one in found.stuck
    ]  # fmt: skip
    return [*title("What waits too long", width), *section("how many", counts, kinds, width),
            *section("the oldest", waits, rows, width)]  # fmt: skip


def next_command(one: StuckShown) -> str:
    """Return what to type next: it shows what is known, and the message that moves it is in `moved_by`."""
    if (again := start_again(one)) is not None:
        return again
    template = NEXT.get(Awaits(one.what), "oms order show {order}")
    return template.format(name=one.name, ref=one.ref, case=one.case_no, order=one.order_id)


def _limit(one: StuckCount) -> str:
    """Write a limit; that of a wait that a timer should have ended is how late the timer is."""
    late = " late" if LIMITS[Awaits(one.what)].from_timer else ""
    return duration(one.longer_than_seconds) + late


def _age(since: datetime | None, now: datetime) -> str | None:
    return None if since is None else duration((now - since).total_seconds())
