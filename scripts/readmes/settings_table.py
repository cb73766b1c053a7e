"""Every setting of workers and relays: its variable, its default and its meaning."""

import json

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from scripts.readmes.markdown import table
from workers.settings import Settings


def settings_table() -> str:
    """One row per environment variable."""
    rows = [
        (variables(name, field), default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("variable", "default", "meaning"), rows)


def variables(name: str, field: FieldInfo) -> str:
    """The variable, and the other names that are accepted for it."""
    alias = field.validation_alias
    names = alias.choices if isinstance(alias, AliasChoices) else [f"OMS_{name.upper()}"]
    return " or ".join(f"`{choice}`" for choice in names)


def default(field: FieldInfo) -> str:
    """The value where the variable is not set."""
    if field.is_required():
        return "required"
    value = field.get_default()
    if isinstance(value, dict):
        return f"`{json.dumps(value)}`"
    plain = value.get_secret_value() if isinstance(value, SecretStr) else value
    return "none" if plain in (None, "", frozenset()) else f"`{plain}`"
