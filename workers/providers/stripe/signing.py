"""Verifies Stripe's notifications: an HMAC-SHA256 over the time and the body, with a secret that both sides hold.

The header is `t=1614556828,v1=5257a8...`. While Stripe replaces a secret, there is one v1 for each secret.
"""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from workers.domain.codes import Code
from workers.providers.port import Notification, RejectedNotification
from workers.providers.stripe.settings import StripeSettings

HEADER = "stripe-signature"
_TIME = re.compile(r"[0-9]{1,11}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def authenticate(notification: Notification, settings: StripeSettings) -> RejectedNotification | None:
    """Check that Stripe sent a notification, to us, and recently.

    Returns None, or the reason why we do not believe it.
    """
    times, digests = _parts(notification.headers.get(HEADER, ""))
    if len(times) != 1 or not digests:
        return RejectedNotification(Code.PAY_SIGNATURE_INVALID, "has no time or no signature")
    signed = times[0].encode() + b"." + notification.body
    secrets = (secret.get_secret_value().encode() for secret in settings.webhook_secrets)
    ours = [hmac.new(secret, signed, hashlib.sha256).hexdigest() for secret in secrets]
    if not any(hmac.compare_digest(digest, one) for digest in digests for one in ours):
        return RejectedNotification(Code.PAY_SIGNATURE_INVALID, "the signature is wrong")
    age = notification.received_at - datetime.fromtimestamp(int(times[0]), UTC)
    if abs(age) > timedelta(seconds=settings.signature_window_seconds):
        return RejectedNotification(Code.PAY_CALLBACK_STALE, "was sent too long ago, or later than now")
    return None


def _parts(header: str) -> tuple[list[str], list[str]]:
    """The times and the signatures of the scheme v1. Others, such as those of test events (v0), prove nothing."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t" and _TIME.fullmatch(value)]
    digests = [value for name, _, value in pairs if name == "v1" and _DIGEST.fullmatch(value)]
    return times, digests
