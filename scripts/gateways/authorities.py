"""Certificate authorities of the test gateways: a root, an issuer below it, and the certificates that it issues."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOTHING = {
    "content_commitment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}
SIGNING = x509.KeyUsage(digital_signature=True, key_encipherment=True, key_cert_sign=False, **NOTHING)
ISSUING = x509.KeyUsage(digital_signature=False, key_encipherment=False, key_cert_sign=True, **NOTHING)


def new_key() -> RSAPrivateKey:
    """Make an RSA key of 2048 bits, which takes about a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key: RSAPrivateKey) -> str:
    """Return a private key as PKCS #8, not encrypted."""
    format_ = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, format_, serialization.NoEncryption()).decode()


def public_pem(key: RSAPrivateKey) -> str:
    """Return the public half of a key as PEM."""
    format_ = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, format_).decode()


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(frozen=True)
class Authority:
    """A root and an issuer, valid for ten years from `since`."""

    name: str
    since: datetime
    root_key: RSAPrivateKey = field(default_factory=new_key, repr=False)
    issuer_key: RSAPrivateKey = field(default_factory=new_key, repr=False)

    @property
    def root(self) -> x509.Certificate:
        """The root certificate, which clients pin."""
        return self._below_root("root", self.root_key)

    @property
    def issuer(self) -> x509.Certificate:
        """The certificate of the issuer, between the root and the others."""
        return self._below_root("issuer", self.issuer_key)

    def certificate(
        self,
        key: RSAPublicKey,
        common_name: str,
        *,
        dns: str | None = None,
        since: datetime | None = None,
        days: int = 365,
        usage: x509.KeyUsage = SIGNING,
    ) -> x509.Certificate:
        """Issue a certificate. With `dns` it is valid for a web server of that name."""
        builder = _blank(_named(common_name), _named(f"{self.name} issuer"), key, since or self.since, days)
        for extension, critical in (
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (usage, True),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(self.issuer_key.public_key()), False),
        ):
            builder = builder.add_extension(extension, critical)
        if dns is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(purpose, critical=False)
        return _signed(builder, self.issuer_key)

    def _below_root(self, part: str, key: RSAPrivateKey) -> x509.Certificate:
        own, above = key.public_key(), self.root_key.public_key()
        builder = (
            _blank(_named(f"{self.name} {part}"), _named(f"{self.name} root"), own, self.since, 3650)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(ISSUING, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
        )
        return _signed(builder, self.root_key)


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _blank(
    subject: x509.Name, issuer: x509.Name, key: RSAPublicKey, since: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=days))
    )


def _signed(builder: x509.CertificateBuilder, key: RSAPrivateKey) -> x509.Certificate:
    return builder.sign(key, hashes.SHA256())
