"""PayPal: Orders v2, Payments v2 and webhooks, for a merchant who connects directly.

The adapter follows developer.paypal.com: "Orders v2", "Payments v2", "Idempotency", "Integrate webhooks" (verification
without a call), "Webhook event names" and "Settlement Report Specification". Notifications of PayPal's webhooks
simulator showed what certificates and signatures really look like.

- We create an order, the buyer approves it at PayPal, and we capture it: no money moves before the capture.
- PayPal takes a request with the same PayPal-Request-Id for the same request. So we find an order whose identifier was
  lost by creating it again. We never close an order: we just do not capture it.
- PayPal signs notifications only, and only the CRC-32 of their body: a person who has seen one notification of this
  merchant could write another body with the same CRC-32. So we compare amounts, and we poll and believe the response.
- A notification names the address of its certificate. `verify` never downloads it and returns UnknownCertificate.
"""

from workers.providers.paypal.provider import PayPal
from workers.providers.paypal.settings import PayPalSettings

RETRY_SCHEDULE_SECONDS = (60, 120, 240, 480, 960, 1920, 3600, *(14_400,) * 16, 10_800, 10_620)
"""PayPal repeats a notification that was not answered with 2xx up to 25 times within three days.

PayPal does not document the pauses: these are a guess that ends after 72 hours.
"""

__all__ = ["RETRY_SCHEDULE_SECONDS", "PayPal", "PayPalSettings"]
