"""Types of messages as people name them: `order.create.v1`, or `order.create` for the newest version."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from messages.base import Message
from messages.registry import MODELS
from scripts.commands.problems import Code, CommandError

NEAREST_MAX = 3


def versions(name: str) -> list[type[Message]]:
    """Return the models of a type, with or without its version, the newest last. Empty if there is no such type."""
    named = (model for model in MODELS.values() if name in (model.TYPE, model.routing_key()))
    return sorted(named, key=lambda model: int(model.TYPE.rsplit(".v", 1)[1]))


def unknown(name: str, typed: str, code: Code, among: Iterable[str] | None = None) -> CommandError:
    """Return the error for a type that is not there. It names the nearest three, and where all are listed.

    `typed` is the command to type with the nearest in place of TYPE; `among` are the types that it takes.
    """
    bare = re.sub(r"\.v\d+$", "", name)
    others = [model.TYPE for model in versions(bare)]
    keys = {re.sub(r"\.v\d+$", "", one) for one in among or MODELS}
    near = others or get_close_matches(bare, sorted(keys), n=NEAREST_MAX)
    where = "oms contracts list has all"
    verb = "is" if len(near) == 1 else "are"
    why = f"{'there' if others else 'near it'} {verb} {', '.join(near)}; {where}" if near else where
    return CommandError(
        code, f"no message type {name}", why=why, hint=typed.replace("TYPE", near[0]) if near else typed
    )
