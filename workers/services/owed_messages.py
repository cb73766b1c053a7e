"""What a repair owes to an order: a message that nobody will send any more, or a timer."""

from dataclasses import dataclass
from datetime import datetime

from messages.base import Internal
from workers.store.timers import Timer


@dataclass(frozen=True)
class Owed:
    """One message, or one timer, that is owed to an order. `because` is what the database says instead."""

    order_id: int
    order_no: str | None
    state: str
    what: str
    because: str
    since: datetime
    message: Internal | None = None
    timer: Timer | None = None


WITHOUT_TIMER = "it waits without a timer"
