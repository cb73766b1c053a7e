"""Types of messages as people name them: `order.create.v1`, or `order.create` for the newest version."""

import re
from difflib import get_close_matches

from messages.base import Message
from messages.registry import MODELS


def versions(name: str) -> list[type[Message]]:
    """Return the models of a type, with or without its version, the newest last. Empty if there is no such type."""
    named = (model for model in MODELS.values() if name in (model.TYPE, model.routing_key()))
    return sorted(named, key=lambda model: int(model.TYPE.rsplit(".v", 1)[1]))


def like(name: str) -> list[str]:
    """Return the types that a name may have meant: all versions of its type, else of the closest type."""
    bare = re.sub(r"\.v\d+$", "", name)
    keys = sorted({model.routing_key() for model in MODELS.values()})
    return [model.TYPE for close in get_close_matches(bare, keys, n=1) for model in versions(close)]
