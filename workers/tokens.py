"""Verifies the signed tokens of a permission service, with keys from the settings and without a call.

A token is a JWT in compact form, signed with Ed25519 (EdDSA) or RS256 by a key of the settings. It names its subject
(`sub`), the roles that the subject has (`roles`), for whom it is (`aud`) and until when it holds (`exp`). It may bind
the subject to `warehouses`. The key decides the algorithm, never the token.
"""

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeGuard

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from db.errors import OmsError
from messages.roles import Role
from messages.user_roles import TokenClaims, TokenFault

TOKEN_CHARS_MAX = 8192  # a token with every role takes some 600
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
LEEWAY = timedelta(seconds=30)  # the clocks of two systems differ
SCHEME = "bearer "
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
PublicKey = Ed25519PublicKey | RSAPublicKey


class TokenError(OmsError, ValueError):
    """A token, or a key of the settings, cannot be used. The text shows no part of it."""


@dataclass(frozen=True)
class TokenKeys:
    """The keys of a permission service, by their ids, and what its tokens must name. An empty issuer is any issuer."""

    keys: Mapping[str, PublicKey] = field(repr=False)
    audience: str
    issuer: str = ""

    def verify(self, header: str, now: datetime) -> TokenClaims | TokenFault:
        """Read the value of an `authorization` header. It never raises, whatever the header holds."""
        try:
            return self._claims(self._content(header), now)
        except TokenError as error:
            return TokenFault(str(error))
        except (ValueError, TypeError, RecursionError, OverflowError):
            return TokenFault("is no JWT")

    def _content(self, header: str) -> Mapping[str, Any]:
        """Return what a genuine token says. Raises TokenError."""
        if header[: len(SCHEME)].lower() != SCHEME or len(header) > TOKEN_CHARS_MAX:
            raise TokenError("does not come as `Bearer <JWT>`, or is too long")
        signed, _, signature = header[len(SCHEME) :].strip().rpartition(".")
        head, _, body = signed.partition(".")
        about = _object(head)
        key = self._key(about)
        _check(key, _bytes(signature), signed.encode())
        return _object(body)

    def _claims(self, content: Mapping[str, Any], now: datetime) -> TokenClaims | TokenFault:
        """Return what the token gives now. Raises TokenError if it is for another system, or names no subject."""
        subject = content.get("sub")
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise TokenError("names no subject (sub) of 1 to 64 characters")
        self._check_names(content)
        try:
            _check_times(content, now)
            return TokenClaims(subject, _roles(content.get("roles", [])), _warehouses(content.get("warehouses")))
        except TokenError as error:
            return TokenFault(str(error), subject)

    def _key(self, about: Mapping[str, Any]) -> PublicKey:
        kid = about.get("kid")
        if kid is None and len(self.keys) == 1:
            [kid] = self.keys
        key = self.keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenError("is signed with a key that OMS_TOKEN_KEYS does not have")
        if about.get("alg") != ("EdDSA" if isinstance(key, Ed25519PublicKey) else "RS256") or "crit" in about:
            raise TokenError("has another algorithm than its key, or demands an extension")
        return key

    def _check_names(self, content: Mapping[str, Any]) -> None:
        audience = content.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise TokenError("is for somebody else (aud)")
        if self.issuer and content.get("iss") != self.issuer:
            raise TokenError("is of another issuer (iss)")


def token_keys(text: str, audience: str, issuer: str = "") -> TokenKeys:
    """Make the keys from a JSON Web Key Set, or from `file:PATH` of one. Raises TokenError."""
    try:
        given = Path(text.removeprefix("file:")).read_text("utf-8") if text.startswith("file:") else text
        found = [(str(one["kid"]), _public_key(one)) for one in json.loads(given)["keys"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error) if isinstance(error, TokenError) else type(error).__name__
        shape = '{"keys": [{"kid": "1", "kty": "OKP", "crv": "Ed25519", "x": "..."}]}'
        raise TokenError(f"is no JSON Web Key Set of Ed25519 or RSA keys, each with a kid ({why}); {shape}") from None
    keys = dict(found)
    if len(keys) < len(found) or not keys:
        raise TokenError("has no key, or two with the same kid")
    return TokenKeys(keys, audience, issuer)


def _public_key(given: Mapping[str, Any]) -> PublicKey:
    if given.get("kty") == "OKP" and given.get("crv") == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(_bytes(given["x"]))
    if given.get("kty") != "RSA":
        raise TokenError("a key is neither Ed25519 nor RSA")
    modulus, exponent = (int.from_bytes(_bytes(given[name])) for name in ("n", "e"))
    if not RSA_BITS_MIN <= modulus.bit_length() <= RSA_BITS_MAX:
        raise TokenError(f"an RSA key has not {RSA_BITS_MIN} to {RSA_BITS_MAX} bits")
    return RSAPublicNumbers(exponent, modulus).public_key()


def _check(key: PublicKey, signature: bytes, signed: bytes) -> None:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, signed)
        else:
            key.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise TokenError("has a wrong signature") from None


def _check_times(content: Mapping[str, Any], now: datetime) -> None:
    ends, begins = content.get("exp"), content.get("nbf", 0)
    if not (_is_time(ends) and _is_time(begins)):
        raise TokenError("has no time at which it ends (exp), or another wrong time")
    if not now.timestamp() < ends + LEEWAY.total_seconds():
        raise TokenError("has expired (exp)")
    if not begins <= now.timestamp() + LEEWAY.total_seconds():
        raise TokenError("does not hold yet (nbf)")


def _is_time(at: Any) -> TypeGuard[float]:
    return isinstance(at, int | float) and not isinstance(at, bool) and math.isfinite(at)


def _roles(given: Any) -> frozenset[Role]:
    """Return the roles that we know. Those of other systems are none of ours."""
    return frozenset(Role(name) for name in _texts(given, "roles") if name in set(Role))


def _warehouses(given: Any) -> frozenset[str] | None:
    """Return the warehouses for which the subject works, or None if the token binds it to none."""
    return None if given is None else frozenset(_texts(given, "warehouses"))


def _texts(given: Any, claim: str) -> list[str]:
    names = given.split() if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TokenError(f"has {claim} that are no list of texts")
    return names


def _bytes(text: str) -> bytes:
    if not _BASE64URL.fullmatch(text):
        raise TokenError("is no JWT")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _object(part: str) -> dict[str, Any]:
    found = json.loads(_bytes(part), object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise TokenError("is no JWT")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise TokenError("has a name twice")
    return found
