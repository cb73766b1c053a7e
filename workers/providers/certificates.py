"""Checks X.509 certificates that come with a message or from a provider's address. Several adapters use it."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from db.errors import OmsError
from workers.providers.rsa import BITS_MIN, PublicKey

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)
"""Any access to a part of a certificate may raise these: the library reads a part only when it is accessed."""


class UntrustedError(OmsError, ValueError):
    """We do not believe a certificate or a signature. The message says why."""


def key_of_chain(chain: Sequence[x509.Certificate], serial: str | None = None) -> PublicKey:
    """The key of the chain's first certificate. It is valid while every certificate of the chain is valid.

    Raises UntrustedError if it is not an RSA key of 2048 bits or more.
    """
    key = chain[0].public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < BITS_MIN:
        raise UntrustedError(f"the certificate has no RSA key of {BITS_MIN} bits or more")
    since = max(one.not_valid_before_utc for one in chain)
    until = min(one.not_valid_after_utc for one in chain)
    return PublicKey(key, serial, since, until)
