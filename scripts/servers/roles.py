"""The broker users: those of each client role and those of our own processes, with the least permissions that work.

A permission is three patterns, matched against the names of exchanges and queues: configure (declare, delete), write
(publish, bind into), read (consume, get, bind from). Publishing straight to a queue needs write on `amq.default`.

A client role has two users, because RabbitMQ lets whoever may write to one exchange and read another bind the two:
one user could bind `oms.events` to `oms.commands`.

    oms-<role>          publishes. It declares nothing but queues that the broker names, and reads no exchange, so it
                        can neither declare nor bind one. Its replies come to such a queue, or by direct reply-to.
    oms-<role>-events   subscribes. It declares queues `client.<role>.*`, binds them to `oms.events`, and reads the
                        replies that the other user asks for there. It writes to no exchange of ours. That of the
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from messages.event_history import EVENT_HISTORY
from messages.registry import FROM_OUTSIDE, MODELS
from messages.roles import Role, may_send
from messages.topology import Names

NOTHING = "^$"
PATTERN_MAX_CHARACTERS = 1024
SUBSCRIBER = "-events"
"""Ends the name of a role's user that subscribes."""
OWN = ("worker", "relay")
"""Users whom the runtime believes on messages between its own queues."""
TAGS = {"oncall": "monitoring"}
"""User -> tag for the management interface. The other users have none."""
ADMIN = "admin"
"""The key of the administrator among the URLs of a virtual host. The broker has this user already."""


@dataclass(frozen=True)
class Permission:
    """The permission of one user in one virtual host. `topics` limits what it may publish: exchange -> routing keys."""

    configure: str
    write: str
    read: str
    topics: Mapping[str, str] = field(default_factory=dict)


def permissions(prefix: str = "oms", cells: Iterable[str] = ()) -> dict[str, Permission]:
    """Return user, without the prefix of its name -> permission, for exchanges and queues under this prefix.

    In a shop with cells, its users are those of every cell.
    """
    ours = re.escape(prefix) + (f"(-({'|'.join(cells)}))?" if cells else "")
    everything_of_ours = rf"^{ours}\..*"
    clients = {role.value: _publisher(role, prefix) for role in Role if role is not Role.NOTIFIER}
    return {
        **clients,
        **{f"{role}{SUBSCRIBER}": _subscriber(role, ours) for role in Role},
        "worker": Permission(
            configure=NOTHING,
            write=rf"^({ours}\.(delay|delay-plugin|dlx)|amq\.default)$",
            read=everything_of_ours,
        ),
        "relay": Permission(
            configure=NOTHING,
            write=rf"^({ours}\.(internal|events|delay|delay-plugin|dlx)|amq\.default)$",
            read=NOTHING,
        ),
        "topology": Permission(everything_of_ours, everything_of_ours, everything_of_ours),
        "oncall": Permission(NOTHING, NOTHING, read=rf"^{ours}\.{EVENT_HISTORY}$"),
    }


def _publisher(role: Role, prefix: str) -> Permission:
    """Return the permission to publish. Of the keys that we know, it may use those of its role.

    Other keys are let through: a mistyped one is answered by us, where the broker would close the channel. What the
    broker lets through is checked again when it is read, so an old permission does no harm.
    """
    names = Names(prefix)
    topics = {exchange: _all_but(_of_others(role, exchange, names)) for exchange in (names.commands, names.queries)}
    return Permission(
        configure=r"^amq\.gen.*$",
        write=rf"^({re.escape(prefix)}\.(commands|queries)|amq\.gen.*)$",
        read=r"^amq\.gen.*$",
        topics=topics,
    )


def _of_others(role: Role, exchange: str, names: Names) -> list[str]:
    models = [model for model in MODELS.values() if names.exchange_of(model.KIND) == exchange]
    theirs = {
        model.routing_key()
        for model in models
        if model.KIND not in FROM_OUTSIDE or not may_send(model.SENDERS, frozenset({role}))
    }
    return sorted(theirs)


def _all_but(keys: list[str]) -> str:
    return f"^(?!{_any_of(sorted(key.split('.') for key in keys))}$)" if keys else ".*"


def _any_of(keys: list[list[str]]) -> str:
    """A pattern for these sorted keys, each as its words. It has words that several begin with once, for RabbitMQ 4.3
    takes at most PATTERN_MAX_CHARACTERS.
    """
    branches = []
    for word, same in groupby(keys, key=itemgetter(0)):
        rests = [rest for _, *rest in same]
        longer = [rest for rest in rests if rest]
        tail = rf"\.{_any_of(longer)}" if longer else ""
        branches.append(re.escape(word) + (f"({tail})?" if tail and len(longer) < len(rests) else tail))
    return branches[0] if len(branches) == 1 else f"({'|'.join(branches)})"


def _subscriber(role: Role, ours: str) -> Permission:
    """Return the permission to subscribe. A queue that the broker names is exclusive to one connection if used so."""
    mine = rf"client\.{role}\..*|amq\.gen.*"
    instructions = rf"|{ours}\.warehouse\..*" if role is Role.WAREHOUSE else ""
    read = rf"^({ours}\.events|{mine}{instructions})$"
    return Permission(configure=rf"^({mine})$", write=rf"^({mine})$", read=read)


def user_name(prefix: str, user: str) -> str:
    """Return the broker's name of a user: shops that share a virtual host have users of their own."""
    return f"{prefix}-{user}"


def password_variable(user: str) -> str:
    """Return the variable with the password of a user. The two users of a role share one."""
    return f"OMS_{user.removesuffix(SUBSCRIBER).upper()}_PASSWORD"


USERS = tuple(permissions())
