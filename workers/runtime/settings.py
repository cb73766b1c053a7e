"""The settings of consuming. They extend those of publishing."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode
from yarl import URL

from messages.roles import Role
from messages.user_roles import Trust, parse_roles
from outbox.settings import RelaySettings


def _names(value: Any) -> Any:
    return frozenset(filter(None, (name.strip() for name in value.split(",")))) if isinstance(value, str) else value


Users = Annotated[frozenset[str], NoDecode, BeforeValidator(_names)]
Roles = Annotated[dict[str, frozenset[Role]], NoDecode, BeforeValidator(parse_roles)]
MIB = 1024 * 1024


class RuntimeSettings(RelaySettings):
    """Read from OMS_* variables."""

    roles: Roles = Field(
        default={},
        description="What broker users may send: user=role,role; user=role, or JSON; `anonymous` stands for messages "
        "without user_id. Default: oms-storefront has the role storefront, and so on, with the prefix in place of oms",
    )
    own_users: Users = Field(
        default=frozenset(),
        description="Broker users that our workers and relays publish as; that of OMS_AMQP_URL is always included. "
        "Default: oms-worker,oms-relay, with the prefix in place of oms",
    )
    body_max_bytes: int = Field(
        default=MIB, ge=1024, le=16 * MIB, description="Larger bodies are dead-lettered; 200 order lines take 40 KiB"
    )
    attempts_max: int = Field(
        default=7, ge=1, le=100, description="Attempts before a dead letter; the six delays together take 43 minutes"
    )
    local_dispatch: bool = Field(
        default=True,
        description="on: what a handler announces to our own queues on the same database is handled in the same "
        "transaction; off: it takes the outbox and the broker",
    )

    @property
    def own_user(self) -> str:
        """The broker user that this process publishes as."""
        return URL(self.amqp_url.get_secret_value()).user or "guest"

    @property
    def trust(self) -> Trust:
        """Which broker users are our own, and the roles of the others."""
        return Trust.of(self.prefix, self.own_user, self.own_users, self.roles)
