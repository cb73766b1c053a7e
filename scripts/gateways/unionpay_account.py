"""The account of one merchant at UnionPay: its keys, its configuration, and what UnionPay signs for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from scripts.gateways import unionpay_protocol as protocol
from scripts.gateways.authorities import Authority, new_key, pem, private_pem
from scripts.gateways.gateway import FileWriter
from scripts.gateways.keys import KeyRotation, same_each_time
from scripts.gateways.notifier import Copy, Write

MERCHANT_ID = "777290058110048"
FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}


@dataclass(frozen=True, repr=False)
class UnionPayKeys:
    """The keys of the merchant, of the authority above both sides, and two keys of UnionPay for its rotation."""

    merchant: RSAPrivateKey = field(default_factory=new_key)
    root: RSAPrivateKey = field(default_factory=new_key)
    issuer: RSAPrivateKey = field(default_factory=new_key)
    first: RSAPrivateKey = field(default_factory=new_key)
    second: RSAPrivateKey = field(default_factory=new_key)


class UnionPayAccount:
    """Signs and verifies for one merchant. That pins the authority, because each message carries its certificate."""

    def __init__(self, keys: UnionPayKeys, rotate_after: int | None) -> None:
        self._key = keys.merchant
        self._authority = Authority("CFCA TEST", datetime.now(UTC) - timedelta(days=1), keys.root, keys.issuer)
        self._certificate = self._authority.certificate(keys.merchant.public_key(), f"041@Z12@{MERCHANT_ID}@00000001")
        self._rotation = KeyRotation(self._signer(keys.first), self._signer(keys.second), rotate_after)

    @property
    def certificate_serial(self) -> int:
        """The certId of the merchant's certificate."""
        return self._certificate.serial_number

    def _signer(self, key: RSAPrivateKey) -> protocol.UnionPaySigner:
        return protocol.UnionPaySigner(key, pem(self._authority.certificate(key.public_key(), protocol.HOLDER)))

    def configuration(self, origin: str, notify_url: str, write_file: FileWriter) -> Mapping[str, Any]:
        """Return the configuration for the merchant's side."""
        own = {
            "private_key": write_file("merchant_key.pem", private_pem(self._key)),
            "certificate": write_file("merchant_certificate.pem", pem(self._certificate)),
        }
        return {
            "merchant_id": MERCHANT_ID,
            "signing_keys": [own],
            "gateway_url": origin,
            "notify_url": notify_url,
            "return_url": f"{origin}/returned",
            "root_certificates": [write_file("root.pem", pem(self._authority.root))],
            "intermediate_certificates": [write_file("intermediate.pem", pem(self._authority.issuer))],
        }

    def check(self, form: bytes) -> dict[str, str]:
        """Verify and parse a request. Raises UnionPayProtocolError, also if it is not a form."""
        known = {str(self.certificate_serial): self._key.public_key()}
        try:
            return protocol.check(form, merchant_id=MERCHANT_ID, keys=known)
        except ValueError as error:
            raise protocol.UnionPayProtocolError("10", "报文格式错误") from error

    def answer(self, fields: Mapping[str, str]) -> web.Response:
        """Return a signed response."""
        body = protocol.answer(protocol.signed(fields, self._rotation.current))
        return web.Response(body=body, content_type="text/html", charset="UTF-8")

    def notification(self, fields: Mapping[str, str]) -> Write:
        """Return the writer of a notification. All copies are the same."""
        signer = self._rotation.next()
        return same_each_time(lambda _at: Copy(FORM, protocol.notification(protocol.signed(fields, signer))))


def acknowledged(status: int, body: bytes) -> bool:
    """Tell whether the status is 200; UnionPay ignores the body."""
    return status == 200


def reserialised(copy: Copy) -> Copy:
    """Rewrite line ends as browsers do in forms. That breaks the certificate, which the signature covers."""
    fields = dict(parse_qsl(copy.body.decode("ascii")))
    return Copy(copy.headers, urlencode({name: value.replace("\n", "\r\n") for name, value in fields.items()}).encode())


def forged(copy: Copy) -> Copy:
    """Return the copy with a wrong signature."""
    fields = dict(parse_qsl(copy.body.decode("ascii")))
    first = "A" if fields["signature"][0] != "A" else "B"
    return Copy(copy.headers, urlencode({**fields, "signature": first + fields["signature"][1:]}).encode())
