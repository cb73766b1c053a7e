"""The habits of a gateway: how it misbehaves, with which probability, and how often it did."""

import random
from collections import Counter
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Habits:
    """Probabilities from 0 to 1, and how many seconds late or slow things take.

    Nothing is lost for good: a merchant can query what it was not notified of, and a tampered notification is followed
    by a genuine one.
    """

    late: float = 0.0  # a notification leaves late_seconds after it was due
    doubled: float = 0.0  # a second copy arrives by another route within a second
    unsent: float = 0.0  # a notification is never sent: no provider guarantees one
    reserialised: float = 0.0  # before it comes a copy that a proxy rewrote
    forged: float = 0.0  # before it comes a copy with a wrong signature
    wrong_amount: float = 0.0  # the buyer is charged another amount than requested
    error: float = 0.0  # a call is answered with 500 and nothing is done
    slow: float = 0.0  # a call is done and answered slow_seconds later
    lost: float = 0.0  # a call is done, and its connection is cut instead of an answer
    refund_processing: float = 0.0  # a refund is accepted at once and done refund_seconds later
    refused: float = 0.0  # a carrier refuses a parcel
    declined: float = 0.0  # the capture of an authorised payment is declined
    paid_at_close: float = 0.0  # the buyer pays while the payment is being closed
    late_seconds: float = 5.0
    slow_seconds: float = 12.0
    refund_seconds: float = 2.0


PROBABILITIES = tuple(field.name for field in fields(Habits) if not field.name.endswith("_seconds"))
SECONDS = tuple(field.name for field in fields(Habits) if field.name.endswith("_seconds"))


class Dice:
    """Decides by chance, and counts how often. The same seed makes the same decisions."""

    def __init__(self, habits: Habits, seed: int | None = None) -> None:
        self.habits = habits
        self.did: Counter[str] = Counter()
        self._random = random.Random(seed)

    def __call__(self, habit: str) -> bool:
        """Decide whether the habit happens this time, and count it."""
        probability: float = getattr(self.habits, habit)
        happens = self._random.random() < probability
        self.did[habit] += happens
        return happens

    def charged(self, requested: int) -> int:
        """Return the amount that the buyer is charged, in minor units."""
        if not self("wrong_amount"):
            return requested
        return requested + self._random.choice([-100, -1, 1, 1000] if requested > 100 else [1, 1000])

    def soon(self) -> float:
        """Return a delay of less than a second."""
        return self._random.random()
