"""Answers the liveness and readiness probes from the state of each queue's consumer."""

import time
from collections.abc import Callable, Iterable, Mapping

from workers.telemetry import metrics

LIVE_WITHOUT_CONSUMER_SECONDS = 60.0  # time for several tries; after that a new process is the better one


class Health:
    """Records since when each queue has no consumer, and which wait for a server, or because a person has paused them.

    `live` and `ready` never wait.
    """

    def __init__(self, queues: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lost_at: dict[str, float | None] = dict.fromkeys(queues, clock())
        self._paused: set[str] = set()
        self._by_hand: set[str] = set()
        self._databases: dict[str, bool] = {}
        self._broker_away_at: float | None = None
        for queue in self._lost_at:
            metrics.prepare(queue)

    def consuming(self, queue: str, yes: bool) -> None:
        """Record that the queue has a consumer now, or has lost it."""
        self._lost_at[queue] = None if yes else self._lost_at[queue] or self._clock()
        metrics.CONSUMERS.labels(queue).set(yes)

    def paused(self, queue: str, yes: bool) -> None:
        """Record that the queue pauses on purpose (its database is away), or goes on."""
        self._paused = self._paused | {queue} if yes else self._paused - {queue}
        metrics.PAUSED.labels(queue).set(yes)
        if not yes and self._lost_at[queue] is not None:
            self._lost_at[queue] = self._clock()

    def paused_by_hand(self, queue: str, yes: bool) -> None:
        """Record that a person has paused the queue, or resumed it. Such a queue is as it should be: live and ready."""
        self._by_hand = self._by_hand | {queue} if yes else self._by_hand - {queue}
        self._lost_at[queue] = self._clock()

    def broker(self, answers: bool) -> None:
        """Record whether the broker answered a try to connect. If it did not, a new process would find it away, too."""
        now = self._clock()
        if answers and self._broker_away_at is not None:
            self._lost_at = {queue: None if at is None else now for queue, at in self._lost_at.items()}
        self._broker_away_at = None if answers else now

    def database(self, name: str, *, answers: bool) -> None:
        """Record whether a database answers a probe."""
        self._databases[name] = answers

    def live(self) -> Mapping[str, bool]:
        """False for a queue that has had no consumer for a minute and is not paused: the process must be restarted.

        Not while the broker is away: then the process tries again and again, and each new one would begin with a wait.
        But a broker that refuses the login is there, and a new process reads the password that was changed meanwhile.
        """
        oldest, waiting = self._clock() - LIVE_WITHOUT_CONSUMER_SECONDS, self._paused | self._by_hand
        away = self._broker_away_at is not None and self._broker_away_at > oldest
        lost = self._lost_at.items()
        return {f"consumer {queue}": away or queue in waiting or at is None or at > oldest for queue, at in lost}

    def ready(self) -> Mapping[str, bool]:
        """False for a queue that has no consumer, or waits for a server, and for a database that does not answer."""
        consumers = {
            f"consumer {queue}": queue in self._by_hand or (at is None and queue not in self._paused)
            for queue, at in self._lost_at.items()
        }
        return consumers | {f"database {name}": answers for name, answers in self._databases.items()}
