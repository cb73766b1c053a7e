"""RSA keys and certificates for the tests of providers. Each is made once per session and has a name."""

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


@cache
def private(name: str) -> rsa.RSAPrivateKey:
    """The private key of that name."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def private_pem(name: str) -> str:
    """The private key of that name in PEM, as settings hold it."""
    return private(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@cache
def public_pem(name: str) -> str:
    """The public key of that name in PEM."""
    return private(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@cache
def certificate_pem(name: str, serial: int, since: datetime = BEGINNING, days: int = 3650) -> str:
    """A certificate that the key of that name signed itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private(name).public_key())
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=days))
        .sign(private(name), hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode()
