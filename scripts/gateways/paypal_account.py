"""The account of one merchant at PayPal: its credentials, its configuration, and PayPal's webhook signatures."""

import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from scripts.gateways import paypal_protocol as protocol
from scripts.gateways.authorities import Authority, new_key, pem
from scripts.gateways.gateway import FileWriter
from scripts.gateways.keys import KeyRotation, same_each_time
from scripts.gateways.notifier import Copy, Write

MERCHANT_ID, WEBHOOK_ID = "WYD4QH9ZUC25E", "7EJ26803PE5236523"
CERTIFICATES = "/v1/notifications/certs/"
TOKEN_SECONDS = 32_400
TOKENS_MAX = 1000  # a process asks for one in nine hours; the oldest end early


@dataclass(frozen=True, repr=False)
class PayPalKeys:
    """The keys of the authority, two keys of PayPal for its rotation, and the credentials of the merchant's app."""

    root: RSAPrivateKey = field(default_factory=new_key)
    issuer: RSAPrivateKey = field(default_factory=new_key)
    first: RSAPrivateKey = field(default_factory=new_key)
    second: RSAPrivateKey = field(default_factory=new_key)
    client_id: str = field(default_factory=lambda: secrets.token_urlsafe(60))
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(60))


class PayPalAccount:
    """Issues tokens and signs webhooks. The merchant knows the first certificate and must download the second."""

    def __init__(self, keys: PayPalKeys, rotate_after: int | None) -> None:
        self._keys = keys
        self._authority = Authority("DigiCert TEST", datetime.now(UTC) - timedelta(days=1), keys.root, keys.issuer)
        first, second = (f"CERT-360caa42-fca2a594-{secrets.token_hex(4)}" for _ in range(2))
        self._rotation = KeyRotation((first, keys.first), (second, keys.second), rotate_after)
        self._certificates = {name: self._issued(key) for name, key in (self._rotation.first, self._rotation.second)}
        self._tokens: OrderedDict[str, datetime] = OrderedDict()

    def _issued(self, key: RSAPrivateKey) -> str:
        return pem(self._authority.certificate(key.public_key(), protocol.HOLDER, dns=protocol.HOLDER))

    def configuration(self, origin: str, write_file: FileWriter) -> Mapping[str, Any]:
        """Return the configuration for the merchant's side."""
        first, here = self._rotation.first[0], re.escape(origin)
        return {
            "merchant_id": MERCHANT_ID,
            "client_id": self._keys.client_id,
            "webhook_ids": [WEBHOOK_ID],
            "client_secrets": [write_file("client_secret", self._keys.client_secret)],
            "root_certificates": [write_file("root.pem", pem(self._authority.root))],
            "intermediate_certificates": [write_file("intermediate.pem", pem(self._authority.issuer))],
            "certificates": {
                f"{origin}{CERTIFICATES}{first}": write_file("certificate.pem", self._certificates[first])
            },
            "certificate_url_pattern": f"{here}{CERTIFICATES}[0-9A-Za-z-]{{1,100}}",
            "approval_url_pattern": f"{here}/[!-~]{{1,500}}",
            "api_url": origin,
            "return_url": f"{origin}/returned",
            "cancel_url": f"{origin}/cancelled",
        }

    def certificate(self, name: str) -> str | None:
        """Return the certificate of this name, which merchants download."""
        return self._certificates.get(name)

    def token(self, authorization: str, now: datetime) -> str | None:
        """Return a new token if the credentials are those of the merchant's app."""
        if protocol.client(authorization) != (self._keys.client_id, self._keys.client_secret):
            return None
        token = secrets.token_urlsafe(60)
        self._tokens[token] = now + timedelta(seconds=TOKEN_SECONDS)
        if len(self._tokens) > TOKENS_MAX:
            self._tokens.popitem(last=False)
        return token

    def knows(self, authorization: str, now: datetime) -> bool:
        """Tell whether the header carries a valid token."""
        scheme, _, token = authorization.partition(" ")
        return scheme == "Bearer" and token in self._tokens and now < self._tokens[token]

    def notification(self, origin: str, event: str, resource: Callable[[], Mapping[str, Any]]) -> Write:
        """Return the writer of a notification. All copies are the same, with the same headers."""
        name, key = self._rotation.next()
        signer = protocol.PayPalSigner(key, f"{origin}{CERTIFICATES}{name}")

        def write(at: datetime) -> Copy:
            body = protocol.event(event, resource(), event_id=f"WH-{secrets.token_hex(8).upper()}", at=at)
            transmission_id = f"{secrets.token_hex(4)}-{secrets.token_hex(6)}"
            headers = protocol.webhook_headers(
                body, signer, webhook_id=WEBHOOK_ID, transmission_id=transmission_id, at=at
            )
            return Copy(headers, body)

        return same_each_time(write)


def acknowledged(status: int, body: bytes) -> bool:
    """Tell whether the status is 2xx."""
    return 200 <= status < 300


def reserialised(copy: Copy) -> Copy:
    """Rewrite a copy as a JSON library does by default, with spaces."""
    return Copy(copy.headers, json.dumps(json.loads(copy.body)).encode())


def forged(copy: Copy) -> Copy:
    """Return the copy with a wrong signature."""
    signature = copy.headers["paypal-transmission-sig"]
    first = "A" if signature[0] != "A" else "B"
    return Copy({**copy.headers, "paypal-transmission-sig": first + signature[1:]}, copy.body)
