"""The settings of senders: who is bound to warehouses or carriers, and whose tokens are believed."""

from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from db.errors import ConfigurationError
from messages.user_roles import Trust, parse_carrier_users, parse_warehouse_users
from workers.runtime.settings import RuntimeSettings
from workers.tokens import TokenError, token_keys

CarrierUsers = Annotated[dict[str, frozenset[str]], NoDecode, BeforeValidator(parse_carrier_users)]
WarehouseUsers = Annotated[dict[str, frozenset[str]], NoDecode, BeforeValidator(parse_warehouse_users)]


class SenderSettings(RuntimeSettings):
    """Read from OMS_* variables."""

    warehouse_users: WarehouseUsers = Field(
        default={},
        description="Broker users who move goods and stock of these warehouses alone: user=warehouse,warehouse; "
        "user=warehouse, or JSON. A token may name `warehouses`, too",
    )
    carrier_users: CarrierUsers = Field(
        default={},
        description="Broker users who report what happens to parcels of these carriers alone: user=carrier,carrier; "
        "user=carrier, or JSON",
    )
    token_keys: SecretStr | None = Field(
        default=None,
        description="The public keys of a permission service whose signed tokens name roles, as a JSON Web Key Set or "
        "file:PATH of one (Ed25519 or RSA); without them the header authorization is not read",
    )
    token_audience: str = Field(
        default="oms", min_length=1, max_length=255, description="What those tokens must name as their audience (aud)"
    )
    token_issuer: str = Field(
        default="", max_length=255, description="What they must name as their issuer (iss); empty: any"
    )

    @property
    def trust(self) -> Trust:
        """Our own broker users, what the others may do, and the keys of tokens. Raises ConfigurationError."""
        text = self.token_keys.get_secret_value().strip() if self.token_keys else ""
        try:
            keys = token_keys(text, self.token_audience, self.token_issuer) if text else None
        except TokenError as error:
            raise ConfigurationError(f"OMS_TOKEN_KEYS {error}") from None
        return replace(super().trust, tokens=keys, warehouses=self.warehouse_users, carriers=self.carrier_users)
