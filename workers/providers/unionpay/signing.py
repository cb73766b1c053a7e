"""Whether a certificate that came with a message is UnionPay's: a chain of three, the upper two of them pinned."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from db.errors import OmsError
from workers.providers.rsa import BITS_MIN, PublicKey

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)
"""What a certificate may raise at any part of it that is looked at: parts are read when they are asked for."""
HASHES = frozenset({"sha256", "sha384", "sha512"})
REMEMBERED_MAX = 16  # UnionPay has one certificate, two while it is replaced


class UntrustedError(OmsError, ValueError):
    """A certificate is not believed; says why."""


class Trust:
    """Roots, intermediates and the name of the holder. The standard library of X.509 refuses what CFCA issues (SHA-1,
    no alternative names), so the chain is walked here: names, signatures, validity, right to issue.
    """

    def __init__(self, roots: Sequence[str], intermediates: Sequence[str], holder: str, sha1: bool) -> None:
        self._holder = holder
        self._hashes = HASHES | {"sha1"} if sha1 else HASHES
        tops = [_certificate(pem) for pem in roots]
        self._issuers = [(one, self._issuer(one, tops)) for one in map(_certificate, intermediates)]
        self._checked = lru_cache(maxsize=REMEMBERED_MAX)(self._check)

    def key(self, pem: str, moment: datetime) -> PublicKey:
        """The key in UnionPay's certificate. Raises UntrustedError."""
        try:
            key = self._checked(pem)
        except UntrustedError:
            raise
        except UNREADABLE:
            raise UntrustedError("the certificate cannot be read") from None
        if not key.valid_at(moment):
            raise UntrustedError("the certificate, or one above it, is not valid at that time")
        return key

    def _check(self, pem: str) -> PublicKey:
        leaf = _certificate(pem)
        if _holder(leaf) != self._holder:
            raise UntrustedError("the certificate is somebody else's")
        above = self._issuer(leaf, [one for one, _ in self._issuers])
        chain = (leaf, above, next(top for one, top in self._issuers if one is above))
        key = leaf.public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size < BITS_MIN:
            raise UntrustedError(f"the certificate has no RSA key of {BITS_MIN} bits or more")
        usage = _usage(leaf)
        if usage is not None and not usage.digital_signature:
            raise UntrustedError("the certificate is not for signing")
        since = max(one.not_valid_before_utc for one in chain)
        until = min(one.not_valid_after_utc for one in chain)
        return PublicKey(key, f"{leaf.serial_number:X}", since, until)

    def _issuer(self, certificate: x509.Certificate, above: Sequence[x509.Certificate]) -> x509.Certificate:
        """Which of those above issued it."""
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
        raise UntrustedError("the certificate was issued by nobody who is pinned here")


def _certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        raise UntrustedError("is no certificate in PEM") from None


def _holder(certificate: x509.Certificate) -> str | None:
    """CN is such as 041@8310000000083040@中国银联股份有限公司@00016495."""
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
