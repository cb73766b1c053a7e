"""What WeChat Pay and we sign and seal: SHA256-RSA2048 over lines of text, AES-256-GCM over what is secret.

we ask            METHOD \n path?query \n seconds \n nonce \n body \n    in Authorization
it says           seconds \n nonce \n body \n                            in Wechatpay-Signature, key by Wechatpay-Serial
the client asks   appid \n seconds \n nonce \n package or prepay_id \n   in paySign or sign
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
from workers.providers.port import CertificateUnknown, Rejected
from workers.providers.wechat.settings import PUBLIC_KEY_ID, plain

ALGORITHM = "WECHATPAY2-SHA256-RSA2048"
SEALED = "AEAD_AES_256_GCM"
_SECONDS = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[!-~]{1,128}")
_SERIAL = re.compile(rf"[0-9A-Fa-f]{{1,40}}|{PUBLIC_KEY_ID}[0-9A-Za-z]{{1,64}}")


def lines(*parts: str | bytes) -> bytes:
    """Each part and a line feed, the last too."""
    return b"".join((part.encode() if isinstance(part, str) else part) + b"\n" for part in parts)


def nonce(at: datetime, *parts: str | bytes) -> str:
    """Unique where time or content is; it need not be secret, and a pure function has no randomness."""
    return hashlib.sha256(lines(at.isoformat(), *parts)).hexdigest()[:32].upper()


@dataclass(frozen=True, repr=False)
class OurSeal:
    """The key we sign with."""

    mchid: str
    serial: str
    key: RSAPrivateKey

    def authorization(self, method: Literal["GET", "POST"], path: str, body: bytes, at: datetime) -> str:
        """The header that vouches for a request. `path` is everything after the host."""
        seconds, once = str(int(at.timestamp())), nonce(at, method, path, body)
        signature = rsa.sign(self.key, lines(method, path, seconds, once, body))
        return (
            f'{ALGORITHM} mchid="{self.mchid}",nonce_str="{once}",signature="{signature}",'
            f'timestamp="{seconds}",serial_no="{self.serial}"'
        )

    def client(self, appid: str, package: str, at: datetime) -> tuple[str, str, str]:
        """(seconds, nonce, signature) with which a client opens the cashier."""
        seconds, once = str(int(at.timestamp())), nonce(at, appid, package)
        return seconds, once, rsa.sign(self.key, lines(appid, seconds, once, package))


def doubt(
    headers: Mapping[str, str], body: bytes, at: datetime, keys: Mapping[str, rsa.PublicKey], window_seconds: int
) -> Rejected | CertificateUnknown | None:
    """Why these bytes are not WeChat Pay's, or not now; None where they are."""
    seconds, once = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
    serial, signature = headers.get("wechatpay-serial", ""), headers.get("wechatpay-signature", "")
    formed = _SECONDS.fullmatch(seconds) and _NONCE.fullmatch(once) and _SERIAL.fullmatch(serial)
    if not formed or headers.get("wechatpay-signature-type", ALGORITHM) != ALGORITHM:
        return Rejected(Code.PAY_SIGNATURE_INVALID, "the headers of the signature are missing or malformed")
    stale = abs(at.timestamp() - int(seconds)) > window_seconds
    key = keys.get(plain(serial))
    if key is None and not stale:
        return CertificateUnknown(plain(serial))
    if key is not None and not (key.valid_at(at) and key.signed(signature, lines(seconds, once, body))):
        return Rejected(
            Code.PAY_SIGNATURE_INVALID, "the signature is not that of the key it names, or that key has ended"
        )
    return Rejected(Code.PAY_CALLBACK_STALE, f"it was signed more than {window_seconds} s away") if stale else None


def opened(sealed: Fields, keys: Iterable[SecretStr]) -> bytes:
    """What a sealed resource holds, by any of our APIv3 keys. Raises FieldError."""
    if sealed.text("algorithm") != SEALED:
        raise FieldError("algorithm is another one")
    once = sealed.text("nonce").encode()
    more = sealed.text("associated_data").encode() if sealed.has("associated_data") else b""
    try:
        ciphertext = base64.b64decode(sealed.text("ciphertext", length_max=65_536), validate=True)
    except ValueError:
        raise FieldError("ciphertext is no base64") from None
    for key in keys:
        try:
            return AESGCM(key.get_secret_value().encode()).decrypt(once, ciphertext, more)
        except (InvalidTag, ValueError):
            continue
    raise FieldError("ciphertext is not sealed with a key of ours")


def ring(pems: Mapping[str, str], known: Mapping[str, rsa.PublicKey]) -> dict[str, rsa.PublicKey]:
    """The keys known and these. A certificate goes by its own serial, whatever it was called."""
    wider = dict(known)
    for name, pem in pems.items():
        key = rsa.public_key(pem)
        wider[plain(key.serial or name)] = key
    return wider


def certificates(entries: Sequence[Fields], keys: Iterable[SecretStr], at: datetime) -> dict[str, str]:
    """Serial -> PEM of those sealed certificates that are valid now. Raises FieldError."""
    found = {}
    for entry in entries:
        pem = opened(entry.part("encrypt_certificate"), keys).decode("ascii", "replace")
        try:
            key = rsa.public_key(pem)
        except ValueError as error:
            raise FieldError(f"a certificate {error}") from None
        if key.serial is None or key.serial != plain(entry.text("serial_no")):
            raise FieldError("a certificate has another serial than its name")
        if key.valid_at(at):
            found[key.serial] = pem
    return found
