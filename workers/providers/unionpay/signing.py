"""Signs our messages and verifies UnionPay's.

A signature is SHA256withRSA over the lower-case hex SHA-256 of `name=value` of all fields but the signature, sorted by
name and joined with `&`. A message from UnionPay brings the certificate of its key. `UnionPayTrust` verifies that
certificate along a chain of three, of which the upper two are pinned in the settings.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.x509.oid import NameOID

from workers.providers.certificates import UNREADABLE, UntrustedError, key_of_chain
from workers.providers.rsa import PublicKey, sign

VERSION = "5.1.0"
RSA = "01"  # signMethod
HASHES = frozenset({"sha256", "sha384", "sha512"})
CHECKED_MAX = 16  # verified certificates that we remember; UnionPay has one, and two while it replaces that


def digest(fields: Mapping[str, str]) -> bytes:
    """The bytes that the signature covers."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "signature")
    return sha256(text.encode()).hexdigest().encode()


def signed(fields: Mapping[str, str], key: RSAPrivateKey, certificate_id: str) -> dict[str, str]:
    """Add our signature, and the fields that name its key, to a message's fields."""
    whole = {**fields, "version": VERSION, "encoding": "UTF-8", "signMethod": RSA, "certId": certificate_id}
    return {**whole, "signature": sign(key, digest(whole))}


class UnionPayTrust:
    """Verifies UnionPay's messages with the pinned roots and intermediates, and the name of the certificate's holder.

    The library's own verification refuses what CFCA issues (SHA-1, no alternative names), so this class walks the
    chain itself: names, signatures, validity, and the right to issue.
    """

    def __init__(self, roots: Sequence[str], intermediates: Sequence[str], holder: str, sha1: bool) -> None:
        self._holder = holder
        self._hashes = HASHES | {"sha1"} if sha1 else HASHES
        tops = [_certificate(pem) for pem in roots]
        self._issuers = [(one, self._issuer(one, tops)) for one in map(_certificate, intermediates)]
        self._checked = lru_cache(maxsize=CHECKED_MAX)(self._check)

    def check(self, fields: Mapping[str, str], at: datetime) -> None:
        """Verify a message's signature. Raises UntrustedError."""
        if (fields.get("version"), fields.get("signMethod")) != (VERSION, RSA):
            raise UntrustedError(f"is not of version {VERSION} with signMethod {RSA}")
        if not fields.get("signature") or not fields.get("signPubKeyCert"):
            raise UntrustedError("has no signature or no certificate")
        if not self._key(fields["signPubKeyCert"], at).signed(fields["signature"], digest(fields)):
            raise UntrustedError("the signature is wrong")

    def _key(self, pem: str, at: datetime) -> PublicKey:
        """The key of UnionPay's certificate. Raises UntrustedError."""
        try:
            key = self._checked(pem)
        except UntrustedError:
            raise
        except UNREADABLE:
            raise UntrustedError("the certificate cannot be read") from None
        if not key.valid_at(at):
            raise UntrustedError("the certificate, or one above it, is not valid at that time")
        return key

    def _check(self, pem: str) -> PublicKey:
        leaf = _certificate(pem)
        if _holder(leaf) != self._holder:
            raise UntrustedError("the certificate has another holder")
        above = self._issuer(leaf, [one for one, _ in self._issuers])
        chain = (leaf, above, next(top for one, top in self._issuers if one is above))
        key = key_of_chain(chain, f"{leaf.serial_number:X}")
        usage = _usage(leaf)
        if usage is not None and not usage.digital_signature:
            raise UntrustedError("the certificate is not for signing")
        return key

    def _issuer(self, certificate: x509.Certificate, above: Sequence[x509.Certificate]) -> x509.Certificate:
        """The certificate among `above` that issued this one. Raises UntrustedError."""
        algorithm = certificate.signature_hash_algorithm
        if algorithm is None or algorithm.name not in self._hashes:
            raise UntrustedError("the certificate is signed with a hash that is not believed")
        for issuer in above:
            key = issuer.public_key()
            if issuer.subject != certificate.issuer or not isinstance(key, RSAPublicKey) or not _may_issue(issuer):
                continue
            try:
                key.verify(certificate.signature, certificate.tbs_certificate_bytes, PKCS1v15(), algorithm)
            except InvalidSignature:
                continue
            return issuer
        raise UntrustedError("the certificate was not issued by one that is pinned here")


def _certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise UntrustedError("is no certificate in PEM") from None


def _holder(certificate: x509.Certificate) -> str | None:
    """The third part of a common name such as 041@8310000000083040@中国银联股份有限公司@00016495."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    parts = str(names[0].value).split("@") if len(names) == 1 else []
    return parts[2] if len(parts) > 2 else None


def _may_issue(certificate: x509.Certificate) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    usage = _usage(certificate)
    return constraints.ca and (usage is None or usage.key_cert_sign)


def _usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
