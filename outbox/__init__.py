"""The transactional outbox. A transaction stores its announcements. After its commit a relay publishes them at least
once, and in order within a stream.
"""

from outbox.announcement import Announcement, event, instruction, internal, later, reply, to_queue
from outbox.insertion import announcing_as, append, collecting, in_clear, noting_shards, once_committed

__all__ = [
    "Announcement",
    "announcing_as",
    "append",
    "collecting",
    "event",
    "in_clear",
    "instruction",
    "internal",
    "later",
    "noting_shards",
    "once_committed",
    "reply",
    "to_queue",
]
