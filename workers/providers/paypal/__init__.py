"""PayPal: Orders v2, Payments v2 and webhooks, for a merchant who connects directly.

Read from developer.paypal.com: "Orders v2", "Payments v2", "Idempotency", "Integrate webhooks" (verification without a
call), "Webhook event names" and "Settlement Report Specification". What certificates and signatures really look like
was seen in notifications that PayPal's webhooks simulator sent.

- An order is created, approved by the buyer at PayPal, and captured by us: no money moves before we ask for it.
- A request repeated under the same PayPal-Request-Id is the same request. So an order whose number was lost is asked
  for by creating it again, and an order needs no closing: it is not captured.
- PayPal signs notifications only, and of their body the CRC-32 only: whoever saw one notification of this merchant
  could write another body with the same CRC-32. Amounts are compared, and what PayPal answers is the better witness.
- Its certificate is found by an address, which is never fetched while verifying: CertificateUnknown names it.
"""

from workers.providers.paypal.provider import PayPal
from workers.providers.paypal.settings import PayPalSettings

RETRY_SCHEDULE_SECONDS = (60, 120, 240, 480, 960, 1920, 3600, *(14_400,) * 16, 10_800, 10_620)
"""A notification that is not answered with 2xx is sent again up to 25 times within three days. How far apart is not
said: this is a guess that ends after 72 hours.
"""

__all__ = ["RETRY_SCHEDULE_SECONDS", "PayPal", "PayPalSettings"]
