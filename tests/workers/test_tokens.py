"""Tokens are believed only if a known key signed them, for us, now. The reason against any other shows none of it."""

import hmac
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.roles import Role
from messages.user_roles import TokenClaims, TokenFault
from tests.workers.token_builders import (
    ED25519,
    NOW,
    OTHER,
    RSA,
    b64,
    claims,
    keys,
    number,
    parts,
    public_set,
    sign,
    sign_raw,
    token,
)
from workers.tokens import TokenError, token_keys

OPERATOR = TokenClaims("u1", frozenset({Role.OPERATOR}))
GENUINE = [
    ("Ed25519", token(), OPERATOR),
    ("RS256", token(key=RSA), OPERATOR),
    ("the scheme in small letters", token().replace("Bearer", "bearer"), OPERATOR),
    ("several audiences", token(aud=["shop", "oms"]), OPERATOR),
    (
        "roles as one text",
        token(roles="operator marketing"),
        TokenClaims("u1", frozenset({Role.OPERATOR, Role.MARKETING})),
    ),
    ("roles of other systems", token(roles=["operator", "baker"]), OPERATOR),
    ("no roles", token(roles=None), TokenClaims("u1", frozenset())),
    ("two warehouses", token(warehouses=["east", "main"]), replace(OPERATOR, warehouses=frozenset({"east", "main"}))),
    ("no warehouse", token(warehouses=""), replace(OPERATOR, warehouses=frozenset())),
    ("just now expired by our clock", token(exp=NOW.timestamp() - 29), OPERATOR),
    ("valid in a moment by our clock", token(nbf=NOW.timestamp() + 29), OPERATOR),
    ("claims that we do not use", token(jti="1", iat=1, scope="x"), OPERATOR),
]


@pytest.mark.parametrize(("header", "expected"), [row[1:] for row in GENUINE], ids=[row[0] for row in GENUINE])
def test_a_genuine_token_says_who_it_is_and_what_he_may(header: str, expected: TokenClaims) -> None:
    assert keys().verify(header, NOW) == expected


def forged(**changes: str) -> str:
    """A genuine token with another part."""
    known = {**parts(token()), **changes}
    return f"Bearer {known['head']}.{known['content']}.{known['signature']}"


def with_public_key_as_secret() -> str:
    """The old attack: HS256 with the public key, which everyone has, as the secret."""
    signed = f"{b64(json.dumps({'alg': 'HS256', 'kid': 'ed'}).encode())}.{b64(json.dumps(claims()).encode())}"
    mac = hmac.digest(ED25519.public_key().public_bytes_raw(), signed.encode(), "sha256")
    return f"Bearer {signed}.{b64(mac)}"


NO_JWT, SIGNATURE, TIME = (
    "is no JWT",
    "has a wrong signature",
    "has no time at which it ends (exp), or another wrong time",
)
ALGORITHM = "has another algorithm than its key, or demands an extension"
UNKNOWN_KEY = "is signed with a key that OMS_TOKEN_KEYS does not have"
SCHEME = "does not come as `Bearer <JWT>`, or is too long"
SUBJECT = "names no subject (sub) of 1 to 64 characters"
ROLES = "has roles that are no list of texts"
WAREHOUSES = "has warehouses that are no list of texts"
FORGED = [
    ("no scheme", token().removeprefix("Bearer "), SCHEME),
    ("basic", token().replace("Bearer", "Basic"), SCHEME),
    ("nothing", "", SCHEME),
    ("only a scheme", "Bearer ", NO_JWT),
    ("too long", "Bearer " + "a" * 9000, SCHEME),
    ("no dots", "Bearer abc", NO_JWT),
    ("four parts", token() + ".x", NO_JWT),
    ("padding", forged(signature=parts(token())["signature"] + "=="), NO_JWT),
    ("no base64", forged(head="{}"), NO_JWT),
    ("a list for a header", sign_raw(b"[]", b"{}"), NO_JWT),
    ("bytes that are no text", sign_raw(b"\xff", b"{}"), NO_JWT),
    ("deep", sign_raw(b"[" * 3000, b"{}"), NO_JWT),
    ("content that is a list", sign_raw(b'{"alg":"EdDSA","kid":"ed"}', b"[]"), NO_JWT),
    ("a name twice", sign_raw(b'{"alg":"EdDSA","kid":"ed"}', b'{"sub":"u1","sub":"u2"}'), "has a name twice"),
    ("no algorithm", sign(claims(), alg=None), ALGORITHM),
    ("alg none", sign(claims(), alg="none"), ALGORITHM),
    ("HS256 with the public key", with_public_key_as_secret(), ALGORITHM),
    ("RS256 for an Ed25519 key", sign(claims(), alg="RS256"), ALGORITHM),
    ("a critical extension", sign(claims(), crit=["b64"], b64=False), ALGORITHM),
    ("another key", sign(claims(), OTHER), SIGNATURE),
    ("the other known key", sign(claims(), RSA, kid="ed", alg="EdDSA"), SIGNATURE),
    ("no signature", forged(signature=""), NO_JWT),
    ("another content", forged(content=b64(json.dumps(claims(sub="u2")).encode())), SIGNATURE),
    ("an unknown key id", sign(claims(), kid="new"), UNKNOWN_KEY),
    ("no key id though there are two keys", sign(claims(), kid=None), UNKNOWN_KEY),
    ("a key id that is a number", sign(claims(), kid=1), UNKNOWN_KEY),
    ("for another service", token(aud="mail"), "is for somebody else (aud)"),
    ("for nobody", token(aud=None), "is for somebody else (aud)"),
    ("expired", token(exp=NOW.timestamp() - 31), "has expired (exp)"),
    ("without an end", token(exp=None), TIME),
    ("an end that is a text", token(exp="9999999999"), TIME),
    ("an end that is a truth", token(exp=True), TIME),
    ("an infinite end", token(exp=float("inf")), TIME),
    ("an end that is no number", token(exp=float("nan")), TIME),
    ("not yet valid", token(nbf=NOW.timestamp() + 31), "does not hold yet (nbf)"),
    ("no subject", token(sub=None), SUBJECT),
    ("an empty subject", token(sub=""), SUBJECT),
    ("a subject that is a number", token(sub=1), SUBJECT),
    ("a long subject", token(sub="u" * 65), SUBJECT),
    ("a role that is a number", token(roles=[1]), ROLES),
    ("warehouses that are a number", token(warehouses=7), WAREHOUSES),
    ("roles that are an object", token(roles={"operator": True}), ROLES),
]


