"""PayPal: Orders v2, Payments v2 and webhooks, for a merchant who connects directly.

Read from developer.paypal.com: "Orders v2", "Payments v2", "Idempotency", "Integrate webhooks" (verification without a
call), "Webhook event names" and "Settlement Report Specification". What certificates and signatures really look like
was seen in notifications that PayPal's webhooks simulator sent.

- An order is created, approved by the buyer at PayPal, and captured by us: no money moves before the capture.
- A request repeated under the same PayPal-Request-Id is the same request. So we find an order whose identifier was lost
  by creating it again. An order is never closed: it is just not captured.
- PayPal signs notifications only, and only the CRC-32 of their body: a person who has seen one notification of this
  merchant could write another body with the same CRC-32. So amounts are compared, and we poll and believe the response.
- A notification names the address of its certificate. Verifying never downloads it: UnknownCertificate names it.
"""

from workers.providers.paypal.provider import PayPal
from workers.providers.paypal.settings import PayPalSettings

RETRY_SCHEDULE_SECONDS = (60, 120, 240, 480, 960, 1920, 3600, *(14_400,) * 16, 10_800, 10_620)
"""PayPal repeats a notification that was not answered with 2xx up to 25 times within three days.

It does not document the pauses: these are a guess that ends after 72 hours.
"""

__all__ = ["RETRY_SCHEDULE_SECONDS", "PayPal", "PayPalSettings"]
