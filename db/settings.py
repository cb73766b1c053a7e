"""Settings: where the database is, and which keys encrypt personal data in it."""

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class DatabaseSettings(BaseSettings):
    """Reads OMS_* variables, and the names that source document S0 uses."""

    model_config = SettingsConfigDict(
        env_prefix="OMS_", populate_by_name=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: SecretStr = Field(
        validation_alias=AliasChoices("OMS_DATABASE_URL", "ORDER_DB_URL"),
        description="postgresql://user:password@host:port/database",
    )
    encryption_keys: SecretStr = Field(
        default=SecretStr(""),
        description="id:base64key[,id2:base64key]: AES-256 keys for personal data; the first encrypts, all decrypt",
    )
