"""The rules of each kind of queue, as the arguments of its declaration."""

from typing import Any

DELIVERY_LIMIT = 50  # catches a message that kills its process each time; for all else our own attempts decide
DEAD_LETTER_DELIVERY_LIMIT = 1_000_000  # never -1: RabbitMQ 3.10 loses the message at its first requeue
QUESTION_TTL_SECONDS = 30  # the caller has timed out by then


def work(dlx: str, queue: str) -> dict[str, Any]:
    """A queue of ours whose messages end, after `dlx`, in its own queue of dead letters."""
    return _quorum(dlx, queue) | {"x-delivery-limit": DELIVERY_LIMIT}


def delay_tier(delayed: str, seconds: int) -> dict[str, Any]:
    """A tier of the delay ladder, whose messages go on to the exchange `delayed`."""
    # Without a dead-letter routing key the message keeps `<tier>.<queue>`, which `*.<queue>` binds to its queue.
    return _quorum(delayed, None) | {"x-message-ttl": seconds * 1000}


def queries() -> dict[str, Any]:
    """A queue of queries, which are useless once their sender has given up."""
    return {"x-queue-type": "quorum", "x-message-ttl": QUESTION_TTL_SECONDS * 1000}


def parking() -> dict[str, Any]:
    """A queue of what could not be handled: it keeps everything."""
    return {"x-queue-type": "quorum", "x-delivery-limit": DEAD_LETTER_DELIVERY_LIMIT}


def instructions() -> dict[str, Any]:
    """A queue that an outside system reads."""
    # Nothing is dropped: a client that fails at a message gets it again, and the relay keeps what the queue refuses.
    return parking() | {"x-overflow": "reject-publish"}


def _quorum(dead_letter_exchange: str, dead_letter_key: str | None) -> dict[str, Any]:
    arguments = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": dead_letter_exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return arguments if dead_letter_key is None else arguments | {"x-dead-letter-routing-key": dead_letter_key}
