"""timer.due wakes the timeouts handler. The row in the table timers decides whether anything is due."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from messages.base import Internal, Moment, OrderId


class TimerDue(Internal):
    """Look at the timer (kind, key). It does no harm if it comes early, late or twice."""

    TYPE: ClassVar[str] = "timer.due.v1"
    PACKABLE: ClassVar[bool] = True
    kind: Annotated[
        str,
        StringConstraints(
            pattern=r"^(saga|payment|receipt|attempt|refund|shortage|cancelling|waybill|authorization|after_sale|dispute|"
            r"cancellation|group)$"
        ),
    ]
    key: OrderId
    due_at: Moment
