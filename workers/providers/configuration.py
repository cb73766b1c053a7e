"""Makes providers from their settings.

The settings are JSON in the environment or in a file. Keys are in the JSON or in files of their own.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from db.errors import ConfigurationError
from messages.strict_json import repeated_names
from workers.providers.alipay import Alipay, AlipaySettings
from workers.providers.paypal import PayPal, PayPalSettings
from workers.providers.port import Provider
from workers.providers.stripe import Stripe, StripeSettings
from workers.providers.unionpay import UnionPay, UnionPaySettings
from workers.providers.wechat import WeChat, WeChatSettings

FILE = "file:"
"""A value with this prefix names a file that holds the value. Its path is relative to the file that names it."""
KINDS: Mapping[str, tuple[type[BaseModel], Callable[[Any], Provider]]] = {
    "alipay": (AlipaySettings, Alipay),
    "wechat": (WeChatSettings, WeChat),
    "unionpay": (UnionPaySettings, UnionPay),
    "paypal": (PayPalSettings, PayPal),
    "stripe": (StripeSettings, Stripe),
}


class ProviderConfigError(ConfigurationError):
    """A provider's settings cannot be used. The message names the field and shows nothing of its value."""


def make(name: str, text: str) -> Provider:
    """Make a provider from JSON, or from `file:PATH` that names a file with JSON. Raises ProviderConfigError."""
    folder = Path.cwd()
    if text.startswith(FILE):
        path = Path(text.removeprefix(FILE))
        text, folder = _read(name, path), path.parent
    try:
        given = _filled(name, orjson.loads(text), folder)
        if twice := repeated_names(text.encode()):
            raise ProviderConfigError(f"OMS_{name.upper()}: {twice[0].path}: {twice[0].message}")
    except orjson.JSONDecodeError:
        raise ProviderConfigError(f"OMS_{name.upper()} is no JSON: give an object, or file:PATH of one") from None
    settings, provider = KINDS[name]
    try:
        return provider(settings.model_validate(given))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise ProviderConfigError(f"OMS_{name.upper()}: {wrong}") from None
    except ValueError as error:  # certificates that do not belong together
        raise ProviderConfigError(f"OMS_{name.upper()}: {error}") from None


def _filled(name: str, value: Any, folder: Path) -> Any:
    match value:
        case str() if value.startswith(FILE):
            return _read(name, folder / value.removeprefix(FILE)).strip()
        case dict():
            return {key: _filled(name, item, folder) for key, item in value.items()}
        case list():
            return [_filled(name, item, folder) for item in value]
    return value


def _read(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ProviderConfigError(f"OMS_{name.upper()}: {path} cannot be read: {type(error).__name__}") from None
