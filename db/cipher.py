"""Encrypts personal data with AES-256-GCM. Each ciphertext has a key id, so keys change without downtime (S1-47)."""

import base64
import os
from dataclasses import dataclass, field
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.errors import OmsError

NONCE_BYTES = 12
HASH_BYTES = 16
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
    hash_keys: dict[str, bytes] = field(repr=False, default_factory=dict)

    @classmethod
    def from_keys(cls, text: str) -> "Cipher":
        """Parse `id:base64key,id2:base64key`; the first key encrypts.

        Raises CipherError, whose text never shows a key.
        """
        keys: dict[str, AESGCM] = {}
        hash_keys: dict[str, bytes] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            key_id, _, encoded = part.partition(":")
            try:
                raw = base64.b64decode(encoded, validate=True)
            except ValueError:
                raw = b""
            if not key_id or len(raw) != KEY_BYTES:
                raise CipherError(f"OMS_ENCRYPTION_KEYS: key {key_id or '?'!r} is not id:base64 of {KEY_BYTES} bytes")
            keys[key_id] = AESGCM(raw)
            hash_keys[key_id] = blake2b(raw, digest_size=KEY_BYTES, person=b"oms hashes").digest()
        if not keys:
            raise CipherError("OMS_ENCRYPTION_KEYS is empty: make one with `oms keys new` and set OMS_ENCRYPTION_KEYS")
        return cls(next(iter(keys)), keys, hash_keys)

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

    def seal_hash(self, digest: bytes) -> bytes:
        """Return a hash of the hash of a body, of 16 bytes, that nobody can compute without the key.

        A body that is known but for a phone number could else be found from its hash by trying.
        """
        return _keyed(digest, self.hash_keys[self.current])

    def is_hash(self, stored: bytes, digest: bytes) -> bool:
        """True if the stored hash is this one, sealed with any key, or unsealed, as older versions stored it."""
        return stored == digest or any(stored == _keyed(digest, key) for key in self.hash_keys.values())


def _keyed(digest: bytes, key: bytes) -> bytes:
    return blake2b(digest, digest_size=HASH_BYTES, key=key).digest()


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
