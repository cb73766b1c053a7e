"""How often we fetch a certificate that a notification names."""

from datetime import timedelta

from workers.services.certificate_fetches import FETCHES_MAX_PER_MINUTE, CertificateFetchLimiter


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_unverified_notifications_cannot_cause_endless_fetches() -> None:
    clock = Clock()
    limiter = CertificateFetchLimiter(clock)
    allowed = [limiter.allow("paypal", f"https://api.paypal.com/{n}") for n in range(100)]
    assert allowed == [True] * FETCHES_MAX_PER_MINUTE + [False] * (100 - FETCHES_MAX_PER_MINUTE)
    assert limiter.allow("wechat", "5F1E"), "another provider's are counted for themselves"
    assert not limiter.allow("wechat", "5F1E")
    clock.now += timedelta(seconds=4).total_seconds()
    assert limiter.allow("wechat", "5F1E"), "the first may have been lost"
    clock.now += timedelta(minutes=1).total_seconds()
    assert limiter.allow("paypal", "https://api.paypal.com/1")
