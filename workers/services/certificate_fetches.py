"""Limits how often one process fetches certificates from a provider.

A notification is not verified until its certificate is known, so anyone who reaches the edge can name a certificate.
Without a limit, such a stranger decides how many requests we send to the provider.
"""

import time
from collections.abc import Callable, Iterable

import outbox
from messages.providers import ProviderCertificates
from workers.providers.port import UnknownCertificate
from workers.services.attempts import provider_call
from workers.services.payment_notifications import ProviderReport

FETCH_AGAIN_SECONDS = 3.0  # the first request or its answer may have been lost
FETCHES_MAX_PER_MINUTE = 10  # per provider and process
WINDOW_SECONDS = 60.0


class CertificateFetchLimiter:
    """Remembers which certificates were fetched during the last minute. `clock` returns seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._fetches: dict[str, list[tuple[float, str]]] = {}

    def allow(self, provider: str, serial: str) -> bool:
        """True if the certificate may be fetched now; the fetch then counts as made."""
        now = self._clock()
        recent = [(at, name) for at, name in self._fetches.get(provider, []) if now - at < WINDOW_SECONDS]
        fetched_just_now = any(name == serial and now - at < FETCH_AGAIN_SECONDS for at, name in recent)
        allowed = not fetched_just_now and len(recent) < FETCHES_MAX_PER_MINUTE
        if allowed:
            recent.append((now, serial))
        self._fetches[provider] = recent
        return allowed


def calls(reports: Iterable[ProviderReport], limiter: CertificateFetchLimiter) -> list[outbox.Announcement]:
    """Build provider.certificates for each certificate that is unknown here, as often as the limiter allows."""
    fetches: list[outbox.Announcement] = []
    for report in reports:
        if isinstance(report.meaning, UnknownCertificate):
            provider, serial = report.item.body.provider, report.meaning.serial
            if limiter.allow(provider, serial):
                message = ProviderCertificates(provider=provider, serial=serial)
                fetches.append(provider_call(message, provider, because=report.item))
    return fetches
