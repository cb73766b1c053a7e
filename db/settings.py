"""Settings: where the database is, and which keys encrypt personal data in it."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from pydantic import AliasChoices, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "OMS_"
MISSPELT_RATIO = 0.85
"""A variable this close to the name of a setting is taken for that name misspelt.

One wrong, missing or exchanged letter is closer, and any two different names are less close (a test compares all).
Other variables that begin with OMS_ are left alone: Kubernetes makes some for services whose name begins with oms.
"""
TESTS_PREFIX = "OMS_TEST_"


class DatabaseSettings(BaseSettings):
    """Reads OMS_* variables, and the names that source document S0 uses. A misspelt variable is an error."""

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

    @model_validator(mode="before")
    @classmethod
    def _refuse_misspelt(cls, values: Any) -> Any:
        known = {name for field in cls.model_fields for name in cls.variables(field)}
        for given in sorted(name.upper() for name in os.environ if _is_ours(name.upper())):
            if given not in known and (meant := get_close_matches(given, known, n=1, cutoff=MISSPELT_RATIO)):
                raise ValueError(f"there is no setting {given}: {meant[0]} is meant")
        return values

    @classmethod
    def variables(cls, field: str) -> Iterator[str]:
        """The environment variables that a setting is read from."""
        yield f"{PREFIX}{field.upper()}"
        alias = cls.model_fields[field].validation_alias
        if isinstance(alias, AliasChoices):
            yield from (str(name) for name in alias.choices)


def _is_ours(variable: str) -> bool:
    return variable.startswith(PREFIX) and not variable.startswith(TESTS_PREFIX)
