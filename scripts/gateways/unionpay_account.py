"""What one merchant and UnionPay know of each other, and how UnionPay speaks to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from scripts.gateways import unionpay_protocol as protocol
from scripts.gateways.authorities import Authority, new_key, pem, private_pem
from scripts.gateways.gateway import Keep
from scripts.gateways.keys import Ring, same_each_time
from scripts.gateways.notifier import Copy, Write

MERCHANT_ID = "777290058110048"
FORM = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}


@dataclass(frozen=True, repr=False)
class Keys:
    """Of the merchant, of the authority above both, and of UnionPay, which has two for its rotation."""

    merchant: RSAPrivateKey = field(default_factory=new_key)
    root: RSAPrivateKey = field(default_factory=new_key)
    issuer: RSAPrivateKey = field(default_factory=new_key)
    first: RSAPrivateKey = field(default_factory=new_key)
    second: RSAPrivateKey = field(default_factory=new_key)


class Account:
    """The merchant pins the authority; each message brings its certificate."""

    def __init__(self, keys: Keys, rotate_after: int | None) -> None:
        self._key = keys.merchant
        self._authority = Authority("CFCA TEST", datetime.now(UTC) - timedelta(days=1), keys.root, keys.issuer)
        self._certificate = self._authority.certificate(keys.merchant.public_key(), f"041@Z12@{MERCHANT_ID}@00000001")
        self._ring = Ring(self._signer(keys.first), self._signer(keys.second), rotate_after)

    @property
    def certificate_serial(self) -> int:
        """certId of the merchant's certificate."""
        return self._certificate.serial_number

    def _signer(self, key: RSAPrivateKey) -> protocol.Signer:
        return protocol.Signer(key, pem(self._authority.certificate(key.public_key(), protocol.HOLDER)))

    def configuration(self, origin: str, notify_url: str, keep: Keep) -> Mapping[str, Any]:
        """What the merchant is configured with."""
        own = {
            "private_key": keep("merchant_key.pem", private_pem(self._key)),
            "certificate": keep("merchant_certificate.pem", pem(self._certificate)),
        }
        return {
            "merchant_id": MERCHANT_ID,
            "signing_keys": [own],
            "gateway_url": origin,
            "notify_url": notify_url,
            "return_url": f"{origin}/returned",
            "root_certificates": [keep("root.pem", pem(self._authority.root))],
            "intermediate_certificates": [keep("intermediate.pem", pem(self._authority.issuer))],
        }

    def check(self, form: bytes) -> dict[str, str]:
        """What is asked. Raises ProtocolError, also where it is no form."""
        known = {str(self.certificate_serial): self._key.public_key()}
        try:
            return protocol.check(form, merchant_id=MERCHANT_ID, keys=known)
        except ValueError as error:
            raise protocol.ProtocolError("10", "报文格式错误") from error

    def answer(self, fields: Mapping[str, str]) -> web.Response:
        """Signed."""
        body = protocol.answer(protocol.signed(fields, self._ring.current))
        return web.Response(body=body, content_type="text/html", charset="UTF-8")

    def notification(self, fields: Mapping[str, str]) -> Write:
        """Every copy is alike."""
        signer = self._ring.next()
        return same_each_time(lambda _at: Copy(FORM, protocol.notification(protocol.signed(fields, signer))))


def acknowledged(status: int, body: bytes) -> bool:
    """Whatever it says."""
    return status == 200


def reserialised(copy: Copy) -> Copy:
    """As browsers write line ends in forms: the certificate, which is signed too, has some."""
    fields = dict(parse_qsl(copy.body.decode("ascii")))
    return Copy(copy.headers, urlencode({name: value.replace("\n", "\r\n") for name, value in fields.items()}).encode())


def forged(copy: Copy) -> Copy:
    """With the signature of something else."""
    fields = dict(parse_qsl(copy.body.decode("ascii")))
    first = "A" if fields["signature"][0] != "A" else "B"
    return Copy(copy.headers, urlencode({**fields, "signature": first + fields["signature"][1:]}).encode())
