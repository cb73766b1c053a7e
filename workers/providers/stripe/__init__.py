"""Stripe: cards on Checkout's page, for a merchant with an account of its own.

The adapter follows docs.stripe.com: "Checkout Sessions", "Payment Intents" ("Place a hold on a payment method"),
"Refunds", "Disputes", "Idempotent requests", "Errors", "Supported currencies", "Verify webhook signatures" and the
report "Balance change from activity, itemized".

- We create a Checkout Session, and the buyer pays on its page. Only then it has a PaymentIntent, and that a charge.
- Our number is the session's client_reference_id, and in the metadata of everything that Stripe reports to us.
- A card that was declined leaves the session open: the buyer tries another one, so the payment is not failed.
- Stripe keeps the answer to an Idempotency-Key for a day, a 500 too, and repeats it. So only what creates something has
  one, and a repeated answer about a refund proves nothing. A capture, a cancel and an expiry can happen once only, and
  the same request again is refused.
- A secret that both sides hold signs the bytes of a notification and the time. So its content is believed.
- A disputed amount is withdrawn at once, as a reversal of the charge; a dispute that we win returns it.
"""

from workers.providers.stripe.provider import Stripe
from workers.providers.stripe.settings import StripeSettings

RETRY_SCHEDULE_SECONDS = (60, 300, 1800, 7200, 18_000, 36_000, *(43_200,) * 4, 23_040)
"""Stripe repeats a notification that was not answered with 2xx for three days, and signs each copy anew.

Stripe does not document the pauses: these are a guess that ends after 72 hours.
"""

__all__ = ["RETRY_SCHEDULE_SECONDS", "Stripe", "StripeSettings"]
