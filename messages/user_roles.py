"""Which broker users are our own processes, and for what the others may send, as the settings say."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from messages.roles import BETWEEN, EVERY_ROLE, Role

ANONYMOUS = "anonymous"
"""In OMS_ROLES, this name stands for messages without `user_id`. By default they have no role."""
_EXAMPLE = "checkout=storefront; anna=operator,marketing"
_WAREHOUSES_EXAMPLE, _CARRIERS_EXAMPLE = "wms-east=east; anna=main,north", "sf-app=sf; hub=ups,dhl"
_NAME_CHARS_MAX = 64


ORIGIN_TOKEN = "origin-token"  # noqa: S105 (the name of a header)
"""The header in which a message that we send on carries what its token gave. The token itself goes no further."""


@dataclass(frozen=True)
class TokenClaims:
    """What a genuine token says: whose it is, the roles that this subject has here, and its warehouses; None: any."""

    subject: str
    roles: frozenset[Role]
    warehouses: frozenset[str] | None = None


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
    `warehouses` and `carriers` are those for which it works, or None if it is bound to none; `token_warehouses` those
    of its token.
    """

    roles: frozenset[Role] = frozenset()
    granted: frozenset[Role] = frozenset()
    subject: str | None = None
    token_fault: str | None = None
    warehouses: frozenset[str] | None = None
    token_warehouses: frozenset[str] | None = None
    carriers: frozenset[str] | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What an envelope says of its sender besides the roles."""
        names = ("subject", "token_fault", "granted", "warehouses", "carriers")
        return {name: getattr(self, name) for name in names}

    @property
    def carried(self) -> dict[str, str]:
        """The header with which a retry or a replay keeps what the token gave; none without a token."""
        if not self.has_token:
            return {}
        gave = {"subject": self.subject, "roles": sorted(self.granted), "fault": self.token_fault}
        bound = {} if self.token_warehouses is None else {"warehouses": sorted(self.token_warehouses)}
        return {ORIGIN_TOKEN: json.dumps(gave | bound)}

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

    `tokens` are the keys of the shop's permission service, if it has one. `warehouses` and `carriers` are those of
    users who work for these alone.
    """

    own: frozenset[str]
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    tokens: TokenReader | None = None
    warehouses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    carriers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        prefix: str,
        user: str,
        own: frozenset[str] = frozenset(),
        roles: Mapping[str, frozenset[Role]] | None = None,
    ) -> "Trust":
        """Build it for a process that publishes as `user`. By default the users are named after their roles."""
        named = {f"{prefix}-{role}": frozenset({role}) for role in Role}
        ours = (own or frozenset({f"{prefix}-worker", f"{prefix}-relay"})) | {user}
        return cls(ours, roles or named)

    def roles_of(self, user: str | None) -> frozenset[Role]:
        """Return the roles of a user whom the broker has validated; None sent a message without `user_id`."""
        return EVERY_ROLE if user in self.own else self.roles.get(user or ANONYMOUS, frozenset())

    def warehouses_of(self, user: str | None) -> frozenset[str] | None:
        """Return the warehouses for which a user works, or None if the user is bound to none."""
        return None if user in self.own else self.warehouses.get(user or ANONYMOUS)

    def carriers_of(self, user: str | None) -> frozenset[str] | None:
        """Return the carriers for which a user reports, or None if the user is bound to none."""
        return None if user in self.own else self.carriers.get(user or ANONYMOUS)

    def sender(self, user: str | None, token: str | None, carried: str | None, now: datetime) -> Sender:
        """Return who sent a message with this `authorization` header, or with what we `carried` on of one."""
        if carried is not None:
            claims = _claims_of(carried)
        elif token is None or self.tokens is None:
            return Sender(self.roles_of(user), warehouses=self.warehouses_of(user), carriers=self.carriers_of(user))
        else:
            claims = self.tokens.verify(token, now)
        if isinstance(claims, TokenFault):
            return Sender(subject=claims.subject, token_fault=claims.why)
        return Sender(
            self.roles_of(user) | claims.roles,
            claims.roles,
            claims.subject,
            warehouses=_both(self.warehouses_of(user), claims.warehouses),
            token_warehouses=claims.warehouses,
            carriers=self.carriers_of(user),
        )


