"""Signs and verifies with RSA as the providers use it: SHA-256, PKCS #1 v1.5, signatures in base64, keys in PEM."""

import base64
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

BITS_MIN = 2048
SIGNATURE_CHARACTERS_MAX = 1024  # base64 of an RSA signature of 4096 bits takes 684


@dataclass(frozen=True, repr=False)
class PublicKey:
    """A public key. If it comes from a certificate, it has its serial (upper-case hex) and its time of validity."""

    key: RSAPublicKey
    serial: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def valid_at(self, moment: datetime) -> bool:
        """True if the key is valid at that time. A key without a certificate is always valid."""
        return (self.since is None or self.since <= moment) and (self.until is None or moment <= self.until)

    def signed(self, signature: str, message: bytes) -> bool:
        """True if this key signed the message. A signature in an unusual spelling of base64 is refused."""
        if len(signature) > SIGNATURE_CHARACTERS_MAX:
            return False
        try:
            raw = base64.b64decode(signature, validate=True)
            if base64.b64encode(raw).decode() != signature:
                return False
            self.key.verify(raw, message, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True


@lru_cache(maxsize=64)  # to load one takes 40 ms, because its primes are tested; the settings and the provider both do
def private_key(pem: str) -> RSAPrivateKey:
    """Load a private key without a passphrase. Raises ValueError, whose text shows nothing of the key."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise ValueError("is no private key in PEM without a passphrase") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < BITS_MIN:
        raise ValueError(f"is no RSA key of {BITS_MIN} bits or more")
    return key


@lru_cache(maxsize=64)
def public_key(pem: str) -> PublicKey:
    """Load a public key or a certificate. Raises ValueError."""
    try:
        if "BEGIN CERTIFICATE" in pem:
            found = x509.load_pem_x509_certificate(pem.encode())
            key = found.public_key()
            valid = f"{found.serial_number:X}", found.not_valid_before_utc, found.not_valid_after_utc
        else:
            key, valid = load_pem_public_key(pem.encode()), (None, None, None)  # type: ignore[assignment]
    except (ValueError, TypeError):
        raise ValueError("is no public key or certificate in PEM") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < BITS_MIN:
        raise ValueError(f"is no RSA key of {BITS_MIN} bits or more")
    return PublicKey(key, *valid)


def sign(key: RSAPrivateKey, message: bytes) -> str:
    """Sign a message; the signature is in base64."""
    return base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode()
