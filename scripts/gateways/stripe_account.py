"""The account of one merchant at Stripe: its key, its configuration, and Stripe's webhook signatures."""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scripts.gateways import stripe_protocol as protocol
from scripts.gateways.gateway import FileWriter
from scripts.gateways.keys import KeyRotation
from scripts.gateways.notifier import Copy, Write


@dataclass(frozen=True, repr=False)
class StripeKeys:
    """The merchant's key, and two secrets of its webhook for the rotation."""

    secret_key: str = field(default_factory=lambda: f"sk_test_{secrets.token_hex(24)}")
    first: str = field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}")
    second: str = field(default_factory=lambda: f"whsec_{secrets.token_hex(16)}")


class StripeAccount:
    """Knows the merchant's key and signs webhooks: after the rotation with both secrets, as Stripe does for a day."""

    def __init__(self, keys: StripeKeys, rotate_after: int | None) -> None:
        self._keys = keys
        self._rotation = KeyRotation((keys.first,), (keys.second, keys.first), rotate_after)

    def configuration(self, origin: str, write_file: FileWriter) -> Mapping[str, Any]:
        """Return the configuration for the merchant's side, which has the second secret after the rotation only."""
        return {
            "secret_key": write_file("secret_key", self._keys.secret_key),
            "webhook_secrets": [write_file("webhook_secret", self._keys.first)],
            "checkout_url_pattern": f"{re.escape(origin)}/[!-~]{{1,500}}",
            "api_url": origin,
            "return_url": f"{origin}/returned",
            "cancel_url": f"{origin}/cancelled",
        }

    def knows(self, authorization: str) -> bool:
        """Tell whether the header carries the merchant's key."""
        return secrets.compare_digest(authorization.encode(), f"Bearer {self._keys.secret_key}".encode())

    def notification(self, about: str, resource: Callable[[], Mapping[str, Any]]) -> Write:
        """Return the writer of a notification. All copies have the same body, and each is signed anew."""
        signing, bodies = self._rotation.next(), list[bytes]()

        def write(at: datetime) -> Copy:
            if not bodies:
                bodies.append(protocol.event(about, resource(), event_id=f"evt_{secrets.token_hex(12)}", at=at))
            headers = {
                "content-type": "application/json; charset=utf-8",
                "stripe-signature": protocol.signature(bodies[0], signing, at),
            }
            return Copy(headers, bodies[0])

        return write


def acknowledged(status: int, body: bytes) -> bool:
    """Tell whether the status is 2xx."""
    return 200 <= status < 300


def reserialised(copy: Copy) -> Copy:
    """Rewrite a copy as a JSON library does by default, with spaces."""
    return Copy(copy.headers, json.dumps(json.loads(copy.body)).encode())


def forged(copy: Copy) -> Copy:
    """Return the copy with wrong signatures."""
    header = copy.headers["stripe-signature"]
    return Copy({**copy.headers, "stripe-signature": re.sub("v1=.", _other, header)}, copy.body)


def _other(found: re.Match[str]) -> str:
    return "v1=a" if found[0][-1] != "a" else "v1=b"
