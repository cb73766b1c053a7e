"""Types of messages as people name them: `order.create.v1`, or `order.create` for the newest version."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from messages.base import Message
from messages.registry import MODELS
from scripts.commands.problems import Code, CommandError

NEAREST_MAX = 3
WHERE_TYPES = "oms contracts list has all"


def versions(name: str) -> list[type[Message]]:
    """Return the models of a type, with or without its version, the newest last. Empty if there is no such type."""
    named = (model for model in MODELS.values() if name in (model.TYPE, model.routing_key()))
    return sorted(named, key=lambda model: int(model.TYPE.rsplit(".v", 1)[1]))


def unknown(name: str, typed: str, code: Code, among: Iterable[str] = MODELS) -> CommandError:
    """Return the error for a type that is not there. It names the nearest, and where all are listed.

    `typed` is the command to type with the nearest in place of TYPE; `among` are the types that it takes.
    """
    why, near = f"{nearest_types(name, among)}; {WHERE_TYPES}".removeprefix("; "), _near(name, among)
    return CommandError(
        code, f"no message type {name}", why=why, hint=typed.replace("TYPE", near[0]) if near else typed
    )


def nearest_types(name: str, among: Iterable[str] = MODELS) -> str:
    """Return in words the versions that a type has, or the types nearest to a name; empty if none is near."""
    others, near = versions(_bare(name)), _near(name, among)
    return _in_words("there" if others else "near it", near)


def nearest_codes(code: str, among: Iterable[str]) -> str:
    """Return in words the codes nearest to a name; empty if none is near."""
    return _in_words("near it", get_close_matches(code, sorted(among), n=NEAREST_MAX))


def _near(name: str, among: Iterable[str]) -> list[str]:
    others = [model.TYPE for model in versions(_bare(name))]
    return others or get_close_matches(_bare(name), sorted(set(map(_bare, among))), n=NEAREST_MAX)


def _in_words(what: str, near: Sequence[str]) -> str:
    return f"{what} {'is' if len(near) == 1 else 'are'} {', '.join(near)}" if near else ""


def _bare(name: str) -> str:
    return re.sub(r"\.v\d+$", "", name)
