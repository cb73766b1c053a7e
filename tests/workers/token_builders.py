"""A permission service for tests: it signs tokens, genuine and not."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from workers.tokens import TokenKeys, token_keys

NOW = datetime(2026, 11, 29, 9, tzinfo=UTC)
ED25519, OTHER, RSA = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), generate_private_key(65537, 2048)
PrivateKey = Ed25519PrivateKey | RSAPrivateKey


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


def public_set() -> dict[str, Any]:
    """The JSON Web Key Set of both keys."""
    numbers = RSA.public_key().public_numbers()
    return {
        "keys": [
            {"kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": b64(ED25519.public_key().public_bytes_raw())},
            {"kid": "rsa", "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)},
        ]
    }


def keys(**more: Any) -> TokenKeys:
    return token_keys(json.dumps(public_set()), **{"audience": "oms"} | more)


def claims(at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """The claims of a genuine token; arguments change them, None leaves one out."""
    sound = {"sub": "u1", "roles": ["operator"], "aud": "oms", "exp": (at + timedelta(minutes=5)).timestamp()}
    return {name: value for name, value in (sound | changes).items() if value is not None}


def sign(content: Any, key: PrivateKey = ED25519, **about: Any) -> str:
    """An `authorization` header with a token of this content; `about` changes the token's header."""
    named = {"alg": "EdDSA", "kid": "ed"} if isinstance(key, Ed25519PrivateKey) else {"alg": "RS256", "kid": "rsa"}
    head = {name: value for name, value in (named | about).items() if value is not None}
    return sign_raw(json.dumps(head).encode(), json.dumps(content).encode(), key)


def sign_raw(head: bytes, content: bytes, key: PrivateKey = ED25519) -> str:
    signed = f"{b64(head)}.{b64(content)}"
    if isinstance(key, Ed25519PrivateKey):
        signature = key.sign(signed.encode())
    else:
        signature = key.sign(signed.encode(), PKCS1v15(), SHA256())
    return f"Bearer {signed}.{b64(signature)}"


def token(at: datetime = NOW, key: PrivateKey = ED25519, **changes: Any) -> str:
    """An `authorization` header that is genuine unless its claims are changed."""
    return sign(claims(at, **changes), key)


def parts(header: str) -> Mapping[str, str]:
    head, content, signature = header.removeprefix("Bearer ").split(".")
    return {"head": head, "content": content, "signature": signature}
