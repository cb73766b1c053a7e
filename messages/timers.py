"""timer.due: a wake-up. The timers table decides whether it means anything."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from messages.base import Internal, Moment, OrderId


class TimerDue(Internal):
    """Look at the timer (kind, key). Sent early, late or twice it does no harm."""

    TYPE: ClassVar[str] = "timer.due.v1"
    PACKABLE: ClassVar[bool] = True
    kind: Annotated[str, StringConstraints(pattern=r"^(saga|payment|receipt|attempt|refund)$")]
    key: OrderId
    due_at: Moment
