"""Signs our requests to WeChat Pay, and verifies and decrypts its messages.

A signature is SHA256-RSA2048 over lines of text. WeChat Pay encrypts secrets with AES-256-GCM.

our request          METHOD \n path?query \n seconds \n nonce \n body \n    in Authorization
from WeChat Pay      seconds \n nonce \n body \n                            in Wechatpay-Signature (key: -Serial)
the client's call    appid \n seconds \n nonce \n package or prepay_id \n   in paySign or sign
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from workers.domain.codes import Code
from workers.providers import rsa
from workers.providers.parsing import FieldError, Fields
from workers.providers.port import RejectedNotification, UnknownCertificate
from workers.providers.wechat.settings import PUBLIC_KEY_ID, normal_serial

ALGORITHM = "WECHATPAY2-SHA256-RSA2048"
CIPHER = "AEAD_AES_256_GCM"
_SECONDS = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[!-~]{1,128}")
_SERIAL = re.compile(rf"[0-9A-Fa-f]{{1,40}}|{PUBLIC_KEY_ID}[0-9A-Za-z]{{1,64}}")


def lines(*parts: str | bytes) -> bytes:
    """Join the parts, with a line feed after each, also after the last."""
    return b"".join((part.encode() if isinstance(part, str) else part) + b"\n" for part in parts)


def nonce(at: datetime, *parts: str | bytes) -> str:
    """Make a nonce from time and content. It need not be secret, and a pure function has no randomness."""
    return hashlib.sha256(lines(at.isoformat(), *parts)).hexdigest()[:32].upper()


@dataclass(frozen=True, repr=False)
class MerchantSigner:
    """Signs requests and the client's calls with the merchant's own key."""

    mchid: str
    serial: str
    key: RSAPrivateKey

    def authorization(self, method: Literal["GET", "POST"], path: str, body: bytes, at: datetime) -> str:
        """The Authorization header of a request. `path` is everything after the host."""
        seconds, once = str(int(at.timestamp())), nonce(at, method, path, body)
        signature = rsa.sign(self.key, lines(method, path, seconds, once, body))
        return (
            f'{ALGORITHM} mchid="{self.mchid}",nonce_str="{once}",signature="{signature}",'
            f'timestamp="{seconds}",serial_no="{self.serial}"'
        )

    def client(self, appid: str, package: str, at: datetime) -> tuple[str, str, str]:
        """(seconds, nonce, signature): the buyer's client needs them to open the cashier."""
        seconds, once = str(int(at.timestamp())), nonce(at, appid, package)
        return seconds, once, rsa.sign(self.key, lines(appid, seconds, once, package))


def authenticate(
    headers: Mapping[str, str], body: bytes, at: datetime, keys: Mapping[str, rsa.PublicKey], window_seconds: int
) -> RejectedNotification | UnknownCertificate | None:
    """Check that WeChat Pay sent these bytes at about `at`. Returns None, or the reason why we do not believe it."""
    seconds, once = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
    serial, signature = headers.get("wechatpay-serial", ""), headers.get("wechatpay-signature", "")
    formed = _SECONDS.fullmatch(seconds) and _NONCE.fullmatch(once) and _SERIAL.fullmatch(serial)
    if not formed or headers.get("wechatpay-signature-type", ALGORITHM) != ALGORITHM:
        return RejectedNotification(Code.PAY_SIGNATURE_INVALID, "the headers of the signature are missing or malformed")
    stale = abs(at.timestamp() - int(seconds)) > window_seconds
    key = keys.get(normal_serial(serial))
    if key is None and not stale:
        return UnknownCertificate(normal_serial(serial))
    if key is not None and not (key.valid_at(at) and key.signed(signature, lines(seconds, once, body))):
        return RejectedNotification(
            Code.PAY_SIGNATURE_INVALID, "the signature is not that of the key it names, or that key has ended"
        )
    return (
        RejectedNotification(Code.PAY_CALLBACK_STALE, f"it was signed more than {window_seconds} s away")
        if stale
        else None
    )


def decrypt(resource: Fields, keys: Iterable[SecretStr]) -> bytes:
    """Decrypt a resource with any of our APIv3 keys. Raises FieldError."""
    if resource.text("algorithm") != CIPHER:
        raise FieldError("algorithm is another one")
    once = resource.text("nonce").encode()
    more = resource.text("associated_data").encode() if resource.has("associated_data") else b""
    try:
        ciphertext = base64.b64decode(resource.text("ciphertext", length_max=65_536), validate=True)
    except ValueError:
        raise FieldError("ciphertext is no base64") from None
    for key in keys:
        try:
            return AESGCM(key.get_secret_value().encode()).decrypt(once, ciphertext, more)
        except (InvalidTag, ValueError):
            continue
    raise FieldError("ciphertext is not encrypted with a key of ours")


def key_ring(pems: Mapping[str, str], known: Mapping[str, rsa.PublicKey]) -> dict[str, rsa.PublicKey]:
    """Add keys to the known ones. A certificate goes under its own serial, whatever name it came with."""
    wider = dict(known)
    for name, pem in pems.items():
        key = rsa.public_key(pem)
        wider[normal_serial(key.serial or name)] = key
    return wider


def certificates(entries: Sequence[Fields], keys: Iterable[SecretStr], at: datetime) -> dict[str, str]:
    """Decrypt certificates, and return serial -> PEM of those that are valid at `at`. Raises FieldError."""
    found = {}
    for entry in entries:
        pem = decrypt(entry.part("encrypt_certificate"), keys).decode("ascii", "replace")
        try:
            key = rsa.public_key(pem)
        except ValueError as error:
            raise FieldError(f"a certificate {error}") from None
        if key.serial is None or key.serial != normal_serial(entry.text("serial_no")):
            raise FieldError("a certificate has another serial than its name")
        if key.valid_at(at):
            found[key.serial] = pem
    return found