def _claims_of(carried: str) -> TokenClaims | TokenFault:
    """Return what the token of a message gave that we sent on. A header that we cannot read gives no right."""
    try:
        gave = json.loads(carried)
        subject, fault, granted = gave["subject"], gave["fault"], frozenset(map(Role, gave["roles"]))
        bound = gave.get("warehouses")
        return TokenFault(fault, subject) if fault else TokenClaims(subject, granted, _set(bound))
    except (ValueError, TypeError, KeyError):
        return TokenFault("was sent on in a form that this version does not know")


def _set(names: Any) -> frozenset[str] | None:
    return None if names is None else frozenset(map(str, names))


def _both(first: frozenset[str] | None, second: frozenset[str] | None) -> frozenset[str] | None:
    """Return the warehouses that are in both, where None is all."""
    if first is None or second is None:
        return second if first is None else first
    return first & second


def parse_roles(value: Any) -> Any:
    """Read OMS_ROLES: `user=role,role; user=role`, or a JSON object of user -> role or list of roles.

    Raises ValueError, which names the user and the roles that exist. Another kind of value is returned as it is.
    """
    return _by_user(value, "role", _role, _EXAMPLE)


def parse_warehouse_users(value: Any) -> Any:
    """Read OMS_WAREHOUSE_USERS: `user=warehouse,warehouse; user=warehouse`, or a JSON object, as OMS_ROLES is read."""
    return _by_user(value, "warehouse", _name, _WAREHOUSES_EXAMPLE)


def parse_carrier_users(value: Any) -> Any:
    """Read OMS_CARRIER_USERS: `user=carrier,carrier; user=carrier`, or a JSON object, as OMS_ROLES is read."""
    return _by_user(value, "carrier", _name, _CARRIERS_EXAMPLE)


def _by_user(value: Any, word: str, read: Callable[[str, Any], Any], example: str) -> Any:
    if isinstance(value, str):
        value = _object(value, example) if value.lstrip().startswith("{") else _pairs(value, word, example)
    if not isinstance(value, Mapping):
        return value
    return {user: frozenset(read(user, name) for name in _names(user, word, names)) for user, names in value.items()}


def _pairs(text: str, word: str, example: str) -> dict[str, str]:
    found = []
    for entry in filter(None, re.split(r"[;\s]+", re.sub(r"\s*([,=])\s*", r"\1", text.strip()))):
        user, equals, names = entry.partition("=")
        if not (user and equals and names):
            raise ValueError(f"{entry!r} is not user={word},{word}; write it like {example!r}")
        found.append((user, names))
    return _once(found)


def _object(text: str, example: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        why = f"{error.msg} at character {error.pos}"
        raise ValueError(f"it is no JSON object ({why}); or write it like {example!r}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        users = [user for user, _ in pairs]
        twice = next(user for user in users if users.count(user) > 1)
        raise ValueError(f"the user {twice} is named twice; name all that it has in one place")
    return found


def _names(user: str, word: str, names: Any) -> list[Any]:
    if isinstance(names, str):
        names = names.split(",")
    if not isinstance(names, Collection) or not names:
        raise ValueError(f"the user {user} needs a {word} or a list of {word}s")
    return [name.strip() if isinstance(name, str) else name for name in names]


def _name(user: str, name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_CHARS_MAX:
        raise ValueError(f"{name!r} of the user {user} is no name, a text of 1 to {_NAME_CHARS_MAX} characters")
    return name


def _role(user: str, name: Any) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise ValueError(f"{name!r} of the user {user} is no role; the roles are {', '.join(Role)}") from None
