"""Encrypts personal data with AES-256-GCM. Each ciphertext has a key id, so keys change without downtime (S1-47)."""

import base64
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.errors import OmsError

NONCE_BYTES = 12
KEY_BYTES = 32


class CipherError(OmsError):
    """The keys are missing, or a ciphertext does not fit them."""


class MissingKeyError(CipherError):
    """This process does not have the key that a ciphertext names, or has no key at all."""


@dataclass(frozen=True)
class Cipher:
    """The key `current` encrypts; every key decrypts. `aad` binds a ciphertext to the place that it is written for."""

    current: str
    keys: dict[str, AESGCM] = field(repr=False)

    @classmethod
    def from_keys(cls, text: str) -> "Cipher":
        """Parse `id:base64key,id2:base64key`; the first key encrypts.

        Raises CipherError, whose text never shows a key.
        """
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
        """Returns (key id, nonce + ciphertext + tag)."""
        nonce = os.urandom(NONCE_BYTES)
        return self.current, nonce + self.keys[self.current].encrypt(nonce, plaintext, aad)

    def decrypt(self, key_id: str, ciphertext: bytes, aad: bytes) -> bytes:
        """Returns the plaintext. Raises CipherError if the key is unknown, or the ciphertext was changed or moved."""
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
    """Makes a new random key, as `id:base64key`."""
    return f"{key_id}:{base64.b64encode(AESGCM.generate_key(256)).decode()}"


class _Process:
    cipher: Cipher | None = None


def configure(keys: str) -> None:
    """Set the keys of this process. Raises CipherError."""
    _Process.cipher = Cipher.from_keys(keys)


def current() -> Cipher:
    """The cipher of this process. Raises CipherError before `configure`."""
    if _Process.cipher is None:
        raise MissingKeyError("OMS_ENCRYPTION_KEYS is not set")
    return _Process.cipher
