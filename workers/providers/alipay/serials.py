"""Computes the names that Alipay gives to certificates in 证书模式.

A serial is unique only for its issuer. So app_cert_sn and alipay_root_cert_sn are MD5 over the issuer's name and the
serial.
"""

import hashlib
import re

from cryptography import x509

RSA_SIGNATURES = "1.2.840.113549.1.1."
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def of(certificate: x509.Certificate) -> str:
    """Compute app_cert_sn from the issuer as RFC 2253 writes it and the serial in decimals."""
    text = f"{certificate.issuer.rfc4514_string()}{certificate.serial_number}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def of_roots(pem: str) -> str:
    """Compute alipay_root_cert_sn: the names of all RSA certificates in alipayRootCert.crt. Raises ValueError."""
    known = [of(one) for one in map(_rsa, _PEM.findall(pem)) if one is not None]
    if not known:
        raise ValueError("has no certificate that is signed with RSA")
    return "_".join(known)


def _rsa(pem: str) -> x509.Certificate | None:
    """The certificate, or None if it is not signed with RSA. Others (SM2, ECDSA) do not count, even if unreadable."""
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None
    return found if found.signature_algorithm_oid.dotted_string.startswith(RSA_SIGNATURES) else None
