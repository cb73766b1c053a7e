"""Which broker users are our own processes and which roles the others have, as the setting OMS_ROLES says."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from messages.roles import BETWEEN, EVERY_ROLE, Role

ANONYMOUS = "anonymous"
"""In OMS_ROLES, this name stands for messages without `user_id`. By default they have no role."""
_EXAMPLE = "checkout=storefront; anna=operator,marketing"


ORIGIN_TOKEN = "origin-token"  # noqa: S105 (the name of a header)
"""The header in which a message that we send on carries what its token gave. The token itself goes no further."""


@dataclass(frozen=True)
class TokenClaims:
    """What a genuine token says: whose it is, and the roles that this subject has here."""

    subject: str
    roles: frozenset[Role]


@dataclass(frozen=True)
class TokenFault:
    """Why a token is not believed. The text shows no part of the token.

    `subject` is whose it is, if it is genuine and for this system: an expired one, for instance.
    """

    why: str
    subject: str | None = None


class TokenReader(Protocol):
    """Verifies tokens of the shop's permission service."""

    def verify(self, header: str, now: datetime) -> TokenClaims | TokenFault:
        """Read the value of an `authorization` header. It never raises, whatever the header holds."""


@dataclass(frozen=True)
class Sender:
    """Who sent a message: the roles of its broker user and of its token, and whose token it is, if it has one.

    `token_fault` says why a token is not believed; such a sender may do nothing, also if its subject is known.
    """

    roles: frozenset[Role] = frozenset()
    granted: frozenset[Role] = frozenset()
    subject: str | None = None
    token_fault: str | None = None

    @property
    def carried(self) -> dict[str, str]:
        """The header with which a retry or a replay keeps what the token gave; none without a token."""
        if not self.has_token:
            return {}
        gave = {"subject": self.subject, "roles": sorted(self.granted), "fault": self.token_fault}
        return {ORIGIN_TOKEN: json.dumps(gave)}

    @property
    def has_token(self) -> bool:
        """True if the message came with a token, whether it is believed or not."""
        return self.subject is not None or self.token_fault is not None

    def name(self, user: str | None) -> str:
        """The name under which the ids of this sender's messages are kept, so that they meet nobody else's.

        It is the broker user, and with a token also its subject: many people may send through one broker user.
        """
        return f"{user or ''}{BETWEEN}{self.subject or ''}" if self.has_token else user or ""


UNKNOWN = Sender()


@dataclass(frozen=True)
class Trust:
    """Our workers and relays publish as `own`, and may send anything. `roles` are those of the other broker users.

    `tokens` are the keys of the shop's permission service, if it has one.
    """

    own: frozenset[str]
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    tokens: TokenReader | None = None

    @classmethod
    def of(
        cls,
        prefix: str,
        user: str,
        own: frozenset[str] = frozenset(),
        roles: Mapping[str, frozenset[Role]] | None = None,
        tokens: TokenReader | None = None,
    ) -> "Trust":
        """Build it for a process that publishes as `user`. By default the users are named after their roles."""
        named = {f"{prefix}-{role}": frozenset({role}) for role in Role}
        return cls((own or frozenset({f"{prefix}-worker", f"{prefix}-relay"})) | {user}, roles or named, tokens)

    def roles_of(self, user: str | None) -> frozenset[Role]:
        """Return the roles of a user whom the broker has validated; None sent a message without `user_id`."""
        return EVERY_ROLE if user in self.own else self.roles.get(user or ANONYMOUS, frozenset())

    def sender(self, user: str | None, token: str | None, carried: str | None, now: datetime) -> Sender:
        """Return who sent a message with this `authorization` header, or with what we `carried` on of one."""
        roles = self.roles_of(user)
        if carried is not None:
            return _sender_of(carried, roles)
        if token is None or self.tokens is None:
            return Sender(roles)
        claims = self.tokens.verify(token, now)
        if isinstance(claims, TokenClaims):
            return Sender(roles | claims.roles, claims.roles, claims.subject)
        return Sender(subject=claims.subject, token_fault=claims.why)


def _sender_of(carried: str, roles: frozenset[Role]) -> Sender:
    """Return the sender of a message that we sent on. A header that this version cannot read gives no right."""
    try:
        gave = json.loads(carried)
        subject, fault, granted = gave["subject"], gave["fault"], frozenset(map(Role, gave["roles"]))
    except (ValueError, TypeError, KeyError):
        return Sender(token_fault="was sent on in a form that this version does not know")  # noqa: S106
    return Sender(subject=subject, token_fault=fault) if fault else Sender(roles | granted, granted, subject)


def parse_roles(value: Any) -> Any:
    """Read OMS_ROLES: `user=role,role; user=role`, or a JSON object of user -> role or list of roles.

    Raises ValueError, which names the user and the roles that exist. Another kind of value is returned as it is.
    """
    if isinstance(value, str):
        value = _object(value) if value.lstrip().startswith("{") else _pairs(value)
    if not isinstance(value, Mapping):
        return value
    return {user: frozenset(_role(user, name) for name in _names(user, roles)) for user, roles in value.items()}


def _pairs(text: str) -> dict[str, str]:
    found = []
    for entry in filter(None, re.split(r"[;\s]+", re.sub(r"\s*([,=])\s*", r"\1", text.strip()))):
        user, equals, roles = entry.partition("=")
        if not (user and equals and roles):
            raise ValueError(f"{entry!r} is not user=role,role; write it like {_EXAMPLE!r}")
        found.append((user, roles))
    return _once(found)


def _object(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        why = f"{error.msg} at character {error.pos}"
        raise ValueError(f"it is no JSON object ({why}); or write it like {_EXAMPLE!r}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        users = [user for user, _ in pairs]
        twice = next(user for user in users if users.count(user) > 1)
        raise ValueError(f"the user {twice} is named twice; name all its roles in one place")
    return found


def _names(user: str, roles: Any) -> list[Any]:
    if isinstance(roles, str):
        roles = roles.split(",")
    if not isinstance(roles, Collection) or not roles:
        raise ValueError(f"the user {user} needs a role or a list of roles")
    return [name.strip() if isinstance(name, str) else name for name in roles]


def _role(user: str, name: Any) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise ValueError(f"{name!r} of the user {user} is no role; the roles are {', '.join(Role)}") from None
