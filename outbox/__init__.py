"""Announcing: what a transaction says is stored with it and published after it, at least once, in order per stream."""

from outbox.announcement import Announcement, event, internal, later, reply, to_queue
from outbox.insertion import append

__all__ = ["Announcement", "append", "event", "internal", "later", "reply", "to_queue"]
