"""Somebody who knows a merchant's number, and has a key of their own."""

from functools import cache

from scripts.gateways.authorities import new_key, private_pem
from tests.gateways.till import Till
from workers.channels.making import make
from workers.channels.port import Channel

SECRETS = {"alipay": "app_key.pem", "wechat": "merchant_key.pem"}
"""Channel -> the file with what a merchant proves itself with."""


@cache
def key_pem() -> str:
    """The stranger's."""
    return private_pem(new_key())


def channel(till: Till) -> Channel:
    """The merchant's adapter, with the stranger's key."""
    name = till.gateway.name
    (till.folder / f"{name}_{SECRETS[name]}").write_text(key_pem())
    return make(name, f"file:{till.folder / name}_configuration.json")
