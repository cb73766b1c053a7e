"""Whether a webhook was signed by PayPal: its certificate (below a pinned root, like a web server's), its signature."""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from db.errors import OmsError
from workers.domain.codes import Code
from workers.providers.parsing import FieldError, moment
from workers.providers.paypal.settings import PayPalSettings
from workers.providers.port import CertificateUnknown, Notification, Rejected
from workers.providers.rsa import BITS_MIN, PublicKey

UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)
"""What a certificate may raise at any part of it that is looked at."""
ALGORITHM = "SHA256withRSA"
AHEAD_MAX = timedelta(minutes=5)  # clocks differ
HEADERS = ("transmission-id", "transmission-time", "transmission-sig", "cert-url", "auth-algo")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


class UntrustedError(OmsError, ValueError):
    """A certificate is not believed; says why."""


@dataclass(frozen=True)
class _Stamp:
    id: str
    time: str
    signature: str
    address: str

    @property
    def sent_at(self) -> datetime:
        try:
            return moment(self.time)
        except FieldError:
            raise UntrustedError("has no transmission time") from None


class Trust:
    """Pinned roots, and the certificates that are known, by address."""

    def __init__(self, settings: PayPalSettings, known: Mapping[str, str]) -> None:
        self._settings = settings
        self._known = known
        self._store = Store([_certificates(pem)[0] for pem in settings.root_certificates])
        self._between = [one for pem in settings.intermediate_certificates for one in _certificates(pem)]
        self._address = re.compile(settings.certificate_url_pattern)
        self._keys: dict[str, PublicKey] = {}  # of what is known: a chain is walked once, its time checked each time

    def ours(self, address: str) -> bool:
        """Whether PayPal would have a certificate there."""
        return self._address.fullmatch(address) is not None

    def doubt(self, notification: Notification) -> Rejected | CertificateUnknown | None:
        """Why a notification is not believed to be PayPal's, sent to us, now."""
        try:
            stamp = self._stamp(notification.headers)
            age = notification.received_at - stamp.sent_at
            if not -AHEAD_MAX <= age <= timedelta(seconds=self._settings.transmission_window_seconds):
                return Rejected(Code.PAY_CALLBACK_STALE, "was sent too long ago, or later than now")
            if stamp.address not in self._known:
                return CertificateUnknown(stamp.address)
            key = self._key(stamp.address, notification.received_at)
        except UntrustedError as error:
            return Rejected(Code.PAY_SIGNATURE_INVALID, str(error))
        sound = any(key.signed(stamp.signature, text) for text in self._signed(stamp, notification.body))
        return None if sound else Rejected(Code.PAY_SIGNATURE_INVALID, "the signature is wrong")

    def _stamp(self, headers: Mapping[str, str]) -> "_Stamp":
        told = [headers.get(f"paypal-{name}", "") for name in HEADERS]
        stamp = _Stamp(*told[:4])
        if not _ID.fullmatch(stamp.id) or not stamp.signature:
            raise UntrustedError("has no transmission id or no signature")
        if told[4].lower() != ALGORITHM.lower():
            raise UntrustedError(f"is not signed with {ALGORITHM}")
        if not self.ours(stamp.address):
            raise UntrustedError("names a certificate that is not at PayPal's address")
        return stamp

    def _signed(self, stamp: "_Stamp", body: bytes) -> Iterator[bytes]:
        """What PayPal would have signed for each of our webhooks."""
        return (f"{stamp.id}|{stamp.time}|{one}|{zlib.crc32(body)}".encode() for one in self._settings.webhook_ids)

    def verified(self, pem: str, at: datetime) -> PublicKey:
        """The key in a certificate, or in the first of a chain. Raises UntrustedError."""
        leaf, *more = _certificates(pem)
        verifier = PolicyBuilder().store(self._store).time(at.astimezone(UTC).replace(tzinfo=None))
        for name in self._settings.certificate_names:
            try:
                chain = verifier.build_server_verifier(x509.DNSName(name)).verify(leaf, [*more, *self._between])
                return _limited(leaf, chain)
            except (VerificationError, *UNREADABLE):
                continue
        raise UntrustedError("the certificate is not PayPal's, not RSA, not issued below a pinned root or not valid")

    def _key(self, address: str, at: datetime) -> PublicKey:
        key = self._keys.get(address)
        if key is None or not key.valid_at(at):
            key = self._keys[address] = self.verified(self._known[address], at)
        return key


def _limited(leaf: x509.Certificate, chain: Sequence[x509.Certificate]) -> PublicKey:
    """The leaf's key, valid while all of the chain is."""
    key = leaf.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < BITS_MIN:
        raise UntrustedError("is no RSA key")
    since = max(one.not_valid_before_utc for one in chain)
    return PublicKey(key, None, since, min(one.not_valid_after_utc for one in chain))


def _certificates(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except UNREADABLE:
        raise UntrustedError("is no certificate in PEM") from None