@pytest.mark.parametrize(("header", "why"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_any_other_token_is_not_believed(header: str, why: str) -> None:
    found = keys().verify(header, NOW)
    assert isinstance(found, TokenFault)
    assert found.why == why
    is_genuine = why in (TIME, ROLES, WAREHOUSES, "has expired (exp)", "does not hold yet (nbf)")
    assert found.subject == (OPERATOR.subject if is_genuine else None)


def test_an_issuer_counts_if_one_is_set() -> None:
    strict = keys(issuer="https://permissions.test")
    assert strict.verify(token(), NOW) == TokenFault("is of another issuer (iss)")
    assert strict.verify(token(iss="https://permissions.test"), NOW) == OPERATOR


def test_a_single_key_needs_no_id_in_the_token() -> None:
    one = token_keys(json.dumps({"keys": public_set()["keys"][:1]}), "oms")
    assert one.verify(sign(claims(), kid=None), NOW) == OPERATOR
    assert one.verify(sign(claims(), kid="other"), NOW) == TokenFault(UNKNOWN_KEY)


TEXTS = st.binary(max_size=60).map(lambda data: data.decode("latin-1"))


@given(TEXTS | TEXTS.map("Bearer ".__add__))
def test_whatever_comes_in_the_header_raises_nothing(header: str) -> None:
    assert isinstance(keys().verify(header, NOW), TokenFault)


@given(st.dictionaries(st.sampled_from(["sub", "roles", "aud", "exp", "nbf"]), st.none() | st.booleans() | TEXTS))
def test_whatever_a_genuine_signature_covers_raises_nothing(changes: dict[str, Any]) -> None:
    found = keys().verify(sign(claims() | changes), NOW + timedelta(days=1))
    assert isinstance(found, TokenFault)


def test_keys_come_from_a_file_and_are_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(public_set()))
    found = token_keys(f"file:{file}", "oms")
    assert found.verify(token(), NOW) == OPERATOR
    assert "keys" not in repr(found)


def rsa_of(bits: int) -> dict[str, Any]:
    return {"kid": "r", "kty": "RSA", "n": number((1 << bits) - 1), "e": "AQAB"}


WRONG_KEYS = [
    "",
    "{",
    "[]",
    '{"keys": []}',
    '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}]}',
    '{"keys": [{"kid": "1", "kty": "OKP", "crv": "X25519", "x": "AAAA"}]}',
    '{"keys": [{"kid": "1", "kty": "oct", "k": "AAAA"}]}',
    json.dumps({"keys": [rsa_of(1024)]}),
    json.dumps({"keys": [rsa_of(16_384)]}),
    json.dumps({"keys": [public_set()["keys"][0]] * 2}),
    "file:/nonexistent",
]


@pytest.mark.parametrize("text", WRONG_KEYS, ids=[str(place) for place, _ in enumerate(WRONG_KEYS)])
def test_keys_that_cannot_be_used_are_refused_at_the_start(text: str) -> None:
    with pytest.raises(TokenError):
        token_keys(text, "oms")
