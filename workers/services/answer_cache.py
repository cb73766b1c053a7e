"""Keeps answers about orders in memory, and gives one out only while no row that it shows has changed (S1-38, S3-33,
C-24).

Each batch reads a stamp of every order that it is about, with one statement, in its own transaction. An answer is
kept with the stamp that it was made at. So an answer is never older than the database, no reader sees a version below
the one that it names, and processes need not tell each other about changes: a second level in another server would be
checked by the same statement, and would cost a round trip of its own.
"""

from collections import OrderedDict
from typing import NamedTuple

from prometheus_client import Counter

from messages.base import Reply

ENTRIES_MAX = 2_000
"""Answers that a process keeps unless the settings say otherwise. One about an order of two lines takes 17 KB."""
BODY_MAX_BYTES = 16_384
"""A longer answer is not kept, so that the memory is bounded: an answer takes some nine times its JSON."""

LOOKUPS = Counter("oms_query_cache_lookups_total", "Answers about orders looked up in memory", ["result"])


class AnswerKey(NamedTuple):
    """What an answer depends on beside the order's rows: the query's type, and whether a user asks."""

    order_id: int
    type: str
    asks: str


class AnswerCache:
    """The answers of one process, of which those that were not used for longest go first. With 0 entries it is off."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._max = entries_max
        self._entries: OrderedDict[AnswerKey, tuple[str, Reply]] = OrderedDict()

    @property
    def off(self) -> bool:
        return self._max == 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: AnswerKey, stamp: str) -> Reply | None:
        """Return the answer that was made at this stamp, or None. An answer of another stamp is forgotten."""
        kept_at, answer = self._entries.get(key, (None, None))
        hit = answer is not None and kept_at == stamp
        LOOKUPS.labels("hit" if hit else "miss").inc()
        if not hit:
            self._entries.pop(key, None)
            return None
        self._entries.move_to_end(key)
        return answer

    def put(self, key: AnswerKey, stamp: str, answer: Reply) -> None:
        """Keep an answer that was made in the transaction that read the stamp, unless it is long."""
        if len(answer.json_bytes) > BODY_MAX_BYTES:
            return
        self._entries[key] = (stamp, answer)
        while len(self._entries) > self._max:
            self._entries.popitem(last=False)


class _Process:
    cache = AnswerCache()


def configure(entries_max: int) -> None:
    """Give this process an empty cache of this size."""
    _Process.cache = AnswerCache(entries_max)


def current() -> AnswerCache:
    """The cache of this process."""
    return _Process.cache
