"""How a gateway misbehaves, each with a probability, and what of it has happened."""

import random
from collections import Counter
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Habits:
    """Probabilities from 0 to 1, and how long what is late or slow takes.

    Whoever is told twice, late or not at all can still ask. What is refused as not genuine is followed by what is.
    """

    late: float = 0.0  # a notification leaves late_seconds after it was due
    doubled: float = 0.0  # a second copy goes by another route within a second
    untold: float = 0.0  # no notification ever comes: none is guaranteed
    reserialised: float = 0.0  # before it comes a copy that something on its way wrote anew
    forged: float = 0.0  # before it comes a copy whose signature does not fit
    wrong_amount: float = 0.0  # the buyer pays another amount than was asked for
    error: float = 0.0  # a call is answered with 500 and nothing is done
    slow: float = 0.0  # a call is done and answered slow_seconds later
    lost: float = 0.0  # a call is done and its connection cut instead of an answer
    refund_processing: float = 0.0  # a refund is accepted at once and done refund_seconds later
    paid_at_close: float = 0.0  # the buyer pays while the payment is being closed
    late_seconds: float = 5.0
    slow_seconds: float = 12.0
    refund_seconds: float = 2.0


PROBABILITIES = tuple(field.name for field in fields(Habits) if not field.name.endswith("_seconds"))
SECONDS = tuple(field.name for field in fields(Habits) if field.name.endswith("_seconds"))


class Dice:
    """Decides, and counts what was decided. The same seed decides the same."""

    def __init__(self, habits: Habits, seed: int | None = None) -> None:
        self.habits = habits
        self.did: Counter[str] = Counter()
        self._random = random.Random(seed)

    def __call__(self, habit: str) -> bool:
        """Whether to do it this time."""
        probability: float = getattr(self.habits, habit)
        happens = self._random.random() < probability
        self.did[habit] += happens
        return happens

    def charged(self, asked: int) -> int:
        """What the buyer is charged, in minor units."""
        if not self("wrong_amount"):
            return asked
        return asked + self._random.choice([-100, -1, 1, 1000] if asked > 100 else [1, 1000])

    def soon(self) -> float:
        """Less than a second."""
        return self._random.random()
