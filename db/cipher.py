"""Encrypts personal data with AES-256-GCM. Each ciphertext has a key id, so keys change without downtime (S1-47).

The shop's keys come from OMS_ENCRYPTION_KEYS. Each user has a data key besides, which table user_keys holds wrapped:
encrypted with a key of the shop. What belongs to a user is encrypted with the user's key, so that nobody can read it
once that key is erased. User keys are unwrapped from the row that was just read, and are not cached: that takes some
microseconds, and an erased key is gone for every process at once.
"""

import base64
import os
import secrets
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from db.errors import OmsError

NONCE_BYTES = 12
HASH_BYTES = 16
KEY_BYTES = 32
USER_KEY_PREFIX = "u:"
"""Ids of user keys begin with it. No key of the shop may: a key id has no colon."""
USER_KEY_ID_BYTES = 12  # 96 random bits; the primary key of user_keys would refuse one that came twice
ERASED = "erased"
"""In place of a key id: what was encrypted has been removed."""


class CipherError(OmsError):
    """The keys are missing, or a ciphertext does not fit them."""


class MissingKeyError(CipherError):
    """This process does not have the key that a ciphertext names, or has no key at all."""


class ErasedError(CipherError):
    """The text was erased, or the key of its user was."""


class Sealer(Protocol):
    """What encrypts: the shop's cipher, or the data key of a user."""

    def encrypt(self, plaintext: bytes, aad: bytes) -> tuple[str, bytes]:
        """Return (key id, nonce + ciphertext + tag)."""


class Wrapped(NamedTuple):
    """A user's data key, encrypted with the key `shop_key_id` of the shop."""

    key_id: str
    shop_key_id: str
    wrapped: bytes

    @classmethod
    def of(cls, row: Any) -> "Wrapped | None":
        """Return the key in the columns of a row that was joined with user_keys; None if there is none (any more)."""
        if row["wrapped"] is None:
            return None
        return cls(row["key_id"], row["shop_key_id"], row["wrapped"])


@dataclass(frozen=True)
class UserKey:
    """The data key of a user, unwrapped."""

    id: str
    key: AESGCM = field(repr=False)

    def encrypt(self, plaintext: bytes, aad: bytes) -> tuple[str, bytes]:
        """Return (key id, nonce + ciphertext + tag)."""
        return self.id, _sealed(self.key, plaintext, aad)


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
        return self.current, _sealed(self.keys[self.current], plaintext, aad)

    def new_user_key(self) -> Wrapped:
        """Make a data key for a user, wrapped with the shop's current key."""
        key_id = USER_KEY_PREFIX + secrets.token_urlsafe(USER_KEY_ID_BYTES)
        return Wrapped(key_id, *self.encrypt(AESGCM.generate_key(256), user_key_aad(key_id)))

    def unwrap(self, given: Wrapped) -> UserKey:
        """Return the key of a user. Raises CipherError as `decrypt` does."""
        key_id, shop_key_id, wrapped = given
        return UserKey(key_id, AESGCM(self.decrypt(shop_key_id, wrapped, user_key_aad(key_id))))

    def sealer(self, given: Wrapped | None) -> Sealer:
        """Return what encrypts for a user: the user's key, or the shop's if the user has none."""
        return self if given is None else self.unwrap(given)

    def decrypt(self, key_id: str, ciphertext: bytes, aad: bytes, wrapped: Wrapped | None = None) -> bytes:
        """Return the plaintext. `wrapped` is the key of the user, if the key id is of one.

        Raises ErasedError if the text or its user's key was erased; CipherError if the key is unknown, or the
        ciphertext was changed or moved.
        """
        if key_id.startswith(USER_KEY_PREFIX) and wrapped is not None:
            return _opened(key_id, self.unwrap(wrapped).key, ciphertext, aad)
        if key_id == ERASED or key_id.startswith(USER_KEY_PREFIX):
            raise ErasedError("erased: what stood here was removed, or belongs to a user whose key was")
        key = self.keys.get(key_id)
        if key is None:
            raise MissingKeyError(
                f"key {key_id!r} is not in OMS_ENCRYPTION_KEYS: keep old keys there until nothing uses them"
            )
        return _opened(key_id, key, ciphertext, aad)

    def seal_hash(self, digest: bytes) -> bytes:
        """Return a hash of the hash of a body, of 16 bytes, that nobody can compute without the key.

        A body that is known but for a phone number could else be found from its hash by trying.
        """
        return _keyed(digest, self.hash_keys[self.current])

    def is_hash(self, stored: bytes, digest: bytes) -> bool:
        """True if the stored hash is this one, sealed with any key, or unsealed, as older versions stored it."""
        return stored == digest or any(stored == _keyed(digest, key) for key in self.hash_keys.values())


def _sealed(key: AESGCM, plaintext: bytes, aad: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plaintext, aad)


def _opened(key_id: str, key: AESGCM, ciphertext: bytes, aad: bytes) -> bytes:
    try:
        return key.decrypt(ciphertext[:NONCE_BYTES], ciphertext[NONCE_BYTES:], aad)
    except InvalidTag:
        raise CipherError(f"a ciphertext under key {key_id!r} was changed or moved") from None


def user_key_aad(key_id: str) -> bytes:
    """The place that the wrapped key of a user is bound to."""
    return b"user_key:" + key_id.encode()


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
