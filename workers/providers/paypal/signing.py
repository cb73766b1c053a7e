"""Verifies PayPal's webhooks: the signature, and the certificate, which must be below a pinned root."""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from workers.domain.codes import Code
from workers.providers.certificates import UNREADABLE, UntrustedError, key_of_chain
from workers.providers.parsing import FieldError, moment
from workers.providers.paypal.settings import PayPalSettings
from workers.providers.port import Notification, RejectedNotification, UnknownCertificate
from workers.providers.rsa import PublicKey

ALGORITHM = "SHA256withRSA"
AHEAD_MAX = timedelta(minutes=5)  # the most that PayPal's clock may be ahead of ours
HEADERS = ("transmission-id", "transmission-time", "transmission-sig", "cert-url", "auth-algo")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True)
class _Stamp:
    """A webhook's signature and the headers that belong to it. `address` is the URL of the certificate."""

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


class PayPalTrust:
    """The pinned roots, and the certificates that are known, by address."""

    def __init__(self, settings: PayPalSettings, known: Mapping[str, str]) -> None:
        self._settings = settings
        self._known = known
        self._store = Store([_certificates(pem)[0] for pem in settings.root_certificates])
        self._between = [one for pem in settings.intermediate_certificates for one in _certificates(pem)]
        self._address = re.compile(settings.certificate_url_pattern)
        self._keys: dict[str, PublicKey] = {}  # by address: a chain is verified once, and its time at each use

    def is_certificate_address(self, address: str) -> bool:
        """True if PayPal offers certificates at this address."""
        return self._address.fullmatch(address) is not None

    def authenticate(self, notification: Notification) -> RejectedNotification | UnknownCertificate | None:
        """Check that PayPal sent a notification, to us, and recently.

        Returns None, or the reason why we do not believe it.
        """
        try:
            stamp = self._stamp(notification.headers)
            age = notification.received_at - stamp.sent_at
            if not -AHEAD_MAX <= age <= timedelta(seconds=self._settings.transmission_window_seconds):
                return RejectedNotification(Code.PAY_CALLBACK_STALE, "was sent too long ago, or later than now")
            if stamp.address not in self._known:
                return UnknownCertificate(stamp.address)
            key = self._key(stamp.address, notification.received_at)
        except UntrustedError as error:
            return RejectedNotification(Code.PAY_SIGNATURE_INVALID, str(error))
        sound = any(key.signed(stamp.signature, text) for text in self._signed(stamp, notification.body))
        return None if sound else RejectedNotification(Code.PAY_SIGNATURE_INVALID, "the signature is wrong")

    def _stamp(self, headers: Mapping[str, str]) -> "_Stamp":
        *fields, algorithm = (headers.get(f"paypal-{name}", "") for name in HEADERS)
        stamp = _Stamp(*fields)
        if not _ID.fullmatch(stamp.id) or not stamp.signature:
            raise UntrustedError("has no transmission id or no signature")
        if algorithm.lower() != ALGORITHM.lower():
            raise UntrustedError(f"is not signed with {ALGORITHM}")
        if not self.is_certificate_address(stamp.address):
            raise UntrustedError("names a certificate that is not at PayPal's address")
        return stamp

    def _signed(self, stamp: "_Stamp", body: bytes) -> Iterator[bytes]:
        """The texts that PayPal would have signed, one for each of our webhooks."""
        return (f"{stamp.id}|{stamp.time}|{one}|{zlib.crc32(body)}".encode() for one in self._settings.webhook_ids)

    def verified(self, pem: str, at: datetime) -> PublicKey:
        """The key of a certificate, or of the first one of a chain. Raises UntrustedError."""
        leaf, *more = _certificates(pem)
        verifier = PolicyBuilder().store(self._store).time(at.astimezone(UTC).replace(tzinfo=None))
        for name in self._settings.certificate_names:
            try:
                chain = verifier.build_server_verifier(x509.DNSName(name)).verify(leaf, [*more, *self._between])
                return key_of_chain((leaf, *chain))
            except (VerificationError, *UNREADABLE):
                continue
        raise UntrustedError("the certificate is not PayPal's, not RSA, not issued below a pinned root or not valid")

    def _key(self, address: str, at: datetime) -> PublicKey:
        key = self._keys.get(address)
        if key is None or not key.valid_at(at):
            key = self._keys[address] = self.verified(self._known[address], at)
        return key


def _certificates(pem: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except UNREADABLE:
        raise UntrustedError("is no certificate in PEM") from None
