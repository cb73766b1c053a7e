"""The settings of consuming. They extend those of publishing."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode
from yarl import URL

from outbox.settings import RelaySettings
from workers.runtime.decode import Trust


def _names(value: Any) -> Any:
    return frozenset(filter(None, (name.strip() for name in value.split(",")))) if isinstance(value, str) else value


Users = Annotated[frozenset[str], NoDecode, BeforeValidator(_names)]
MIB = 1024 * 1024


class RuntimeSettings(RelaySettings):
    """Read from OMS_* variables."""

    trusted_users: Users = Field(
        default=frozenset(),
        description="Broker users, comma-separated, whose payment, refund and stock facts and operators we believe",
    )
    own_users: Users = Field(
        default=frozenset(),
        description="Broker users that our workers and relays publish as; that of OMS_AMQP_URL is always included",
    )
    body_max_bytes: int = Field(
        default=MIB, ge=1024, le=16 * MIB, description="Larger bodies are dead-lettered; 200 order lines take 40 KiB"
    )
    attempts_max: int = Field(
        default=7, ge=1, le=100, description="Attempts before a dead letter; the six delays together take 43 minutes"
    )

    @property
    def own_user(self) -> str:
        """The broker user that this process publishes as."""
        return URL(self.amqp_url.get_secret_value()).user or "guest"

    @property
    def trust(self) -> Trust:
        """The broker users whose messages are believed."""
        return Trust(own=self.own_users | {self.own_user}, trusted=self.trusted_users)
