"""The broker users: one for each role, with the least permissions that work. Pure data.

A permission is three patterns, matched against the names of exchanges and queues: configure (declare, delete), write
(publish, bind from), read (consume, get, bind to). Publishing straight to a queue needs write on `amq.default`.
"""

import re
from dataclasses import dataclass

NOTHING = "^$"

TRUSTED = ("payments", "warehouse", "operator")
MAY_SEND = {
    "upstream": "storefront,catalogue,marketing,warehouse,carrier",
    "payments": "payments",
    "warehouse": "warehouse,carrier",
    "operator": "operator",
}
"""Broker user of a client -> the roles that OMS_ROLES gives it."""

OWN = ("worker", "relay")
"""Roles whose user id the runtime believes on messages between its own queues."""


@dataclass(frozen=True)
class Permission:
    """The permission of one user in one virtual host."""

    configure: str
    write: str
    read: str


def permissions(prefix: str = "oms") -> dict[str, Permission]:
    """Return role -> permission, for exchanges and queues under this prefix."""
    ours = re.escape(prefix)
    everything_of_ours = rf"^{ours}\..*"
    return {role: _client(role, ours) for role in ("upstream", *TRUSTED)} | {
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
        "oncall": Permission(NOTHING, NOTHING, NOTHING),
    }


def _client(role: str, ours: str) -> Permission:
    """Return the permission of a client. Its events and replies go to queues `client.<role>.*`, or named by the broker.

    Queues that the broker names are exclusive to one connection if they are used as intended, so no one else can read
    them.
    """
    mine = rf"client\.{'(upstream|storefront)' if role == 'upstream' else role}\..*|amq\.gen.*"
    return Permission(
        configure=rf"^({mine})$",
        write=rf"^({ours}\.(commands|queries)|{mine})$",
        read=rf"^({ours}\.events|{mine})$",
    )


TAGS = {"oncall": "monitoring"}
"""Role -> tag for the management interface. The other roles have none."""

ROLES = tuple(permissions())

ADMIN = "admin"
"""The key of the administrator among the URLs of a virtual host. The broker has this user already."""
