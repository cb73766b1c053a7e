"""Personal data at rest: AES-256-GCM with a key id, so that keys can be changed without downtime (S1-47)."""

import base64
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.errors import OmsError

NONCE_BYTES = 12
KEY_BYTES = 32


class CipherError(OmsError):
    """The keys are missing or do not fit."""


class MissingKeyError(CipherError):
    """The key that something was, or is to be, encrypted with is not among those of this process."""


@dataclass(frozen=True)
class Cipher:
    """`current` encrypts; every key decrypts. `aad` binds a ciphertext to the place it was written for."""

    current: str
    keys: dict[str, AESGCM] = field(repr=False)

    @classmethod
    def from_keys(cls, text: str) -> "Cipher":
        """Parse `id:base64key,id2:base64key`; the first encrypts. Raises CipherError that never shows a key."""
        keys: dict[str, AESGCM] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            key_id, _, encoded = part.partition(":")
            try:
                raw = base64.b64decode(encoded, validate=True)
            except ValueError:
                raw = b""
            if not key_id or len(raw) != KEY_BYTES:
                raise CipherError(f"OMS_ENCRYPTION_KEYS: key {key_id or '?'!r} is not id:base64 of {KEY_BYTES} bytes")
            keys[key_id] = AESGCM(raw)
        if not keys:
            raise CipherError("OMS_ENCRYPTION_KEYS is empty: make one with `oms keys new` and set OMS_ENCRYPTION_KEYS")
        return cls(next(iter(keys)), keys)

    def encrypt(self, plaintext: bytes, aad: bytes) -> tuple[str, bytes]:
        """(key id, nonce + ciphertext + tag)."""
        nonce = os.urandom(NONCE_BYTES)
        return self.current, nonce + self.keys[self.current].encrypt(nonce, plaintext, aad)

    def decrypt(self, key_id: str, ciphertext: bytes, aad: bytes) -> bytes:
        """The plaintext. Raises CipherError when the key is unknown or the ciphertext is not what was written here."""
        key = self.keys.get(key_id)
        if key is None:
            raise MissingKeyError(
                f"key {key_id!r} is not in OMS_ENCRYPTION_KEYS: keep old keys there until nothing uses them"
            )
        try:
            return key.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], aad)
        except InvalidTag:
            raise CipherError(f"a ciphertext under key {key_id!r} was changed or moved") from None


def new_key(key_id: str) -> str:
    """A fresh `id:base64key`."""
    return f"{key_id}:{base64.b64encode(AESGCM.generate_key(256)).decode()}"


class _Process:
    cipher: Cipher | None = None


def configure(keys: str) -> None:
    """Set the keys of this process."""
    _Process.cipher = Cipher.from_keys(keys)


def current() -> Cipher:
    """The cipher of this process. Raises CipherError before `configure`."""
    if _Process.cipher is None:
        raise MissingKeyError("OMS_ENCRYPTION_KEYS is not set")
    return _Process.cipher
